-- oldest passant: 0.1.0

-- How many codes a session got lately is counted with each one that it gets.
CREATE INDEX grants_by_session ON grants (session_id, created_at);

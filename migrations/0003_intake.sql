-- oldest passant: 0.1.0

-- Who brought a kept request, as a hash of the address, and whether the browser that it is bound to has come for it: of one
-- address there are only so many, and of each part of all addresses. A request without them is an older Passant's, and counts for
-- nobody until it expires.
ALTER TABLE authorization_requests ADD COLUMN lane TEXT;
ALTER TABLE authorization_requests ADD COLUMN part TEXT;
ALTER TABLE authorization_requests ADD COLUMN followed_at BIGINT;
CREATE INDEX authorization_requests_by_lane ON authorization_requests (lane) WHERE consumed_at IS NULL;
CREATE INDEX authorization_requests_by_part ON authorization_requests (part) WHERE consumed_at IS NULL;

-- One row a part, locked by whoever keeps a request in it.
CREATE TABLE authorization_request_parts (
    part TEXT NOT NULL PRIMARY KEY
);

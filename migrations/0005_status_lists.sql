-- oldest passant: 0.1.0

-- Token Status Lists, for clients that ask for them alone: one list for the tokens that end in the same quarter of an hour, or several
-- where one is full. A list made before the issuer's cut-off is published as invalid from its first to its last place: so a backup that
-- lost places gives none of them out as valid.
CREATE TABLE status_lists (
    id TEXT NOT NULL PRIMARY KEY,
    ends_at BIGINT NOT NULL,
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    tick BIGINT NOT NULL,
    UNIQUE (ends_at, number)
);

-- What a token of a list is judged by, under the salted name that a cut-off of its jti would have; never the token. Rows go with their
-- list and not before, so that no place is given to two tokens.
CREATE TABLE status_entries (
    list_id TEXT NOT NULL REFERENCES status_lists (id) ON DELETE CASCADE,
    idx BIGINT NOT NULL,
    token TEXT NOT NULL,
    user_id TEXT,
    client_id TEXT NOT NULL,
    session_id TEXT,
    grant_id TEXT,
    kid TEXT NOT NULL,
    born BIGINT NOT NULL,
    PRIMARY KEY (list_id, idx)
);

-- oldest passant: 0.1.0

-- Claims beside name and e-mail address, and what this installation itself says of its users; JSON where no rule of SQL looks.
ALTER TABLE users ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN phone_number TEXT;
ALTER TABLE users ADD COLUMN phone_number_verified BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

-- The claims that an authorization request asked for by name, for as long as its grant lives.
ALTER TABLE grants ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';

-- What a user allowed a client, to be asked no second time, and when all of it was withdrawn. Rows are never deleted: the cut-off
-- must outlive the answer.
CREATE TABLE consents (
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    claims TEXT NOT NULL,
    born BIGINT NOT NULL,
    cutoff BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- Failed attempts by lane: an account, a device of an account, or an address prefix, under a hash.
CREATE TABLE attempts (
    lane TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL
);
CREATE INDEX attempts_by_age ON attempts (last_at);

-- Who did what, from where, and how it ended. Rows are added with the act itself and never changed.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    tick BIGINT,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor TEXT,
    address TEXT,
    request_id TEXT,
    user_id TEXT,
    client_id TEXT,
    session_id TEXT,
    grant_id TEXT,
    detail TEXT
);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_user ON audit (user_id, at) WHERE user_id IS NOT NULL;
CREATE INDEX audit_by_client ON audit (client_id, at) WHERE client_id IS NOT NULL;

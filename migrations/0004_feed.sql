-- oldest passant: 0.1.0

-- Followers of the revocation feed that say who they are and how far they have come: a courtesy for the operator. Nothing is decided
-- by it, and a row goes a few minutes after its follower was last heard.
CREATE TABLE followers (
    id TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    name TEXT NOT NULL,
    instance TEXT NOT NULL,
    feed_id TEXT NOT NULL,
    tick BIGINT NOT NULL,
    head_tick BIGINT NOT NULL,
    keys_digest TEXT NOT NULL,
    keys_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE INDEX followers_by_age ON followers (seen_at);
CREATE INDEX followers_by_address ON followers (address, seen_at);

-- Each time that the history turned out to have been put back, until the operator has seen it. The audit trail keeps it for longer.
CREATE TABLE feed_alarms (
    id TEXT NOT NULL PRIMARY KEY,
    raised_at BIGINT NOT NULL,
    witness TEXT NOT NULL,
    feed_id TEXT NOT NULL,
    lost_tick BIGINT NOT NULL,
    reason TEXT NOT NULL,
    tick BIGINT NOT NULL,
    cut_off BOOLEAN NOT NULL
);

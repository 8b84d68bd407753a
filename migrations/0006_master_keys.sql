-- oldest passant: 0.1.0

-- One row: the master key in force, by its public name. No signing key is sealed under another one from then on.
CREATE TABLE master_key (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    master_key_id TEXT NOT NULL
);

-- Those that were in force before. What refresh tokens' successors were derived by rests sealed under the master key in force, for as
-- long as a successor may be asked for again.
CREATE TABLE retired_master_keys (
    master_key_id TEXT NOT NULL PRIMARY KEY,
    retired_at BIGINT NOT NULL,
    sealed_refresh_key TEXT
);

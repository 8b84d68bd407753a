-- oldest passant: 0.1.0

-- One row: the logical clock, the feed's identity and the head of its chain.
CREATE TABLE feed_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    feed_id TEXT NOT NULL,
    salt TEXT NOT NULL,
    tick BIGINT NOT NULL,
    previous_tick BIGINT NOT NULL,
    chain TEXT NOT NULL,
    issuer_cutoff BIGINT NOT NULL
);

CREATE TABLE feed_entries (
    tick BIGINT NOT NULL PRIMARY KEY,
    feed_id TEXT NOT NULL,
    previous_tick BIGINT NOT NULL,
    chain TEXT NOT NULL
);

CREATE TABLE cutoffs (
    tick BIGINT NOT NULL REFERENCES feed_entries (tick) ON DELETE CASCADE,
    level TEXT NOT NULL,
    identifier TEXT NOT NULL,
    PRIMARY KEY (tick, level, identifier)
);
CREATE INDEX cutoffs_by_identifier ON cutoffs (level, identifier, tick);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL UNIQUE,
    public_jwk TEXT NOT NULL,
    sealed_private_key TEXT NOT NULL,
    master_key_id TEXT NOT NULL,
    published_from BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    signs_until BIGINT NOT NULL,
    published_until BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    name TEXT,
    email TEXT,
    email_verified BOOLEAN NOT NULL,
    password_hash TEXT,
    administrator BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    cutoff BIGINT NOT NULL
);
CREATE INDEX users_administrators ON users (id) WHERE administrator;

-- What the file or the command line registered rests as JSON; what SQL judges by has columns of its own.
CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    registration TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disabled_at BIGINT,
    cutoff BIGINT NOT NULL
);

CREATE TABLE client_secrets (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    secret_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (client_id, secret_hash)
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    cookie_hash TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    born BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    amr TEXT NOT NULL,
    user_agent TEXT,
    address TEXT,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- A request kept while the person signs in and decides; browser_hash binds it to the browser that
-- brought it, and is missing until a request that came by POST from another site has been followed.
CREATE TABLE authorization_requests (
    handle_hash TEXT NOT NULL PRIMARY KEY,
    browser_hash TEXT,
    request TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX authorization_requests_by_expiry ON authorization_requests (expires_at);
CREATE INDEX authorization_requests_answered ON authorization_requests (consumed_at) WHERE consumed_at IS NOT NULL;

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    born BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    amr TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    refresh_until BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX grants_by_user_and_client ON grants (user_id, client_id);
CREATE INDEX grants_by_expiry ON grants (refresh_until);

CREATE TABLE codes (
    code_hash TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    nonce TEXT,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX codes_by_grant ON codes (grant_id);
CREATE INDEX codes_unredeemed ON codes (expires_at) WHERE consumed_at IS NULL;

CREATE TABLE refresh_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    retry_until BIGINT,
    successor_salt TEXT,
    successor_key_id TEXT,
    UNIQUE (grant_id, generation)
);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_with_seeds ON refresh_tokens (retry_until) WHERE successor_salt IS NOT NULL;

-- The link that creates the first administrator.
CREATE TABLE set_up_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    born BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);

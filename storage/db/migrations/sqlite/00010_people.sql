-- +goose Up

-- One row for ever: the key of the search values (package evidence/keyed), wrapped.
CREATE TABLE index_key (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    wrapped BLOB    NOT NULL
) STRICT;

CREATE TABLE agency (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('police', 'prosecution', 'advocates', 'social_work', 'ngo', 'court', 'defence')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE room (
    id         TEXT    PRIMARY KEY,
    agency     TEXT    NOT NULL REFERENCES agency (id),
    name       TEXT    NOT NULL,
    place      TEXT    NOT NULL,
    time_zone  TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (agency, name)
) STRICT;

CREATE TABLE account (
    id          TEXT    PRIMARY KEY,
    agency      TEXT    NOT NULL REFERENCES agency (id),
    login       TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL, -- personal
    role        TEXT    NOT NULL,
    language    TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('proposed', 'invited', 'active', 'disabled')),
    proposed_by TEXT    NOT NULL, -- empty for the first administrator
    approved_by TEXT    NOT NULL, -- empty if nobody did
    created_at  INTEGER NOT NULL,
    approved_at INTEGER NOT NULL,
    active_at   INTEGER NOT NULL,
    disabled_at INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    CHECK (approved_by = '' OR approved_by <> proposed_by) -- nobody approves her own proposal
) STRICT;

CREATE TABLE credential (
    account       TEXT    PRIMARY KEY REFERENCES account (id),
    password_hash TEXT    NOT NULL, -- argon2id
    totp          BLOB    NOT NULL, -- wrapped
    counter       INTEGER NOT NULL  -- last time step that was accepted
) STRICT;

CREATE TABLE invitation (
    id         TEXT    PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES account (id),
    token_hash BLOB    NOT NULL UNIQUE,
    totp       BLOB,            -- wrapped; NULL until it was opened
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX invitation_account ON invitation (account);

CREATE TABLE token (
    id         TEXT    PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES account (id),
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    mfa        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX token_account ON token (account, id);

-- Counts of sign-in attempts under keys that name nobody.
CREATE TABLE sign_in_attempt (
    key          TEXT    PRIMARY KEY,
    count        INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    last_success INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_attempt_old ON sign_in_attempt (since) WHERE last_success = 0;

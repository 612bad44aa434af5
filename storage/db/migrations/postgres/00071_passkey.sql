-- +goose Up

-- Public records of WebAuthn credentials.
CREATE TABLE passkey (
    id         BYTEA   PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES account (id),
    name       TEXT    NOT NULL,
    credential BYTEA    NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX passkey_account ON passkey (account, created_at);

-- Challenges that wait for an answer, each used once. hash is the SHA-256 of the
-- ceremony's token.
CREATE TABLE ceremony (
    hash    TEXT    PRIMARY KEY,
    data    BYTEA    NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX ceremony_expires ON ceremony (expires);

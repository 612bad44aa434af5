-- +goose Up

-- Public records of WebAuthn credentials.
CREATE TABLE passkey (
    id         BLOB   PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES account (id),
    name       TEXT    NOT NULL,
    credential BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX passkey_account ON passkey (account, created_at);

-- Challenges that wait for an answer, each used once. hash is the SHA-256 of the
-- ceremony's token.
CREATE TABLE ceremony (
    hash    TEXT    PRIMARY KEY,
    data    BLOB    NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX ceremony_expires ON ceremony (expires);

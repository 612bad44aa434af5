-- +goose Up
-- Sessions of people who signed in with a browser. hash is the SHA-256 of the
-- cookie's token; data is JSON of package web/login.
CREATE TABLE sessions (
    hash    TEXT   NOT NULL PRIMARY KEY,
    account TEXT   NOT NULL,
    data    BLOB   NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);
CREATE INDEX sessions_account ON sessions (account);

-- +goose Down
DROP TABLE sessions;

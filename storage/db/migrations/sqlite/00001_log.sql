-- +goose Up

-- One row for ever: which installation this is. It is written by init only.
CREATE TABLE installation (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    installation_id TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    origin          TEXT    NOT NULL, -- name of the custody log
    log_verifier    TEXT    NOT NULL, -- public key of its checkpoints
    log_key         BLOB    NOT NULL  -- signing key of its checkpoints, wrapped
) STRICT;

-- One row for ever: the head of the custody log. Whoever writes holds it.
CREATE TABLE log_head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    size     INTEGER NOT NULL,
    root     BLOB    NOT NULL,
    frontier BLOB    NOT NULL, -- roots of the complete subtrees, the largest first
    last_at  INTEGER NOT NULL, -- the latest time in any entry
    events   INTEGER NOT NULL  -- number of the last event
) STRICT;

-- The leaf is the truth; the other columns repeat it to be searched, and an
-- audit compares them.
CREATE TABLE custody_entry (
    position     INTEGER PRIMARY KEY,
    leaf         BLOB    NOT NULL,
    entry_id     TEXT    NOT NULL UNIQUE,
    at           INTEGER NOT NULL,
    action       TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL,
    interview_id TEXT    NOT NULL,
    subject      TEXT    NOT NULL
) STRICT;
CREATE INDEX custody_entry_case ON custody_entry (case_id, position);
CREATE INDEX custody_entry_interview ON custody_entry (interview_id, position);
CREATE INDEX custody_entry_actor ON custody_entry (actor, position);
CREATE INDEX custody_entry_subject ON custody_entry (subject, position);
CREATE INDEX custody_entry_action ON custody_entry (action, position);

-- Nodes of the tree by tlog's stored hash index.
CREATE TABLE custody_hash (
    idx  INTEGER PRIMARY KEY,
    hash BLOB    NOT NULL
) STRICT;

-- Personal data: what the commitments of the leaves hide. Rows are erased one by one.
CREATE TABLE custody_opening (
    position INTEGER NOT NULL,
    field    TEXT    NOT NULL,
    salt     TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    PRIMARY KEY (position, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    note BLOB    NOT NULL
) STRICT;

-- Against a mistake in a program, not against whoever owns the database.
-- +goose StatementBegin
CREATE TRIGGER custody_entry_kept BEFORE UPDATE ON custody_entry
BEGIN SELECT RAISE(ABORT, 'custody entries are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER custody_entry_held BEFORE DELETE ON custody_entry
BEGIN SELECT RAISE(ABORT, 'custody entries are never removed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER custody_hash_kept BEFORE UPDATE ON custody_hash
BEGIN SELECT RAISE(ABORT, 'nodes of the custody log are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER custody_hash_held BEFORE DELETE ON custody_hash
BEGIN SELECT RAISE(ABORT, 'nodes of the custody log are never removed'); END;
-- +goose StatementEnd

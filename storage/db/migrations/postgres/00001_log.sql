-- +goose Up

-- One row for ever: which installation this is. It is written by init only.
CREATE TABLE installation (
    id              BIGINT  PRIMARY KEY CHECK (id = 1),
    installation_id TEXT    NOT NULL,
    created_at      BIGINT  NOT NULL,
    origin          TEXT    NOT NULL, -- name of the custody log
    log_verifier    TEXT    NOT NULL, -- public key of its checkpoints
    log_key         BYTEA   NOT NULL  -- signing key of its checkpoints, wrapped
);

-- One row for ever: the head of the custody log. Whoever writes holds it.
CREATE TABLE log_head (
    id       BIGINT  PRIMARY KEY CHECK (id = 1),
    size     BIGINT  NOT NULL,
    root     BYTEA   NOT NULL,
    frontier BYTEA   NOT NULL, -- roots of the complete subtrees, the largest first
    last_at  BIGINT  NOT NULL, -- the latest time in any entry
    events   BIGINT  NOT NULL  -- number of the last event
);

-- The leaf is the truth; the other columns repeat it to be searched, and an
-- audit compares them.
CREATE TABLE custody_entry (
    position     BIGINT  PRIMARY KEY,
    leaf         BYTEA   NOT NULL,
    entry_id     TEXT    NOT NULL UNIQUE,
    at           BIGINT  NOT NULL,
    action       TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL,
    interview_id TEXT    NOT NULL,
    subject      TEXT    NOT NULL
);
CREATE INDEX custody_entry_case ON custody_entry (case_id, position);
CREATE INDEX custody_entry_interview ON custody_entry (interview_id, position);
CREATE INDEX custody_entry_actor ON custody_entry (actor, position);
CREATE INDEX custody_entry_subject ON custody_entry (subject, position);
CREATE INDEX custody_entry_action ON custody_entry (action, position);

-- Nodes of the tree by tlog's stored hash index.
CREATE TABLE custody_hash (
    idx  BIGINT  PRIMARY KEY,
    hash BYTEA   NOT NULL
);

-- Personal data: what the commitments of the leaves hide. Rows are erased one by one.
CREATE TABLE custody_opening (
    position BIGINT  NOT NULL,
    field    TEXT    NOT NULL,
    salt     TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    PRIMARY KEY (position, field)
);

CREATE TABLE checkpoint (
    size BIGINT  PRIMARY KEY,
    at   BIGINT  NOT NULL,
    note BYTEA   NOT NULL
);

-- Against a mistake in a program, not against whoever owns the database.
-- +goose StatementBegin
CREATE FUNCTION custody_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the custody log is never changed'; END $$;
-- +goose StatementEnd
CREATE TRIGGER custody_entry_kept BEFORE UPDATE OR DELETE ON custody_entry FOR EACH STATEMENT EXECUTE FUNCTION custody_kept();
CREATE TRIGGER custody_hash_kept BEFORE UPDATE OR DELETE ON custody_hash FOR EACH STATEMENT EXECUTE FUNCTION custody_kept();
CREATE TRIGGER custody_entry_held BEFORE TRUNCATE ON custody_entry FOR EACH STATEMENT EXECUTE FUNCTION custody_kept();
CREATE TRIGGER custody_hash_held BEFORE TRUNCATE ON custody_hash FOR EACH STATEMENT EXECUTE FUNCTION custody_kept();

-- Wakes those who wait for events; what happened stands in the table event.
-- +goose StatementBegin
CREATE FUNCTION event_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('toldonce_event', ''); RETURN NULL; END $$;
-- +goose StatementEnd
CREATE TRIGGER log_head_notify AFTER UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION event_notify();

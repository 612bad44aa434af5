-- +goose Up

-- A retention class and its rule, by versions that are never removed (P34).
CREATE TABLE retention_class (
    id         TEXT    PRIMARY KEY,
    agency     TEXT    NOT NULL REFERENCES agency (id),
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (agency, name)
) STRICT;

CREATE TABLE retention_class_version (
    class_id    TEXT    NOT NULL REFERENCES retention_class (id),
    number      INTEGER NOT NULL,
    days        INTEGER NOT NULL,
    counts_from TEXT    NOT NULL CHECK (counts_from IN ('closed', 'sealed')),
    decide_days INTEGER NOT NULL,
    basis       TEXT    NOT NULL,
    set_by      TEXT    NOT NULL,
    set_at      INTEGER NOT NULL,
    PRIMARY KEY (class_id, number)
) STRICT;

-- What was decided for a case: a class, or a day. Rows are only added.
CREATE TABLE retention_rule (
    id            TEXT    PRIMARY KEY,
    agency        TEXT    NOT NULL,
    case_id       TEXT    NOT NULL REFERENCES case_file (id),
    class_id      TEXT    NOT NULL, -- empty for a day
    class_version INTEGER NOT NULL,
    until_at      INTEGER NOT NULL, -- 0 for a class
    reason        TEXT    NOT NULL, -- personal
    set_by        TEXT    NOT NULL,
    set_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX retention_rule_case ON retention_rule (case_id, id);

-- Ends of terms for which the duty to decide was raised.
CREATE TABLE retention_due (
    case_id   TEXT    NOT NULL REFERENCES case_file (id),
    until_at  INTEGER NOT NULL,
    raised_at INTEGER NOT NULL,
    PRIMARY KEY (case_id, until_at)
) STRICT;

CREATE TABLE legal_hold (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL REFERENCES case_file (id),
    interview_id TEXT    NOT NULL, -- empty: the whole case
    reason       TEXT    NOT NULL, -- personal, as is the next
    authority    TEXT    NOT NULL,
    placed_by    TEXT    NOT NULL,
    placed_at    INTEGER NOT NULL,
    lifted_by    TEXT    NOT NULL,
    lifted_at    INTEGER NOT NULL, -- 0 while it holds
    version      INTEGER NOT NULL
) STRICT;
CREATE INDEX legal_hold_case ON legal_hold (case_id, id);

-- What the object store was last told to keep a recording by.
CREATE TABLE object_lock (
    recording_id TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    until_at     INTEGER NOT NULL,
    held         INTEGER NOT NULL CHECK (held IN (0, 1)),
    objects      INTEGER NOT NULL,
    applied_at   INTEGER NOT NULL
) STRICT;

-- A recording on its way out, and the certificates that remain of it (P35).
CREATE TABLE erasure (
    id            TEXT    PRIMARY KEY,
    agency        TEXT    NOT NULL,
    case_id       TEXT    NOT NULL REFERENCES case_file (id),
    interview_id  TEXT    NOT NULL REFERENCES interview (id),
    recording_id  TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('proposed', 'rejected', 'approved', 'provisional', 'final')),
    reason        TEXT    NOT NULL, -- personal, as is the order
    reason_salt   TEXT    NOT NULL,
    order_text    TEXT    NOT NULL,
    order_salt    TEXT    NOT NULL,
    requested_by  TEXT    NOT NULL,
    requested_at  INTEGER NOT NULL,
    decided_by    TEXT    NOT NULL,
    decided_at    INTEGER NOT NULL,
    erased_at     INTEGER NOT NULL,
    attested_by   TEXT    NOT NULL,
    attested_at   INTEGER NOT NULL,
    certificate   BLOB    NOT NULL,
    bundle        BLOB    NOT NULL,
    final         BLOB    NOT NULL,
    final_bundle  BLOB    NOT NULL,
    version       INTEGER NOT NULL,
    CHECK (decided_by = '' OR decided_by <> requested_by) -- two different people (P35)
) STRICT;
CREATE UNIQUE INDEX erasure_interview ON erasure (interview_id) WHERE state <> 'rejected';
CREATE INDEX erasure_agency ON erasure (agency, id);
CREATE INDEX erasure_case ON erasure (case_id, id);

-- What was made from a recording and has an erasable key of its own.
CREATE TABLE derivative_key (
    derivative_id TEXT PRIMARY KEY,
    agency        TEXT NOT NULL,
    recording_id  TEXT NOT NULL
) STRICT;
CREATE INDEX derivative_key_recording ON derivative_key (recording_id, derivative_id);

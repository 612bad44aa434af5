-- +goose Up

-- One thing that is written down in a case file. What stands in it never changes;
-- it is closed, with what came of it.
CREATE TABLE sheet (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL REFERENCES case_file (id),
    person_id    TEXT    NOT NULL, -- empty if it concerns nobody in particular
    interview_id TEXT    NOT NULL, -- empty if it concerns no interview
    kind         TEXT    NOT NULL,
    content      TEXT    NOT NULL, -- JSON, personal
    salt         TEXT    NOT NULL, -- of the commitment to it in the custody log
    for_account  TEXT    NOT NULL, -- whose duty it is; empty: of everyone with for_role
    for_role     TEXT    NOT NULL,
    due_at       INTEGER NOT NULL, -- 0: no deadline
    written_by   TEXT    NOT NULL,
    written_at   INTEGER NOT NULL,
    closed_by    TEXT    NOT NULL,
    closed_at    INTEGER NOT NULL, -- 0: open
    outcome      TEXT    NOT NULL, -- personal
    version      INTEGER NOT NULL
) STRICT;
CREATE INDEX sheet_case ON sheet (case_id, kind, id);
CREATE INDEX sheet_interview ON sheet (interview_id, id) WHERE interview_id <> '';
CREATE INDEX sheet_due ON sheet (due_at) WHERE closed_at = 0 AND due_at <> 0;

ALTER TABLE consent ADD COLUMN signing TEXT NOT NULL DEFAULT ''; -- paper, scan or screen, for a written consent
ALTER TABLE consent ADD COLUMN told_who INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN text_sha256 TEXT NOT NULL DEFAULT '';

-- The spoken repeat on the recording: it shows what was agreed, and opens no gate.
CREATE TABLE consent_repeat (
    consent_id   TEXT    NOT NULL REFERENCES consent (id),
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    at           INTEGER NOT NULL, -- interview time
    noted_by     TEXT    NOT NULL,
    noted_at     INTEGER NOT NULL,
    PRIMARY KEY (consent_id, interview_id)
) STRICT, WITHOUT ROWID;

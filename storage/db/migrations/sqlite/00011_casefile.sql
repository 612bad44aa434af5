-- +goose Up

CREATE TABLE case_file (
    id             TEXT    PRIMARY KEY,
    agency         TEXT    NOT NULL REFERENCES agency (id),
    reference      TEXT    NOT NULL, -- personal
    reference_salt TEXT    NOT NULL, -- of the commitment to it in signed documents
    reference_key  TEXT    NOT NULL UNIQUE,
    stage          TEXT    NOT NULL,
    opened_by      TEXT    NOT NULL,
    opened_at      INTEGER NOT NULL,
    version        INTEGER NOT NULL
) STRICT;
CREATE INDEX case_file_agency ON case_file (agency, id);

CREATE TABLE team_member (
    id       TEXT    PRIMARY KEY,
    agency   TEXT    NOT NULL,
    case_id  TEXT    NOT NULL REFERENCES case_file (id),
    account  TEXT    NOT NULL REFERENCES account (id),
    role     TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL, -- exclusive; 0: open
    added_by TEXT    NOT NULL,
    added_at INTEGER NOT NULL,
    ended_by TEXT    NOT NULL,
    ended_at INTEGER NOT NULL
) STRICT;
CREATE INDEX team_member_account ON team_member (account, case_id);
CREATE INDEX team_member_case ON team_member (case_id, id);

CREATE TABLE person (
    id                TEXT    PRIMARY KEY,
    agency            TEXT    NOT NULL,
    case_id           TEXT    NOT NULL REFERENCES case_file (id),
    pseudonym         TEXT    NOT NULL,
    pseudonym_key     TEXT    NOT NULL,
    kind              TEXT    NOT NULL CHECK (kind IN ('victim', 'witness', 'suspect')),
    age               TEXT    NOT NULL CHECK (age IN ('child', 'adult', 'uncertain')),
    language          TEXT    NOT NULL,
    unaccompanied     INTEGER NOT NULL,
    guardian_name     TEXT    NOT NULL, -- personal
    guardian_relation TEXT    NOT NULL,
    guardian_conflict INTEGER NOT NULL,
    conflict_note     TEXT    NOT NULL, -- personal
    added_by          TEXT    NOT NULL,
    added_at          INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    UNIQUE (case_id, pseudonym_key)
) STRICT;
CREATE INDEX person_pseudonym ON person (pseudonym_key);

-- Accounts that are kept apart from a case.
CREATE TABLE separation (
    id        TEXT    PRIMARY KEY,
    agency    TEXT    NOT NULL,
    case_id   TEXT    NOT NULL REFERENCES case_file (id),
    person_id TEXT    NOT NULL REFERENCES person (id),
    account   TEXT    NOT NULL REFERENCES account (id),
    kind      TEXT    NOT NULL,
    said_by   TEXT    NOT NULL,
    said_at   INTEGER NOT NULL,
    UNIQUE (case_id, account, person_id)
) STRICT;

CREATE TABLE interview_plan (
    interview_id TEXT    PRIMARY KEY REFERENCES interview (id),
    agency       TEXT    NOT NULL,
    interviewer  TEXT    NOT NULL REFERENCES account (id),
    needs        TEXT    NOT NULL, -- personal, as are the next two
    necessity    TEXT    NOT NULL,
    change       TEXT    NOT NULL,
    planned_by   TEXT    NOT NULL,
    planned_at   INTEGER NOT NULL
) STRICT;

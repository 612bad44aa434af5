-- +goose Up

-- What observers asked of the interviewer, and what came of it.
CREATE TABLE observer_call (
    id              TEXT   NOT NULL PRIMARY KEY,
    agency          TEXT   NOT NULL,
    case_id         TEXT   NOT NULL,
    interview_id    TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    text            TEXT   NOT NULL, -- personal
    called_by       TEXT   NOT NULL,
    role            TEXT   NOT NULL,
    at_us           INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    outcome         TEXT   NOT NULL, -- empty while it is open
    settled_by      TEXT   NOT NULL,
    settled_us      INTEGER NOT NULL,
    settled_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX observer_call_interview ON observer_call (interview_id, id);

-- What somebody wrote for herself during an interview.
CREATE TABLE observer_note (
    id              TEXT   NOT NULL PRIMARY KEY,
    agency          TEXT   NOT NULL,
    interview_id    TEXT   NOT NULL,
    author          TEXT   NOT NULL,
    text            TEXT   NOT NULL, -- personal
    at_us           INTEGER NOT NULL,
    at              INTEGER NOT NULL
) STRICT;
CREATE INDEX observer_note_author ON observer_note (interview_id, author, id);

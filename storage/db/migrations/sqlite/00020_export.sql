-- +goose Up

-- Packages on their way out (P19).
CREATE TABLE export (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL REFERENCES case_file (id),
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    state        TEXT    NOT NULL CHECK (state IN ('proposed', 'approved', 'delivered')),
    recipient    TEXT    NOT NULL, -- age recipient; empty: in the clear
    reasons      INTEGER NOT NULL CHECK (reasons IN (0, 1)), -- whether the texts of the excerpt go along
    reason       TEXT    NOT NULL, -- personal
    requested_by TEXT    NOT NULL,
    requested_at INTEGER NOT NULL,
    approved_by  TEXT    NOT NULL,
    approved_at  INTEGER NOT NULL,
    attempt      INTEGER NOT NULL, -- deliveries begun
    lease_until  INTEGER NOT NULL, -- of the running one; 0 if none
    delivered_at INTEGER NOT NULL,
    digest       TEXT    NOT NULL, -- SHA-256 of the tag manifest that left
    bytes        INTEGER NOT NULL,
    version      INTEGER NOT NULL
) STRICT;
CREATE INDEX export_interview ON export (interview_id, id);
CREATE INDEX export_case ON export (case_id, id);

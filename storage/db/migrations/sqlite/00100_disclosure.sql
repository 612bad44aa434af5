-- +goose Up

-- The state got one value more, which SQLite cannot change in place.
CREATE TABLE export_new (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL REFERENCES case_file (id),
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    state        TEXT    NOT NULL CHECK (state IN ('proposed', 'approved', 'delivered', 'received')),
    recipient    TEXT    NOT NULL, -- age recipient; empty: in the clear or under a passphrase
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
    version      INTEGER NOT NULL,
    passphrase   INTEGER NOT NULL CHECK (passphrase IN (0, 1)), -- asked for at each delivery, kept nowhere
    content      TEXT    NOT NULL CHECK (content IN ('recording', 'clip')),
    asked_from   INTEGER NOT NULL, -- of a clip
    asked_until  INTEGER NOT NULL,
    outward      INTEGER NOT NULL CHECK (outward IN (0, 1)),
    source       TEXT    NOT NULL, -- of a clip of one source; empty: of all
    grant_id     TEXT    NOT NULL, -- under which a clip is cut; empty: a custodian's
    profile      TEXT    NOT NULL,
    exhibit      TEXT    NOT NULL,
    received_at  INTEGER NOT NULL, -- acknowledged by the recipient (P39); 0 before
    received_by  TEXT    NOT NULL,
    alarmed_at   INTEGER NOT NULL  -- the missing receipt was reported; 0 before
) STRICT;
INSERT INTO export_new SELECT id, agency, case_id, interview_id, state, recipient, reasons, reason, requested_by, requested_at, approved_by, approved_at,
    attempt, lease_until, delivered_at, digest, bytes, version, 0, 'recording', 0, 0, 0, '', '', 'full', '', 0, '', 0 FROM export;
DROP TABLE export;
ALTER TABLE export_new RENAME TO export;
CREATE INDEX export_interview ON export (interview_id, id);
CREATE INDEX export_case ON export (case_id, id);
CREATE INDEX export_unreceived ON export (delivered_at) WHERE state = 'delivered' AND alarmed_at = 0;

-- Inner nodes of a sealed recording's tree, from the roots of the full pages
-- upwards, in tlog's storage order: they make the proof of a clip cheap.
CREATE TABLE sealed_node (
    recording_id TEXT    NOT NULL,
    node         INTEGER NOT NULL,
    hash         BLOB    NOT NULL,
    PRIMARY KEY (recording_id, node)
) STRICT, WITHOUT ROWID;

-- Whether who holds a grant may have clips of what it gives.
ALTER TABLE access_grant ADD COLUMN clips INTEGER NOT NULL DEFAULT 0 CHECK (clips IN (0, 1));

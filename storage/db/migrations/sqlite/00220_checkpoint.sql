-- +goose Up

-- Signed checkpoints of recordings, which are in the object store too: here for the
-- packages, which carry them. A note is text (C2SP signed-note).
CREATE TABLE recording_checkpoint (
    recording_id TEXT    NOT NULL,
    size         INTEGER NOT NULL CHECK (size >= 1),
    agency       TEXT    NOT NULL,
    signed       TEXT    NOT NULL,
    PRIMARY KEY (recording_id, size)
) STRICT, WITHOUT ROWID;

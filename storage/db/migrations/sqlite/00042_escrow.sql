-- +goose Up

-- Shares of recordings' data keys that were given out; the shares themselves are nowhere in here.
CREATE TABLE escrow_share (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    recording_id TEXT    NOT NULL REFERENCES sealed_recording (recording_id),
    number       INTEGER NOT NULL,
    needed       INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    holder       TEXT    NOT NULL, -- personal
    issued_at    INTEGER NOT NULL,
    returned_at  INTEGER NOT NULL -- 0 while it is out
) STRICT;
CREATE INDEX escrow_share_recording ON escrow_share (recording_id, id);

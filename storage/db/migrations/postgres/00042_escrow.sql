-- +goose Up

-- Shares of recordings' data keys that were given out; the shares themselves are nowhere in here.
CREATE TABLE escrow_share (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    recording_id TEXT    NOT NULL REFERENCES sealed_recording (recording_id),
    number       BIGINT  NOT NULL,
    needed       BIGINT  NOT NULL,
    total        BIGINT  NOT NULL,
    holder       TEXT    NOT NULL, -- personal
    issued_at    BIGINT  NOT NULL,
    returned_at  BIGINT  NOT NULL -- 0 while it is out
);
CREATE INDEX escrow_share_recording ON escrow_share (recording_id, id);

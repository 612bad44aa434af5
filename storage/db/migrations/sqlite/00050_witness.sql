-- +goose Up

-- What witnesses signed under a checkpoint.
CREATE TABLE cosignature (
    size    INTEGER NOT NULL,
    witness TEXT   NOT NULL, -- its name
    at      INTEGER NOT NULL, -- seconds, by its clock
    line    TEXT   NOT NULL, -- of the signed note
    PRIMARY KEY (size, witness)
) STRICT;

-- What two people say about entries that were lost or replaced.
CREATE TABLE discontinuity (
    id          TEXT   PRIMARY KEY,
    from_size   INTEGER NOT NULL,
    until_size  INTEGER NOT NULL,
    root        TEXT   NOT NULL, -- of the checkpoint that the log contradicts; empty where only its size is known
    source      TEXT   NOT NULL,
    proposed_by TEXT   NOT NULL,
    proposed_at INTEGER NOT NULL,
    approved_by TEXT   NOT NULL, -- empty until it is approved
    approved_at INTEGER NOT NULL,
    version     INTEGER NOT NULL
) STRICT;

-- 1 for a checkpoint of entries that an approved discontinuity gave up. It stays.
ALTER TABLE checkpoint ADD COLUMN abandoned INTEGER NOT NULL DEFAULT 0;

-- +goose Up

-- What witnesses signed under a checkpoint.
CREATE TABLE cosignature (
    size    BIGINT NOT NULL,
    witness TEXT   NOT NULL, -- its name
    at      BIGINT NOT NULL, -- seconds, by its clock
    line    TEXT   NOT NULL, -- of the signed note
    PRIMARY KEY (size, witness)
);

-- What two people say about entries that were lost or replaced.
CREATE TABLE discontinuity (
    id          TEXT   PRIMARY KEY,
    from_size   BIGINT NOT NULL,
    until_size  BIGINT NOT NULL,
    root        TEXT   NOT NULL, -- of the checkpoint that the log contradicts; empty where only its size is known
    source      TEXT   NOT NULL,
    proposed_by TEXT   NOT NULL,
    proposed_at BIGINT NOT NULL,
    approved_by TEXT   NOT NULL, -- empty until it is approved
    approved_at BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

-- 1 for a checkpoint of entries that an approved discontinuity gave up. It stays.
ALTER TABLE checkpoint ADD COLUMN abandoned BIGINT NOT NULL DEFAULT 0;

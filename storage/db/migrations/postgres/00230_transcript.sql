-- +goose Up

-- Versions of transcripts. Their text lies in the object store, encrypted to the
-- recording's recipient.
CREATE TABLE transcript (
    id             TEXT    PRIMARY KEY,
    agency         TEXT    NOT NULL,
    case_id        TEXT    NOT NULL REFERENCES case_file (id),
    interview_id   TEXT    NOT NULL REFERENCES interview (id),
    recording_id   TEXT    NOT NULL,
    language       TEXT    NOT NULL, -- BCP 47
    number         BIGINT  NOT NULL, -- of the interview and language, from 1
    origin         TEXT    NOT NULL CHECK (origin IN ('import', 'edit', 'speech')),
    base           TEXT    NOT NULL, -- the version that was edited, or empty
    cues           BIGINT  NOT NULL,
    range_from     BIGINT  NOT NULL, -- interview time, microseconds
    range_until    BIGINT  NOT NULL,
    plain_sha256   TEXT    NOT NULL,
    plain_size     BIGINT  NOT NULL,
    cipher_sha256  TEXT    NOT NULL,
    cipher_size    BIGINT  NOT NULL,
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    created_by     TEXT    NOT NULL, -- account; empty: a speech service
    created_at     BIGINT  NOT NULL,
    certified_by   TEXT    NOT NULL, -- account; empty while unofficial
    certified_at   BIGINT  NOT NULL,
    certifier      TEXT    NOT NULL, -- name and capacity, as given; personal
    certifier_salt TEXT    NOT NULL,
    bundle         BYTEA   NOT NULL, -- the signed certificate
    UNIQUE (interview_id, language, number)
);

-- Whether who holds a grant may read the transcript of what it gives.
ALTER TABLE access_grant ADD COLUMN transcript BOOLEAN NOT NULL DEFAULT false;

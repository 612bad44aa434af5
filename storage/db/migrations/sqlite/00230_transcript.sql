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
    number         INTEGER NOT NULL, -- of the interview and language, from 1
    origin         TEXT    NOT NULL CHECK (origin IN ('import', 'edit', 'speech')),
    base           TEXT    NOT NULL, -- the version that was edited, or empty
    cues           INTEGER NOT NULL,
    range_from     INTEGER NOT NULL, -- interview time, microseconds
    range_until    INTEGER NOT NULL,
    plain_sha256   TEXT    NOT NULL,
    plain_size     INTEGER NOT NULL,
    cipher_sha256  TEXT    NOT NULL,
    cipher_size    INTEGER NOT NULL,
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    created_by     TEXT    NOT NULL, -- account; empty: a speech service
    created_at     INTEGER NOT NULL,
    certified_by   TEXT    NOT NULL, -- account; empty while unofficial
    certified_at   INTEGER NOT NULL,
    certifier      TEXT    NOT NULL, -- name and capacity, as given; personal
    certifier_salt TEXT    NOT NULL,
    bundle         BLOB    NOT NULL, -- the signed certificate
    UNIQUE (interview_id, language, number)
) STRICT;

-- Whether who holds a grant may read the transcript of what it gives.
ALTER TABLE access_grant ADD COLUMN transcript INTEGER NOT NULL DEFAULT 0 CHECK (transcript IN (0, 1));

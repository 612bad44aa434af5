-- +goose Up

-- The track of which this one holds back-filled stretches; empty for one that is received live.
ALTER TABLE track ADD COLUMN replaces TEXT NOT NULL DEFAULT '';

-- A browser of an interview room, by the public key that it signs with.
CREATE TABLE device (
    id          TEXT    PRIMARY KEY,
    agency      TEXT    NOT NULL,
    room_id     TEXT    NOT NULL,
    public_key  BLOB    NOT NULL, -- SubjectPublicKeyInfo
    key_id      TEXT    NOT NULL, -- its SHA-256, lower-case hex
    enrolled_at INTEGER NOT NULL,
    revoked_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    UNIQUE (room_id, key_id)
) STRICT;

-- Where the files of source manifests lie. The file's description is the truth.
CREATE TABLE source_manifest (
    source_id      TEXT    NOT NULL REFERENCES source (id),
    number         INTEGER NOT NULL CHECK (number >= 0),
    agency         TEXT    NOT NULL,
    recording_id   TEXT    NOT NULL,
    file           BLOB    NOT NULL, -- canonical
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (source_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_manifest_recording ON source_manifest (recording_id);

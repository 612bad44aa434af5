-- +goose Up

-- Small pictures and loudness of a sealed recording: who makes them, and when they were made.
CREATE TABLE preview_set (
    recording_id TEXT    PRIMARY KEY REFERENCES interview (recording_id),
    agency       TEXT    NOT NULL,
    node         TEXT    NOT NULL,
    lease_until  INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    made_at      INTEGER NOT NULL -- 0 until they were
) STRICT;

-- Where they lie, encrypted to the recording's recipient.
CREATE TABLE preview_page (
    recording_id   TEXT    NOT NULL REFERENCES preview_set (recording_id),
    track_id       TEXT    NOT NULL REFERENCES track (id),
    page           INTEGER NOT NULL,
    agency         TEXT    NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('pictures', 'levels')),
    first_number   INTEGER NOT NULL, -- indexes of media segments
    last_number    INTEGER NOT NULL,
    plain_sha256   TEXT    NOT NULL,
    plain_size     INTEGER NOT NULL,
    cipher_sha256  TEXT    NOT NULL,
    cipher_size    INTEGER NOT NULL,
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (track_id, page)
) STRICT, WITHOUT ROWID;

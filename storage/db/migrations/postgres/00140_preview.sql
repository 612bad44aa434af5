-- +goose Up

-- Small pictures and loudness of a sealed recording: who makes them, and when they were made.
CREATE TABLE preview_set (
    recording_id TEXT    PRIMARY KEY REFERENCES interview (recording_id),
    agency       TEXT    NOT NULL,
    node         TEXT    NOT NULL,
    lease_until  BIGINT  NOT NULL,
    attempts     BIGINT  NOT NULL,
    made_at      BIGINT  NOT NULL -- 0 until they were
);

-- Where they lie, encrypted to the recording's recipient.
CREATE TABLE preview_page (
    recording_id   TEXT    NOT NULL REFERENCES preview_set (recording_id),
    track_id       TEXT    NOT NULL REFERENCES track (id),
    page           BIGINT  NOT NULL,
    agency         TEXT    NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('pictures', 'levels')),
    first_number   BIGINT  NOT NULL, -- indexes of media segments
    last_number    BIGINT  NOT NULL,
    plain_sha256   TEXT    NOT NULL,
    plain_size     BIGINT  NOT NULL,
    cipher_sha256  TEXT    NOT NULL,
    cipher_size    BIGINT  NOT NULL,
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (track_id, page)
);

-- +goose Up

-- Timestamps that were added to a seal after it was made (P22).
CREATE TABLE seal_renewal (
    recording_id TEXT    NOT NULL REFERENCES sealed_recording (recording_id),
    number       INTEGER NOT NULL CHECK (number >= 1),
    agency       TEXT    NOT NULL,
    authority    TEXT    NOT NULL, -- its name in the trust file
    assertion    TEXT    NOT NULL CHECK (assertion IN ('operator', 'third-party')),
    token        BLOB    NOT NULL, -- RFC 3161
    at           INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (recording_id, number)
) STRICT;

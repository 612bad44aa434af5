-- +goose Up
-- Pages of a track's ledger are objects like its segments. SQLite cannot change a
-- check, so the table is made anew.
CREATE TABLE segment_new (
    recording_id   TEXT    NOT NULL,
    position       INTEGER NOT NULL CHECK (position >= 0), -- in the recording's tree
    agency         TEXT    NOT NULL,
    track_id       TEXT    NOT NULL REFERENCES track (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('init', 'media', 'ledger')),
    number         INTEGER NOT NULL, -- index of media, number of an init, page of a ledger
    start_us       INTEGER NOT NULL,
    end_us         INTEGER NOT NULL,
    leaf           BLOB    NOT NULL, -- canonical
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (recording_id, position),
    UNIQUE (track_id, kind, number)
) STRICT, WITHOUT ROWID;
INSERT INTO segment_new (recording_id, position, agency, track_id, kind, number, start_us, end_us, leaf, object_key, object_version)
    SELECT recording_id, position, agency, track_id, kind, number, start_us, end_us, leaf, object_key, object_version FROM segment;
DROP TABLE segment;
ALTER TABLE segment_new RENAME TO segment;
CREATE INDEX segment_time ON segment (track_id, start_us);

-- +goose Down
CREATE TABLE segment_old (
    recording_id   TEXT    NOT NULL,
    position       INTEGER NOT NULL CHECK (position >= 0),
    agency         TEXT    NOT NULL,
    track_id       TEXT    NOT NULL REFERENCES track (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('init', 'media')),
    number         INTEGER NOT NULL,
    start_us       INTEGER NOT NULL,
    end_us         INTEGER NOT NULL,
    leaf           BLOB    NOT NULL,
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (recording_id, position),
    UNIQUE (track_id, kind, number)
) STRICT, WITHOUT ROWID;
INSERT INTO segment_old (recording_id, position, agency, track_id, kind, number, start_us, end_us, leaf, object_key, object_version)
    SELECT recording_id, position, agency, track_id, kind, number, start_us, end_us, leaf, object_key, object_version FROM segment;
DROP TABLE segment;
ALTER TABLE segment_old RENAME TO segment;
CREATE INDEX segment_time ON segment (track_id, start_us);

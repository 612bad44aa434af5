-- +goose Up

CREATE TABLE interview (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL,
    recording_id TEXT    NOT NULL UNIQUE,
    person_id    TEXT    NOT NULL,
    room_id      TEXT    NOT NULL,
    number       INTEGER NOT NULL CHECK (number >= 1),
    state        TEXT    NOT NULL CHECK (state IN ('planned', 'ready', 'recording', 'paused', 'stopping', 'sealed', 'cancelled')),
    planned_at   INTEGER NOT NULL,
    language     TEXT    NOT NULL,
    started_at   INTEGER NOT NULL,
    stopped_at   INTEGER NOT NULL,
    sealed_at    INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    UNIQUE (case_id, person_id, number)
) STRICT;
CREATE INDEX interview_state ON interview (state);

CREATE TABLE source (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    role         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    token_hash   BLOB    NOT NULL UNIQUE,
    version      INTEGER NOT NULL,
    UNIQUE (interview_id, name)
) STRICT;

CREATE TABLE track (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    source_id    TEXT    NOT NULL REFERENCES source (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('audio', 'video')),
    codec        TEXT    NOT NULL,
    timescale    INTEGER NOT NULL,
    version      INTEGER NOT NULL
) STRICT;
CREATE INDEX track_interview ON track (interview_id, id);

-- The leaf is the truth; the other columns repeat it to be searched.
CREATE TABLE segment (
    recording_id   TEXT    NOT NULL,
    position       INTEGER NOT NULL CHECK (position >= 0), -- in the recording's tree
    agency         TEXT    NOT NULL,
    track_id       TEXT    NOT NULL REFERENCES track (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('init', 'media')),
    number         INTEGER NOT NULL, -- index of media, number of an init
    start_us       INTEGER NOT NULL,
    end_us         INTEGER NOT NULL,
    leaf           BLOB    NOT NULL, -- canonical
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (recording_id, position),
    UNIQUE (track_id, kind, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_time ON segment (track_id, start_us);

-- The recording's data key, wrapped by its erasable key, which is not in here (P35).
CREATE TABLE recording_key (
    recording_id TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    wrapped      BLOB    NOT NULL,
    recipient    TEXT    NOT NULL,
    version      INTEGER NOT NULL
) STRICT;

CREATE TABLE sealed_recording (
    recording_id TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL UNIQUE REFERENCES interview (id),
    manifest     BLOB    NOT NULL,
    statement    BLOB    NOT NULL,
    bundle       BLOB    NOT NULL,
    status       BLOB    NOT NULL,
    sealed_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sealed_page (
    recording_id TEXT    NOT NULL REFERENCES interview (recording_id),
    page         INTEGER NOT NULL,
    data         BLOB    NOT NULL,
    PRIMARY KEY (recording_id, page)
) STRICT, WITHOUT ROWID;

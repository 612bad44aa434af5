-- +goose Up

CREATE TABLE interview (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL,
    recording_id TEXT    NOT NULL UNIQUE,
    person_id    TEXT    NOT NULL,
    room_id      TEXT    NOT NULL,
    number       BIGINT  NOT NULL CHECK (number >= 1),
    state        TEXT    NOT NULL CHECK (state IN ('planned', 'ready', 'recording', 'paused', 'stopping', 'sealed', 'cancelled')),
    planned_at   BIGINT  NOT NULL,
    language     TEXT    NOT NULL,
    started_at   BIGINT  NOT NULL,
    stopped_at   BIGINT  NOT NULL,
    sealed_at    BIGINT  NOT NULL,
    version      BIGINT  NOT NULL,
    UNIQUE (case_id, person_id, number)
);
CREATE INDEX interview_state ON interview (state);

CREATE TABLE source (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    role         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    token_hash   BYTEA   NOT NULL UNIQUE,
    version      BIGINT  NOT NULL,
    UNIQUE (interview_id, name)
);

CREATE TABLE track (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    source_id    TEXT    NOT NULL REFERENCES source (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('audio', 'video')),
    codec        TEXT    NOT NULL,
    timescale    BIGINT  NOT NULL,
    version      BIGINT  NOT NULL
);
CREATE INDEX track_interview ON track (interview_id, id);

-- The leaf is the truth; the other columns repeat it to be searched.
CREATE TABLE segment (
    recording_id   TEXT    NOT NULL,
    position       BIGINT  NOT NULL CHECK (position >= 0), -- in the recording's tree
    agency         TEXT    NOT NULL,
    track_id       TEXT    NOT NULL REFERENCES track (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('init', 'media')),
    number         BIGINT  NOT NULL, -- index of media, number of an init
    start_us       BIGINT  NOT NULL,
    end_us         BIGINT  NOT NULL,
    leaf           BYTEA   NOT NULL, -- canonical
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    PRIMARY KEY (recording_id, position),
    UNIQUE (track_id, kind, number)
);
CREATE INDEX segment_time ON segment (track_id, start_us);

-- The recording's data key, wrapped by its erasable key, which is not in here (P35).
CREATE TABLE recording_key (
    recording_id TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    wrapped      BYTEA   NOT NULL,
    recipient    TEXT    NOT NULL,
    version      BIGINT  NOT NULL
);

CREATE TABLE sealed_recording (
    recording_id TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL UNIQUE REFERENCES interview (id),
    manifest     BYTEA   NOT NULL,
    statement    BYTEA   NOT NULL,
    bundle       BYTEA   NOT NULL,
    status       BYTEA   NOT NULL,
    sealed_at    BIGINT  NOT NULL
);

CREATE TABLE sealed_page (
    recording_id TEXT    NOT NULL REFERENCES interview (recording_id),
    page         BIGINT  NOT NULL,
    data         BYTEA   NOT NULL,
    PRIMARY KEY (recording_id, page)
);

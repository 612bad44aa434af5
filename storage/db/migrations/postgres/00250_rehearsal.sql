-- +goose Up

-- What came of test recordings in rooms. The recordings themselves are kept nowhere.
CREATE TABLE room_rehearsal (
    id       TEXT    PRIMARY KEY,
    agency   TEXT    NOT NULL,
    room_id  TEXT    NOT NULL REFERENCES room (id),
    holds    BOOLEAN NOT NULL,
    segments BIGINT NOT NULL,
    made_by  TEXT    NOT NULL,
    made_at  BIGINT NOT NULL
);
CREATE INDEX room_rehearsal_room ON room_rehearsal (room_id, id);
CREATE INDEX interview_room ON interview (room_id);

-- +goose Up

ALTER TABLE interview_plan ADD COLUMN interpreter TEXT NOT NULL DEFAULT ''; -- personal, as are the next ones
ALTER TABLE interview_plan ADD COLUMN same_sex TEXT NOT NULL DEFAULT ''; -- not_asked, no_wish, met or not_met
ALTER TABLE interview_plan ADD COLUMN same_sex_note TEXT NOT NULL DEFAULT '';
ALTER TABLE interview_plan ADD COLUMN reflection TEXT NOT NULL DEFAULT ''; -- why inside the reflection period
ALTER TABLE interview_plan ADD COLUMN own_request BOOLEAN NOT NULL DEFAULT FALSE;

-- What somebody found who looked whether a room is fit for an interview.
CREATE TABLE room_check (
    id          TEXT    PRIMARY KEY,
    agency      TEXT    NOT NULL,
    room_id     TEXT    NOT NULL REFERENCES room (id),
    private     BOOLEAN NOT NULL,
    furniture   BOOLEAN NOT NULL,
    sound       BOOLEAN NOT NULL,
    whole_room  BOOLEAN NOT NULL,
    no_symbols  BOOLEAN NOT NULL,
    note        TEXT    NOT NULL,
    checked_by  TEXT    NOT NULL,
    checked_at  BIGINT  NOT NULL
);
CREATE INDEX room_check_room ON room_check (room_id, id);

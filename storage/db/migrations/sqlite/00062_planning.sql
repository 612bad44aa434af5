-- +goose Up

ALTER TABLE interview_plan ADD COLUMN interpreter TEXT NOT NULL DEFAULT ''; -- personal, as are the next ones
ALTER TABLE interview_plan ADD COLUMN same_sex TEXT NOT NULL DEFAULT ''; -- not_asked, no_wish, met or not_met
ALTER TABLE interview_plan ADD COLUMN same_sex_note TEXT NOT NULL DEFAULT '';
ALTER TABLE interview_plan ADD COLUMN reflection TEXT NOT NULL DEFAULT ''; -- why inside the reflection period
ALTER TABLE interview_plan ADD COLUMN own_request INTEGER NOT NULL DEFAULT 0;

-- What somebody found who looked whether a room is fit for an interview.
CREATE TABLE room_check (
    id          TEXT    PRIMARY KEY,
    agency      TEXT    NOT NULL,
    room_id     TEXT    NOT NULL REFERENCES room (id),
    private     INTEGER NOT NULL,
    furniture   INTEGER NOT NULL,
    sound       INTEGER NOT NULL,
    whole_room  INTEGER NOT NULL,
    no_symbols  INTEGER NOT NULL,
    note        TEXT    NOT NULL,
    checked_by  TEXT    NOT NULL,
    checked_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX room_check_room ON room_check (room_id, id);

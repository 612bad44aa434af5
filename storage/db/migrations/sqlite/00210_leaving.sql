-- +goose Up

-- The signed check before the child leaves (evidence/leaving); empty for a recording
-- that was sealed before there was one.
ALTER TABLE sealed_recording ADD COLUMN leaving BLOB NOT NULL DEFAULT x'';

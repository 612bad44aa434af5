-- +goose Up
-- Pages of a track's ledger are objects like its segments.
ALTER TABLE segment DROP CONSTRAINT segment_kind_check;
ALTER TABLE segment ADD CONSTRAINT segment_kind_check CHECK (kind IN ('init', 'media', 'ledger'));

-- +goose Down
ALTER TABLE segment DROP CONSTRAINT segment_kind_check;
ALTER TABLE segment ADD CONSTRAINT segment_kind_check CHECK (kind IN ('init', 'media'));

-- +goose Up

-- Who made a device known; empty for those of before.
ALTER TABLE device ADD COLUMN enrolled_by TEXT NOT NULL DEFAULT '';

-- The device that asked for a source's token by its signature; empty if a person did.
ALTER TABLE source ADD COLUMN token_device TEXT NOT NULL DEFAULT '';
CREATE INDEX source_token_device ON source (token_device) WHERE token_device <> '';

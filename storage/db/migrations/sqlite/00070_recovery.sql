-- +goose Up

-- A lost second factor is replaced by two people. Empty and 0: nobody proposed it.
ALTER TABLE account ADD COLUMN recovery_by TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN recovery_at INTEGER NOT NULL DEFAULT 0;

-- +goose Up

-- claimed: somebody says so, and access is frozen; upheld and dismissed: decided.
ALTER TABLE separation ADD COLUMN state TEXT NOT NULL DEFAULT 'upheld';
-- When it must be decided by. A claim that lapses holds no longer than that.
ALTER TABLE separation ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE separation ADD COLUMN lapses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE separation ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
ALTER TABLE separation ADD COLUMN decided_at INTEGER NOT NULL DEFAULT 0;
-- Until when a decision lifts the rule; 0: not lifted.
ALTER TABLE separation ADD COLUMN lifted_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE separation ADD COLUMN lifted_by TEXT NOT NULL DEFAULT '';
CREATE INDEX separation_account ON separation (account, case_id);

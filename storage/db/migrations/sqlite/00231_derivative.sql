-- +goose Up

-- Copies made of sealed recordings: redacted, trimmed, watermarked. Each has a data
-- key of its own; its erasable half is in derivative_key's care.
CREATE TABLE derivative (
    id             TEXT    PRIMARY KEY REFERENCES derivative_key (derivative_id),
    agency         TEXT    NOT NULL,
    case_id        TEXT    NOT NULL REFERENCES case_file (id),
    interview_id   TEXT    NOT NULL REFERENCES interview (id),
    recording_id   TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('queued', 'review', 'released', 'refused', 'failed')),
    plan           TEXT    NOT NULL, -- JSON
    watermark      TEXT    NOT NULL, -- personal, as is reason
    watermark_salt TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    reason_salt    TEXT    NOT NULL,
    wrapped        BLOB    NOT NULL,
    recipient      TEXT    NOT NULL,
    progress       INTEGER NOT NULL, -- percent
    requested_by   TEXT    NOT NULL,
    requested_at   INTEGER NOT NULL,
    made_at        INTEGER NOT NULL,
    plain_sha256   TEXT    NOT NULL,
    plain_size     INTEGER NOT NULL,
    cipher_sha256  TEXT    NOT NULL,
    cipher_size    INTEGER NOT NULL,
    object_key     TEXT    NOT NULL,
    object_version TEXT    NOT NULL,
    bundle         BLOB    NOT NULL,
    decided_by     TEXT    NOT NULL,
    decided_at     INTEGER NOT NULL,
    code           TEXT    NOT NULL, -- why it failed
    version        INTEGER NOT NULL,
    CHECK (decided_by = '' OR decided_by <> requested_by) -- two different people
) STRICT;
CREATE INDEX derivative_interview ON derivative (interview_id, id);

-- Who was shown one: nobody releases what she did not see.
CREATE TABLE derivative_shown (
    derivative_id TEXT NOT NULL REFERENCES derivative (id),
    account       TEXT NOT NULL,
    agency        TEXT NOT NULL,
    PRIMARY KEY (derivative_id, account)
) STRICT;

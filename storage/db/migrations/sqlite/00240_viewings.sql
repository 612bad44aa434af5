-- +goose Up

ALTER TABLE access_grant ADD COLUMN conditions  TEXT    NOT NULL DEFAULT '{}'; -- JSON, access.Conditions
ALTER TABLE access_grant ADD COLUMN extends     TEXT    NOT NULL DEFAULT '';   -- the grant that it goes on from
ALTER TABLE access_grant ADD COLUMN attested    TEXT    NOT NULL DEFAULT '' CHECK (attested IN ('', 'nothing_kept', 'returned', 'destroyed'));
ALTER TABLE access_grant ADD COLUMN attested_at INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX access_grant_extension ON access_grant (extends) WHERE extends <> '' AND state IN ('proposed', 'active');

-- One row for each time that the holder of a grant accepted the terms.
CREATE TABLE viewing_session (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    grant_id     TEXT    NOT NULL REFERENCES access_grant (id),
    viewer       TEXT    NOT NULL,
    session      TEXT    NOT NULL,
    terms        TEXT    NOT NULL, -- SHA-256 of the terms, hex
    accepted_at  INTEGER NOT NULL,
    last_at      INTEGER NOT NULL  -- when a window was last opened in it
) STRICT;
CREATE INDEX viewing_session_grant ON viewing_session (grant_id, id);
CREATE INDEX viewing_session_open ON viewing_session (interview_id, viewer, session, last_at);

-- +goose Up

ALTER TABLE export DROP CONSTRAINT export_state_check;
ALTER TABLE export ADD CONSTRAINT export_state_check CHECK (state IN ('proposed', 'approved', 'delivered', 'received'));
ALTER TABLE export
    ADD COLUMN passphrase  BOOLEAN NOT NULL DEFAULT false, -- asked for at each delivery, kept nowhere
    ADD COLUMN content     TEXT    NOT NULL DEFAULT 'recording' CHECK (content IN ('recording', 'clip')),
    ADD COLUMN asked_from  BIGINT  NOT NULL DEFAULT 0, -- of a clip
    ADD COLUMN asked_until BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN outward     BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN source      TEXT    NOT NULL DEFAULT '', -- of a clip of one source; empty: of all
    ADD COLUMN grant_id    TEXT    NOT NULL DEFAULT '', -- under which a clip is cut; empty: a custodian's
    ADD COLUMN profile     TEXT    NOT NULL DEFAULT 'full',
    ADD COLUMN exhibit     TEXT    NOT NULL DEFAULT '',
    ADD COLUMN received_at BIGINT  NOT NULL DEFAULT 0, -- acknowledged by the recipient (P39); 0 before
    ADD COLUMN received_by TEXT    NOT NULL DEFAULT '',
    ADD COLUMN alarmed_at  BIGINT  NOT NULL DEFAULT 0; -- the missing receipt was reported; 0 before
CREATE INDEX export_unreceived ON export (delivered_at) WHERE state = 'delivered' AND alarmed_at = 0;

-- Inner nodes of a sealed recording's tree, from the roots of the full pages
-- upwards, in tlog's storage order: they make the proof of a clip cheap.
CREATE TABLE sealed_node (
    recording_id TEXT   NOT NULL,
    node         BIGINT NOT NULL,
    hash         BYTEA  NOT NULL,
    PRIMARY KEY (recording_id, node)
);

-- Whether who holds a grant may have clips of what it gives.
ALTER TABLE access_grant ADD COLUMN clips BOOLEAN NOT NULL DEFAULT false;

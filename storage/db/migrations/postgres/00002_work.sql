-- +goose Up

-- Durable notices in the order of commitment; the number comes from log_head.
CREATE TABLE event (
    id           BIGINT  PRIMARY KEY,
    at           BIGINT  NOT NULL,
    kind         TEXT    NOT NULL,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL,
    interview_id TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    position     BIGINT  NOT NULL, -- of the custody entry; -1 if none
    data         TEXT    NOT NULL  -- JSON object of codes
);
CREATE INDEX event_interview ON event (interview_id, id);
CREATE INDEX event_case ON event (case_id, id);

-- Work that one node does at a time.
CREATE TABLE job (
    id          TEXT    PRIMARY KEY,
    agency      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    key         TEXT    NOT NULL, -- what it is about; one unfinished job per kind and key
    payload     TEXT    NOT NULL, -- JSON object of codes
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
    run_at      BIGINT  NOT NULL,
    attempts    BIGINT  NOT NULL,
    node        TEXT    NOT NULL, -- who has it; empty if nobody
    epoch       BIGINT  NOT NULL, -- grows with each claim
    lease_until BIGINT  NOT NULL,
    error_code  TEXT    NOT NULL,
    version     BIGINT  NOT NULL
);
CREATE UNIQUE INDEX job_waiting_key ON job (kind, key) WHERE state = 'waiting';
CREATE INDEX job_waiting ON job (run_at) WHERE state = 'waiting';

-- Which recorder node has an interview.
CREATE TABLE interview_lease (
    interview_id TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    node         TEXT    NOT NULL, -- empty once released
    epoch        BIGINT  NOT NULL, -- grows with each acquisition
    until        BIGINT  NOT NULL
);

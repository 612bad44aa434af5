-- +goose Up

CREATE TABLE access_grant (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    case_id      TEXT    NOT NULL REFERENCES case_file (id),
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    source       TEXT    NOT NULL, -- "all" or a source
    recipient    TEXT    NOT NULL REFERENCES account (id),
    asked_from   BIGINT  NOT NULL,
    asked_until  BIGINT  NOT NULL,
    bounds_from  BIGINT  NOT NULL,
    bounds_until BIGINT  NOT NULL,
    tracks       TEXT    NOT NULL, -- JSON list of access.TrackBounds
    not_before   BIGINT  NOT NULL,
    not_after    BIGINT  NOT NULL,
    purpose      TEXT    NOT NULL, -- personal
    basis        TEXT    NOT NULL, -- personal
    rests_on     TEXT    NOT NULL CHECK (rests_on IN ('law', 'consent')),
    consent      TEXT    NOT NULL, -- purpose of consent that must hold
    state        TEXT    NOT NULL CHECK (state IN ('proposed', 'active', 'rejected', 'revoked', 'ended')),
    requested_by TEXT    NOT NULL,
    requested_at BIGINT  NOT NULL,
    approvals    TEXT    NOT NULL, -- JSON list of access.Approval
    needed       BIGINT  NOT NULL,
    ended_by     TEXT    NOT NULL,
    ended_at     BIGINT  NOT NULL,
    version      BIGINT  NOT NULL
);
CREATE INDEX access_grant_recipient ON access_grant (interview_id, recipient, id);
CREATE INDEX access_grant_case ON access_grant (case_id, id);
CREATE INDEX access_grant_holder ON access_grant (recipient, id);
CREATE INDEX access_grant_requester ON access_grant (requested_by, id);

CREATE TABLE delivery_window (
    id           TEXT    PRIMARY KEY,
    agency       TEXT    NOT NULL,
    interview_id TEXT    NOT NULL REFERENCES interview (id),
    grant_id     TEXT    NOT NULL REFERENCES access_grant (id),
    viewer       TEXT    NOT NULL,
    session      TEXT    NOT NULL,
    range_from   BIGINT  NOT NULL,
    range_until  BIGINT  NOT NULL,
    opened_at    BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL
);
CREATE INDEX delivery_window_open ON delivery_window (grant_id, viewer, session, expires_at);

CREATE TABLE delivered_segment (
    window_id    TEXT    NOT NULL REFERENCES delivery_window (id),
    track_id     TEXT    NOT NULL,
    number       BIGINT  NOT NULL,
    interview_id TEXT    NOT NULL,
    viewer       TEXT    NOT NULL,
    start_us     BIGINT  NOT NULL,
    end_us       BIGINT  NOT NULL,
    PRIMARY KEY (window_id, track_id, number)
);
CREATE INDEX delivered_segment_exposure ON delivered_segment (interview_id, viewer, track_id, number);

-- When a refusal of media was last logged, so that a flood of them is not.
CREATE TABLE media_refusal (
    account      TEXT    NOT NULL,
    interview_id TEXT    NOT NULL, -- empty for interviews that there are not
    code         TEXT    NOT NULL,
    at           BIGINT  NOT NULL,
    PRIMARY KEY (account, interview_id, code)
);

-- +goose Up

-- One act of consent (ISO/IEC TS 27560); its purposes are in consent_item.
CREATE TABLE consent (
    id              TEXT    PRIMARY KEY,
    agency          TEXT    NOT NULL,
    case_id         TEXT    NOT NULL REFERENCES case_file (id),
    person_id       TEXT    NOT NULL REFERENCES person (id),
    decision        TEXT    NOT NULL CHECK (decision IN ('given', 'refused')),
    given_by        TEXT    NOT NULL CHECK (given_by IN ('self', 'guardian', 'guardianship_authority')),
    form            TEXT    NOT NULL CHECK (form IN ('written', 'attested')),
    child_view      TEXT    NOT NULL CHECK (child_view IN ('', 'yes', 'no', 'not_asked')),
    child_words     TEXT    NOT NULL, -- personal
    document        TEXT    NOT NULL, -- personal
    document_sha256 TEXT    NOT NULL,
    recorded_by     TEXT    NOT NULL,
    recorded_at     INTEGER NOT NULL,
    attested_by     TEXT    NOT NULL,
    attested_at     INTEGER NOT NULL,
    language        TEXT    NOT NULL,
    interpreter     TEXT    NOT NULL, -- personal
    text_version    INTEGER NOT NULL,
    basis           TEXT    NOT NULL CHECK (basis IN ('consent', 'law')),
    law             TEXT    NOT NULL,
    jurisdiction    TEXT    NOT NULL,
    given_at        INTEGER NOT NULL,
    valid_until     INTEGER NOT NULL,
    CHECK (attested_by = '' OR attested_by <> recorded_by) -- two different people (P40)
) STRICT;
CREATE INDEX consent_person ON consent (person_id, id);
CREATE INDEX consent_case ON consent (case_id, id);

CREATE TABLE consent_item (
    consent_id             TEXT    NOT NULL REFERENCES consent (id),
    person_id              TEXT    NOT NULL,
    purpose                TEXT    NOT NULL,
    version                INTEGER NOT NULL,
    superseded_at          INTEGER NOT NULL,
    withdrawn_at           INTEGER NOT NULL,
    withdrawn_by           TEXT    NOT NULL,
    withdrawal_recorded_by TEXT    NOT NULL,
    PRIMARY KEY (consent_id, purpose),
    UNIQUE (person_id, purpose, version)
) STRICT, WITHOUT ROWID;

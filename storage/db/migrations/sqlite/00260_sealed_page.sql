-- +goose Up

-- A page is far larger than a page of the database: in a table without row ids each
-- comparison on the way to one reads a whole other one.
CREATE TABLE sealed_page_new (
    recording_id TEXT    NOT NULL REFERENCES interview (recording_id),
    page         INTEGER NOT NULL,
    data         BLOB    NOT NULL,
    PRIMARY KEY (recording_id, page)
) STRICT;
INSERT INTO sealed_page_new SELECT recording_id, page, data FROM sealed_page ORDER BY recording_id, page;
DROP TABLE sealed_page;
ALTER TABLE sealed_page_new RENAME TO sealed_page;

-- +goose Down
CREATE TABLE sealed_page_old (
    recording_id TEXT    NOT NULL REFERENCES interview (recording_id),
    page         INTEGER NOT NULL,
    data         BLOB    NOT NULL,
    PRIMARY KEY (recording_id, page)
) STRICT, WITHOUT ROWID;
INSERT INTO sealed_page_old SELECT recording_id, page, data FROM sealed_page;
DROP TABLE sealed_page;
ALTER TABLE sealed_page_old RENAME TO sealed_page;

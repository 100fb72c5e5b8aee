-- How many events there were of those that expired: the past stays in the
-- histogram. The buckets are those of rollups, which go on counting the rows.

-- +goose Up

CREATE TABLE expired_rollups (
    resolution INTEGER NOT NULL,
    bucket     INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (resolution, bucket)
) STRICT, WITHOUT ROWID;

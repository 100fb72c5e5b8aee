-- Events by quarter of an hour, a day in a row: a month's histogram reads 30 rows instead of
-- 2,880. Minutes keep rows of their own, for the ends of a range and for short intervals.

-- +goose Up

CREATE TABLE days (
    -- A column of the search language that has facets; all for all events, expired for those that
    -- are not there any more.
    kind   TEXT NOT NULL,
    -- Counted since 1970, in UTC.
    day    INTEGER NOT NULL,
    value  TEXT NOT NULL,
    -- Pairs of uvarints for each quarter of an hour with events: how many before it have none, and its count.
    counts BLOB NOT NULL,
    PRIMARY KEY (kind, day, value)
) STRICT, WITHOUT ROWID;

-- Events per Unix minute.
CREATE TABLE minutes (
    minute INTEGER PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT;

CREATE TABLE expired_minutes (
    minute INTEGER PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT;

INSERT INTO minutes (minute, count) SELECT bucket, count FROM rollups WHERE resolution = 1 ORDER BY bucket;
INSERT INTO expired_minutes (minute, count) SELECT bucket, count FROM expired_rollups WHERE resolution = 1 ORDER BY bucket;

INSERT INTO days (kind, day, value, counts)
SELECT 'all', bucket / 96, '', quarters_of(group_concat((bucket % 96) || ':' || count))
FROM rollups WHERE resolution = 15 GROUP BY 2 ORDER BY 2;

INSERT INTO days (kind, day, value, counts)
SELECT 'expired', bucket / 96, '', quarters_of(group_concat((bucket % 96) || ':' || count))
FROM expired_rollups WHERE resolution = 15 GROUP BY 2 ORDER BY 2;

INSERT INTO days (kind, day, value, counts)
SELECT kind, bucket / 96, value, quarters_of(group_concat((bucket % 96) || ':' || count))
FROM facet_rollups WHERE resolution = 15 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

DROP TABLE rollups;
DROP TABLE expired_rollups;
DROP TABLE facet_rollups;

-- How many events of an attacker are not there any more: the profile counts all that there ever
-- were, and the difference is the number of those that a search for the address finds.
ALTER TABLE attackers ADD COLUMN expired_count INTEGER NOT NULL DEFAULT 0;
UPDATE attackers SET expired_count = event_count - (SELECT count(*) FROM logs WHERE attacker_ip = ip)
WHERE EXISTS (SELECT 1 FROM expired_minutes);

-- Events per decky, service and event type and quarter of an hour, and per day: what leads in a
-- range is told without visiting its events.

-- +goose Up

CREATE TABLE facet_rollups (
    kind       TEXT NOT NULL,
    -- In minutes; bucket is the Unix minute divided by it.
    resolution INTEGER NOT NULL,
    bucket     INTEGER NOT NULL,
    value      TEXT NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (kind, resolution, bucket, value)
) STRICT, WITHOUT ROWID;

INSERT INTO facet_rollups (kind, resolution, bucket, value, count)
SELECT 'decky', 15, time / 900000000000, decky, count(*) FROM logs GROUP BY 3, 4;
INSERT INTO facet_rollups (kind, resolution, bucket, value, count)
SELECT 'service', 15, time / 900000000000, service, count(*) FROM logs GROUP BY 3, 4;
INSERT INTO facet_rollups (kind, resolution, bucket, value, count)
SELECT 'event', 15, time / 900000000000, event_type, count(*) FROM logs GROUP BY 3, 4;
INSERT INTO facet_rollups (kind, resolution, bucket, value, count)
SELECT kind, 1440, bucket / 96, value, sum(count) FROM facet_rollups WHERE resolution = 15 GROUP BY 1, 3, 4;

-- Which rows may hold a text: the index of package trigram, which follows the rows
-- in the background. Rows behind the last segment are searched one by one.

-- +goose Up

CREATE TABLE search_segments (
    first_id   INTEGER PRIMARY KEY,
    last_id    INTEGER NOT NULL,
    -- Between which times its rows are.
    first_time INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    -- How many rows it was made of, and how many of them have expired.
    rows       INTEGER NOT NULL,
    removed    INTEGER NOT NULL
) STRICT;

-- The id is the number of the segment, its first id / 4096, and the chunk's first term:
-- number << 20 | term.
CREATE TABLE search_chunks (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

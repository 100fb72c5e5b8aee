-- The first schema. Times are Unix nanoseconds. Text columns hold bytes as they
-- came, UTF-8 or not. DESIGN.md says why these indexes and no others.

-- +goose Up

-- Totals and the last ids given out, kept in the transaction that changes them.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE logs (
    id          INTEGER PRIMARY KEY,
    time        INTEGER NOT NULL,
    decky       TEXT NOT NULL,
    service     TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    attacker_ip TEXT NOT NULL,
    raw_line    TEXT NOT NULL,
    fields      TEXT NOT NULL,
    msg         TEXT NOT NULL,
    trace_id    TEXT NOT NULL,
    span_id     TEXT NOT NULL,
    original    BLOB
) STRICT;
CREATE INDEX logs_time ON logs (time);
CREATE INDEX logs_attacker ON logs (attacker_ip, time);
CREATE INDEX logs_service ON logs (service, time);
CREATE INDEX logs_decky ON logs (decky, time);
CREATE INDEX logs_event ON logs (event_type, time);

-- How many events there are of each decky, service and event type, and between
-- which times: it answers counts, and says which index a search should walk.
CREATE TABLE facets (
    kind       TEXT NOT NULL,
    value      TEXT NOT NULL,
    count      INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

-- Events per bucket; resolution is in minutes, bucket is the Unix minute divided
-- by it.
CREATE TABLE rollups (
    resolution INTEGER NOT NULL,
    bucket     INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (resolution, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE bounties (
    id          INTEGER PRIMARY KEY,
    time        INTEGER NOT NULL,
    decky       TEXT NOT NULL,
    service     TEXT NOT NULL,
    attacker_ip TEXT NOT NULL,
    type        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    -- 128 bits over type, attacker and payload.
    hash        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX bounties_hash ON bounties (hash);
CREATE INDEX bounties_time ON bounties (time);
CREATE INDEX bounties_type ON bounties (type, time);

CREATE TABLE attackers (
    id          INTEGER PRIMARY KEY,
    -- The name-based UUID of the address: unique here, the address is unique too.
    uuid        BLOB NOT NULL,
    ip          TEXT NOT NULL,
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    decky_count INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- Length-prefixed strings: address, services, deckies, behaviour class.
    search      BLOB NOT NULL,
    -- What package profile remembers; all other properties are computed from it.
    state       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX attackers_uuid ON attackers (uuid);
CREATE INDEX attackers_recent ON attackers (last_seen DESC, ip);
CREATE INDEX attackers_active ON attackers (event_count DESC, last_seen DESC, ip);
CREATE INDEX attackers_traversals ON attackers (decky_count DESC, last_seen DESC, ip);

CREATE TABLE attacker_services (
    service  TEXT NOT NULL,
    attacker INTEGER NOT NULL,
    PRIMARY KEY (service, attacker)
) STRICT, WITHOUT ROWID;

-- The id is that of the event.
CREATE TABLE commands (
    id       INTEGER PRIMARY KEY,
    attacker INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    service  TEXT NOT NULL,
    decky    TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT;
CREATE INDEX commands_attacker ON commands (attacker, time);

CREATE TABLE rejects (
    id          INTEGER PRIMARY KEY,
    source      TEXT NOT NULL,
    path        TEXT NOT NULL,
    byte_offset INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    size        INTEGER NOT NULL,
    seen_at     INTEGER,
    line        BLOB NOT NULL
) STRICT;

CREATE TABLE positions (
    source      TEXT PRIMARY KEY,
    path        TEXT NOT NULL,
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    head_len    INTEGER NOT NULL,
    head_hash   BLOB,
    byte_offset INTEGER NOT NULL,
    tail_len    INTEGER NOT NULL,
    tail_hash   BLOB,
    done        INTEGER NOT NULL,
    format      TEXT NOT NULL,
    lines       INTEGER NOT NULL,
    accepted    INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    ignored     INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    key       TEXT PRIMARY KEY,
    service   TEXT NOT NULL,
    dst_port  INTEGER NOT NULL,
    opened_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_opened ON sessions (opened_at);

CREATE TABLE users (
    uuid          TEXT PRIMARY KEY,
    username      TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    must_change   INTEGER NOT NULL,
    token_version INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

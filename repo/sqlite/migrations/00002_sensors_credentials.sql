-- Sensors that send events, what makes a retry of theirs harmless, and the
-- credentials over all attackers.

-- +goose Up

ALTER TABLE positions ADD COLUMN duplicate INTEGER NOT NULL DEFAULT 0;

CREATE TABLE sensors (
    uuid       TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    token_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen  INTEGER,
    accepted   INTEGER NOT NULL DEFAULT 0,
    duplicate  INTEGER NOT NULL DEFAULT 0,
    rejected   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The ids that senders gave to events, as hashes; forgotten after a while.
-- DESIGN.md says why they outlive their events.
CREATE TABLE event_keys (
    key     BLOB PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX event_keys_seen ON event_keys (seen_at);

CREATE TABLE receipts (
    sensor    TEXT NOT NULL,
    key       TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    accepted  INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    ignored   INTEGER NOT NULL,
    rejects   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (sensor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_at ON receipts (at);

CREATE TABLE credentials (
    id         INTEGER PRIMARY KEY,
    -- 128 bits over user name and password.
    hash       BLOB NOT NULL,
    username   TEXT NOT NULL,
    password   TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    attackers  INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    -- Length-prefixed strings; credential_services answers which credentials a
    -- service has.
    services   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX credentials_hash ON credentials (hash);
CREATE INDEX credentials_attempts ON credentials (attempts DESC, last_seen DESC, id DESC);
CREATE INDEX credentials_attackers ON credentials (attackers DESC, last_seen DESC, id DESC);
CREATE INDEX credentials_recent ON credentials (last_seen DESC, id DESC);

CREATE TABLE credential_attackers (
    credential INTEGER NOT NULL,
    attacker   INTEGER NOT NULL,
    PRIMARY KEY (credential, attacker)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential_services (
    service    TEXT NOT NULL,
    credential INTEGER NOT NULL,
    PRIMARY KEY (service, credential)
) STRICT, WITHOUT ROWID;

CREATE INDEX rejects_reason ON rejects (reason);
CREATE INDEX rejects_path ON rejects (path);
INSERT INTO counters (name, value) SELECT 'rejects_kept', count(*) FROM rejects;
INSERT INTO counters (name, value) SELECT 'reject_bytes_kept', coalesce(sum(length(line)), 0) FROM rejects;

-- What an older database tells of credentials are its bounties, one for each
-- attacker and pair: each counts as one attempt.
INSERT INTO credentials (hash, username, password, attempts, attackers, first_seen, last_seen, services)
SELECT credential_hash(username, password), username, password, count(*), 0, min(time), max(time),
       packed_hex(group_concat(DISTINCT hex(service)))
FROM (SELECT coalesce(CAST(json_extract(payload, '$.username') AS TEXT), '') AS username,
             coalesce(CAST(json_extract(payload, '$.password') AS TEXT), '') AS password, time, service
      FROM bounties WHERE type = 'credential' AND json_valid(payload))
GROUP BY username, password;

INSERT OR IGNORE INTO credential_attackers (credential, attacker)
SELECT c.id, a.id FROM bounties AS b
JOIN attackers AS a ON a.ip = b.attacker_ip
JOIN credentials AS c ON c.hash = credential_hash(
    coalesce(CAST(json_extract(b.payload, '$.username') AS TEXT), ''),
    coalesce(CAST(json_extract(b.payload, '$.password') AS TEXT), ''))
WHERE b.type = 'credential' AND json_valid(b.payload);

UPDATE credentials SET attackers = (SELECT count(*) FROM credential_attackers WHERE credential = id);

INSERT OR IGNORE INTO credential_services (service, credential)
SELECT b.service, c.id FROM bounties AS b
JOIN credentials AS c ON c.hash = credential_hash(
    coalesce(CAST(json_extract(b.payload, '$.username') AS TEXT), ''),
    coalesce(CAST(json_extract(b.payload, '$.password') AS TEXT), ''))
WHERE b.type = 'credential' AND json_valid(b.payload);

INSERT INTO counters (name, value) SELECT 'credentials', count(*) FROM credentials;
INSERT INTO counters (name, value) SELECT 'last_credential_id', coalesce(max(id), 0) FROM credentials;

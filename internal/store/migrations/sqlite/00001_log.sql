-- The tables of the store. Before goose reads this file, {prefix} becomes the
-- configured table prefix.
--
-- Times are UTC text of fixed width, "2026-11-21T12:00:00.000000Z", so that
-- they read well and sort right. Strings are escaped as text.go says.

-- +goose Up

CREATE TABLE "{prefix}notification_log" (
    -- The columns of the published table. target is Delivery.Label.
    id                TEXT PRIMARY KEY NOT NULL,
    execution_id      TEXT NOT NULL,
    agent_id          TEXT NOT NULL,
    event_type        TEXT NOT NULL,
    channel           TEXT NOT NULL,
    target            TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('pending', 'sending', 'delivered', 'failed', 'discarded')),
    attempts          INTEGER NOT NULL CHECK (attempts >= 0),
    last_error        TEXT,
    created_at        TEXT NOT NULL,
    delivered_at      TEXT,
    -- What was accepted. ordinal is the place among the event's targets; home
    -- is the project that alone may send it, '' when every one may; site is the
    -- project of whose evidence audit_offset, in bytes, speaks.
    event_id          TEXT NOT NULL,
    run_id            TEXT NOT NULL,
    emitted_at        TEXT,
    target_file       TEXT NOT NULL,
    target_name       TEXT NOT NULL,
    ordinal           INTEGER NOT NULL,
    content_type      TEXT NOT NULL,
    fallback_body     INTEGER NOT NULL CHECK (fallback_body IN (0, 1)),
    unmade            INTEGER NOT NULL CHECK (unmade IN (0, 1)),
    imported          INTEGER NOT NULL CHECK (imported IN (0, 1)),
    home              TEXT NOT NULL,
    site              TEXT NOT NULL,
    audit_offset      INTEGER NOT NULL,
    expires_at        TEXT,
    -- How it stands. A pending row without next_attempt_at is due now.
    reason            TEXT NOT NULL,
    response_status   INTEGER,
    next_attempt_at   TEXT,
    attempt_began_at  TEXT,
    -- Who has it. An owner that gave up a row it was sending leaves '' and a
    -- time long past.
    lease_owner       TEXT,
    lease_until       TEXT,

    CHECK ((status = 'delivered') = (delivered_at IS NOT NULL)),
    CHECK (next_attempt_at IS NULL OR status = 'pending'),
    CHECK (attempt_began_at IS NULL OR status = 'sending'),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK (status <> 'sending' OR (lease_owner IS NOT NULL AND attempts > 0)),
    CHECK (status NOT IN ('delivered', 'discarded') OR lease_owner IS NULL),
    CHECK (imported = 0 OR status IN ('delivered', 'failed', 'discarded')),
    UNIQUE (event_id, target_file, channel, target_name)
) STRICT;

-- What is due, target by target.
CREATE INDEX "{prefix}nlog_due" ON "{prefix}notification_log" (home, target_file, channel, target_name, coalesce(next_attempt_at, ''), id)
    WHERE status = 'pending' AND lease_owner IS NULL;

-- Which claims end when.
CREATE INDEX "{prefix}nlog_lease" ON "{prefix}notification_log" (lease_until)
    WHERE lease_owner IS NOT NULL;

-- The exact bytes, apart from the row, which is written again at each change.
-- Rows that are only imported have none.
CREATE TABLE "{prefix}notification_body" (
    id    TEXT PRIMARY KEY NOT NULL,
    body  BLOB NOT NULL,
    event BLOB -- NULL: the same bytes as body
) STRICT;

CREATE TABLE "{prefix}notification_attempt" (
    id          TEXT NOT NULL,
    number      INTEGER NOT NULL CHECK (number > 0),
    started_at  TEXT NOT NULL,
    duration_us INTEGER NOT NULL,
    delivered   INTEGER NOT NULL CHECK (delivered IN (0, 1)),
    status_code INTEGER,
    timed_out   INTEGER NOT NULL CHECK (timed_out IN (0, 1)),
    reason      TEXT NOT NULL,
    phase       TEXT NOT NULL,
    address     TEXT NOT NULL,
    message     TEXT NOT NULL,
    PRIMARY KEY (id, number)
) STRICT, WITHOUT ROWID;

-- Idempotency keys of those who emit from elsewhere. Both are SHA-256.
CREATE TABLE "{prefix}notification_key" (
    key_hash     BLOB PRIMARY KEY NOT NULL,
    request_hash BLOB NOT NULL,
    event_id     TEXT NOT NULL,
    created_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How far the evidence of each source was imported, in bytes.
CREATE TABLE "{prefix}notification_import" (
    source TEXT PRIMARY KEY NOT NULL,
    done   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

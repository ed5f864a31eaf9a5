-- The tables of the store. Before goose reads this file, {prefix} becomes the
-- configured table prefix, and {schema} the quoted schema with a dot.
--
-- Strings are escaped as text.go says. Collation "C" compares bytes.

-- +goose Up

CREATE TABLE {schema}"{prefix}notification_log" (
    -- The columns of the published table. target is Delivery.Label.
    id                text COLLATE "C" PRIMARY KEY,
    execution_id      text COLLATE "C" NOT NULL,
    agent_id          text COLLATE "C" NOT NULL,
    event_type        text COLLATE "C" NOT NULL,
    channel           text COLLATE "C" NOT NULL,
    target            text COLLATE "C" NOT NULL,
    status            text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'sending', 'delivered', 'failed', 'discarded')),
    attempts          integer NOT NULL CHECK (attempts >= 0),
    last_error        text,
    created_at        timestamptz NOT NULL,
    delivered_at      timestamptz,
    -- What was accepted. ordinal is the place among the event's targets; home
    -- is the project that alone may send it, '' when every one may; site is the
    -- project of whose evidence audit_offset, in bytes, speaks.
    event_id          text COLLATE "C" NOT NULL,
    run_id            text COLLATE "C" NOT NULL,
    emitted_at        timestamptz,
    target_file       text COLLATE "C" NOT NULL,
    target_name       text COLLATE "C" NOT NULL,
    ordinal           integer NOT NULL,
    content_type      text NOT NULL,
    fallback_body     boolean NOT NULL,
    unmade            boolean NOT NULL,
    imported          boolean NOT NULL,
    home              text COLLATE "C" NOT NULL,
    site              text COLLATE "C" NOT NULL,
    audit_offset      bigint NOT NULL,
    expires_at        timestamptz,
    -- How it stands. A pending row without next_attempt_at is due now.
    reason            text NOT NULL,
    response_status   integer,
    next_attempt_at   timestamptz,
    attempt_began_at  timestamptz,
    -- Who has it. An owner that gave up a row it was sending leaves '' and a
    -- time long past.
    lease_owner       text COLLATE "C",
    lease_until       timestamptz,

    CHECK ((status = 'delivered') = (delivered_at IS NOT NULL)),
    CHECK (next_attempt_at IS NULL OR status = 'pending'),
    CHECK (attempt_began_at IS NULL OR status = 'sending'),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK (status <> 'sending' OR (lease_owner IS NOT NULL AND attempts > 0)),
    CHECK (status NOT IN ('delivered', 'discarded') OR lease_owner IS NULL),
    CHECK (NOT imported OR status IN ('delivered', 'failed', 'discarded')),
    UNIQUE (event_id, target_file, channel, target_name)
);

-- What is due, target by target.
CREATE INDEX "{prefix}nlog_due" ON {schema}"{prefix}notification_log" (home, target_file, channel, target_name, coalesce(next_attempt_at, timestamptz '-infinity'), id)
    WHERE status = 'pending' AND lease_owner IS NULL;

-- Which claims end when.
CREATE INDEX "{prefix}nlog_lease" ON {schema}"{prefix}notification_log" (lease_until)
    WHERE lease_owner IS NOT NULL;

-- The exact bytes, apart from the row, which is written again at each change.
-- Rows that are only imported have none.
CREATE TABLE {schema}"{prefix}notification_body" (
    id    text COLLATE "C" PRIMARY KEY,
    body  bytea NOT NULL,
    event bytea -- NULL: the same bytes as body
);

CREATE TABLE {schema}"{prefix}notification_attempt" (
    id          text COLLATE "C" NOT NULL,
    number      integer NOT NULL CHECK (number > 0),
    started_at  timestamptz NOT NULL,
    duration_us bigint NOT NULL,
    delivered   boolean NOT NULL,
    status_code integer,
    timed_out   boolean NOT NULL,
    reason      text NOT NULL,
    phase       text NOT NULL,
    address     text NOT NULL,
    message     text NOT NULL,
    PRIMARY KEY (id, number)
);

-- Idempotency keys of those who emit from elsewhere. Both are SHA-256.
CREATE TABLE {schema}"{prefix}notification_key" (
    key_hash     bytea PRIMARY KEY,
    request_hash bytea NOT NULL,
    event_id     text NOT NULL,
    created_at   timestamptz NOT NULL
);

-- How far the evidence of each source was imported, in bytes.
CREATE TABLE {schema}"{prefix}notification_import" (
    source text COLLATE "C" PRIMARY KEY,
    done   bigint NOT NULL
);

-- What the delivery log is read by. A delivery enters an index of done ones
-- once, when it is delivered, and that of undone ones when it is accepted:
-- nothing is rewritten while it is sent. A list without a status merges both.
-- Columns after id are there so that further filters need no look at the row.
-- A channel has a large part of all deliveries, so that it needs no index of
-- its own.

-- +goose Up

CREATE INDEX "{prefix}nlog_done_created" ON {schema}"{prefix}notification_log" (created_at, id) INCLUDE (channel)
    WHERE status = 'delivered';

CREATE INDEX "{prefix}nlog_done_agent" ON {schema}"{prefix}notification_log" (agent_id, created_at, id) INCLUDE (target, event_type, channel)
    WHERE status = 'delivered';

CREATE INDEX "{prefix}nlog_done_target" ON {schema}"{prefix}notification_log" (target, created_at, id) INCLUDE (event_type, channel)
    WHERE status = 'delivered';

CREATE INDEX "{prefix}nlog_done_event" ON {schema}"{prefix}notification_log" (event_type, created_at, id) INCLUDE (channel)
    WHERE status = 'delivered';

-- Few in proportion, so that one index serves all filters, health, and the list
-- of what is left to send.
CREATE INDEX "{prefix}nlog_undone" ON {schema}"{prefix}notification_log"
    (created_at, id) INCLUDE (status, agent_id, target, event_type, channel, attempts, next_attempt_at)
    WHERE status <> 'delivered';

CREATE INDEX "{prefix}nlog_execution" ON {schema}"{prefix}notification_log" (execution_id, created_at, id);

-- The run of a governed event is its execution too; only others need this one.
CREATE INDEX "{prefix}nlog_run" ON {schema}"{prefix}notification_log" (run_id, created_at, id)
    WHERE run_id <> '' AND run_id <> execution_id;

CREATE INDEX "{prefix}nkey_created" ON {schema}"{prefix}notification_key" (created_at);

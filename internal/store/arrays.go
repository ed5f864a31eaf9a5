package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"agentxchain/internal/delivery"
)

// addPostgres adds any number of events, as arrays, in one statement. It gives
// the ids of the rows that it wrote: those of events that were unknown, or only
// imported, and whose key is new. A key or an event that another process adds
// at the same moment is seen only when it is too late to leave the rest out;
// then the statement fails (division by zero), and each event is tried alone.
//
// Between data-modifying parts of one statement there is no order, and none of
// them sees what another wrote; RETURNING tells.
const addPostgres = `WITH n AS (
	SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::int[], ?::text[],
		?::timestamptz[], ?::timestamptz[], ?::text[], ?::text[], ?::timestamptz[], ?::text[], ?::text[], ?::int[], ?::text[],
		?::bool[], ?::bool[], ?::text[], ?::bigint[], ?::timestamptz[], ?::text[],
		?::timestamptz[], ?::timestamptz[], ?::bytea[], ?::bytea[], ?::bytea[], ?::bytea[])
	AS n (id, execution_id, agent_id, event_type, channel, target, status, attempts, last_error,
		created_at, delivered_at, event_id, run_id, emitted_at, target_file, target_name, ordinal, content_type,
		fallback_body, unmade, home, audit_offset, expires_at, reason,
		next_attempt_at, attempt_began_at, body, event, key_hash, request_hash)
), fresh AS MATERIALIZED (
	SELECT * FROM n WHERE NOT EXISTS (SELECT 1 FROM {log} l WHERE l.event_id = n.event_id AND NOT l.imported)
), k AS (
	INSERT INTO {key} (key_hash, request_hash, event_id, created_at)
	SELECT key_hash, request_hash, event_id, created_at FROM fresh WHERE key_hash IS NOT NULL AND ordinal = 0
	ON CONFLICT DO NOTHING RETURNING key_hash
), good AS MATERIALIZED (
	SELECT * FROM fresh WHERE key_hash IS NULL OR (key_hash IN (SELECT key_hash FROM k)) IS TRUE
), rows AS (
	INSERT INTO {log} AS l (` + insertColumns + `)
	SELECT id, execution_id, agent_id, event_type, channel, target, status, attempts, last_error,
		created_at, delivered_at, event_id, run_id, emitted_at, target_file, target_name, ordinal, content_type,
		fallback_body, unmade, false, home, ?, audit_offset, expires_at, reason, NULL,
		next_attempt_at, attempt_began_at, CASE WHEN status = 'sending' THEN ? END, CASE WHEN status = 'sending' THEN {until} END
	FROM good ` + overImported + ` RETURNING l.id
), bodies AS (
	INSERT INTO {body} (id, body, event) SELECT id, body, event FROM good
	ON CONFLICT (id) DO UPDATE SET body = excluded.body, event = excluded.event
)
SELECT id FROM rows WHERE 1 / CASE WHEN (SELECT count(*) FROM good) = (SELECT count(*) FROM rows) THEN 1 ELSE 0 END = 1`

// finishPostgres gives back any number of deliveries, as arrays, with their
// attempts, and returns the ids of those that were this owner's. The owner is
// compared so that no index on what is leased looks useful: in a young table
// the plan would read all of it for each row.
const finishPostgres = `WITH f AS (
	SELECT * FROM unnest(?::text[], ?::text[], ?::int[], ?::text[], ?::text[], ?::int[], ?::timestamptz[], ?::timestamptz[], ?::timestamptz[], ?::int[])
	AS f (id, status, attempts, reason, last_error, response_status, next_attempt_at, attempt_began_at, delivered_at, made)
), rows AS (
	UPDATE {log} AS l SET status = f.status, attempts = f.attempts, reason = f.reason, last_error = f.last_error,
		response_status = coalesce(f.response_status, l.response_status), next_attempt_at = f.next_attempt_at,
		attempt_began_at = f.attempt_began_at, delivered_at = f.delivered_at,
		lease_owner = CASE WHEN f.status = 'sending' THEN '' END, lease_until = CASE WHEN f.status = 'sending' THEN {past} END
	FROM f WHERE l.id = f.id AND (f.made = 0 OR l.attempts = f.made) AND CASE WHEN l.lease_owner = ? THEN true ELSE false END RETURNING l.id
), tries AS (
	INSERT INTO {attempt} (` + attemptColumns + `)
	SELECT * FROM unnest(?::text[], ?::int[], ?::timestamptz[], ?::bigint[], ?::bool[], ?::int[], ?::bool[], ?::text[], ?::text[], ?::text[], ?::text[])
	AS t (id, number, started_at, duration_us, delivered, status_code, timed_out, reason, phase, address, message)
	WHERE (t.id IN (SELECT id FROM rows)) IS TRUE ON CONFLICT DO NOTHING
)
SELECT id FROM rows`

// addArrays are the arguments of addPostgres.
type addArrays struct {
	id, execution, agent, event, channel, target, status []string
	attempts                                             []int32
	lastError                                            []*string
	created, delivered                                   []*time.Time
	eventID, run                                         []string
	emitted                                              []*time.Time
	file, name                                           []string
	ordinal                                              []int32
	contentType                                          []string
	fallback, unmade                                     []bool
	home                                                 []string
	offset                                               []int64
	expires                                              []*time.Time
	reason                                               []string
	next, began                                          []*time.Time
	body, envelope, key, request                         [][]byte
}

// append enters the rows of one operation.
func (a *addArrays) append(o *op) {
	for i := range o.lines {
		l := &o.lines[i]
		a.id, a.execution, a.agent = append(a.id, l.id), append(a.execution, l.execution), append(a.agent, l.agent)
		a.event, a.channel, a.target = append(a.event, l.event), append(a.channel, l.channel), append(a.target, l.target)
		a.status, a.attempts = append(a.status, l.status), append(a.attempts, small(l.attempts))
		a.lastError = append(a.lastError, textOrNull(l.lastError))
		a.created, a.delivered = append(a.created, timeOrNull(l.created)), append(a.delivered, timeOrNull(l.delivered))
		a.eventID, a.run, a.emitted = append(a.eventID, l.eventID), append(a.run, l.run), append(a.emitted, timeOrNull(l.emitted))
		a.file, a.name, a.ordinal = append(a.file, l.file), append(a.name, l.name), append(a.ordinal, small(l.ordinal))
		a.contentType = append(a.contentType, l.contentType)
		a.fallback, a.unmade = append(a.fallback, l.fallback), append(a.unmade, l.unmade)
		a.home, a.offset = append(a.home, l.home), append(a.offset, l.offset)
		a.expires, a.reason = append(a.expires, timeOrNull(l.expires)), append(a.reason, l.reason)
		a.next, a.began = append(a.next, timeOrNull(l.next)), append(a.began, timeOrNull(l.began))
		a.body, a.envelope = append(a.body, l.body), append(a.envelope, l.envelope)
		var key, request []byte
		if o.key != nil {
			key, request = o.key.Key[:], o.key.Request[:]
		}
		a.key, a.request = append(a.key, key), append(a.request, request)
	}
}

func (a *addArrays) args(s *Store) []any {
	return []any{
		a.id, a.execution, a.agent, a.event, a.channel, a.target, a.status, a.attempts, a.lastError,
		a.created, a.delivered, a.eventID, a.run, a.emitted, a.file, a.name, a.ordinal, a.contentType,
		a.fallback, a.unmade, a.home, a.offset, a.expires, a.reason,
		a.next, a.began, a.body, a.envelope, a.key, a.request, encode(s.opts.Site), s.owner,
	}
}

// finishArrays are the arguments of finishPostgres.
type finishArrays struct {
	id, status             []string
	attempts               []int32
	reason                 []string
	lastError              []*string
	code                   []*int32
	next, began, delivered []*time.Time
	made                   []int32
	tries                  tryArrays
}

// tryArrays are attempts, column by column.
type tryArrays struct {
	id                  []string
	number              []int32
	started             []*time.Time
	micros              []int64
	delivered           []bool
	code                []*int32
	timedOut            []bool
	reason, phase       []string
	address, resultText []string
}

func (a *finishArrays) append(o *op) {
	for i := range o.lines {
		l := &o.lines[i]
		a.id, a.status, a.attempts = append(a.id, l.id), append(a.status, l.status), append(a.attempts, small(l.attempts))
		a.reason, a.lastError, a.code = append(a.reason, l.reason), append(a.lastError, textOrNull(l.lastError)), append(a.code, codeOrNull(l.code))
		a.next, a.began, a.delivered = append(a.next, timeOrNull(l.next)), append(a.began, timeOrNull(l.began)), append(a.delivered, timeOrNull(l.delivered))
		a.made = append(a.made, small(l.made))
	}
	for i := range o.tries {
		l, t := &o.tries[i], &a.tries
		t.id, t.number, t.started = append(t.id, l.id), append(t.number, small(l.number)), append(t.started, timeOrNull(l.started))
		t.micros, t.delivered, t.code = append(t.micros, l.micros), append(t.delivered, l.delivered), append(t.code, codeOrNull(l.code))
		t.timedOut, t.reason, t.phase = append(t.timedOut, l.timedOut), append(t.reason, l.reason), append(t.phase, l.phase)
		t.address, t.resultText = append(t.address, l.address), append(t.resultText, l.result)
	}
}

func (a *finishArrays) args(s *Store) []any {
	t := &a.tries
	return []any{
		a.id, a.status, a.attempts, a.reason, a.lastError, a.code, a.next, a.began, a.delivered, a.made, s.owner,
		t.id, t.number, t.started, t.micros, t.delivered, t.code, t.timedOut, t.reason, t.phase, t.address, t.resultText,
	}
}

// small gives a count the width of its column; none grows so far.
func small(n int64) int32 { return int32(min(n, 1<<31-1)) }

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = within(t)
	return &t
}

func codeOrNull(n int64) *int32 {
	if n == 0 {
		return nil
	}
	c := small(n)
	return &c
}

// wakes reports whether an operation leaves something that waits, which other
// processes may send.
func (o *op) wakes() bool {
	for i := range o.lines {
		if o.lines[i].status == string(delivery.Pending) {
			return true
		}
	}
	return false
}

// underKey says how an event ended that was not added under its key.
func (w *postgresWriter) underKey(ctx context.Context, o *op) error {
	var same bool
	var event string
	err := w.pool.QueryRow(ctx, w.s.names.Replace(`SELECT request_hash = $2, event_id FROM {key} WHERE key_hash = $1`),
		o.key.Key[:], o.key.Request[:]).Scan(&same, &event)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return delivery.ErrExists
	case err != nil:
		return err
	case !same:
		return delivery.ErrKeyReused
	}
	o.existing = decode(event)
	return nil
}

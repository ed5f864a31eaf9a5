package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"agentxchain/internal/delivery"
)

// reader is the reading side of a store. Its statements are the same text for
// both engines, but for the names of indexes, which only SQLite is told, and
// the marks of arguments.
//
// A list is read in two steps of one statement: the ids of the page through
// narrow indexes, in order, then their rows. There are two sorts of index
// (migration 00002): a delivery that is done stands in one index for each
// column, one that is not in a single one. A list that wants both merges the
// two streams, which is as lazy as reading one: a page looks at about as many
// entries as offset and limit say, times what a second filter passes over.
type reader struct {
	db       *sql.DB
	postgres bool
	// schema is empty, or a quoted schema with a dot; prefix stands before
	// each name of a table or index.
	schema, prefix string
	now            func() time.Time
	// clean takes out of a driver's error what nobody may see.
	clean  func(error) error
	token  token
	totals cache[int64]
	charts cache[[]delivery.Bucket]
}

// newReader returns a reader of migrated tables.
func newReader(db *sql.DB, postgres bool, schema, prefix string, now func() time.Time, clean func(error) error) *reader {
	return &reader{
		db: db, postgres: postgres, schema: schema, prefix: prefix, now: now, clean: clean,
		token: token{db: db, postgres: postgres},
	}
}

// close gives up the connection that the reader has for itself.
func (r *reader) close() error { return r.token.close() }

// table returns the quoted name of a table.
func (r *reader) table(name string) string { return r.schema + `"` + r.prefix + name + `"` }

// by tells SQLite which index to read; PostgreSQL, which knows what is in its
// tables, decides by itself.
func (r *reader) by(index string) string {
	if r.postgres || index == "" {
		return ""
	}
	return ` INDEXED BY "` + r.prefix + index + `"`
}

// moment is the argument that stands for a time.
func (r *reader) moment(t time.Time) any {
	if r.postgres {
		return within(t)
	}
	return stampText(t)
}

// bind gives the marks of arguments, which are question marks, the form that
// the engine reads. No statement has a question mark in a literal.
func (r *reader) bind(query string) string {
	if !r.postgres {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		head, tail, found := strings.Cut(query, "?")
		b.WriteString(head)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = tail
	}
}

// given adds to the arguments how PostgreSQL is to take them: it plans each
// statement anew, for the values that it has. A plan for any value can be the
// wrong one for the rare, and is kept.
func (r *reader) given(args []any) []any {
	if r.postgres {
		return append([]any{pgx.QueryExecModeExec}, args...)
	}
	return args
}

// query runs a statement and hands each row to scan.
func (r *reader) query(ctx context.Context, c clause, scan func(*sql.Rows) error) (err error) {
	defer func() { err = r.clean(err) }()
	var rows *sql.Rows
	err = anew(ctx, func() error {
		rows, err = r.db.QueryContext(ctx, r.bind(c.text), r.given(c.args)...)
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// anew reads again, at once, when the connection turns out to be of a server
// that has been restarted since: each of the pool can be. One that is down is
// no reason to wait.
func anew(ctx context.Context, read func() error) error {
	for try := 0; ; try++ {
		if err := read(); err == nil || try == postgresConns || !isConnection(err) || ctx.Err() != nil {
			return err
		}
	}
}

// clause is a piece of SQL with its arguments.
type clause struct {
	text string
	args []any
}

func (c *clause) add(text string, args ...any) {
	c.text += text
	c.args = append(c.args, args...)
}

// The states that are done, and those that are not, as the indexes spell them.
const (
	whenDone   = `status = 'delivered'`
	whenUndone = `status <> 'delivered'`
)

// arm is a stream of the log in the order of an index, or one that is so small
// that it can be sorted.
type arm struct {
	index string
	where clause
}

// arms returns the streams that together are what f chooses. They do not
// overlap.
func (r *reader) arms(ctx context.Context, f delivery.Filter) ([]arm, error) {
	rest := r.conditions(f)
	switch {
	case f.EventID != "":
		return []arm{r.arm("", rest, f.Statuses, `event_id = ?`, encode(f.EventID))}, nil
	case f.ExecutionID != "":
		return []arm{r.arm("nlog_execution", rest, f.Statuses, `execution_id = ?`, encode(f.ExecutionID))}, nil
	case f.RunID != "":
		id := encode(f.RunID)
		return []arm{
			r.arm("nlog_execution", rest, f.Statuses, `execution_id = ? AND run_id = execution_id`, id),
			r.arm("nlog_run", rest, f.Statuses, `run_id = ? AND run_id <> '' AND run_id <> execution_id`, id),
		}, nil
	}
	var all []arm
	if len(f.Statuses) == 0 || slices.Contains(f.Statuses, delivery.Delivered) {
		index, err := r.driver(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, r.arm(index, rest, nil, whenDone))
	}
	others := slices.DeleteFunc(slices.Clone(f.Statuses), func(s delivery.Status) bool { return s == delivery.Delivered })
	if len(f.Statuses) == 0 || len(others) > 0 {
		all = append(all, r.arm("nlog_undone", rest, others, whenUndone))
	}
	return all, nil
}

// arm joins the condition that its index is made for with the rest.
func (r *reader) arm(index string, rest clause, statuses []delivery.Status, text string, args ...any) arm {
	w := clause{text, args}
	w.add(rest.text, rest.args...)
	if len(statuses) > 0 {
		w.add(` AND status IN (` + strings.TrimSuffix(strings.Repeat("?, ", len(statuses)), ", ") + `)`)
		for _, s := range statuses {
			w.args = append(w.args, string(s))
		}
	}
	return arm{index, w}
}

// conditions are the filters but for the states, each behind an AND.
func (r *reader) conditions(f delivery.Filter) clause {
	var c clause
	for _, x := range []struct{ column, value string }{
		{"agent_id", f.Agent},
		{"target", f.Target},
		{"event_type", f.EventType},
		{"channel", string(f.Channel)},
		{"execution_id", f.ExecutionID},
		{"run_id", f.RunID},
		{"event_id", f.EventID},
	} {
		if x.value != "" {
			c.add(` AND `+x.column+` = ?`, encode(x.value))
		}
	}
	if !f.Since.IsZero() {
		// Stored times are whole milliseconds: what is later than a
		// microsecond is not before the next.
		c.add(` AND created_at >= ?`, r.moment(f.Since.Add(time.Microsecond-1)))
	}
	return c
}

// few is how many entries a driver may have to be taken before one whose
// index has all columns of the filter: so many rows can be looked at.
const few = 2000

// driver chooses the index of done deliveries. The first that fits has the
// columns of all after it, so that the row needs no look. A rarer value is
// better all the same: of an agent's million deliveries ten went to a target.
// PostgreSQL knows by itself what is rare.
func (r *reader) driver(ctx context.Context, f delivery.Filter) (string, error) {
	type choice struct{ index, column, value string }
	fits := slices.DeleteFunc([]choice{
		{"nlog_done_agent", "agent_id", f.Agent},
		{"nlog_done_target", "target", f.Target},
		{"nlog_done_event", "event_type", f.EventType},
	}, func(c choice) bool { return c.value == "" })
	switch {
	case len(fits) == 0:
		return "nlog_done_created", nil
	case len(fits) == 1 || r.postgres:
		return fits[0].index, nil
	}
	best, least := fits[0].index, few
	for _, x := range fits {
		c := clause{args: []any{encode(x.value), least}}
		c.text = `SELECT count(*) FROM (SELECT 1 FROM ` + r.table("notification_log") + r.by(x.index) +
			` WHERE ` + whenDone + ` AND ` + x.column + ` = ? LIMIT ?)`
		var n int
		if err := r.query(ctx, c, func(rows *sql.Rows) error { return rows.Scan(&n) }); err != nil {
			return "", err
		}
		if n < least {
			best, least = x.index, n
		}
	}
	return best, nil
}

// page is the statement of a page.
func (r *reader) page(arms []arm, p delivery.Page) clause {
	const order = ` ORDER BY created_at DESC, id DESC`
	log, limit, offset := r.table("notification_log"), max(0, p.Limit), max(0, p.Offset)
	c := clause{text: `SELECT ` + recordColumns + ` FROM (SELECT id, created_at FROM (`}
	for i, a := range arms {
		if i > 0 {
			c.add(` UNION ALL `)
		}
		text := `SELECT id, created_at FROM ` + log + r.by(a.index) + ` WHERE ` + a.where.text
		if r.postgres {
			// Only if each stream says its order, its planner merges them.
			c.add(`(`+text+order+` LIMIT ?)`, append(slices.Clone(a.where.args), int64(limit)+int64(offset))...)
		} else {
			c.add(text, a.where.args...)
		}
	}
	c.add(`) AS arms`+order+` LIMIT ? OFFSET ?) AS page `, limit, offset)
	if r.postgres {
		c.add(`JOIN `)
	} else {
		c.add(`CROSS JOIN `) // SQLite's word for: in this order
	}
	c.add(log + ` AS log ON log.id = page.id ORDER BY page.created_at DESC, page.id DESC`)
	return c
}

// Page returns the records of a page, the newest first, without Body,
// Event.Body and Tries. A limit below 1 asks for nothing, and an offset below
// 0 is 0.
func (r *reader) Page(ctx context.Context, f delivery.Filter, p delivery.Page) ([]delivery.Record, error) {
	arms, err := r.arms(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	var all []delivery.Record
	err = r.query(ctx, r.page(arms, p), func(rows *sql.Rows) error {
		row := new(recordRow)
		if err := rows.Scan(row.fields()...); err != nil {
			return err
		}
		all = append(all, row.record())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return all, nil
}

// recordColumns are those of a record, in the order of recordRow.fields.
const recordColumns = `log.id, log.execution_id, log.agent_id, log.event_type, log.channel, log.target, log.status, ` +
	`log.attempts, log.last_error, log.created_at, log.delivered_at, log.event_id, log.run_id, log.emitted_at, ` +
	`log.target_file, log.target_name, log.content_type, log.fallback_body, log.unmade, log.imported, ` +
	`log.expires_at, log.reason, log.response_status, log.next_attempt_at, log.attempt_began_at`

// recordRow is a row of the log as both engines give it.
type recordRow struct {
	id, execution, agent, event, channel, label, status, message words
	eventID, runID, file, name, contentType, reason              words
	attempts                                                     int
	code                                                         sql.NullInt64
	created, delivered, emitted, expires, next, began            stamp
	fallback, unmade, imported                                   bool
}

func (w *recordRow) fields() []any {
	return []any{
		&w.id, &w.execution, &w.agent, &w.event, &w.channel, &w.label, &w.status,
		&w.attempts, &w.message, &w.created, &w.delivered, &w.eventID, &w.runID, &w.emitted,
		&w.file, &w.name, &w.contentType, &w.fallback, &w.unmade, &w.imported,
		&w.expires, &w.reason, &w.code, &w.next, &w.began,
	}
}

func (w *recordRow) record() delivery.Record {
	var rec delivery.Record
	rec.ID, rec.ExecutionID, rec.Agent, rec.Label = string(w.id), string(w.execution), string(w.agent), string(w.label)
	rec.Event.ID, rec.Event.Type, rec.Event.RunID = string(w.eventID), string(w.event), string(w.runID)
	rec.Event.EmittedAt = w.emitted.Time
	rec.Target = delivery.Target{File: string(w.file), Channel: delivery.Channel(w.channel), Name: string(w.name)}
	rec.ContentType, rec.FallbackBody, rec.Unmade, rec.Imported = string(w.contentType), w.fallback, w.unmade, w.imported
	rec.Status, rec.Attempts = delivery.Status(w.status), w.attempts
	rec.LastReason, rec.LastMessage = delivery.Reason(w.reason), string(w.message)
	rec.CreatedAt, rec.DeliveredAt, rec.ExpiresAt = w.created.Time, w.delivered.Time, w.expires.Time
	rec.StatusCode = int(w.code.Int64)
	rec.NextAt = w.next.Time
	if rec.Status == delivery.Sending {
		rec.NextAt = w.began.Time // as [delivery.Intent] has it
	}
	return rec
}

// Record returns one record whole, its Tries in order. The error is
// [delivery.ErrUnknown] when the log does not have it.
func (r *reader) Record(ctx context.Context, id string) (delivery.Record, error) {
	rec, found, err := r.recordAndTries(ctx, id)
	if err == nil && found {
		err = r.bodies(ctx, &rec)
	}
	if err != nil {
		return delivery.Record{}, fmt.Errorf("read delivery %q: %w", id, err)
	}
	if !found {
		return delivery.Record{}, delivery.ErrUnknown
	}
	return rec, nil
}

// recordAndTries reads both in one statement, so that they belong together.
func (r *reader) recordAndTries(ctx context.Context, id string) (rec delivery.Record, found bool, err error) {
	c := clause{args: []any{encode(id)}}
	c.text = `SELECT ` + recordColumns + `, try.number, try.started_at, try.duration_us, try.delivered, try.status_code, ` +
		`try.timed_out, try.reason, try.phase, try.address, try.message FROM ` + r.table("notification_log") + ` AS log LEFT JOIN ` +
		r.table("notification_attempt") + ` AS try ON try.id = log.id WHERE log.id = ? ORDER BY try.number`
	err = r.query(ctx, c, func(rows *sql.Rows) error {
		row, try := new(recordRow), new(tryRow)
		if err := rows.Scan(append(row.fields(), try.fields()...)...); err != nil {
			return err
		}
		if !found {
			rec, found = row.record(), true
		}
		if try.number.Valid {
			rec.Tries = append(rec.Tries, try.try())
		}
		return nil
	})
	return rec, found, err
}

// bodies adds what was sent, if it is known.
func (r *reader) bodies(ctx context.Context, rec *delivery.Record) error {
	c := clause{`SELECT body, event FROM ` + r.table("notification_body") + ` WHERE id = ?`, []any{encode(rec.ID)}}
	return r.query(ctx, c, func(rows *sql.Rows) error {
		if err := rows.Scan(&rec.Body, &rec.Event.Body); err != nil {
			return err
		}
		if rec.Event.Body == nil {
			rec.Event.Body = rec.Body
		}
		return nil
	})
}

// tryRow is an attempt as both engines give it; all NULL when there is none.
type tryRow struct {
	number, duration, code          sql.NullInt64
	started                         stamp
	delivered, timedOut             sql.NullBool
	reason, phase, address, message words
}

func (w *tryRow) fields() []any {
	return []any{
		&w.number, &w.started, &w.duration, &w.delivered, &w.code, &w.timedOut,
		&w.reason, &w.phase, &w.address, &w.message,
	}
}

func (w *tryRow) try() delivery.Try {
	return delivery.Try{Number: int(w.number.Int64), At: w.started.Time, Result: delivery.Result{
		Delivered: w.delivered.Bool, StatusCode: int(w.code.Int64), TimedOut: w.timedOut.Bool,
		Duration: time.Duration(w.duration.Int64) * time.Microsecond, Reason: delivery.Reason(w.reason),
		Phase: delivery.Phase(w.phase), Address: string(w.address), Message: string(w.message),
	}}
}

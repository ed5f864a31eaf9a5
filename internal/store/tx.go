package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// querying is what a connection, a transaction and a pool have in common.
type querying interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx runs the SQL of this package, which is written once for both engines:
// "?" stands for an argument, {log} and the like for tables, {now}, {until} and
// {ended} for the clock of the leases, {lock} for locking what is read.
type tx struct {
	s *Store
	q querying
}

func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.q.ExecContext(ctx, t.s.render(query), t.s.values(args)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.q.QueryContext(ctx, t.s.render(query), t.s.values(args)...)
}

func (t *tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.q.QueryRowContext(ctx, t.s.render(query), t.s.values(args)...)
}

// each runs a query and calls f for each row.
func (t *tx) each(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := t.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// read is for queries outside of a transaction.
func (s *Store) read() *tx { return &tx{s, s.db} }

// values gives arguments the form of the engine.
func (s *Store) values(args []any) []any {
	for i, a := range args {
		t, ok := a.(time.Time)
		switch {
		case !ok:
		case t.IsZero():
			args[i] = nil
		case s.addr.engine == sqliteEngine:
			args[i] = stampText(t)
		default:
			args[i] = within(t)
		}
	}
	return args
}

// render writes SQL for the engine.
func (s *Store) render(query string) string {
	query = s.names.Replace(query)
	if s.addr.engine == sqliteEngine {
		return s.renderSQLite(query)
	}
	return s.renderPostgres(query)
}

// renderSQLite puts this process's clock into the SQL.
func (s *Store) renderSQLite(query string) string {
	if !strings.Contains(query, "{") {
		return query
	}
	now := s.opts.Now()
	quoted := func(t time.Time) string { return "'" + stampText(t) + "'" }
	return strings.NewReplacer(
		"{lock}", "", "{skip}", "",
		"{due}", "coalesce(l.next_attempt_at, '')",
		"{now}", quoted(now),
		"{until}", quoted(now.Add(s.opts.Lease)),
		"{past}", quoted(time.Unix(0, 0)),
		"{ended}", fmt.Sprintf("(l.lease_until <= %s OR l.lease_until > %s)", quoted(now), quoted(now.Add(leaseMost))),
	).Replace(query)
}

// renderPostgres numbers the arguments and puts the database's clock in.
func (s *Store) renderPostgres(query string) string {
	if strings.Contains(query, "{") {
		query = strings.NewReplacer(
			"{lock}", "FOR UPDATE OF l", "{skip}", "FOR UPDATE OF l SKIP LOCKED",
			"{due}", "coalesce(l.next_attempt_at, timestamptz '-infinity')",
			"{now}", "now()",
			"{until}", fmt.Sprintf("now() + interval '%d microseconds'", s.opts.Lease.Microseconds()),
			"{past}", "timestamptz 'epoch'",
			"{ended}", "(l.lease_until <= now())",
		).Replace(query)
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b.WriteByte(query[i])
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// marks is a list of n arguments in SQL.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// anys gives strings as arguments.
func anys(list []string, more ...any) []any {
	args := make([]any, 0, len(list)+len(more))
	for _, s := range list {
		args = append(args, encode(s))
	}
	return append(args, more...)
}

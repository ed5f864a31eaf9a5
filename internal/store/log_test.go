package store

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"agentxchain/internal/delivery"
	"agentxchain/internal/pgtest"
	"agentxchain/internal/secret"
	"agentxchain/internal/store/storetest"
)

// TestLog runs the suite of the reading side on both engines.
func TestLog(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { testLog(t, newLiteLog(t)) })
	t.Run("postgres", func(t *testing.T) { testLog(t, newPGLog(t)) })
}

// testedLog is a log and another process's connection to it.
type testedLog struct {
	*Store
	other *sql.DB
	// path is the file of SQLite, or the URL of PostgreSQL.
	path string
}

func (l testedLog) exec(tb testing.TB, query string, args ...any) {
	tb.Helper()
	if _, err := l.other.ExecContext(tb.Context(), l.sql(query), args...); err != nil {
		tb.Fatalf("%v: %.300s", err, query)
	}
}

func testLog(t *testing.T, l testedLog) {
	storetest.RunLog(t, storetest.LogHarness{
		Log: l, Set: func(records []delivery.Record) { l.set(t, records) }, Leftovers: func() int { return l.leftovers(t) },
	})
}

func opened(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// newLog opens a store as others do, and a connection beside it.
func newLog(tb testing.TB, o Options, driver, dsn, path string) testedLog {
	tb.Helper()
	o.Site, o.Now = "site", storetest.LogNow
	l := testedLog{other: opened(tb, driver, dsn), path: path}
	if o.Schema != "" {
		if _, err := l.other.ExecContext(tb.Context(), `CREATE SCHEMA "`+o.Schema+`"`); err != nil {
			tb.Fatal(err)
		}
	}
	s, err := Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	l.Store = s
	return l
}

// sql is a statement of tests, which name tables as the store's own do.
func (l testedLog) sql(query string) string { return l.bind(l.names.Replace(query)) }

func (l testedLog) clock() time.Time { return l.opts.Now() }

func newLiteLog(tb testing.TB) testedLog {
	path := filepath.Join(tb.TempDir(), "log.db")
	return newLog(tb, Options{URL: secret.New("sqlite:///" + path), Prefix: "p_"}, "sqlite",
		"file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)", path)
}

func newPGLog(tb testing.TB) testedLog {
	url := pgtest.Start(tb)
	return newLog(tb, Options{URL: secret.New(url), Prefix: "p_", Schema: "Log"}, "pgx", url, url)
}

func (l testedLog) at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return l.moment(t)
}

// set makes the records all there are.
func (l testedLog) set(tb testing.TB, records []delivery.Record) {
	tb.Helper()
	tx, err := l.other.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	do := func(query string, args ...any) {
		tb.Helper()
		if _, err := tx.ExecContext(tb.Context(), l.sql(query), args...); err != nil {
			tb.Fatalf("%v: %.300s", err, query)
		}
	}
	for _, name := range []string{"log", "body", "attempt", "key"} {
		do(`DELETE FROM {` + name + `}`)
	}
	keys := make(map[string]bool)
	for i, r := range records {
		var code, owner, until, began, next any
		if r.StatusCode > 0 {
			code = r.StatusCode
		}
		next = l.at(r.NextAt)
		if r.Status == delivery.Sending {
			owner, until, began, next = "somebody", l.moment(r.NextAt.Add(time.Hour)), next, nil
		}
		id := encode(r.ID)
		do(`INSERT INTO {log} (id, execution_id, agent_id, event_type, channel, target, status, attempts, last_error, created_at,
			delivered_at, event_id, run_id, emitted_at, target_file, target_name, ordinal, content_type, fallback_body, unmade, imported,
			home, site, audit_offset, expires_at, reason, response_status, next_attempt_at, attempt_began_at, lease_owner, lease_until)
			VALUES (`+strings.TrimSuffix(strings.Repeat("?, ", 31), ", ")+`)`,
			id, encode(r.ExecutionID), encode(r.Agent), encode(r.Event.Type), string(r.Target.Channel), encode(r.Label), string(r.Status), r.Attempts,
			encode(r.LastMessage), l.at(r.CreatedAt), l.at(r.DeliveredAt), r.Event.ID, encode(r.Event.RunID), l.at(r.Event.EmittedAt),
			encode(r.Target.File), encode(r.Target.Name), i, encode(r.ContentType), r.FallbackBody, r.Unmade, r.Imported,
			"", "site", 0, l.at(r.ExpiresAt), string(r.LastReason), code, next, began, owner, until)
		if r.Body != nil {
			event := r.Event.Body
			if bytes.Equal(event, r.Body) {
				event = nil
			}
			do(`INSERT INTO {body} (id, body, event) VALUES (?, ?, ?)`, id, r.Body, event)
		}
		for _, try := range r.Tries {
			res := try.Result
			do(`INSERT INTO {attempt} (id, number, started_at, duration_us, delivered, status_code, timed_out, reason, phase, address, message)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, try.Number, l.at(try.At), res.Duration.Microseconds(), res.Delivered,
				res.StatusCode, res.TimedOut, string(res.Reason), string(res.Phase), res.Address, encode(res.Message))
		}
		if !keys[r.Event.ID] {
			keys[r.Event.ID] = true
			do(`INSERT INTO {key} (key_hash, request_hash, event_id, created_at) VALUES (?, ?, ?, ?)`,
				[]byte(r.Event.ID), []byte("request"), r.Event.ID, l.at(r.CreatedAt))
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

func (l testedLog) leftovers(tb testing.TB) (n int) {
	tb.Helper()
	err := l.other.QueryRowContext(tb.Context(), l.sql(`SELECT
		(SELECT count(*) FROM {body} WHERE id NOT IN (SELECT id FROM {log})) +
		(SELECT count(*) FROM {attempt} WHERE id NOT IN (SELECT id FROM {log})) +
		(SELECT count(*) FROM {key} WHERE event_id NOT IN (SELECT event_id FROM {log}))`)).Scan(&n)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

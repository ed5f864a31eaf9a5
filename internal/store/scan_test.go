package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"agentxchain/internal/delivery"
)

// seen counts the entries of indexes that SQLite looks at in a statement that
// calls the function of the same name for each.
type seen struct{ n atomic.Int64 }

func newSeen(tb testing.TB) *seen {
	s := new(seen)
	err := sqlite.RegisterScalarFunction("seen", 1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		s.n.Add(1)
		return int64(1), nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// generated is a log of n rows, eight a second, whose last is one second before
// LogNow: 20 agents, 12 types of event, 10 targets and a rare one, two channels; of a
// hundred 88 are delivered, 8 failed, 2 discarded and 2 pending; 40 rows to an
// execution.
func (l testedLog) generate(tb testing.TB, n int) {
	tb.Helper()
	start := l.clock().Add(-time.Second - time.Duration(n)*125*time.Millisecond)
	numbers, created := `generate_series(0, ?::int - 1) AS n(i)`, `timestamptz '`+start.Format(time.RFC3339Nano)+`' + i * interval '125 ms'`
	concat := func(parts ...string) string { return strings.Join(parts, ` || `) }
	no, pad, body := `false`, `lpad(i::text, 23, '0')`, `decode(repeat('61', 300), 'hex')`
	head := ``
	if !l.postgres {
		head = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1) `
		numbers = `n`
		created = fmt.Sprintf(`strftime('%%Y-%%m-%%dT%%H:%%M:', %d + i * 125 / 1000, 'unixepoch') || printf('%%02d.%%03d000Z', (%d + i * 125) / 1000 %% 60, (%d + i * 125) %% 1000)`,
			start.Unix(), start.UnixMilli(), start.UnixMilli())
		no, pad, body = `0`, `printf('%023d', i)`, `zeroblob(300)`
	}
	l.exec(tb, `INSERT INTO {log} (id, execution_id, agent_id, event_type, channel, target, status, attempts, last_error, created_at,
		delivered_at, event_id, run_id, emitted_at, target_file, target_name, ordinal, content_type, fallback_body, unmade, imported,
		home, site, audit_offset, reason, response_status, next_attempt_at) `+head+`SELECT `+concat(`'01K'`, pad)+`, `+concat(`'run_'`, `(i / 40)`)+`,
		`+concat(`'agent-'`, `(i % 20)`)+`, `+concat(`'event_'`, `(i / 7 % 12)`)+`, CASE WHEN i / 20 % 10 < 7 THEN 'webhook' ELSE 'slack' END,
		CASE WHEN i % 5000 = 11 THEN 'target-rare' ELSE `+concat(`'target-'`, `(i / 3 % 10)`)+` END, CASE WHEN i % 97 < 85 THEN 'delivered' WHEN i % 97 < 93 THEN 'failed' WHEN i % 97 < 95 THEN 'discarded' ELSE 'pending' END,
		1, CASE WHEN i % 97 < 85 THEN NULL ELSE 'Webhook returned HTTP 503' END, `+created+`, CASE WHEN i % 97 < 85 THEN `+created+` END,
		`+concat(`'notif_'`, pad)+`, '', `+created+`, 'gateway.yaml', `+concat(`'target-'`, `(i % 10)`)+`, 0, 'application/json', `+no+`, `+no+`, `+no+`,
		'', 'site', 0, CASE WHEN i % 97 < 85 THEN 'delivered' ELSE 'server_error' END, 200, NULL FROM `+numbers, n)
	l.exec(tb, `INSERT INTO {body} (id, body) SELECT id, `+body+` FROM {log}`)
	if l.postgres {
		l.exec(tb, `VACUUM ANALYZE`)
	}
}

// listing is a filter of the lists that are measured.
type listing struct {
	name   string
	filter delivery.Filter
	// share is one in how many entries of the index that is read the filter
	// wants; 0 means that it wants nearly none, so that all that have the
	// rarer value are looked at.
	share int
}

func listings(now time.Time) []listing {
	done, failed := []delivery.Status{delivery.Delivered}, []delivery.Status{delivery.Failed, delivery.Discarded}
	since := now.Add(-10 * time.Hour)
	return []listing{
		{"none", delivery.Filter{}, 1},
		{"delivered", delivery.Filter{Statuses: done}, 1},
		{"failed", delivery.Filter{Statuses: failed}, 2},
		{"agent", delivery.Filter{Agent: "agent-3"}, 4},
		{"channel", delivery.Filter{Channel: delivery.Slack}, 5},
		{"event type", delivery.Filter{EventType: "event_5"}, 3},
		{"target", delivery.Filter{Target: "target-7"}, 3},
		{"execution", delivery.Filter{ExecutionID: "run_77"}, 1},
		{"since", delivery.Filter{Since: since}, 1},
		{"delivered, agent", delivery.Filter{Statuses: done, Agent: "agent-3"}, 1},
		{"delivered, target", delivery.Filter{Statuses: done, Target: "target-7"}, 1},
		{"delivered, event type", delivery.Filter{Statuses: done, EventType: "event_5"}, 1},
		{"delivered, channel", delivery.Filter{Statuses: done, Channel: delivery.Slack}, 5},
		{"failed, agent", delivery.Filter{Statuses: failed, Agent: "agent-3"}, 25},
		{"failed, channel", delivery.Filter{Statuses: failed, Channel: delivery.Slack}, 5},
		{"failed, since", delivery.Filter{Statuses: failed, Since: since}, 2},
		{"agent, event type", delivery.Filter{Agent: "agent-3", EventType: "event_1"}, 40},
		{"agent, target that never meet", delivery.Filter{Agent: "agent-3", Target: "target-rare"}, 0},
		{"agent, target", delivery.Filter{Agent: "agent-3", Target: "target-7"}, 40},
		{"agent, channel", delivery.Filter{Agent: "agent-3", Channel: delivery.Webhook}, 8},
		{"target, channel", delivery.Filter{Target: "target-7", Channel: delivery.Webhook}, 4},
		{"event type, channel", delivery.Filter{EventType: "event_5", Channel: delivery.Webhook}, 5},
		{"target, since", delivery.Filter{Target: "target-7", Since: since}, 3},
		{"execution, failed", delivery.Filter{ExecutionID: "run_77", Statuses: failed}, 10},
	}
}

// Pages are at the beginning of the log, and a thousand pages on.
const pageLimit, deep = 50, 49_950

// TestPageLooksAtFew holds lists to what they may look at: of index entries a
// small multiple of offset and limit, as far as there are so many, and of rows
// those of the page alone.
func TestPageLooksAtFew(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		s := newSeen(t)
		testLooks(t, newLiteLog(t), s.look)
	})
	t.Run("postgres", func(t *testing.T) { testLooks(t, newPGLog(t), explain) })
}

// look is how many entries a statement looks at, and how many rows.
type look func(tb testing.TB, l testedLog, c clause) (entries, rows int)

func testLooks(t *testing.T, l testedLog, looks look) {
	const size = 60_000
	l.generate(t, size)
	ran := 0
	for _, x := range listings(l.clock()) {
		for _, offset := range []int{0, deep} {
			arms, err := l.arms(t.Context(), x.filter)
			if err != nil {
				t.Fatal(err)
			}
			entries, rows := looks(t, l, l.page(arms, delivery.Page{Limit: pageLimit, Offset: offset}))
			allowed, all := x.share*(offset+pageLimit)+pageLimit, l.entries(t, arms)
			if x.share == 0 || allowed > all {
				allowed = all
			}
			if entries > allowed || rows > pageLimit+1 {
				t.Errorf("%s, from %d: %d entries and %d rows looked at, want at most %d and %d", x.name, offset, entries, rows, allowed, pageLimit)
			}
			t.Logf("%-32s from %6d: %6d entries, %3d rows (allowed %d)", x.name, offset, entries, rows, allowed)
			ran++
		}
	}
	t.Logf("%d lists of %d rows", ran, size)
}

// entries is how many entries the streams of a list have without the filters
// that their indexes do not begin with.
func (l testedLog) entries(tb testing.TB, arms []arm) (n int) {
	tb.Helper()
	for _, a := range arms {
		c := clause{`SELECT count(*) FROM {log} WHERE `, nil}
		first := strings.SplitN(a.where.text, ` AND `, 3)
		c.add(first[0])
		if a.index != "nlog_undone" && len(first) > 1 && strings.Contains(first[0], "status") && a.index != "nlog_done_created" {
			column := map[string]string{"nlog_done_agent": "agent_id", "nlog_done_target": "target", "nlog_done_event": "event_type"}[a.index]
			i := slices.IndexFunc(strings.Split(a.where.text, ` AND `), func(s string) bool { return strings.HasPrefix(s, column+" =") })
			c.add(` AND `+column+` = ?`, a.where.args[i-1])
		} else if strings.Contains(first[0], "?") {
			c.args = a.where.args[:1]
		}
		var some int
		if err := l.other.QueryRowContext(tb.Context(), l.sql(c.text), c.args...).Scan(&some); err != nil {
			tb.Fatalf("%v: %s", err, c.text)
		}
		n += some
	}
	return n
}

// look runs a page of SQLite.
func (s *seen) look(tb testing.TB, l testedLog, c clause) (entries, rows int) {
	tb.Helper()
	plan := clause{`EXPLAIN QUERY PLAN ` + c.text, c.args}
	var steps []string
	query := func(c clause, dest ...any) {
		tb.Helper()
		r, err := l.db.QueryContext(tb.Context(), c.text, c.args...)
		if err != nil {
			tb.Fatal(err)
		}
		defer r.Close()
		for r.Next() {
			rows++
			if dest == nil {
				continue
			}
			var detail string
			if err := r.Scan(append(dest, &detail)...); err != nil {
				tb.Fatal(err)
			}
			steps = append(steps, detail)
		}
		if err := r.Err(); err != nil {
			tb.Fatal(err)
		}
	}
	query(plan, new(any), new(any), new(any))
	rows = 0
	for _, step := range steps {
		if strings.HasPrefix(step, "SCAN p_notification_log") && !strings.Contains(step, "COVERING INDEX") {
			tb.Errorf("the plan reads the table: %q", steps)
		}
	}
	s.n.Store(0)
	c.text = strings.ReplaceAll(c.text, " WHERE ", " WHERE seen(created_at) AND ")
	query(c)
	return int(s.n.Load()), rows
}

// node is a step of PostgreSQL's plan.
type node struct {
	Type      string  `json:"Node Type"`
	Rows      float64 `json:"Actual Rows"`
	Filtered  float64 `json:"Rows Removed by Filter"`
	Rechecked float64 `json:"Rows Removed by Index Recheck"`
	Loops     float64 `json:"Actual Loops"`
	Index     string  `json:"Index Name"`
	Plans     []node
}

// explain runs a page of PostgreSQL.
func explain(tb testing.TB, l testedLog, c clause) (entries, rows int) {
	tb.Helper()
	var text string
	if err := l.db.QueryRowContext(tb.Context(), `EXPLAIN (ANALYZE, FORMAT JSON) `+l.bind(c.text), l.given(c.args)...).Scan(&text); err != nil {
		tb.Fatal(err)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		tb.Fatal(err)
	}
	var walk func(n node)
	walk = func(n node) {
		looked := int((n.Rows + n.Filtered + n.Rechecked) * n.Loops)
		switch {
		case !strings.Contains(n.Type, "Scan") || n.Type == "Subquery Scan" || n.Type == "Bitmap Heap Scan": // Bitmap Index Scan counts
		case strings.HasSuffix(n.Index, "notification_log_pkey"):
			rows += looked
		default:
			entries += looked
		}
		for _, p := range n.Plans {
			walk(p)
		}
	}
	walk(plans[0].Plan)
	if testing.Verbose() && os.Getenv("PLAN") != "" {
		tb.Log(text)
	}
	return entries, rows
}

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// insert adds rows that are being sent, and finish delivers them.
const (
	insertRow = `INSERT INTO {log} (id, execution_id, agent_id, event_type, channel, target, status, attempts, created_at,
		event_id, run_id, target_file, target_name, ordinal, content_type, fallback_body, unmade, imported,
		home, site, audit_offset, reason, lease_owner, lease_until)
		VALUES (?, ?, ?, 'on_error', 'webhook', ?, 'sending', 1, ?, ?, '', 'gateway.yaml', 'hook', 0, 'application/json', %[1]s, %[1]s, %[1]s,
		'', 'site', 0, '', 'somebody', ?)`
	finishRow = `UPDATE {log} SET status = 'delivered', reason = 'delivered', delivered_at = ?, lease_owner = NULL, lease_until = NULL WHERE id = ?`
)

func (l testedLog) insertRow() string {
	if l.postgres {
		return l.sql(fmt.Sprintf(insertRow, "false"))
	}
	return l.sql(fmt.Sprintf(insertRow, "0"))
}

func (l testedLog) row(n int) []any {
	at := l.clock().Add(time.Duration(n) * time.Millisecond)
	return []any{
		fmt.Sprintf("01K%023d", n), fmt.Sprintf("run_%d", n/40), fmt.Sprintf("agent-%d", n%20), fmt.Sprintf("target-%d", n%10),
		l.moment(at), fmt.Sprintf("notif_%023d", n), l.moment(at.Add(time.Minute)),
	}
}

// TestTotalIsNeverStale counts while somebody else adds rows: a total is
// neither older than its question nor newer than its answer.
func TestTotalIsNeverStale(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { testNeverStale(t, newLiteLog(t)) })
	t.Run("postgres", func(t *testing.T) { testNeverStale(t, newPGLog(t)) })
}

func testNeverStale(t *testing.T, l testedLog) {
	const rows = 300
	var begun, committed, asked atomic.Int64
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for committed.Load() < rows {
				least := committed.Load()
				n, err := l.Total(t.Context(), delivery.Filter{Target: "target-0"})
				if err != nil {
					t.Errorf("total: %v", err)
					return
				}
				if most := begun.Load(); n < (least+9)/10 || n > (most+9)/10 {
					t.Errorf("total %d between %d and %d rows", n, least, most)
				}
				asked.Add(1)
			}
		})
	}
	for n := range rows {
		begun.Add(1)
		if _, err := l.other.ExecContext(t.Context(), l.insertRow(), l.row(n)...); err != nil {
			t.Error(err)
		}
		committed.Add(1)
	}
	running.Wait()
	t.Logf("%d totals of %d states", asked.Load(), rows)
}

// TestCacheErrors: an answer that failed is nobody else's.
func TestCacheErrors(t *testing.T) {
	var c cache[int]
	broken := errors.New("broken")
	get := func(ctx context.Context, version, key string, value int, err error) (int, error) {
		return c.get(ctx, version, key, func(context.Context) (int, error) { return value, err })
	}
	if _, err := get(t.Context(), "1", "a", 0, broken); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	for _, step := range []struct {
		version, key string
		value, want  int
	}{
		{"1", "a", 5, 5}, {"1", "a", 6, 5}, {"1", "b", 7, 7}, {"2", "a", 8, 8}, {"2", "a", 9, 8},
	} {
		if got, err := get(t.Context(), step.version, step.key, step.value, nil); err != nil || got != step.want {
			t.Errorf("%+v gives %d, %v", step, got, err)
		}
	}
	for n := range 3 * most {
		if _, err := get(t.Context(), "2", fmt.Sprint(n), n, nil); err != nil || len(c.answers) > most {
			t.Fatalf("%d answers kept, %v", len(c.answers), err)
		}
	}
}

// TestCacheWaits: those who ask for the same wait for one answer, as long as
// they have time; an answer that failed is not theirs.
func TestCacheWaits(t *testing.T) {
	var c cache[int]
	entered, release := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		_, err := c.get(t.Context(), "1", "a", func(context.Context) (int, error) {
			close(entered)
			<-release
			return 0, errors.New("broken")
		})
		if err == nil {
			t.Error("no error")
		}
	})
	<-entered
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.get(gone, "1", "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	running.Go(func() {
		if n, err := c.get(t.Context(), "1", "a", func(context.Context) (int, error) { return 3, nil }); n != 3 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
	close(release)
	running.Wait()
}

// BenchmarkIndexes measures what the indexes that the log is read by cost who
// writes: groups of 64 deliveries are stored, and the 64 before delivered, in
// one synced transaction.
func BenchmarkIndexes(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, with := range []string{"with", "without"} {
			b.Run(engine+" "+with, func(b *testing.B) {
				open := newLiteLog
				if engine == "postgres" {
					open = newPGLog
				}
				l := open(b)
				if with == "without" {
					for _, name := range []string{"done_created", "done_agent", "done_target", "done_event", "undone", "execution", "run"} {
						l.exec(b, `DROP INDEX {schema}"{prefix}nlog_`+name+`"`)
					}
				}
				if !l.postgres {
					l.other.SetMaxOpenConns(1)
					l.exec(b, `PRAGMA synchronous = FULL`)
				}
				benchGroups(b, l)
			})
		}
	}
}

func benchGroups(b *testing.B, l testedLog) {
	const group = 64
	n := 0
	for b.Loop() {
		tx, err := l.other.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		insert, finish := must(tx.PrepareContext(b.Context(), l.insertRow())), must(tx.PrepareContext(b.Context(), l.sql(finishRow)))
		for i := n; i < n+group; i++ {
			if _, err := insert.ExecContext(b.Context(), l.row(i)...); err != nil {
				b.Fatal(err)
			}
			if i >= group {
				if _, err := finish.ExecContext(b.Context(), l.moment(l.clock()), fmt.Sprintf("01K%023d", i-group)); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		n += group
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "deliveries/s")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

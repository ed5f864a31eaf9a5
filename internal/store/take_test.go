package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"agentxchain/internal/delivery"
)

// counting makes SQLite count the rows that a query looks at.
type counting struct{ querying }

func counted(query string) string {
	return strings.ReplaceAll(query, "WHERE ", "WHERE counted(l.id) AND ")
}

func (c counting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.querying.QueryContext(ctx, counted(query), args...)
}

func (c counting) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.querying.QueryRowContext(ctx, counted(query), args...)
}

// However many wait for a target that takes none, a look for what is due costs
// a few rows for each target.
func TestTakeLooksAtFew(t *testing.T) {
	var n atomic.Int64
	err := sqlite.RegisterScalarFunction("counted", 1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		n.Add(1)
		return int64(1), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	place := engines()[0].fresh(t)
	s := openStore(t, place, Options{})
	const dead, targets = 2_000, 7
	addWaiting(t, s, dead, targets)
	queues, err := s.queues(t.Context(), &tx{s, counting{s.db}})
	if err != nil || len(queues) != 1+targets {
		t.Fatalf("%d targets wait: %v", len(queues), err)
	}
	if n.Load() > 4*(1+targets) {
		t.Errorf("%d targets cost a look at %d rows", 1+targets, n.Load())
	}
	n.Store(0)
	now := time.Now()
	quota := delivery.Quota{Max: 100, PerTarget: 3, Room: map[string]int{queues[0].target().ID(): 0}}
	var rows int
	for _, q := range due(queues, quota, now) {
		err := (&tx{s, counting{s.db}}).each(t.Context(), func(*sql.Rows) error { rows++; return nil },
			dueRows, q.home, q.file, q.channel, q.name, now, q.room)
		if err != nil {
			t.Fatal(err)
		}
	}
	if rows != targets || n.Load() > targets {
		t.Errorf("%d rows are due, after a look at %d", rows, n.Load())
	}
}

// addWaiting adds n deliveries to one target, and one to each of some others.
func addWaiting(t *testing.T, s *Store, n, others int) {
	t.Helper()
	var running sync.WaitGroup
	for i := range n + others {
		in := benchIntent(int64(i), time.Now().Add(-time.Minute))
		d := &in.Deliveries[0]
		d.Status, d.Attempts, d.Target.Name = delivery.Pending, 0, "dead"
		if i >= n {
			d.Target.Name = fmt.Sprintf("live%d", i)
		}
		running.Go(func() {
			if err := s.Add(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
}

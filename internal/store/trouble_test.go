package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/pgtest"
)

// sample is an agent's event with one delivery in a state.
func sample(n int, s delivery.Status) delivery.Intent {
	in := benchIntent(int64(n), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	d := &in.Deliveries[0]
	d.Event.Type = "on_error"
	d.Status = s
	if s == delivery.Pending {
		d.Attempts, d.NextAt = 0, time.Time{}
	}
	return in
}

func delivered(d delivery.Delivery) delivery.Delivery {
	d.Status, d.NextAt, d.LastReason = delivery.Delivered, time.Time{}, delivery.ReasonDelivered
	return d
}

// clock is a clock that tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) move(by time.Duration) { c.at.Add(int64(by)) }

// TestLease: a claim stands for its owner until a margin before its end, for
// others until its end, and Begin renews it.
func TestLease(t *testing.T) {
	c := newClock()
	place := engines()[0].fresh(t)
	o := Options{Now: c.now, Lease: time.Minute}
	a, b := openStore(t, place, o), openStore(t, place, o)
	in := sample(1, delivery.Sending)
	id, event := in.Deliveries[0].ID, in.Deliveries[0].Event.ID
	if err := a.Add(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	held := func(want bool) {
		t.Helper()
		if a.Held(id) != want {
			t.Errorf("%v: held is %v", c.now(), !want)
		}
	}
	free := func(want bool) {
		t.Helper()
		found, err := b.Orphans(t.Context())
		if err != nil || len(found) > 0 != want {
			t.Errorf("%v: orphans %v, %v", c.now(), found, err)
		}
	}
	c.move(58 * time.Second)
	held(true)
	if err := a.Begin(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	c.move(58*time.Second + 999*time.Millisecond)
	held(true)
	free(false)
	c.move(time.Millisecond)
	held(false)
	free(false)
	if _, err := b.Claim(t.Context(), event); !errors.Is(err, delivery.ErrBusy) {
		t.Errorf("claim: %v", err)
	}
	// The owner does not take what is in its own hands.
	c.move(time.Second)
	if found, err := a.Orphans(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("one's own orphans: %v, %v", found, err)
	}
	free(true)
	// What was lost can't be written.
	if err := a.Finish(t.Context(), delivered(in.Deliveries[0])); !errors.Is(err, delivery.ErrLost) {
		t.Errorf("finish: %v", err)
	}
	if err := a.Begin(t.Context(), in); !errors.Is(err, delivery.ErrLost) {
		t.Errorf("begin: %v", err)
	}
}

// TestClockMovedBack: a lease that ends impossibly late has ended.
func TestClockMovedBack(t *testing.T) {
	c := newClock()
	place := engines()[0].fresh(t)
	o := Options{Now: c.now, Lease: time.Minute}
	a := openStore(t, place, o)
	if err := a.Add(t.Context(), sample(1, delivery.Sending)); err != nil {
		t.Fatal(err)
	}
	c.move(-30 * 24 * time.Hour)
	found, err := openStore(t, place, o).Orphans(t.Context())
	if err != nil || len(found) != 1 {
		t.Errorf("orphans: %v, %v", found, err)
	}
}

// TestNeighbour: an operation that fails takes none of its group with it.
func TestNeighbour(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			s := openStore(t, e.fresh(t), Options{})
			var errs [40]error
			var running sync.WaitGroup
			for i := range errs {
				running.Go(func() {
					in := sample(i, delivery.Sending)
					if i%10 == 3 {
						in.Deliveries[0].Status = "nonsense" // against a CHECK
					}
					errs[i] = s.Add(t.Context(), in)
				})
			}
			running.Wait()
			for i, err := range errs {
				if bad := i%10 == 3; bad != (err != nil) {
					t.Errorf("operation %d: %v", i, err)
				}
			}
			list, err := s.List(t.Context())
			if err != nil || len(list) != 36 {
				t.Errorf("%d deliveries, %v", len(list), err)
			}
		})
	}
}

// TestDiskFull: the error comes back, nothing is half written, and the store
// goes on once there is room.
func TestDiskFull(t *testing.T) {
	place := engines()[0].fresh(t)
	s := openStore(t, place, Options{})
	pages := func(n int) {
		t.Helper()
		if _, err := s.lite.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	pages(1) // as many as there are
	big := sample(1, delivery.Sending)
	big.Deliveries[0].Body = make([]byte, 1<<20)
	err := s.Add(t.Context(), big)
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("error: %v", err)
	}
	if s.Held(big.Deliveries[0].ID) {
		t.Error("held after an error")
	}
	if list, err := s.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("half written: %v, %v", list, err)
	}
	pages(1 << 20)
	if err := s.Add(t.Context(), big); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestLocked: another process that writes for long makes an error, not a loss.
func TestLocked(t *testing.T) {
	place := engines()[0].fresh(t)
	s := openStore(t, place, Options{})
	if _, err := s.lite.conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 50"); err != nil {
		t.Fatal(err)
	}
	conn, err := raw(t, place).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	in := sample(1, delivery.Sending)
	if err := s.Add(t.Context(), in); !isBusy(err) {
		t.Errorf("error: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), in); err != nil {
		t.Errorf("after the other ended: %v", err)
	}
}

// TestRestart: operations wait while PostgreSQL is restarted, however it ends,
// and each is done exactly once.
func TestRestart(t *testing.T) {
	cluster := pgtest.New(t)
	var warned atomic.Int64
	s := openStore(t, cluster.Database(t), Options{Warn: func(error) { warned.Add(1) }})
	ctx, stop := context.WithCancel(t.Context())
	var added atomic.Int64
	progress := make(chan struct{}, 1)
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for n := i; ctx.Err() == nil; n += 8 {
				in := sample(n, delivery.Sending)
				if err := s.Add(t.Context(), in); err != nil {
					t.Errorf("add: %v", err)
					return
				}
				if err := s.Finish(t.Context(), delivered(in.Deliveries[0])); err != nil {
					t.Errorf("finish: %v", err)
					return
				}
				added.Add(1)
				select {
				case progress <- struct{}{}:
				default:
				}
			}
		})
	}
	work := func() {
		for range 20 {
			<-progress
		}
	}
	for _, how := range []pgtest.Mode{pgtest.Fast, pgtest.Immediate} {
		work()
		if err := cluster.Restart(how); err != nil {
			t.Error(err)
		}
	}
	work()
	stop()
	running.Wait()
	n, err := s.Total(t.Context(), delivery.Filter{Statuses: []delivery.Status{delivery.Delivered}})
	if err != nil || n != added.Load() {
		t.Errorf("%d delivered, %d were added: %v", n, added.Load(), err)
	}
	if warned.Load() == 0 {
		t.Error("nobody was told")
	}
}

// TestAbsent: a server that is down is named, its credentials are not, and a
// caller that stops waiting gets an answer.
func TestAbsent(t *testing.T) {
	cluster := pgtest.New(t)
	place := cluster.Database(t)
	s := openStore(t, place, Options{})
	if err := cluster.Down(pgtest.Immediate); err != nil {
		t.Fatal(err)
	}
	secretPlace := strings.Replace(place, "postgres@", "somebody:hunter2@", 1)
	_, err := openAt(secretPlace, Options{})
	if err == nil || !strings.Contains(err.Error(), "can't reach PostgreSQL at "+cluster.Address()) {
		t.Errorf("error: %v", err)
	}
	if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "somebody")) {
		t.Errorf("the error shows credentials: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Add(ctx, sample(1, delivery.Sending)); err == nil {
		t.Error("added to a server that is down")
	}
	if _, err := s.List(ctx); err == nil {
		t.Error("listed from a server that is down")
	}
	if err := cluster.Up(); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), sample(2, delivery.Sending)); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

// TestRefused: what PostgreSQL says about a login names no user.
func TestRefused(t *testing.T) {
	place := engines()[1].fresh(t)
	_, err := openAt(strings.Replace(place, "postgres@", "somebody:hunter2@", 1), Options{})
	if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "somebody") {
		t.Errorf("error: %v", err)
	}
}

// TestTakeCost: what Take looks at does not grow with what waits for a target
// that is given nothing.
func TestTakeCost(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			s := openStore(t, e.fresh(t), Options{})
			looks := func() int64 {
				before := s.looks.Load()
				if _, err := s.Take(t.Context(), delivery.Quota{Max: 100, PerTarget: 1}); err != nil {
					t.Fatal(err)
				}
				return s.looks.Load() - before
			}
			add := func(from, to int) {
				var running sync.WaitGroup
				for i := from; i < to; i++ {
					running.Go(func() {
						if err := s.Add(t.Context(), sample(i, delivery.Pending)); err != nil {
							t.Error(err)
						}
					})
				}
				running.Wait()
			}
			add(0, 100)
			few := looks()
			add(100, 2000)
			if many := looks(); many != few || few == 0 {
				t.Errorf("%d looks with many waiting, %d with few", many, few)
			}
		})
	}
}

// TestReadAfterCut: connections that the server cut do not spoil the next
// readings.
func TestReadAfterCut(t *testing.T) {
	place := pgtest.Start(t)
	s, other := openStore(t, place, Options{}), raw(t, place)
	for range 5 {
		var n int
		err := other.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&n)
		if err != nil || n == 0 {
			t.Fatalf("%d connections were cut: %v", n, err)
		}
		var running sync.WaitGroup
		for range postgresConns {
			running.Go(func() {
				if _, err := s.Version(t.Context()); err != nil {
					t.Errorf("version: %v", err)
				}
				if _, err := s.Page(t.Context(), delivery.Filter{}, delivery.Page{Limit: 1}); err != nil {
					t.Errorf("page: %v", err)
				}
			})
		}
		running.Wait()
	}
}

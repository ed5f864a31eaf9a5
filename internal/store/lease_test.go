package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// A claim stands however much longer its owner's last than one's own.
func TestLongerLease(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			place := e.fresh(t)
			other, s := openStore(t, place, Options{Lease: leaseMost}), openStore(t, place, Options{Lease: time.Second})
			in := benchIntent(1, time.Now())
			in.Deliveries[0].Event.Type, in.Deliveries[0].Status = "on_error", delivery.Sending
			if err := other.Add(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if found, err := s.Orphans(t.Context()); err != nil || len(found) > 0 {
				t.Errorf("%d taken from a living owner, %v", len(found), err)
			}
		})
	}
}

// Who has a deadline is not held up by a table that somebody has locked.
func TestAddWithDeadline(t *testing.T) {
	s, unlock := lockedLog(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Add(ctx, benchIntent(1, began)); err == nil || time.Since(began) > statementTime/2 {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	unlock()
	if err := s.Add(t.Context(), benchIntent(2, began)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A server that does not answer stops nobody who looks for work for ever.
func TestLookWithoutAnswer(t *testing.T) {
	s, unlock := lockedLog(t)
	s.patience = 200 * time.Millisecond
	if _, err := s.Take(t.Context(), delivery.Quota{Max: 1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("take: %v", err)
	}
	if _, err := s.NextDue(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("next due: %v", err)
	}
	if _, err := s.Orphans(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("orphans: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Retry(ctx, "unknown"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("retry: %v", err)
	}
	unlock()
	if _, err := s.Retry(t.Context(), "unknown"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("retry afterwards: %v", err)
	}
}

// lockedLog is a store on PostgreSQL whose table somebody has locked.
func lockedLog(t *testing.T) (s *Store, unlock func()) {
	t.Helper()
	s = openStore(t, engines()[1].fresh(t), Options{})
	blocker, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.ExecContext(t.Context(), s.names.Replace(`LOCK TABLE {log} IN ACCESS EXCLUSIVE MODE`)); err != nil {
		t.Fatal(err)
	}
	return s, func() {
		t.Helper()
		if err := blocker.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

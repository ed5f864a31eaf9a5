package store

import (
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// A clock that is moved must not let a process take from itself what it is
// sending. On SQLite, where the moved clock judges leases, others take it, so
// that its owner must not send it any more.
func TestClockMovedBackOverWorkUnderWay(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			var shift atomic.Int64
			clock := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
			place := e.fresh(t)
			a, b := openStore(t, place, Options{Now: clock}), openStore(t, place, Options{Now: clock})
			in := benchIntent(1, time.Now())
			id := in.Deliveries[0].ID
			if err := a.Add(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if !a.Held(id) {
				t.Fatal("not held")
			}
			shift.Store(int64(-time.Hour))
			if a.Held(id) {
				t.Error("held by a clock that others don't believe")
			}
			if found := mustOrphans(t, a); len(found) > 0 {
				t.Error("a process takes from itself what it is sending")
			}
			want := 0
			if e.name == "sqlite" {
				want = 1
			}
			if found := mustOrphans(t, b); len(found) != want {
				t.Errorf("another process takes %d orphans, want %d", len(found), want)
			}
		})
	}
}

func mustOrphans(t *testing.T, s *Store) []delivery.Intent {
	t.Helper()
	found, err := s.Orphans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

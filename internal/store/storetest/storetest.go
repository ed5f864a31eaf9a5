// Package storetest is what every store of deliveries must pass: the outbox,
// and each database. It is written against the contract of [queue.Store]
// alone.
//
// A store's test calls [Main] in TestMain, because parts of the suite run in
// other processes, and [Run] in a test.
package storetest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"agentxchain/internal/delivery"
	"agentxchain/internal/queue"
)

// Store is a store under test.
type Store interface {
	queue.Store
	// Close gives up what is claimed, as the death of the owner would. Other
	// owners notice at once.
	io.Closer
}

// Fault is how a write to the store's medium goes wrong.
type Fault string

// The two endings of a failed write: a caller can't tell them apart.
const (
	// FailedBefore: the write failed and is not persisted.
	FailedBefore Fault = "failed and not persisted"
	// FailedAfter: the write failed but is persisted.
	FailedAfter Fault = "failed but persisted"
)

// Harness makes stores for the suite.
type Harness struct {
	// Fresh returns the place of a new, empty store. Required.
	Fresh func(tb testing.TB) string
	// Open opens the store at place as a new owner. Processes of the suite
	// call it too. Required.
	Open func(place string) (Store, error)
	// Buried makes the store notice that an owner was killed, or gave
	// something up because its medium failed; nil when it notices at once.
	Buried func(place string)
	// Inject makes the nth write from now on, from 1, fail. nil skips the
	// tests of faults.
	Inject func(s Store, nth int, f Fault)
	// Work returns how many entries, rows or names the store has looked at
	// since it was opened. nil skips the test of what an Add costs.
	Work func(s Store) int
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Harness)
	}{
		{"life cycle", testLifeCycle},
		{"added free", testAddedFree},
		{"added twice", testAddedTwice},
		{"same bytes", testSameBytes},
		{"made body", testMadeBody},
		{"large body", testLargeBody},
		{"unknown ids", testUnknown},
		{"fencing", testFencing},
		{"partial finish", testPartialFinish},
		{"begin", testBegin},
		{"order", testOrder},
		{"crash between steps", testCrash},
		{"orphans of the living", testOrphansOfTheLiving},
		{"one claim among goroutines", testClaimGoroutines},
		{"one claim among processes", testClaimProcesses},
		{"killed process", testKilledProcess},
		{"faults", testFaults},
		{"cost of an add", testCost},
		{"model", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

// open opens a store that is closed at the end of the test.
func (h Harness) open(tb testing.TB, place string) Store {
	tb.Helper()
	s, err := h.Open(place)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

func (h Harness) buried(place string) {
	if h.Buried != nil {
		h.Buried(place)
	}
}

// begin is when the suite's events happened.
var begin = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// intent makes an event with n deliveries in their first attempt.
func intent(event string, n int) delivery.Intent {
	in := delivery.Intent{AuditOffset: 4711}
	for i := range n {
		d := delivery.Delivery{
			ID:          fmt.Sprintf("%s.%d", event, i+1),
			Target:      delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: fmt.Sprintf("hook%d", i+1)},
			Agent:       "builder",
			ExecutionID: "run_1",
			Label:       fmt.Sprintf("hook%d", i+1),
			ContentType: "application/json",
			Status:      delivery.Sending,
			Attempts:    1,
			NextAt:      begin,
			ExpiresAt:   begin.Add(time.Hour),
		}
		d.Event.ID, d.Event.Type, d.Event.RunID = event, "run_blocked", "run_1"
		d.Event.EmittedAt = begin
		d.Event.Body = []byte(`{"event_id":"` + event + `"}`)
		d.Body = d.Event.Body
		in.Deliveries = append(in.Deliveries, d)
	}
	return in
}

// as returns ds in another state.
func as(s delivery.Status, ds ...delivery.Delivery) []delivery.Delivery {
	ds = slices.Clone(ds)
	for i := range ds {
		ds[i].Status = s
		if s == delivery.Failed {
			ds[i].NextAt, ds[i].LastReason, ds[i].LastMessage = time.Time{}, delivery.ReasonServerError, "Webhook returned HTTP 503"
		}
	}
	return ds
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("error: %v", err)
	}
}

func wantErr(tb testing.TB, what string, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Errorf("%s: error is %v, want %v", what, err, want)
	}
}

// reporter is what a test of the standard library and one of rapid share.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// wantSame compares deliveries, bytes included.
func wantSame(tb reporter, what string, got, want []delivery.Delivery) {
	tb.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		if len(d) > 4000 {
			d = d[:4000] + "…"
		}
		tb.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// wantListed compares what the store lists with ds, which are in order.
func wantListed(tb testing.TB, s Store, ds ...delivery.Delivery) {
	tb.Helper()
	got, err := s.List(tb.Context())
	ok(tb, err)
	ds = slices.Clone(ds)
	for i := range ds {
		ds[i].Body, ds[i].Event.Body = nil, nil
	}
	wantSame(tb, "listed", got, ds)
}

// claim claims an event and wants ds.
func claim(tb testing.TB, s Store, event string, ds ...delivery.Delivery) delivery.Intent {
	tb.Helper()
	in, err := s.Claim(tb.Context(), event)
	ok(tb, err)
	wantSame(tb, "claimed", in.Deliveries, ds)
	return in
}

// orphans claims all orphans, in the order of their ids.
func orphans(tb testing.TB, s Store) []delivery.Intent {
	tb.Helper()
	var all []delivery.Intent
	for {
		some, err := s.Orphans(tb.Context())
		ok(tb, err)
		if len(some) == 0 {
			slices.SortFunc(all, func(a, b delivery.Intent) int {
				if a.Deliveries[0].Event.ID < b.Deliveries[0].Event.ID {
					return -1
				}
				return 1
			})
			return all
		}
		all = append(all, some...)
	}
}

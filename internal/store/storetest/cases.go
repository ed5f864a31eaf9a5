package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

func testLifeCycle(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	wantListed(t, a)
	in := intent("notif_A", 2)
	ok(t, a.Add(ctx, in))
	wantListed(t, b, in.Deliveries...)
	_, err := b.Claim(ctx, "notif_A")
	wantErr(t, "claim what another owner has", err, delivery.ErrBusy)
	_, err = a.Claim(ctx, "notif_A")
	wantErr(t, "claim what one has", err, delivery.ErrBusy)

	failed := as(delivery.Failed, in.Deliveries[1])
	ok(t, a.Finish(ctx, append(as(delivery.Delivered, in.Deliveries[0]), failed...)...))
	wantListed(t, a, failed...)
	claim(t, b, "notif_A", failed...)
	_, err = a.Claim(ctx, "notif_A")
	wantErr(t, "claim what another owner claimed", err, delivery.ErrBusy)

	ok(t, b.Finish(ctx, failed...)) // given back as it was
	claim(t, a, "notif_A", failed...)
	ok(t, a.Finish(ctx, as(delivery.Discarded, failed...)...))
	wantListed(t, b)
	_, err = b.Claim(ctx, "notif_A")
	wantErr(t, "claim what is done", err, delivery.ErrUnknown)
}

func testAddedFree(t *testing.T, h Harness) {
	place := h.Fresh(t)
	a, b := h.open(t, place), h.open(t, place)
	in := intent("notif_A", 2)
	in.Deliveries = as(delivery.Pending, in.Deliveries...)
	ok(t, a.Add(t.Context(), in))
	if found := orphans(t, b); len(found) > 0 {
		t.Errorf("a free event is an orphan: %v", found)
	}
	claim(t, b, "notif_A", in.Deliveries...)
}

func testAddedTwice(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a := t.Context(), h.open(t, place)
	in := intent("notif_A", 1)
	ok(t, a.Add(ctx, in))
	again := intent("notif_A", 1)
	again.Deliveries[0].Target.Name = "other"
	wantErr(t, "add while claimed", a.Add(ctx, again), delivery.ErrExists)
	failed := as(delivery.Failed, in.Deliveries...)
	ok(t, a.Finish(ctx, failed...))
	wantErr(t, "add while free", a.Add(ctx, again), delivery.ErrExists)
	claim(t, a, "notif_A", failed...)
}

// odd are strings that some encoding would change.
func odd() []string {
	return []string{
		"", " ", "é", "\u2028<&>", "a\nb", "tab\t", `"quoted"\`, "nul\x00", "\xff\xfe", "caf\xe9", "\xed\xa0\x80", "{\"base64\":\"\"}",
		"../../x", "/abs", "CON", strings.Repeat("long", 500),
	}
}

func testSameBytes(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	for i, s := range odd() {
		in := intent(fmt.Sprintf("notif_%02d", i), 4)
		for j := range in.Deliveries {
			d := &in.Deliveries[j]
			d.Event.Body = []byte("envelope " + s)
			d.Event.RunID, d.Target.Name, d.Target.File, d.ContentType = s, s+strconv.Itoa(j), s, s
			d.Agent, d.ExecutionID, d.Label = s, s, "label "+s
			d.LastReason, d.LastMessage = delivery.Reason(s), s
			d.FallbackBody, d.Unmade = j%2 == 1, j%3 == 1
			d.Event.EmittedAt = begin.Add(123 * time.Millisecond)
		}
		in.Deliveries[0].Body = in.Deliveries[0].Event.Body
		in.Deliveries[1].Body = []byte(s)
		in.Deliveries[2].Body = []byte("prefix\n" + s)
		in.Deliveries[3].Body = append([]byte(s), in.Deliveries[3].Event.Body...)
		ok(t, a.Add(ctx, in))
		wantListed(t, b, in.Deliveries...)
		failed := as(delivery.Failed, in.Deliveries[1:]...)
		ok(t, a.Finish(ctx, append(as(delivery.Delivered, in.Deliveries[0]), failed...)...))
		got := claim(t, b, in.Deliveries[0].Event.ID, failed...)
		ok(t, b.Finish(ctx, as(delivery.Delivered, got.Deliveries...)...))
	}
}

// testMadeBody: a body that could not be made at first is kept once it is.
func testMadeBody(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	in := intent("notif_A", 2)
	in.Deliveries[0].Unmade, in.Deliveries[0].Body = true, in.Deliveries[0].Event.Body
	ok(t, a.Add(ctx, in))
	ok(t, a.Finish(ctx, as(delivery.Failed, in.Deliveries...)...))
	got := claim(t, b, "notif_A", as(delivery.Failed, in.Deliveries...)...)
	next := as(delivery.Sending, got.Deliveries...)
	next[0].Unmade, next[0].Body, next[0].ContentType, next[0].FallbackBody = false, []byte("made"), "text/plain", true
	next[1].Body = []byte("another") // was made, so it stays
	ok(t, b.Begin(ctx, delivery.Intent{Deliveries: next}))
	ok(t, b.Finish(ctx, as(delivery.Failed, next...)...))
	want := as(delivery.Failed, next...)
	want[1].Body = in.Deliveries[1].Body
	claim(t, a, "notif_A", want...)
}

func testLargeBody(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	in := intent("notif_A", 3)
	envelope, body := make([]byte, 8<<20), make([]byte, 8<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(envelope) // never fails
	_, _ = random.Read(body)
	for i := range in.Deliveries {
		in.Deliveries[i].Event.Body, in.Deliveries[i].Body = envelope, envelope
	}
	in.Deliveries[2].Body = body
	ok(t, a.Add(ctx, in))
	ok(t, a.Finish(ctx, as(delivery.Failed, in.Deliveries...)...))
	got, err := b.Claim(ctx, "notif_A")
	ok(t, err)
	for i, d := range got.Deliveries {
		if !bytes.Equal(d.Event.Body, envelope) || !bytes.Equal(d.Body, in.Deliveries[i].Body) {
			t.Errorf("delivery %d: other bytes than were added", i+1)
		}
	}
}

func testUnknown(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place)
	try := func() {
		t.Helper()
		for _, id := range append(odd(), "notif_B", "notif_a", "notif_A.1", ".", "..", "*") {
			_, err := s.Claim(ctx, id)
			wantErr(t, fmt.Sprintf("claim %.20q", id), err, delivery.ErrUnknown)
		}
		other := intent("notif_B", 1)
		wantErr(t, "begin", s.Begin(ctx, other), delivery.ErrLost)
		wantErr(t, "finish", s.Finish(ctx, other.Deliveries...), delivery.ErrLost)
	}
	try()
	in := intent("notif_A", 1)
	ok(t, s.Add(ctx, in))
	try()
	stranger := intent("notif_A", 2).Deliveries[1]
	wantErr(t, "finish a delivery that the event lacks", s.Finish(ctx, stranger), delivery.ErrLost)
	wantListed(t, s, in.Deliveries...)
}

func testFencing(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	in := intent("notif_A", 1)
	done := as(delivery.Delivered, in.Deliveries...)
	failed := as(delivery.Failed, in.Deliveries...)
	ok(t, a.Add(ctx, in))
	if !a.Held(in.Deliveries[0].ID) || b.Held(in.Deliveries[0].ID) {
		t.Error("not held by its owner alone")
	}
	wantErr(t, "finish by another owner", b.Finish(ctx, done...), delivery.ErrLost)
	wantErr(t, "begin by another owner", b.Begin(ctx, in), delivery.ErrLost)
	wantListed(t, b, in.Deliveries...)
	ok(t, a.Finish(ctx, failed...))
	if a.Held(in.Deliveries[0].ID) {
		t.Error("held after it was finished")
	}
	wantErr(t, "finish again", a.Finish(ctx, done...), delivery.ErrLost)
	wantErr(t, "begin after finish", a.Begin(ctx, in), delivery.ErrLost)
	wantListed(t, b, failed...)
	claim(t, b, "notif_A", failed...)
	wantErr(t, "finish after another owner claimed", a.Finish(ctx, done...), delivery.ErrLost)
	wantListed(t, b, failed...)
	ok(t, b.Finish(ctx, done...))
	wantErr(t, "finish what is gone", b.Finish(ctx, failed...), delivery.ErrLost)
	wantListed(t, b)
}

func testPartialFinish(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	one, two := intent("notif_A", 3), intent("notif_B", 1)
	ok(t, a.Add(ctx, one))
	ok(t, a.Add(ctx, two))
	d := one.Deliveries
	ok(t, a.Finish(ctx, as(delivery.Delivered, d[1])...))
	wantListed(t, b, d[0], d[2], two.Deliveries[0])
	failed := as(delivery.Failed, d[0])[0]
	ok(t, a.Finish(ctx, failed))
	wantListed(t, b, failed, d[2], two.Deliveries[0])
	ok(t, a.Finish(ctx, append(as(delivery.Delivered, d[2]), as(delivery.Failed, two.Deliveries...)...)...)) // of two events
	claim(t, b, "notif_A", failed)
	claim(t, b, "notif_B", as(delivery.Failed, two.Deliveries...)...)
}

func testBegin(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	in := intent("notif_A", 2)
	ok(t, a.Add(ctx, in))
	// Of the attempts now Sending, none began before what Begin says.
	failed := as(delivery.Failed, in.Deliveries[0])
	ok(t, a.Finish(ctx, failed...))
	next := in.Deliveries[1]
	next.Attempts, next.NextAt, next.LastReason = 2, begin.Add(time.Minute), delivery.ReasonTimeout
	ok(t, a.Begin(ctx, delivery.Intent{AuditOffset: 5000, Deliveries: []delivery.Delivery{next}}))
	wantListed(t, b, failed[0], next)
	_, err := b.Claim(ctx, "notif_A")
	wantErr(t, "claim what was begun", err, delivery.ErrBusy)
	ok(t, a.Close())
	found := orphans(t, b)
	if len(found) != 1 || found[0].AuditOffset != 5000 {
		t.Fatalf("orphans = %+v", found)
	}
	wantSame(t, "orphan", found[0].Deliveries, []delivery.Delivery{failed[0], next})
}

func testOrder(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place)
	var want []delivery.Delivery
	var all []delivery.Intent
	for i := range 30 {
		in := intent(fmt.Sprintf("notif_%02d", i), 3)
		for j := range in.Deliveries {
			in.Deliveries[j].Event.EmittedAt = begin.Add(time.Duration(i) * 17 * time.Minute)
		}
		all, want = append(all, in), append(want, as(delivery.Failed, in.Deliveries...)...)
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(all)) {
		ok(t, s.Add(ctx, all[i]))
		ok(t, s.Finish(ctx, as(delivery.Failed, all[i].Deliveries...)...))
	}
	wantListed(t, s, want...)
	claim(t, s, "notif_07", want[21:24]...)
	wantListed(t, s, want...)
}

// testCrash lets the owner die after every step, and a new one take over.
func testCrash(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx := t.Context()
	in := intent("notif_A", 2)
	retried := slices.Clone(in.Deliveries)
	retried[1].Attempts = 2
	for _, step := range []struct {
		name string
		do   func(s Store) error
		want []delivery.Delivery // what an heir finds
	}{
		{"add", func(s Store) error { return s.Add(ctx, in) }, in.Deliveries},
		{"orphans", func(Store) error { return nil }, in.Deliveries},
		{"begin", func(s Store) error { return s.Begin(ctx, delivery.Intent{Deliveries: retried[1:]}) }, retried},
		{"finish one", func(s Store) error { return s.Finish(ctx, as(delivery.Delivered, retried[0])...) }, retried[1:]},
		{"finish", func(s Store) error { return s.Finish(ctx, as(delivery.Failed, retried[1])...) }, nil},
	} {
		s, err := h.Open(place)
		ok(t, err)
		if step.name != "add" && len(orphans(t, s)) != 1 {
			t.Fatalf("%s: no orphan to go on with", step.name)
		}
		if err := step.do(s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		ok(t, s.Close())
		heir, err := h.Open(place)
		ok(t, err)
		var got []delivery.Delivery
		for _, o := range orphans(t, heir) {
			got = append(got, o.Deliveries...)
		}
		wantSame(t, "after "+step.name, got, step.want)
		ok(t, heir.Close())
	}
	claim(t, h.open(t, place), "notif_A", as(delivery.Failed, retried[1])...)
}

func testOrphansOfTheLiving(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place), h.open(t, place)
	in := intent("notif_A", 1)
	ok(t, a.Add(ctx, in))
	free := intent("notif_B", 1)
	ok(t, a.Add(ctx, free))
	ok(t, a.Finish(ctx, as(delivery.Failed, free.Deliveries...)...))
	for _, s := range []Store{a, b} {
		if found := orphans(t, s); len(found) > 0 {
			t.Errorf("orphans of a living owner: %+v", found)
		}
	}
	// Given back without an outcome: nobody owns it, and it is still Sending.
	ok(t, a.Finish(ctx, in.Deliveries...))
	found := orphans(t, b)
	if len(found) != 1 || found[0].AuditOffset != in.AuditOffset {
		t.Fatalf("orphans = %+v", found)
	}
	wantSame(t, "orphan", found[0].Deliveries, in.Deliveries)
	if again := orphans(t, a); len(again) > 0 {
		t.Error("an orphan was claimed twice")
	}
}

func testClaimGoroutines(t *testing.T, h Harness) {
	place := h.Fresh(t)
	const events, owners = 40, 6
	ids := addFree(t, h.open(t, place), events)
	var mu sync.Mutex
	claims := make(map[string]int)
	var running sync.WaitGroup
	for i := range owners {
		s := h.open(t, place)
		for range 2 { // the same owner twice
			running.Go(func() {
				for _, j := range rand.New(rand.NewPCG(uint64(i), 0)).Perm(events) {
					if _, err := s.Claim(t.Context(), ids[j]); err == nil {
						mu.Lock()
						claims[ids[j]]++
						mu.Unlock()
					} else {
						wantErr(t, "claim", err, delivery.ErrBusy)
					}
				}
			})
		}
	}
	running.Wait()
	wantOnce(t, ids, claims)
}

// addFree adds n events that nobody owns.
func addFree(tb testing.TB, s Store, n int) []string {
	tb.Helper()
	var ids []string
	for i := range n {
		in := intent(fmt.Sprintf("notif_%04d", i), 1)
		in.Deliveries = as(delivery.Pending, in.Deliveries...)
		ok(tb, s.Add(tb.Context(), in))
		ids = append(ids, in.Deliveries[0].Event.ID)
	}
	return ids
}

func wantOnce(tb testing.TB, ids []string, claims map[string]int) {
	tb.Helper()
	for _, id := range ids {
		if claims[id] != 1 {
			tb.Errorf("%s was claimed %d times", id, claims[id])
		}
	}
}

// testFaults fails each write of each operation, both ways. Whatever the
// operation says, nothing may be lost, and what it says may not be wrong.
func testFaults(t *testing.T, h Harness) {
	if h.Inject == nil {
		t.Skip("the store injects no faults")
	}
	in := intent("notif_A", 2)
	begun := slices.Clone(in.Deliveries)
	begun[1].Attempts = 2
	for _, op := range []struct {
		name   string
		do     func(s Store) error
		before []delivery.Delivery // nil: nothing was there
		after  []delivery.Delivery
	}{
		{"add", func(s Store) error { return s.Add(t.Context(), in) }, nil, in.Deliveries},
		{"begin", func(s Store) error { return s.Begin(t.Context(), delivery.Intent{Deliveries: begun[1:]}) }, in.Deliveries, begun},
		{"finish none", func(s Store) error { return s.Finish(t.Context(), as(delivery.Failed, in.Deliveries...)...) }, in.Deliveries, as(delivery.Failed, in.Deliveries...)},
		{"finish one", func(s Store) error {
			return s.Finish(t.Context(), append(as(delivery.Delivered, in.Deliveries[0]), as(delivery.Failed, in.Deliveries[1])...)...)
		}, in.Deliveries, as(delivery.Failed, in.Deliveries[1])},
		{"finish all", func(s Store) error { return s.Finish(t.Context(), as(delivery.Delivered, in.Deliveries...)...) }, in.Deliveries, nil},
	} {
		for _, fault := range []Fault{FailedBefore, FailedAfter} {
			for nth := 1; nth <= 3; nth++ {
				t.Run(fmt.Sprintf("%s, write %d %s", op.name, nth, fault), func(t *testing.T) {
					place := h.Fresh(t)
					s, err := h.Open(place)
					ok(t, err)
					if op.before != nil {
						ok(t, s.Add(t.Context(), in))
					}
					h.Inject(s, nth, fault)
					said := op.do(s)
					ok(t, s.Close())
					h.buried(place)
					heir := h.open(t, place)
					got, err := heir.List(t.Context())
					ok(t, err)
					switch {
					case said == nil:
						wantListed(t, heir, op.after...)
					case same(got, op.after):
						// an error about something that happened: the caller looks again
					default:
						wantListed(t, heir, op.before...)
					}
					all := orphans(t, heir)
					if len(got) > 0 && len(all) == 0 {
						_, err := heir.Claim(t.Context(), "notif_A")
						ok(t, err)
					}
				})
			}
		}
	}
}

func same(listed, want []delivery.Delivery) bool {
	return slices.EqualFunc(listed, want, func(a, b delivery.Delivery) bool {
		return a.ID == b.ID && a.Status == b.Status && a.Attempts == b.Attempts
	})
}

// testCost shows that what an event costs does not depend on the backlog.
func testCost(t *testing.T, h Harness) {
	if h.Work == nil {
		t.Skip("the store does not count its work")
	}
	place := h.Fresh(t)
	cost := func(event string) int {
		s := h.open(t, place)
		in := intent(event, 2)
		ok(t, s.Add(t.Context(), in))
		ok(t, s.Finish(t.Context(), as(delivery.Delivered, in.Deliveries...)...))
		if found := orphans(t, s); len(found) > 0 {
			t.Errorf("orphans = %+v", found)
		}
		return h.Work(s)
	}
	empty := cost("notif_X")
	const backlog = 2_000
	addFree(t, h.open(t, place), backlog)
	if full := cost("notif_Y"); full != empty {
		t.Errorf("an event costs %d looks with %d entries in the store, %d with none", full, backlog, empty)
	}
}

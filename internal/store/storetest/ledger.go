package storetest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
)

// Ledger is a store that many processes share: a database.
type Ledger interface {
	Store
	desk
	archive
}

type desk interface {
	queue.Taker
	queue.Desk
}

type archive interface {
	Import(ctx context.Context, source string, offset int64, records []delivery.Record) error
	ImportedTo(ctx context.Context, source string) (int64, error)
	Record(ctx context.Context, id string) (delivery.Record, error)
}

// LedgerHarness makes ledgers for the suite.
type LedgerHarness struct {
	// Fresh returns the place of a new, empty database.
	Fresh func(tb testing.TB) string
	// Open opens it as a new owner that sends for the project named site.
	Open func(place, site string) (Ledger, error)
	// Buried ends the leases of everything that is claimed.
	Buried func(place string)
}

// RunLedger runs the suite of what databases can do and the outbox can't.
func RunLedger(t *testing.T, h LedgerHarness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, LedgerHarness)
	}{
		{"take", testTake},
		{"take limits", testTakeLimits},
		{"take among owners", testTakeOwners},
		{"projects", testProjects},
		{"next due", testNextDue},
		{"woken", testWoken},
		{"retry", testRetry},
		{"retry refused", testRetryRefused},
		{"add once", testAddOnce},
		{"add once among owners", testAddOnceOwners},
		{"attempts", testAttempts},
		{"import", testImport},
		{"import again", testImportAgain},
		{"import what is driven here", testImportOwn},
		{"add what was imported", testAddImported},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

const home, other = "project A", "project B"

func (h LedgerHarness) open(tb testing.TB, place, site string) Ledger {
	tb.Helper()
	s, err := h.Open(place, site)
	ok(tb, err)
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// waiting makes an agent's event, which every project may send, with n
// deliveries that wait until at; zero means that they are due.
func waiting(event string, n int, at time.Time) delivery.Intent {
	in := intent(event, n)
	in.Deliveries = as(delivery.Pending, in.Deliveries...)
	for i := range in.Deliveries {
		d := &in.Deliveries[i]
		d.Event.Type, d.Attempts, d.NextAt = string(events.OnError), 0, at
	}
	return in
}

// past is due, by any clock.
func past(seconds int) time.Time { return begin.Add(-time.Hour + time.Duration(seconds)*time.Second) }

func ids(ds []delivery.Delivery) []string {
	var list []string
	for _, d := range ds {
		list = append(list, d.ID)
	}
	return list
}

func wantIDs(tb testing.TB, what string, got []delivery.Delivery, want ...string) {
	tb.Helper()
	if !slices.Equal(ids(got), want) {
		tb.Errorf("%s: %q, want %q", what, ids(got), want)
	}
}

func testTake(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	none, err := a.Take(ctx, queue.Quota{Max: 10})
	ok(t, err)
	wantIDs(t, "of nothing", none)
	one, two := waiting("notif_A", 2, time.Time{}), waiting("notif_B", 1, past(3))
	two.Deliveries[0].Body = []byte("another body")
	ok(t, a.Add(ctx, one))
	ok(t, a.Add(ctx, two))
	ok(t, a.Add(ctx, waiting("notif_C", 1, time.Now().Add(time.Hour))))
	ok(t, a.Add(ctx, intent("notif_D", 1))) // being sent
	before := time.Now()
	got, err := b.Take(ctx, queue.Quota{Max: 10, AuditOffset: 77})
	ok(t, err)
	wantIDs(t, "taken", got, "notif_A.1", "notif_A.2", "notif_B.1")
	want := append(as(delivery.Sending, one.Deliveries...), as(delivery.Sending, two.Deliveries...)...)
	for i := range got {
		if d := got[i].NextAt; d.Before(before.Add(-time.Second)) || d.After(time.Now().Add(time.Second)) {
			t.Errorf("the attempt began at %v", d)
		}
		want[i].Attempts, want[i].NextAt = 1, got[i].NextAt
		if !b.Held(got[i].ID) || a.Held(got[i].ID) {
			t.Errorf("%s: not held by who took it", got[i].ID)
		}
	}
	wantSame(t, "taken", got, want)
	again, err := a.Take(ctx, queue.Quota{Max: 10})
	ok(t, err)
	wantIDs(t, "taken again", again)
	wantErr(t, "finish by another owner", a.Finish(ctx, as(delivery.Failed, got...)...), delivery.ErrLost)
	ok(t, b.Close())
	found := orphans(t, a)
	if len(found) != 2 || found[0].AuditOffset != 77 {
		t.Fatalf("orphans = %+v", found)
	}
	wantSame(t, "orphans", append(found[0].Deliveries, found[1].Deliveries...), want)
}

func testTakeLimits(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place, home)
	for i := range 10 {
		// hook1 is due before hook2, event by event
		in := waiting(fmt.Sprintf("notif_%02d", i), 2, past(i))
		in.Deliveries[1].NextAt = past(100 + i)
		ok(t, s.Add(ctx, in))
	}
	take := func(q queue.Quota, want ...string) {
		t.Helper()
		got, err := s.Take(ctx, q)
		ok(t, err)
		wantIDs(t, fmt.Sprintf("%+v", q), got, want...)
	}
	one, two := "agentxchain.json#webhook/hook1", "agentxchain.json#webhook/hook2"
	take(queue.Quota{Max: 0})
	take(queue.Quota{Max: 3}, "notif_00.1", "notif_01.1", "notif_02.1")
	take(queue.Quota{Max: 10, PerTarget: 2}, "notif_03.1", "notif_04.1", "notif_00.2", "notif_01.2")
	take(queue.Quota{Max: 10, PerTarget: 1, Room: map[string]int{one: 0, two: 3}}, "notif_02.2", "notif_03.2", "notif_04.2")
	take(queue.Quota{Max: 10, Room: map[string]int{one: 1, two: 0}}, "notif_05.1")
	take(queue.Quota{Max: 3, PerTarget: 2}, "notif_06.1", "notif_07.1", "notif_05.2")
	take(queue.Quota{Max: 100}, "notif_08.1", "notif_09.1", "notif_06.2", "notif_07.2", "notif_08.2", "notif_09.2")
	take(queue.Quota{Max: 100})
}

func testTakeOwners(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	first := h.open(t, place, home)
	var want []string
	for i := range 60 {
		in := waiting(fmt.Sprintf("notif_%04d", i), 3, past(i))
		ok(t, first.Add(t.Context(), in))
		want = append(want, ids(in.Deliveries)...)
	}
	count := make(map[string]int)
	var mu sync.Mutex
	var running sync.WaitGroup
	for range 3 {
		s := h.open(t, place, home)
		for range 2 {
			running.Go(func() {
				for empty := 0; empty < 3; {
					got, err := s.Take(t.Context(), queue.Quota{Max: 7, PerTarget: 4})
					if err != nil {
						t.Errorf("take: %v", err)
						return
					}
					if len(got) == 0 {
						empty++ // others may have had what was due first
					}
					mu.Lock()
					for _, d := range got {
						count[d.ID]++
					}
					mu.Unlock()
				}
			})
		}
	}
	running.Wait()
	wantOnce(t, want, count)
}

// testProjects: a governed event is for processes of its own project.
func testProjects(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, other)
	bound, free := waiting("notif_A", 1, past(1)), waiting("notif_B", 1, past(2))
	bound.Deliveries[0].Event.Type = string(events.RunBlocked)
	ok(t, a.Add(ctx, bound))
	ok(t, a.Add(ctx, free))
	_, err := b.Claim(ctx, "notif_A")
	wantErr(t, "claim", err, delivery.ErrUnknown)
	_, err = b.Retry(ctx, "notif_A.1")
	wantErr(t, "retry", err, delivery.ErrUnknown)
	wantListed(t, b, free.Deliveries...)
	got, err := b.Take(ctx, queue.Quota{Max: 10})
	ok(t, err)
	wantIDs(t, "taken by another project", got, "notif_B.1")
	got, err = a.Take(ctx, queue.Quota{Max: 10})
	ok(t, err)
	wantIDs(t, "taken by its project", got, "notif_A.1")
	ok(t, a.Close())
	if found := orphans(t, b); len(found) > 0 {
		t.Errorf("orphans of another project: %+v", found)
	}
	if found := orphans(t, h.open(t, place, home)); len(found) != 1 {
		t.Errorf("orphans = %+v", found)
	}
}

func testNextDue(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	next := func() time.Time {
		t.Helper()
		at, err := a.NextDue(ctx)
		ok(t, err)
		return at
	}
	if at := next(); !at.IsZero() {
		t.Errorf("of nothing: %v", at)
	}
	in := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Millisecond)
	ok(t, a.Add(ctx, waiting("notif_A", 2, in)))
	later := waiting("notif_B", 1, in.Add(time.Hour))
	later.Deliveries[0].Target.Name = "slow"
	ok(t, a.Add(ctx, later))
	if at := next(); !at.Equal(in) {
		t.Errorf("next = %v, want %v", at, in)
	}
	ok(t, a.Add(ctx, intent("notif_C", 1))) // one's own claim is no reason to look
	if at := next(); !at.Equal(in) {
		t.Errorf("next = %v, want %v", at, in)
	}
	ok(t, b.Add(ctx, intent("notif_D", 1)))
	if at := next(); !at.Before(time.Now().Add(time.Hour)) || !at.After(time.Now()) {
		t.Errorf("a foreign claim ends %v", at)
	}
	due := waiting("notif_E", 1, time.Time{})
	ok(t, b.Add(ctx, due))
	if at := next(); at.After(time.Now().Add(time.Second)) {
		t.Errorf("what is due: %v", at)
	}
}

func testWoken(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	bell := a.Woken()
	for i := range 3 {
		ok(t, b.Add(ctx, waiting(fmt.Sprintf("notif_%d", i), 1, time.Time{})))
		taken := 0
		for taken == 0 {
			select {
			case <-bell:
			case <-time.After(20 * time.Second):
				t.Fatalf("nothing came of event %d", i)
			}
			got, err := a.Take(ctx, queue.Quota{Max: 1})
			ok(t, err)
			taken += len(got)
		}
	}
	for i := range 5 { // nobody listens, and nothing blocks
		ok(t, a.Add(ctx, waiting(fmt.Sprintf("notif_own_%d", i), 1, time.Time{})))
	}
	select {
	case <-bell:
	default:
		t.Error("the store's own additions ring no bell")
	}
}

func testRetry(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	in := intent("notif_A", 2)
	in.Deliveries[0].Body = []byte("the body")
	ok(t, a.Add(ctx, in))
	failed := as(delivery.Failed, in.Deliveries...)
	failed[1].Status, failed[1].NextAt = delivery.Pending, time.Now().Add(time.Hour)
	ok(t, a.Finish(ctx, failed...))
	for i, d := range failed {
		got, err := b.Retry(ctx, d.ID)
		ok(t, err)
		if at := got.NextAt; at.Before(time.Now().Add(-time.Minute)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("the attempt began at %v", at)
		}
		d.Status, d.Attempts, d.NextAt = delivery.Sending, 2, got.NextAt
		wantSame(t, "retried", []delivery.Delivery{got}, []delivery.Delivery{d})
		if !b.Held(d.ID) {
			t.Error("not held")
		}
		_, err = a.Retry(ctx, d.ID)
		wantErr(t, "retry what is being sent", err, delivery.ErrBusy)
		failed[i] = d
	}
	ok(t, b.Close())
	found := orphans(t, a)
	if len(found) != 1 || found[0].AuditOffset != in.AuditOffset {
		t.Fatalf("orphans = %+v", found)
	}
	wantSame(t, "orphan", found[0].Deliveries, failed)
}

func testRetryRefused(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place, home)
	in := intent("notif_A", 4)
	ok(t, s.Add(ctx, in))
	d := in.Deliveries
	ok(t, s.Finish(ctx, as(delivery.Delivered, d[0])...))
	ok(t, s.Finish(ctx, as(delivery.Discarded, d[1])...))
	ok(t, s.Finish(ctx, d[2])) // an orphan
	ok(t, s.Import(ctx, "evidence", 1, []delivery.Record{evidence("notif_B", delivery.Failed, 1), evidence("notif_C", delivery.Delivered, 1)}))
	for _, c := range []struct {
		id   string
		want error
	}{
		{"notif_X.1", delivery.ErrUnknown},
		{"", delivery.ErrUnknown},
		{"nul\x00\xff", delivery.ErrUnknown},
		{d[0].ID, delivery.ErrDone},
		{d[1].ID, delivery.ErrDone},
		{d[2].ID, delivery.ErrBusy},
		{d[3].ID, delivery.ErrBusy},
		{"notif_B.1", delivery.ErrBodyless},
		{"notif_C.1", delivery.ErrDone},
	} {
		_, err := s.Retry(ctx, c.id)
		wantErr(t, fmt.Sprintf("retry %q", c.id), err, c.want)
		if c.id != d[3].ID && s.Held(c.id) {
			t.Errorf("%q is held", c.id)
		}
	}
	ok(t, s.Finish(ctx, as(delivery.Failed, d[3])...))
	claimed, err := s.Claim(ctx, "notif_A")
	ok(t, err)
	_, err = s.Retry(ctx, claimed.Deliveries[1].ID)
	wantErr(t, "retry what is claimed", err, delivery.ErrBusy)
}

func digest(b byte) (d [32]byte) {
	for i := range d {
		d[i] = b
	}
	return d
}

func testAddOnce(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	type key = struct{ Key, Request [32]byte }
	one := key{digest(1), digest(2)}
	add := func(s Ledger, k key, in delivery.Intent, wantExisting string, want error) {
		t.Helper()
		existing, err := s.AddOnce(ctx, k, in)
		if existing != wantExisting {
			t.Errorf("existing = %q, want %q", existing, wantExisting)
		}
		wantErr(t, "add", err, want)
	}
	in := intent("notif_A", 2)
	add(a, one, in, "", nil)
	if !a.Held("notif_A.1") || !a.Held("notif_A.2") {
		t.Error("not held")
	}
	for _, s := range []Ledger{a, b} {
		add(s, one, intent("notif_B", 1), "notif_A", nil)
		add(s, key{digest(1), digest(3)}, intent("notif_B", 1), "", delivery.ErrKeyReused)
		add(s, key{digest(4), digest(2)}, intent("notif_A", 2), "", delivery.ErrExists)
		if s.Held("notif_B.1") {
			t.Error("held without being added")
		}
	}
	wantListed(t, a, in.Deliveries...)
	add(b, key{digest(4), digest(2)}, intent("notif_B", 1), "", nil) // ErrExists kept no key
	add(a, key{digest(4), digest(2)}, intent("notif_C", 1), "notif_B", nil)
	_, err := a.Claim(ctx, "notif_B")
	wantErr(t, "claim from the other", err, delivery.ErrBusy)
}

// testAddOnceOwners lets owners add different events under one key at once.
func testAddOnceOwners(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx := t.Context()
	const owners, rounds, each = 3, 10, 3
	var stores []Ledger
	for range owners {
		stores = append(stores, h.open(t, place, home))
	}
	for round := range rounds {
		var mu sync.Mutex
		added, existing := []string{}, map[string]int{}
		var running sync.WaitGroup
		for i, s := range stores {
			for j := range each {
				running.Go(func() {
					event := fmt.Sprintf("notif_%d_%d_%d", round, i, j)
					before, err := s.AddOnce(ctx, struct{ Key, Request [32]byte }{digest(byte(round)), digest(7)}, intent(event, 2))
					if err != nil {
						t.Errorf("add: %v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					if before == "" {
						added = append(added, event)
					} else {
						existing[before]++
					}
				})
			}
		}
		running.Wait()
		if len(added) != 1 || existing[added[0]] != owners*each-1 {
			t.Fatalf("added %q, existing %v", added, existing)
		}
	}
	listed, err := stores[0].List(ctx)
	ok(t, err)
	if len(listed) != 2*rounds {
		t.Errorf("%d deliveries, want %d", len(listed), 2*rounds)
	}
}

func testAttempts(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	in := intent("notif_A", 1)
	ok(t, a.Add(ctx, in))
	try := func(n int, r delivery.Result) delivery.Try {
		return delivery.Try{Number: n, At: begin.Add(time.Duration(n) * time.Second), Result: r}
	}
	one := try(1, delivery.Result{
		StatusCode: 503, Duration: 1234 * time.Microsecond, Reason: delivery.ReasonServerError, Phase: delivery.PhaseRead,
		Address: "127.0.0.1:80", Message: "Webhook returned HTTP 503",
	})
	two := try(2, delivery.Result{TimedOut: true, Duration: 10 * time.Second, Reason: delivery.ReasonTimeout, Phase: delivery.PhaseWait, Message: "nul\x00\xff"})
	three := try(3, delivery.Result{Delivered: true, StatusCode: http.StatusNoContent, Duration: time.Millisecond, Reason: delivery.ReasonDelivered, Phase: delivery.PhaseRead})
	d := in.Deliveries[0]
	d.Attempts, d.NextAt, d.LastReason, d.Tries = 2, begin.Add(2*time.Second), delivery.ReasonServerError, []delivery.Try{one}
	ok(t, a.Begin(ctx, delivery.Intent{Deliveries: []delivery.Delivery{d}}))
	ok(t, a.Begin(ctx, delivery.Intent{Deliveries: []delivery.Delivery{d}})) // tells of the first once more
	wrong := as(delivery.Failed, d)[0]
	wrong.Tries = []delivery.Try{try(2, delivery.Result{Message: "by somebody else"})}
	wantErr(t, "finish by another owner", b.Finish(ctx, wrong), delivery.ErrLost)
	d.Status, d.LastReason, d.Tries, d.NextAt, d.Attempts = delivery.Failed, delivery.ReasonTimeout, []delivery.Try{one, two}, time.Time{}, 2
	ok(t, a.Finish(ctx, d))
	got, err := b.Retry(ctx, d.ID)
	ok(t, err)
	wantErr(t, "finish an earlier attempt of one's own", b.Finish(ctx, d), delivery.ErrLost)
	got.Status, got.NextAt, got.LastReason, got.Tries = delivery.Delivered, time.Time{}, delivery.ReasonDelivered, []delivery.Try{three}
	ok(t, b.Finish(ctx, got))
	r, err := a.Record(ctx, d.ID)
	ok(t, err)
	if diff := cmp.Diff([]delivery.Try{one, two, three}, r.Tries, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if r.Status != delivery.Delivered || r.Attempts != 3 || r.StatusCode != http.StatusNoContent || !r.DeliveredAt.Equal(three.At.Add(three.Result.Duration)) || r.LastMessage != "" {
		t.Errorf("record = %+v", r)
	}
}

// evidence is a record made of n lines about the first target of an event, the
// last of which says how it stands.
func evidence(event string, s delivery.Status, n int) delivery.Record {
	d := waiting(event, 1, time.Time{}).Deliveries[0]
	d.Body, d.Event.Body, d.Status, d.Attempts, d.ContentType, d.ExpiresAt = nil, nil, s, n, "", time.Time{}
	d.LastReason, d.LastMessage = delivery.ReasonServerError, "Webhook returned HTTP 503"
	r := delivery.Record{Delivery: d, CreatedAt: begin, StatusCode: 503, Imported: true}
	for i := range n {
		r.Tries = append(r.Tries, line(i+1, i))
	}
	if s == delivery.Delivered {
		last := &r.Tries[n-1].Result
		last.Delivered, last.StatusCode, last.Reason, last.Message = true, 200, delivery.ReasonDelivered, ""
		r.LastReason, r.LastMessage, r.StatusCode, r.DeliveredAt = delivery.ReasonDelivered, "", 200, r.Tries[n-1].At
	}
	return r
}

// line is an attempt that began some seconds after begin.
func line(number, seconds int) delivery.Try {
	return delivery.Try{Number: number, At: begin.Add(time.Duration(seconds) * time.Second), Result: delivery.Result{
		StatusCode: 503, Duration: 20 * time.Millisecond, Reason: delivery.ReasonServerError, Message: "Webhook returned HTTP 503",
	}}
}

// wantRecord compares what the log has of a delivery.
func wantRecord(tb testing.TB, s Ledger, want delivery.Record) {
	tb.Helper()
	got, err := s.Record(tb.Context(), want.ID)
	ok(tb, err)
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		tb.Errorf("record (-want +got):\n%s", d)
	}
}

func testImport(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place, home)
	to := func(source string, want int64) {
		t.Helper()
		got, err := s.ImportedTo(ctx, source)
		ok(t, err)
		if got != want {
			t.Errorf("%s is imported to %d, want %d", source, got, want)
		}
	}
	to("one", 0)
	ok(t, s.Import(ctx, "one", 10, nil))
	to("one", 10)
	var many []delivery.Record
	for i := range 450 { // more than a statement takes
		many = append(many, evidence(fmt.Sprintf("notif_%03d", i), []delivery.Status{delivery.Delivered, delivery.Failed, delivery.Discarded}[i%3], 1+i%2))
	}
	ok(t, s.Import(ctx, "one", 5000, many))
	to("one", 5000)
	to("two", 0)
	ok(t, s.Import(ctx, "one", 4000, nil)) // by who began earlier and was slower
	to("one", 5000)
	for _, i := range []int{0, 1, 2, 3, 449} {
		wantRecord(t, s, many[i])
	}
	// They are no work for anybody.
	wantListed(t, s)
	got, err := s.Take(ctx, queue.Quota{Max: 10})
	ok(t, err)
	wantIDs(t, "taken", got)
	_, err = s.Claim(ctx, "notif_001")
	wantErr(t, "claim", err, delivery.ErrUnknown)
	if at, err := s.NextDue(ctx); err != nil || !at.IsZero() {
		t.Errorf("next due: %v, %v", at, err)
	}
}

func testImportAgain(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place, home)
	ok(t, s.Import(ctx, "one", 1, []delivery.Record{evidence("notif_A", delivery.Failed, 1)}))
	// The same line, and one without a number that is new.
	again := evidence("notif_A", delivery.Failed, 1)
	again.Tries = append(again.Tries, line(0, 0), line(0, 60))
	ok(t, s.Import(ctx, "two", 1, []delivery.Record{again}))
	want := evidence("notif_A", delivery.Failed, 1)
	want.Attempts, want.Tries = 2, append(want.Tries, line(2, 60))
	wantRecord(t, s, want)
	// Delivered at last, and nothing undoes that, not even in one call.
	done := evidence("notif_A", delivery.Delivered, 3)
	done.Tries = done.Tries[2:]
	later := evidence("notif_A", delivery.Failed, 1)
	later.Tries = []delivery.Try{line(0, 90)}
	ok(t, s.Import(ctx, "one", 2, []delivery.Record{done, later}))
	want = done
	want.Attempts, want.Tries = 4, []delivery.Try{line(1, 0), line(2, 60), done.Tries[0], line(4, 90)}
	wantRecord(t, s, want)
	ok(t, s.Import(ctx, "one", 3, []delivery.Record{later}))
	wantRecord(t, s, want)
}

func testImportOwn(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, s := t.Context(), h.open(t, place, home)
	in := waiting("notif_A", 1, past(1))
	ok(t, s.Add(ctx, in))
	r := evidence("notif_A", delivery.Delivered, 1)
	ok(t, s.Import(ctx, "one", 1, []delivery.Record{r}))
	wantListed(t, s, in.Deliveries...)
	got, err := s.Record(ctx, "notif_A.1")
	ok(t, err)
	if got.Imported || got.Status != delivery.Pending || got.Attempts != 0 || len(got.Tries) != 1 {
		t.Errorf("record = %+v", got)
	}
	taken, err := s.Take(ctx, queue.Quota{Max: 1})
	ok(t, err)
	wantIDs(t, "taken", taken, "notif_A.1")
}

func testAddImported(t *testing.T, h LedgerHarness) {
	place := h.Fresh(t)
	ctx, a, b := t.Context(), h.open(t, place, home), h.open(t, place, home)
	ok(t, a.Import(ctx, "one", 1, []delivery.Record{evidence("notif_A", delivery.Failed, 2)}))
	in := intent("notif_A", 2)
	in.Deliveries[0].Attempts = 3
	ok(t, a.Add(ctx, in))
	wantErr(t, "add again", b.Add(ctx, in), delivery.ErrExists)
	wantListed(t, b, in.Deliveries...)
	ok(t, a.Finish(ctx, as(delivery.Failed, in.Deliveries...)...))
	got, err := b.Retry(ctx, "notif_A.1")
	ok(t, err)
	if got.Attempts != 4 || string(got.Body) != string(in.Deliveries[0].Body) {
		t.Errorf("retried: %+v", got)
	}
	r, err := a.Record(ctx, "notif_A.1")
	ok(t, err)
	if r.Imported || len(r.Tries) != 2 {
		t.Errorf("record = %+v", r)
	}
}

package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
)

// Lists are what pages are made of.
type Lists interface {
	Page(ctx context.Context, f delivery.Filter, p delivery.Page) ([]delivery.Record, error)
	Total(ctx context.Context, f delivery.Filter) (int64, error)
	Record(ctx context.Context, id string) (delivery.Record, error)
}

// Figures are what a log says about itself.
type Figures interface {
	Health(ctx context.Context) (delivery.Health, error)
	Chart(ctx context.Context, since time.Time, width time.Duration) ([]delivery.Bucket, error)
	Version(ctx context.Context) (string, error)
}

// Edges are what a log offers to choose from, and what it lets go.
type Edges interface {
	Targets(ctx context.Context) ([]string, error)
	Agents(ctx context.Context) ([]string, error)
	Expire(ctx context.Context, before time.Time, batch int) (int, error)
}

// Log is the reading side of a database of deliveries, and its retention.
type Log interface {
	Lists
	Figures
	Edges
}

// LogHarness is a log under test.
type LogHarness struct {
	// Log reads. Its clock stands at LogNow.
	Log Log
	// Set makes the records all there are. It writes as another process would:
	// over a connection that Log does not have.
	Set func(records []delivery.Record)
	// Leftovers counts bodies, attempts and keys whose record is gone. Set
	// stores one key for each event, as old as its first record.
	Leftovers func() int
}

// LogNow is the time at which the suite reads.
func LogNow() time.Time { return begin.Add(time.Hour) }

// RunLog runs the suite of the reading side.
func RunLog(t *testing.T, h LogHarness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, LogHarness)
	}{
		{"records", testRecords},
		{"model", testLogModel},
		{"totals", testTotals},
		{"retention", testRetention},
		{"charts refused", testChartsRefused},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

// logRecord makes the nth record.
func logRecord(n int, s delivery.Status) delivery.Record {
	d := intent(fmt.Sprintf("notif_%04d", n), 1).Deliveries[0]
	d.ID, d.Status = fmt.Sprintf("01K%023d", n), s
	d.Target.Name = "hook"
	d.NextAt = time.Time{}
	rec := delivery.Record{Delivery: d, CreatedAt: begin}
	switch s {
	case delivery.Delivered:
		rec.DeliveredAt, rec.StatusCode, rec.LastReason = begin.Add(time.Second), 200, delivery.ReasonDelivered
	case delivery.Sending:
		rec.NextAt = begin.Add(time.Minute)
	case delivery.Failed, delivery.Discarded:
		rec.LastReason, rec.LastMessage, rec.StatusCode = delivery.ReasonServerError, "Webhook returned HTTP 503", 503
	}
	for i := range rec.Attempts {
		rec.Tries = append(rec.Tries, delivery.Try{Number: i + 1, At: begin.Add(time.Duration(i) * time.Minute), Result: delivery.Result{
			Delivered: s == delivery.Delivered, StatusCode: rec.StatusCode, Duration: 1234 * time.Microsecond,
			Reason: rec.LastReason, Phase: delivery.PhaseRead, Address: "192.0.2.1:443", Message: rec.LastMessage, TimedOut: i%2 == 1,
		}})
	}
	return rec
}

func states() []delivery.Status {
	return []delivery.Status{delivery.Pending, delivery.Sending, delivery.Delivered, delivery.Failed, delivery.Discarded}
}

// brief is a record as a page shows it.
func brief(rec delivery.Record) delivery.Record {
	rec.Body, rec.Event.Body, rec.Tries = nil, nil, nil
	return rec
}

func sameRecords(tb reporter, what string, got, want any) {
	tb.Helper()
	if d := gocmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		tb.Errorf("%s (-want +got):\n%.4000s", what, d)
	}
}

// testRecords wants every field back, whatever the strings.
func testRecords(t *testing.T, h LogHarness) {
	var all []delivery.Record
	for i, s := range odd() {
		rec := logRecord(i, states()[i%5])
		if s != "" {
			rec.Agent, rec.ExecutionID, rec.Event.RunID, rec.Label = s, s, s, s
		}
		rec.Target.File, rec.Target.Name, rec.ContentType, rec.LastMessage = s, s, s, s
		rec.Event.Body = []byte("envelope " + s)
		rec.Body, rec.FallbackBody, rec.Unmade = rec.Event.Body, i%2 == 1, i%3 == 1
		if i%2 == 0 {
			rec.Body = []byte("body " + s)
		}
		if i%4 == 2 { // delivered at times
			rec.Imported, rec.Body, rec.Event.Body = rec.Status != delivery.Pending && rec.Status != delivery.Sending, nil, nil
		}
		more := rec.Tries[0]
		more.Number, more.Result.Message = 2, s
		rec.Tries, rec.Attempts = append(rec.Tries, more), 2
		rec.CreatedAt = begin.Add(time.Duration(i) * time.Millisecond)
		all = append(all, rec)
	}
	h.Set(all)
	for _, want := range all {
		got, err := h.Log.Record(t.Context(), want.ID)
		ok(t, err)
		sameRecords(t, "record", got, want)
		page, err := h.Log.Page(t.Context(), delivery.Filter{Agent: want.Agent, Target: want.Label, Since: want.CreatedAt}, delivery.Page{Limit: 1000})
		ok(t, err)
		if !slices.ContainsFunc(page, func(r delivery.Record) bool { return gocmp.Equal(r, brief(want), cmpopts.EquateEmpty()) }) {
			t.Errorf("the page of %q does not show it", want.Agent)
		}
	}
	for _, id := range append(odd(), "01K", "notif_0001") {
		_, err := h.Log.Record(t.Context(), id)
		wantErr(t, fmt.Sprintf("record %.20q", id), err, delivery.ErrUnknown)
	}
}

// drawRecords makes a log whose values often coincide.
func drawRecords(rt *rapid.T) []delivery.Record {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, name) }
	var all []delivery.Record
	for i := range rapid.IntRange(0, 25).Draw(rt, "records") {
		rec := logRecord(i, rapid.SampledFrom(states()).Draw(rt, "status"))
		rec.Agent, rec.Label = pick("agent", "", "builder", "qa"), pick("label", "a", "b", "\xff")
		rec.ExecutionID, rec.Event.RunID = pick("execution", "", "run_1", "run_2"), pick("run", "", "run_1", "run_2")
		rec.Event.Type = pick("type", "run_blocked", "on_error")
		rec.Event.ID = pick("event", "notif_1", "notif_2", "notif_3")
		rec.Target.Name = fmt.Sprint(i) // unique in its event
		rec.Target.Channel = delivery.Channel(pick("channel", "webhook", "slack"))
		rec.CreatedAt = begin.Add(time.Duration(rapid.IntRange(0, 8).Draw(rt, "created")) * 7 * time.Minute)
		if rec.Status == delivery.Pending {
			if rec.Attempts = rapid.IntRange(0, 1).Draw(rt, "attempts"); rec.Attempts == 0 {
				rec.Tries = nil
			}
			if rapid.Bool().Draw(rt, "waits") {
				rec.NextAt = begin.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "next")) * time.Minute)
			}
		}
		all = append(all, rec)
	}
	return all
}

func drawFilter(rt *rapid.T) delivery.Filter {
	pick := func(name string, of ...string) string {
		if rapid.IntRange(0, 3).Draw(rt, "filter by "+name) > 0 {
			return ""
		}
		return rapid.SampledFrom(of).Draw(rt, name)
	}
	f := delivery.Filter{
		Agent: pick("agent", "builder", "qa", "nobody"), Target: pick("label", "a", "b", "\xff", "c"),
		ExecutionID: pick("execution", "run_1", "run_2"), RunID: pick("run", "run_1", "run_2"),
		EventID: pick("event", "notif_1", "notif_2"), EventType: pick("type", "run_blocked", "on_error"),
		Channel: delivery.Channel(pick("channel", "webhook", "slack")),
	}
	if rapid.Bool().Draw(rt, "by status") {
		f.Statuses = rapid.SliceOfNDistinct(rapid.SampledFrom(append(states(), "odd")), 1, 3, rapid.ID).Draw(rt, "statuses")
	}
	if rapid.Bool().Draw(rt, "by time") {
		f.Since = begin.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "since"))*time.Minute + time.Duration(rapid.IntRange(0, 1).Draw(rt, "later")))
	}
	return f
}

// chosen is the naive model of a list.
func chosen(all []delivery.Record, f delivery.Filter) []delivery.Record {
	var some []delivery.Record
	for _, r := range all {
		fits := func(want, got string) bool { return want == "" || want == got }
		if (len(f.Statuses) == 0 || slices.Contains(f.Statuses, r.Status)) && fits(f.Agent, r.Agent) && fits(f.Target, r.Label) &&
			fits(f.ExecutionID, r.ExecutionID) && fits(f.RunID, r.Event.RunID) && fits(f.EventID, r.Event.ID) &&
			fits(f.EventType, r.Event.Type) && fits(string(f.Channel), string(r.Target.Channel)) && !r.CreatedAt.Before(f.Since) {
			some = append(some, brief(r))
		}
	}
	slices.SortFunc(some, func(a, b delivery.Record) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return some
}

// testLogModel compares everything that is read with a naive model.
func testLogModel(t *testing.T, h LogHarness) {
	logs, lists := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		all := drawRecords(rt)
		h.Set(all)
		logs++
		for range 6 {
			lists++
			f := drawFilter(rt)
			want := chosen(all, f)
			total, err := h.Log.Total(rt.Context(), f)
			mustBe(rt, err, nil)
			if int(total) != len(want) {
				rt.Fatalf("total of %+v is %d, want %d", f, total, len(want))
			}
			var got []delivery.Record
			limit := rapid.IntRange(3, 15).Draw(rt, "limit")
			for offset := 0; offset <= len(want); offset += limit {
				page, err := h.Log.Page(rt.Context(), f, delivery.Page{Limit: limit, Offset: offset})
				mustBe(rt, err, nil)
				if len(page) > limit {
					rt.Fatalf("a page of %d has %d records", limit, len(page))
				}
				got = append(got, page...)
			}
			sameRecords(rt, fmt.Sprintf("pages of %+v", f), got, want)
		}
		checkOffers(rt, h, all)
		checkHealth(rt, h, all)
		checkChart(rt, h, all)
	})
	t.Logf("%d lists of %d logs agree with the model", lists, logs)
}

func checkOffers(rt *rapid.T, h LogHarness, all []delivery.Record) {
	targets, agents := map[string]bool{}, map[string]bool{}
	for _, r := range all {
		targets[r.Label], agents[r.Agent] = true, true
	}
	delete(agents, "")
	got, err := h.Log.Targets(rt.Context())
	mustBe(rt, err, nil)
	sameRecords(rt, "targets", got, slices.Sorted(maps.Keys(targets)))
	got, err = h.Log.Agents(rt.Context())
	mustBe(rt, err, nil)
	sameRecords(rt, "agents", got, slices.Sorted(maps.Keys(agents)))
}

func checkHealth(rt *rapid.T, h LogHarness, all []delivery.Record) {
	want := delivery.Health{ByStatus: map[delivery.Status]int64{}}
	for _, s := range states() {
		want.ByStatus[s] = 0
	}
	for _, r := range all {
		want.Accepted++
		want.ByStatus[r.Status]++
		if r.Attempts > 0 {
			want.Attempted++
		}
		if r.Status == delivery.Pending || r.Status == delivery.Sending {
			if want.OldestPending.IsZero() || r.CreatedAt.Before(want.OldestPending) {
				want.OldestPending = r.CreatedAt
			}
		}
		due := r.NextAt
		if due.IsZero() {
			due = r.CreatedAt
		}
		if r.Status == delivery.Pending && due.Before(LogNow().Add(-time.Minute)) {
			want.Overdue++
		}
	}
	got, err := h.Log.Health(rt.Context())
	mustBe(rt, err, nil)
	sameRecords(rt, "health", got, want)
}

func checkChart(rt *rapid.T, h LogHarness, all []delivery.Record) {
	width := time.Duration(rapid.IntRange(3, 40).Draw(rt, "width")) * time.Minute
	since := begin.Add(time.Duration(rapid.IntRange(-10, 60).Draw(rt, "chart since")) * time.Minute)
	counts := map[delivery.Bucket]delivery.Bucket{}
	for _, r := range all {
		if r.CreatedAt.Before(since.Truncate(width)) {
			continue
		}
		key := delivery.Bucket{Target: r.Label, Channel: r.Target.Channel, Start: r.CreatedAt.Truncate(width)}
		b, found := counts[key]
		if !found {
			b = key
		}
		switch r.Status {
		case delivery.Delivered:
			b.Delivered++
		case delivery.Failed, delivery.Discarded:
			b.Failed++
		default:
			b.Waiting++
		}
		counts[key] = b
	}
	want := slices.SortedFunc(maps.Values(counts), func(a, b delivery.Bucket) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Channel, b.Channel), a.Start.Compare(b.Start))
	})
	got, err := h.Log.Chart(rt.Context(), since, width)
	mustBe(rt, err, nil)
	sameRecords(rt, fmt.Sprintf("chart of %v since %v", width, since), got, want)
}

// testTotals wants no total, and no version, to survive a change by somebody
// else, and both to survive when there is none.
func testTotals(t *testing.T, h LogHarness) {
	f := delivery.Filter{Statuses: []delivery.Status{delivery.Failed}}
	var all []delivery.Record
	seen, still := map[string]bool{}, 0
	for i := range 100 {
		all = append(all, logRecord(i, delivery.Failed))
		if i%3 == 2 { // a change that leaves the number of rows
			all[i-1] = logRecord(i-1, delivery.Delivered)
		}
		h.Set(all)
		version, err := h.Log.Version(t.Context())
		ok(t, err)
		if seen[version] {
			t.Fatalf("version %q came twice", version)
		}
		seen[version] = true
		for range 2 {
			got, err := h.Log.Total(t.Context(), f)
			ok(t, err)
			if want := len(chosen(all, f)); int(got) != want {
				t.Fatalf("total %d right after a change, want %d", got, want)
			}
		}
		again, err := h.Log.Version(t.Context())
		ok(t, err)
		if again == version {
			still++
		}
	}
	if still < 90 { // a server's own housekeeping is a change too
		t.Errorf("only %d of 100 versions lasted while nothing changed", still)
	}
}

// testRetention deletes in small steps and wants the rest untouched.
func testRetention(t *testing.T, h LogHarness) {
	var all []delivery.Record
	for i := range 60 {
		rec := logRecord(i, states()[i%5])
		rec.CreatedAt = begin.Add(time.Duration(i%20) * time.Minute)
		all = append(all, rec)
	}
	h.Set(all)
	before := begin.Add(12 * time.Minute)
	gone := func(r delivery.Record) bool {
		return r.Status.Final() && r.CreatedAt.Before(before)
	}
	kept := slices.DeleteFunc(slices.Clone(all), gone)
	deleted, steps := 0, 0
	for {
		n, err := h.Log.Expire(t.Context(), before, 4)
		ok(t, err)
		if n > 4 {
			t.Fatalf("a step of 4 deleted %d", n)
		}
		if n == 0 {
			break
		}
		deleted, steps = deleted+n, steps+1
	}
	if want := len(all) - len(kept); deleted != want || want < 12 {
		t.Errorf("%d deleted, want %d of at least 12", deleted, want)
	}
	got, err := h.Log.Page(t.Context(), delivery.Filter{}, delivery.Page{Limit: 1000})
	ok(t, err)
	sameRecords(t, "what is left", got, chosen(kept, delivery.Filter{}))
	if n := h.Leftovers(); n > 0 {
		t.Errorf("%d bodies, attempts and keys of nobody are left", n)
	}
	for _, want := range kept {
		got, err := h.Log.Record(t.Context(), want.ID)
		ok(t, err)
		sameRecords(t, "record that is left", got, want)
	}
	t.Logf("%d of %d records deleted in %d steps", deleted, len(all), steps)
}

func testChartsRefused(t *testing.T, h LogHarness) {
	for _, width := range []time.Duration{0, -time.Hour, time.Nanosecond, time.Minute} {
		if _, err := h.Log.Chart(t.Context(), LogNow().Add(-24*time.Hour), width); err == nil {
			t.Errorf("a chart of a day in spans of %v", width)
		}
	}
}

package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/delivery"
	"agentxchain/internal/outbox"
	"agentxchain/internal/queue"
)

// crash leaves what a process leaves that dies after its intent is on disk.
func crash(t *testing.T, dir, id string, n int) {
	t.Helper()
	w := newWorld(t, dir, nil)
	ev, ms := event(id, n)
	_, err := w.queue().Submit(t.Context(), ev, ms)
	must(t, err)
	must(t, w.box.Close())
}

// recovered returns what a recovery without trouble records.
func recovered(t *testing.T, w *world) []delivery.Attempt {
	t.Helper()
	r := w.queue().Recover(t.Context())
	if r.Err != nil || r.Warning != nil {
		t.Errorf("recover: %v, warning %v", r.Err, r.Warning)
	}
	return r.Attempts
}

func TestRecover(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	found := recovered(t, w)
	if len(found) > 0 || w.evidence.syncs > 0 {
		t.Errorf("recovered %+v from nothing", found)
	}
	begin := time.Now()
	crash(t, w.dir, "e1", 2)
	crash(t, w.dir, "e2", 1)
	found = recovered(t, w)
	if len(found) != 3 {
		t.Errorf("recovered %d attempts", len(found))
	}
	for _, a := range found {
		if a.At.Before(begin) || a.At.After(time.Now()) || a.Result.Reason != delivery.ReasonUnknownOutcome || len(a.Delivery.Body) == 0 {
			t.Errorf("attempt %+v", a)
		}
	}
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 unknown_outcome", "e1 hook2 1 unknown_outcome", "e2 hook1 1 unknown_outcome")
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 failed unknown_outcome", "e1 hook2 1 failed unknown_outcome", "e2 hook1 1 failed unknown_outcome")
	found = recovered(t, w)
	if len(found) > 0 {
		t.Errorf("recovered %+v again", found)
	}
}

// What others would try again by themselves, a command does not end.
func TestRecoverShared(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.opts.Shared = true
	crash(t, w.dir, "e1", 3)
	ev, ms := event("e1", 3)
	for i, r := range []delivery.Result{good, gone} {
		must(t, w.evidence.Record(t.Context(), delivery.Attempt{Delivery: delivery.Delivery{Event: ev, Target: ms[i].Target}, Number: 1, Result: r}))
	}
	if found := recovered(t, w); len(found) != 1 {
		t.Errorf("recovered %+v", found)
	}
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 delivered", "e1 hook2 1 rejected", "e1 hook3 1 unknown_outcome")
	wantLines(t, "pending", w.pending(t), "e1 hook2 1 failed rejected", "e1 hook3 1 pending unknown_outcome")
}

// What is on record when the process dies is not recorded again.
func TestRecoverKnown(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	must(t, w.evidence.append([]byte("{\"event\":\"other\"}\n")))
	crash(t, w.dir, "e1", 3)
	var as []delivery.Attempt
	for i, r := range []delivery.Result{good, down} {
		ev, ms := event("e1", 3)
		as = append(as, delivery.Attempt{Delivery: delivery.Delivery{Event: ev, Target: ms[i].Target}, Number: 1, Result: r})
	}
	must(t, w.evidence.Record(t.Context(), as...))
	must(t, w.evidence.append([]byte(`{"event":"torn`)))
	recovered(t, w)
	wantLines(t, "evidence", w.lines(t)[1:], "e1 hook1 1 delivered", "e1 hook2 1 server_error", "e1 hook3 1 unknown_outcome")
	wantLines(t, "pending", w.pending(t), "e1 hook2 1 failed server_error", "e1 hook3 1 failed unknown_outcome")
}

// Commands that recover at the same time record each attempt once.
func TestRecoverRace(t *testing.T) {
	dir := t.TempDir()
	sent := newReceiver()
	for i := range 30 {
		crash(t, dir, fmt.Sprintf("e%02d", i), 2)
	}
	var running sync.WaitGroup
	for range 4 {
		w := newWorld(t, dir, nil)
		running.Go(func() {
			recovered(t, w)
		})
	}
	running.Wait()
	w := newWorld(t, dir, nil)
	sent.wantEvidence(t, w)
	if n := len(w.lines(t)); n != 60 {
		t.Errorf("%d lines", n)
	}
}

// More orphans than a store gives at a time, with one that can't be read.
func TestRecoverMany(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	victim := newWorld(t, w.dir, nil)
	for i := range 230 {
		ev, ms := event(fmt.Sprintf("e%03d", i), 1)
		_, err := victim.queue().Submit(t.Context(), ev, ms)
		must(t, err)
	}
	must(t, victim.box.Close())
	unreadable := filepath.Join(w.dir, "notify", "outbox", "live", "e000.intent")
	must(t, os.WriteFile(unreadable, nil, 0o600))
	r := w.queue().Recover(t.Context())
	if e := new(outbox.EntryError); len(r.Attempts) != 229 || r.Err != nil || !errors.As(r.Warning, &e) || e.Path != unreadable {
		t.Errorf("recovered %d: %v, warning %v", len(r.Attempts), r.Err, r.Warning)
	}
}

func TestRetry(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	w.emit(t.Context(), "e1", 2, 1)
	w.emit(t.Context(), "e2", 1, 1)
	var mu sync.Mutex
	got := make(map[string]string)
	w.send = senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
		mu.Lock()
		defer mu.Unlock()
		got[d.Event.ID+" "+d.Target.Name] = string(d.Body)
		if d.Target.Name == "hook1" {
			return good
		}
		return gone
	})
	reports, err := w.queue().Retry(t.Context(), "e1", "e1")
	must(t, err)
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	must(t, reports[0].Err)
	wantLines(t, "states", states(reports[0]), "hook1 delivered 1", "hook2 failed 1")
	if reports[0].Event.ID != "e1" || reports[0].Outcomes[1].Last.Number != 2 {
		t.Errorf("report %+v", reports[0])
	}
	if got["e1 hook1"] != `{"event_id":"e1"}` || got["e1 hook2"] != "own body of e1" {
		t.Errorf("sent %q", got)
	}
	wantLines(t, "pending", w.pending(t), "e1 hook2 2 failed rejected", "e2 hook1 1 pending server_error")
	reports, err = w.queue().Retry(t.Context())
	must(t, err)
	if len(reports) != 2 || reports[0].Event.ID != "e1" || reports[1].Event.ID != "e2" {
		t.Fatalf("reports %+v", reports)
	}
	wantLines(t, "pending", w.pending(t), "e1 hook2 3 failed rejected")
	wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 server_error", "e1 hook1 2 delivered",
		"e1 hook2 1 server_error", "e1 hook2 2 rejected", "e1 hook2 3 rejected", "e2 hook1 1 server_error", "e2 hook1 2 delivered")
}

// One unknown or busy id, and nothing is sent.
func TestRetryRefused(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	w.emit(t.Context(), "e1", 1, 1)
	other := newWorld(t, w.dir, nil)
	ev, ms := event("e2", 1)
	_, err := other.queue().Submit(t.Context(), ev, ms)
	must(t, err)
	w.send = senderFunc(func(context.Context, delivery.Delivery) delivery.Result {
		t.Error("something was sent")
		return good
	})
	for _, c := range []struct {
		ids  []string
		want error
	}{
		{[]string{"e3"}, delivery.ErrUnknown},
		{[]string{"e1", "e3"}, delivery.ErrUnknown},
		{[]string{"e1", "e2"}, delivery.ErrBusy},
		{[]string{""}, delivery.ErrUnknown},
	} {
		if _, err := w.queue().Retry(t.Context(), c.ids...); !errors.Is(err, c.want) || !strings.Contains(err.Error(), `"`+c.ids[len(c.ids)-1]+`"`) {
			t.Errorf("%q: error is %v", c.ids, err)
		}
		if _, err := w.queue().Discard(t.Context(), c.ids[len(c.ids)-1], "x"); !errors.Is(err, c.want) {
			t.Errorf("discard %q: error is %v", c.ids, err)
		}
	}
	w.send = answer(good)
	reports, err := w.queue().Retry(t.Context()) // all: what others have is left to them
	must(t, err)
	if len(reports) != 1 || reports[0].Event.ID != "e1" {
		t.Errorf("reports %+v", reports)
	}
}

// A retry right after a crash, before anybody looked, records that first.
func TestRetryOfOrphan(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(good))
	crash(t, w.dir, "e1", 1)
	reports, err := w.queue().Retry(t.Context(), "e1")
	must(t, err)
	wantLines(t, "states", states(reports[0]), "hook1 delivered 1")
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 unknown_outcome", "e1 hook1 2 delivered")
	wantLines(t, "pending", w.pending(t))
}

// An orphan that turns out to be delivered is not sent again.
func TestRetryOfDelivered(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(good))
	w.store = &faulty{Store: w.box, op: "finish"}
	w.emit(t.Context(), "e1", 1, 1)
	must(t, w.box.Close())
	w.store = w.box
	reports, err := w.queue().Retry(t.Context(), "e1")
	must(t, err)
	wantLines(t, "states", states(reports[0]))
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 delivered")
	wantLines(t, "pending", w.pending(t))
}

// A retry that can't be stored is not sent: unlike an alert it is kept.
func TestRetryNotStored(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	w.emit(t.Context(), "e1", 1, 1)
	w.store = &faulty{Store: w.box, op: "begin"}
	reports, err := w.queue().Retry(t.Context(), "e1")
	must(t, err)
	if len(reports) != 1 || !errors.Is(reports[0].Err, errRefused) || len(reports[0].Outcomes) > 0 {
		t.Errorf("reports %+v", reports)
	}
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 server_error")
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 pending server_error")
}

// Of an event that can't be had, a report tells all that the list knows.
func TestRetryNotClaimed(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	sent := w.emit(t.Context(), "e1", 2, 1).Event
	w.store = &faulty{Store: w.box, op: "claim"}
	reports, err := w.queue().Retry(t.Context())
	must(t, err)
	if len(reports) != 1 || !errors.Is(reports[0].Err, errRefused) {
		t.Fatalf("reports %+v", reports)
	}
	sent.Body = nil
	if d := cmp.Diff(sent, reports[0].Event); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
}

// A retry that is interrupted before it begins changes nothing.
func TestRetryNotBegun(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(gone))
	w.emit(t.Context(), "e1", 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reports, err := w.queue().Retry(ctx, "e1")
	must(t, err)
	wantLines(t, "states", states(reports[0]), "hook1 skipped 0")
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 failed rejected")
}

// What is due is tried again; what failed for good, waits or is too old is not.
func TestRetryDue(t *testing.T) {
	now := time.Now().UTC()
	w := newWorld(t, t.TempDir(), nil)
	w.opts.Now = func() time.Time { return now }
	w.send = senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
		if d.Target.Name == "hook1" {
			return gone
		}
		return down
	})
	w.emit(t.Context(), "e1", 2, 1)
	ev, ms := event("e2", 3)
	ms = ms[2:]
	ms[0].ExpiresAt = now.Add(1500 * time.Millisecond)
	b, err := w.queue().Submit(t.Context(), ev, ms)
	must(t, err)
	must(t, w.queue().Drain(t.Context(), b).Err)
	for _, step := range []struct {
		wait time.Duration
		want []string
	}{
		{0, nil},
		{time.Minute, []string{"e1 hook2 2 server_error"}},
		{0, nil},
		{time.Minute, []string{"e1 hook2 3 server_error"}},
	} {
		before := len(w.lines(t))
		now = now.Add(step.wait)
		_, err := w.queue().RetryDue(t.Context())
		must(t, err)
		wantLines(t, "evidence", w.lines(t)[before:], step.want...)
	}
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 failed rejected", "e1 hook2 3 pending server_error", "e2 hook3 1 pending server_error")
}

func TestDiscard(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	w.emit(t.Context(), "e1", 2, 1)
	w.emit(t.Context(), "e2", 1, 1)
	given := &givenBack{Store: w.box}
	w.store = given
	done, err := w.queue().Discard(t.Context(), "e1", "the receiver is gone for good")
	must(t, err)
	w.store = w.box
	for _, d := range given.ds { // a store that keeps what is over shows why
		if d.Status != delivery.Discarded || d.LastReason != delivery.ReasonDiscarded || d.LastMessage != "the receiver is gone for good" || !d.NextAt.IsZero() {
			t.Errorf("given back %+v", d)
		}
	}
	if len(done) != 2 || done[0].Number != 2 || done[0].Result.Message != "the receiver is gone for good" {
		t.Errorf("discarded %+v", done)
	}
	wantLines(t, "evidence", w.lines(t)[3:], "e1 hook1 2 discarded", "e1 hook2 2 discarded")
	wantLines(t, "pending", w.pending(t), "e2 hook1 1 pending server_error")

	w.evidence.refuse = errRefused
	if _, err := w.queue().Discard(t.Context(), "e2", "x"); !errors.Is(err, errRefused) {
		t.Errorf("error is %v", err)
	}
	wantLines(t, "pending without evidence", w.pending(t), "e2 hook1 1 pending server_error")
}

// What is on record is told, although the store could not follow.
func TestDiscardNotFinished(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	w.emit(t.Context(), "e1", 2, 1)
	w.store = &faulty{Store: w.box, op: "finish"}
	done, err := w.queue().Discard(t.Context(), "e1", "enough")
	if !errors.Is(err, errRefused) || len(done) != 2 || done[0].Result.Reason != delivery.ReasonDiscarded {
		t.Errorf("discarded %+v, error is %v", done, err)
	}
	wantLines(t, "evidence", w.lines(t)[2:], "e1 hook1 2 discarded", "e1 hook2 2 discarded")
}

// Before it is given up, what a crash left is settled: one that is delivered
// is not discarded.
func TestDiscardOrphan(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	crash(t, w.dir, "e1", 2)
	ev, ms := event("e1", 2)
	must(t, w.evidence.Record(t.Context(), delivery.Attempt{Delivery: delivery.Delivery{Event: ev, Target: ms[0].Target}, Number: 1, Result: good}))
	_, err := w.queue().Discard(t.Context(), "e1", "enough")
	must(t, err)
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 delivered", "e1 hook2 1 unknown_outcome", "e1 hook2 2 discarded")
	wantLines(t, "pending", w.pending(t))
}

// Leaving something behind discards, on record, what is too old.
func TestExpired(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	ev, ms := event("e0", 2)
	ev.EmittedAt = time.Now().AddDate(0, 0, -8)
	q := w.queue()
	b, err := q.Submit(t.Context(), ev, ms)
	must(t, err)
	w.store = noStale{w.box}
	must(t, w.queue().Drain(t.Context(), b).Err)
	w.store = w.box
	must(t, w.emit(t.Context(), "e1", 1, 1).Err)
	wantLines(t, "evidence", w.lines(t)[2:], "e1 hook1 1 server_error", "e0 hook1 2 expired", "e0 hook2 2 expired")
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 pending server_error")
}

// givenBack is a store that remembers what was finished.
type givenBack struct {
	queue.Store
	ds []delivery.Delivery
}

func (s *givenBack) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	s.ds = append(s.ds, ds...)
	return s.Store.Finish(ctx, ds...)
}

// noStale is a store that has nothing to discard.
type noStale struct{ queue.Store }

func (noStale) Stale(context.Context) ([]delivery.Intent, error) { return nil, nil }

// Two commands that retry everything send each event once.
func TestRetryRace(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	const n = 20
	for i := range n {
		w.emit(t.Context(), fmt.Sprintf("e%02d", i), 1, 1)
	}
	sent := newReceiver()
	var running sync.WaitGroup
	for range 3 {
		o := newWorld(t, w.dir, sent.sender(func(delivery.Delivery) delivery.Result { return good }))
		running.Go(func() {
			if _, err := o.queue().Retry(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	sent.wantEvidence(t, w)
	for k, times := range sent.seen {
		if times != 1 || k.Attempt != 2 {
			t.Errorf("%+v was sent %d times", k, times)
		}
	}
	if len(sent.seen) != n {
		t.Errorf("%d of %d were sent", len(sent.seen), n)
	}
	lines := w.lines(t)
	if slices.Contains(lines[n:], "server_error") || len(lines) != 2*n {
		t.Errorf("evidence %q", lines)
	}
}

// A delivery whose target could not be used gets its body when it can be, and
// keeps it from then on: what was sent once is what is sent again.
func TestRetryMakesWhatIsUnmade(t *testing.T) {
	var sent []string
	w := newWorld(t, t.TempDir(), senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
		if d.Unmade {
			return delivery.Result{Reason: delivery.ReasonTargetGone}
		}
		sent = append(sent, string(d.Body))
		return down
	}))
	ev, ms := event("e1", 1)
	ms[0].Body, ms[0].Unmade = nil, true
	q := w.queue()
	b, err := q.Submit(t.Context(), ev, ms)
	must(t, err)
	must(t, q.Drain(t.Context(), b).Err)
	made := 0
	w.opts.Make = func(_ context.Context, d delivery.Delivery) delivery.Delivery {
		if made++; made > 1 {
			d.Unmade, d.Body = false, []byte("made")
		}
		return d
	}
	for range 4 {
		_, err := w.queue().Retry(t.Context(), "e1")
		must(t, err)
	}
	if made != 2 || len(sent) != 3 || sent[0] != "made" || sent[2] != "made" {
		t.Errorf("made %d times, sent %q", made, sent)
	}
	lines := w.lines(t)
	wantLines(t, "first lines", lines[:2], "e1 hook1 1 target_gone", "e1 hook1 2 target_gone")
}

package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/queue"
)

func TestDelivered(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(good))
	r := w.emit(t.Context(), "e1", 3, 1)
	must(t, r.Err)
	wantLines(t, "states", states(r), "hook1 delivered 1", "hook2 delivered 1", "hook3 delivered 1")
	wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 delivered", "e1 hook2 1 delivered", "e1 hook3 1 delivered")
	wantLines(t, "pending", w.pending(t))
	if w.evidence.syncs != 1 || len(r.Unrecorded) != 0 || r.Count(queue.StateDelivered) != 3 {
		t.Errorf("%d syncs, %d unrecorded, %d delivered", w.evidence.syncs, len(r.Unrecorded), r.Count(queue.StateDelivered))
	}
	for _, o := range r.Outcomes {
		if o.Kept || o.Last.Number != 1 || o.Last.Result != good || o.Last.At.IsZero() || o.Last.At.Location() != time.UTC {
			t.Errorf("outcome %+v", o)
		}
	}
}

func TestNoTargets(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	r := w.emit(t.Context(), "e1", 0, 1)
	must(t, r.Err)
	wantLines(t, "states", states(r))
	wantLines(t, "pending", w.pending(t))
	if w.evidence.syncs != 0 {
		t.Error("nothing to sync was synced")
	}
}

// Every target is begun before any has to end.
func TestSideBySide(t *testing.T) {
	const n = 8
	var begun sync.WaitGroup
	begun.Add(n)
	w := newWorld(t, t.TempDir(), senderFunc(func(context.Context, delivery.Delivery) delivery.Result {
		begun.Done()
		begun.Wait()
		return good
	}))
	r := w.emit(t.Context(), "e1", n, 1)
	must(t, r.Err)
	if r.Count(queue.StateDelivered) != n {
		t.Errorf("states %q", states(r))
	}
}

// What a fast target gets is on record while a slow one is still sent to.
func TestRecordedAtOnce(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	recorded := func() bool { lines, err := w.evidence.read(0); return err == nil && len(lines) == 1 }
	w.send = senderFunc(func(ctx context.Context, d delivery.Delivery) delivery.Result {
		for d.Target.Name == "hook1" && !recorded() && ctx.Err() == nil {
			time.Sleep(time.Millisecond) //nolint:forbidigo // the wait for the record that the test is about
		}
		return good
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r := w.emit(ctx, "e1", 2, 1)
	must(t, r.Err)
	wantLines(t, "evidence", w.lines(t), "e1 hook2 1 delivered", "e1 hook1 1 delivered")
}

// trace notes the order of what happens to a store, a sender and the evidence.
type trace struct {
	queue.Store
	*evidence
	send  queue.Sender
	mu    sync.Mutex
	steps []string
}

func (t *trace) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps, fmt.Sprintf(format, args...))
}

func (t *trace) Add(ctx context.Context, in delivery.Intent) error {
	t.note("add")
	return t.Store.Add(ctx, in)
}

func (t *trace) Begin(ctx context.Context, in delivery.Intent) error {
	t.note("begin %d", in.Deliveries[0].Attempts)
	return t.Store.Begin(ctx, in)
}

func (t *trace) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	t.note("finish %s", ds[0].Status)
	return t.Store.Finish(ctx, ds...)
}

func (t *trace) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	t.note("send %d", d.Attempts)
	return t.send.Send(ctx, d)
}

func (t *trace) Record(ctx context.Context, as ...delivery.Attempt) error {
	t.note("record %d", as[0].Number)
	return t.evidence.Record(ctx, as...)
}

func (t *trace) Sync() error {
	t.note("sync")
	return t.evidence.Sync()
}

// Three attempts: on disk, sent, recorded, synced, in this order each time,
// with the same bytes and growing waits.
func TestAttempts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var bodies [][]byte
		var times []time.Duration
		begin := time.Now()
		w := newWorld(t, dir, nil)
		tr := &trace{Store: w.box, evidence: w.evidence}
		tr.send = senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
			bodies, times = append(bodies, d.Body), append(times, time.Since(begin))
			if d.Attempts < 3 {
				return down
			}
			return good
		})
		q := queue.New(queue.Options{
			Store: tr, Audit: tr, Sender: one(tr),
			Policy: w.opts.Policy, Jitter: w.opts.Jitter,
		})
		ev, ms := event("e1", 1)
		ms[0].Attempts, ms[0].Body = 3, []byte("rendered once")
		b, err := q.Submit(t.Context(), ev, ms)
		must(t, err)
		r := q.Drain(t.Context(), b)
		must(t, r.Err)
		wantLines(t, "states", states(r), "hook1 delivered 3")
		wantLines(t, "evidence", w.lines(t), "e1 hook1 1 server_error", "e1 hook1 2 server_error", "e1 hook1 3 delivered")
		wantLines(t, "steps", tr.steps, "add", "send 1", "record 1", "sync", "begin 2", "send 2", "record 2", "sync", "begin 3",
			"send 3", "record 3", "sync", "finish delivered")
		if fmt.Sprint(times) != "[0s 1s 3s]" {
			t.Errorf("attempts at %v", times)
		}
		for _, b := range bodies {
			if !bytes.Equal(b, ms[0].Body) {
				t.Errorf("body %q", b)
			}
		}
	})
}

// A wait that would end after the deadline is not begun.
func TestWaitBeyondDeadline(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		throttled := delivery.Result{StatusCode: 429, Reason: delivery.ReasonThrottled, Retry: true, RetryAfter: time.Minute}
		w := newWorld(t, dir, answer(throttled))
		w.opts.Jitter = func() float64 { return 0 }
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		r := w.emit(ctx, "e1", 1, 3)
		must(t, r.Err)
		wantLines(t, "states", states(r), "hook1 queued 1")
		if d := time.Since(begin); d != 0 {
			t.Errorf("took %v", d)
		}
		if o := r.Outcomes[0]; !o.Kept || !o.NextAt.Equal(begin.Add(time.Minute)) {
			t.Errorf("outcome %+v", o)
		}
		wantLines(t, "pending", w.pending(t), "e1 hook1 1 pending throttled")
	})
}

func TestFailed(t *testing.T) {
	for _, c := range []struct {
		name     string
		result   delivery.Result
		attempts int
		expires  time.Duration
		want     string
	}{
		{"permanent", gone, 3, 0, "e1 hook1 1 failed rejected"},
		{"the only attempt", down, 1, time.Hour, "e1 hook1 1 pending server_error"},
		{"too old for another", down, 3, time.Millisecond, "e1 hook1 1 failed server_error"},
		{"a sender without a verdict", delivery.Result{}, 3, 0, "e1 hook1 1 failed "},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), answer(c.result))
			ev, ms := event("e1", 1)
			ms[0].Attempts = c.attempts
			if c.expires > 0 {
				ms[0].ExpiresAt = time.Now().Add(c.expires)
			}
			q := w.queue()
			b, err := q.Submit(t.Context(), ev, ms)
			must(t, err)
			r := q.Drain(t.Context(), b)
			must(t, r.Err)
			wantLines(t, "states", states(r), "hook1 failed 1")
			wantLines(t, "pending", w.pending(t), c.want)
			if !r.Outcomes[0].Kept {
				t.Error("not kept")
			}
		})
	}
}

func TestTargetGone(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(good))
	w.opts.Sender = func(t delivery.Target) queue.Sender {
		if t.Name == "hook1" || t.Channel == delivery.Slack {
			return nil
		}
		return w.send
	}
	ev, ms := event("e1", 3)
	ms[2].Target.Channel = delivery.Slack
	q := w.queue()
	b, err := q.Submit(t.Context(), ev, ms)
	must(t, err)
	r := q.Drain(t.Context(), b)
	must(t, r.Err)
	wantLines(t, "states", states(r), "hook1 failed 1", "hook2 delivered 1", "hook3 failed 1")
	for _, i := range []int{0, 2} {
		if got := r.Outcomes[i].Last.Result.Reason; got != delivery.ReasonTargetGone {
			t.Errorf("reason %s", got)
		}
	}
}

// What was not begun when the deadline passed has no audit line and stays.
func TestDeadlinePassed(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(good))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := w.emit(ctx, "e1", 2, 1)
	must(t, r.Err)
	wantLines(t, "states", states(r), "hook1 skipped 0", "hook2 skipped 0")
	wantLines(t, "evidence", w.lines(t))
	wantLines(t, "pending", w.pending(t), "e1 hook1 0 pending ", "e1 hook2 0 pending ")
	reports, err := w.queue().Retry(t.Context())
	must(t, err)
	wantLines(t, "states of the retry", states(reports[0]), "hook1 delivered 1", "hook2 delivered 1")
	wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 delivered", "e1 hook2 1 delivered")
}

// A signal ends what is running; it is recorded although the context is done.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t, dir, senderFunc(func(ctx context.Context, d delivery.Delivery) delivery.Result {
			if d.Target.Name == "hook1" {
				return down // waits for its next attempt
			}
			<-ctx.Done()
			return delivery.Result{Phase: delivery.PhaseWait}
		}))
		go func() {
			time.Sleep(time.Second / 2) //nolint:forbidigo // the fake clock's time
			cancel()
		}()
		r := w.emit(ctx, "e1", 3, 3)
		must(t, r.Err)
		wantLines(t, "states", states(r), "hook1 queued 1", "hook2 queued 1", "hook3 queued 1")
		wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 server_error", "e1 hook2 1 interrupted", "e1 hook3 1 interrupted")
		wantLines(t, "pending", w.pending(t), "e1 hook1 1 pending server_error", "e1 hook2 1 pending interrupted", "e1 hook3 1 pending interrupted")
	})
}

// Without a place for the intent every target is attempted, once.
func TestStoreRefuses(t *testing.T) {
	w := newWorld(t, t.TempDir(), answer(down))
	w.store = &faulty{Store: w.box, op: "add"}
	r := w.emit(t.Context(), "e1", 3, 3)
	if !errors.Is(r.Err, errRefused) {
		t.Errorf("error is %v", r.Err)
	}
	wantLines(t, "states", states(r), "hook1 failed 1", "hook2 failed 1", "hook3 failed 1")
	wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 server_error", "e1 hook2 1 server_error", "e1 hook3 1 server_error")
	wantLines(t, "pending", w.pending(t))
	if r.Outcomes[0].Kept || len(r.Unrecorded) != 0 {
		t.Errorf("report %+v", r)
	}
}

// Without evidence every target is attempted, once, and the report has what
// could not be recorded. Nothing is marked as done: the next command finds it.
func TestEvidenceRefuses(t *testing.T) {
	w := newWorld(t, t.TempDir(), senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
		if d.Target.Name == "hook1" {
			return good
		}
		return down
	}))
	w.evidence.refuse = errRefused
	r := w.emit(t.Context(), "e1", 2, 3)
	if !errors.Is(r.Err, errRefused) {
		t.Errorf("error is %v", r.Err)
	}
	wantLines(t, "states", states(r), "hook1 delivered 1", "hook2 failed 1")
	if len(r.Unrecorded) != 2 || r.Unrecorded[0].Result != good || r.Unrecorded[1].Result != down {
		t.Errorf("unrecorded: %+v", r.Unrecorded)
	}
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 sending ", "e1 hook2 1 sending ")
	must(t, w.box.Close()) // the process ends, and another begins
	if r := w.queue().Recover(t.Context()); !errors.Is(r.Err, errRefused) || len(r.Attempts) > 0 {
		t.Errorf("recovery without evidence: %+v", r)
	}
	w.evidence.refuse = nil
	found := recovered(t, w)
	if len(found) != 2 {
		t.Errorf("recovered %d", len(found))
	}
	wantLines(t, "evidence", w.lines(t), "e1 hook1 1 unknown_outcome", "e1 hook2 1 unknown_outcome")
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 failed unknown_outcome", "e1 hook2 1 failed unknown_outcome")
}

// A process says nothing on record of its own attempts but what it knows, and
// sends nothing again, when evidence that refused can be written later.
func TestEvidenceRefusesForAWhile(t *testing.T) {
	sent := newReceiver()
	w := newWorld(t, t.TempDir(), sent.sender(func(d delivery.Delivery) delivery.Result {
		if d.Target.Name == "hook1" {
			return good
		}
		return down
	}))
	w.evidence.refuse = errRefused
	ev, ms := event("e1", 2)
	q := w.queue()
	b, err := q.Submit(t.Context(), ev, ms)
	must(t, err)
	if r := q.Drain(t.Context(), b); !errors.Is(r.Err, errRefused) || len(r.Unrecorded) != 2 {
		t.Errorf("%d unrecorded, error is %v", len(r.Unrecorded), r.Err)
	}
	w.evidence.refuse = nil
	if r := q.Recover(t.Context()); r.Err != nil || r.Warning != nil || len(r.Attempts) > 0 {
		t.Errorf("recovery: %+v", r)
	}
	reports, err := q.Retry(t.Context())
	must(t, err)
	if len(reports) > 0 {
		t.Errorf("retried %+v", reports)
	}
	wantLines(t, "evidence", w.lines(t))
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 sending ", "e1 hook2 1 sending ")
	for k, times := range sent.seen {
		if times != 1 {
			t.Errorf("%+v was sent %d times", k, times)
		}
	}
	// Events that come later are as usual.
	must(t, w.emit(t.Context(), "e2", 1, 1).Err)
	wantLines(t, "evidence", w.lines(t), "e2 hook1 1 delivered")
}

// recordFault is evidence whose first records fail, with either ending.
type recordFault struct {
	*evidence
	mu        sync.Mutex
	failures  int
	persisted bool
}

func (f *recordFault) Record(ctx context.Context, attempts ...delivery.Attempt) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures == 0 {
		return f.evidence.Record(ctx, attempts...)
	}
	f.failures--
	if f.persisted {
		return errors.Join(errRefused, f.evidence.Record(ctx, attempts...))
	}
	return errRefused
}

// Evidence that refuses as an attempt ends is asked again at the end of the
// command. What it then takes is as if nothing had been, once.
func TestRecordedAtTheSecondTry(t *testing.T) {
	for _, failures := range []int{1, 2} {
		for _, persisted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d failures, persisted %v", failures, persisted), func(t *testing.T) {
				w := newWorld(t, t.TempDir(), senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
					if d.Target.Name == "hook1" {
						return good
					}
					return down
				}))
				q := queue.New(queue.Options{
					Store: w.box, Audit: &recordFault{evidence: w.evidence, failures: failures, persisted: persisted},
					Sender: one(w.send), Policy: w.opts.Policy,
				})
				ev, ms := event("e1", 2)
				b, err := q.Submit(t.Context(), ev, ms)
				must(t, err)
				r := q.Drain(t.Context(), b)
				must(t, r.Err)
				if len(r.Unrecorded) > 0 || w.evidence.syncs != 1 {
					t.Errorf("%d syncs, unrecorded: %+v", w.evidence.syncs, r.Unrecorded)
				}
				wantLines(t, "states", states(r), "hook1 delivered 1", "hook2 failed 1")
				wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 delivered", "e1 hook2 1 server_error")
				wantLines(t, "pending", w.pending(t), "e1 hook2 1 pending server_error")
			})
		}
	}
}

// A stuck writer holds a command up for five seconds, not once per target,
// second try and orphan.
func TestEvidenceStuck(t *testing.T) {
	dir := t.TempDir()
	crash(t, dir, "e0", 2)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
			switch d.Target.Name {
			case "hook2":
				time.Sleep(3 * time.Second) //nolint:forbidigo // the fake clock's time
			case "hook3":
				time.Sleep(4 * time.Second) //nolint:forbidigo // the fake clock's time
			}
			return good
		}))
		w.evidence.stuck = true
		begin := time.Now()
		ev, ms := event("e1", 3)
		q := w.queue()
		b, err := q.Submit(t.Context(), ev, ms)
		must(t, err)
		r := q.Drain(t.Context(), b)
		if len(r.Unrecorded) != 3 || r.Err == nil || errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("%d unrecorded, error is %v", len(r.Unrecorded), r.Err)
		}
		if found := q.Recover(t.Context()); found.Err == nil || len(found.Attempts) > 0 {
			t.Errorf("recovery: %+v", found)
		}
		if took := time.Since(begin); took < 5*time.Second || took >= 6*time.Second {
			t.Errorf("took %v", took)
		}
		// A writer that is well again is waited for as before.
		w.evidence.stuck = false
		must(t, q.Recover(t.Context()).Err)
		wantLines(t, "evidence", w.lines(t), "e0 hook1 1 unknown_outcome", "e0 hook2 1 unknown_outcome")
		w.evidence.stuck = true
		begin = time.Now()
		if _, err := q.Discard(t.Context(), "e0", "x"); err == nil || time.Since(begin) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// Evidence that can't be synced is no evidence yet, and a later sync does not
// make it so. What the file holds in the end counts.
func TestSyncRefuses(t *testing.T) {
	w := newWorld(t, t.TempDir(), senderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
		if d.Target.Name == "hook1" {
			return good
		}
		return down
	}))
	w.opts.Jitter = func() float64 { return 0 }
	w.evidence.unsynced = errRefused
	r := w.emit(t.Context(), "e1", 2, 3)
	if !errors.Is(r.Err, errRefused) || len(r.Unrecorded) != 2 {
		t.Errorf("%d unrecorded, error is %v", len(r.Unrecorded), r.Err)
	}
	wantLines(t, "pending", w.pending(t), "e1 hook1 1 sending ", "e1 hook2 1 sending ")
	w.evidence.unsynced = nil
	must(t, w.box.Close()) // the process ends, and another begins
	found := recovered(t, w)
	if len(found) > 0 {
		t.Errorf("recovered %+v", found)
	}
	wantLines(t, "evidence", sorted(w.lines(t)), "e1 hook1 1 delivered", "e1 hook2 1 server_error")
	wantLines(t, "pending", w.pending(t), "e1 hook2 1 failed server_error")
}

// faulty is a store one of whose operations fails, with either ending.
type faulty struct {
	queue.Store
	op        string
	persisted bool
}

func (f *faulty) fail(op string, do func() error) error {
	if f.op != op {
		return do()
	}
	if f.persisted {
		return errors.Join(errRefused, do())
	}
	return errRefused
}

func (f *faulty) Claim(ctx context.Context, id string) (in delivery.Intent, err error) {
	err = f.fail("claim", func() error { in, err = f.Store.Claim(ctx, id); return err })
	return in, err
}

func (f *faulty) Add(ctx context.Context, in delivery.Intent) error {
	return f.fail("add", func() error { return f.Store.Add(ctx, in) })
}

func (f *faulty) Begin(ctx context.Context, in delivery.Intent) error {
	return f.fail("begin", func() error { return f.Store.Begin(ctx, in) })
}

func (f *faulty) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	return f.fail("finish", func() error { return f.Store.Finish(ctx, ds...) })
}

// Whatever fails, and whichever way, every attempt is on record exactly once
// when the next command has looked, and what is undelivered is still there.
func TestFaults(t *testing.T) {
	for _, op := range []string{"add", "begin", "finish"} {
		for _, persisted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, persisted %v", op, persisted), func(t *testing.T) {
				dir := t.TempDir()
				sent := newReceiver()
				w := newWorld(t, dir, sent.sender(func(d delivery.Delivery) delivery.Result {
					if d.Target.Name == "hook1" {
						return good
					}
					return down
				}))
				w.opts.Jitter = func() float64 { return 0 }
				w.store = &faulty{Store: w.box, op: op, persisted: persisted}
				r := w.emit(t.Context(), "e1", 2, 2)
				if !errors.Is(r.Err, errRefused) {
					t.Errorf("error is %v", r.Err)
				}
				must(t, w.box.Close())
				heir := newWorld(t, dir, nil)
				recovered(t, heir)
				sent.wantEvidence(t, heir)
				ds, err := heir.queue().Pending(t.Context())
				must(t, err)
				if op == "add" && !persisted {
					wantLines(t, "pending", heir.pending(t))
				} else if len(ds) != 1 || ds[0].Target.Name != "hook2" {
					t.Errorf("pending %q", heir.pending(t))
				}
			})
		}
	}
}

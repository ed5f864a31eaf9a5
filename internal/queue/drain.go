package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

const (
	// recordTime is how long a queue waits for other writers of the evidence,
	// from the first attempt that had to wait to the next that is recorded.
	recordTime = 5 * time.Second
	// recordGrace is what each record may wait all the same when recordTime is
	// used up: writers that are well have the lock for microseconds.
	recordGrace = 100 * time.Millisecond
	// settleTime bounds what is done after the command's own time is over.
	settleTime = 2 * recordTime
)

// errBusy is why a record was not waited for any longer.
var errBusy = errors.New("another process kept the evidence busy all the time; is one stopped or stuck?")

// Batch is an event that was submitted and waits for [Queue.Drain].
type Batch struct {
	event  events.Event
	intent delivery.Intent
	// before is how each delivery stands if its attempt is not begun.
	before []delivery.Delivery
	// attempts is how many each delivery may have in this command.
	attempts []int
	// stored says that the intent is in the store and claimed by us.
	stored bool
	// err is what could not be written so far.
	err error
}

// Submit puts an event and its messages on disk, claimed, each in its first
// attempt. The batch is never nil: with an error nothing is on disk, and
// [Queue.Drain] still attempts every target once and reports the error again.
func (q *Queue) Submit(ctx context.Context, ev events.Event, messages []Message) (*Batch, error) {
	b := &Batch{event: ev}
	if len(messages) == 0 {
		return b, nil
	}
	for _, d := range q.deliveries(ev, messages) {
		b.before = append(b.before, d)
		b.intent.Deliveries = append(b.intent.Deliveries, q.sending(d))
	}
	for _, m := range messages {
		b.attempts = append(b.attempts, max(1, m.Attempts))
	}
	// With no size a recovery reads the whole evidence, which is slow and right.
	size, sizeErr := q.opts.Audit.Size()
	b.intent.AuditOffset = size
	addErr := q.opts.Store.Add(ctx, b.intent)
	b.stored = addErr == nil
	b.err = errors.Join(wrap("read the size of the evidence", sizeErr), wrap("store the event", addErr))
	return b, b.err
}

// deliveries makes the deliveries of an event, Pending and due now.
func (q *Queue) deliveries(ev events.Event, messages []Message) []delivery.Delivery {
	now := q.opts.Now().UTC()
	ds := make([]delivery.Delivery, 0, len(messages))
	for _, m := range messages {
		d := delivery.Delivery{
			ID: delivery.NewID(ev, m.Target), Event: ev, Target: m.Target,
			Agent: m.Agent, ExecutionID: m.ExecutionID, Label: m.Label,
			ContentType: m.ContentType, Body: m.Body, FallbackBody: m.FallbackBody, Unmade: m.Unmade,
			Status: delivery.Pending, NextAt: now, ExpiresAt: m.ExpiresAt,
		}
		if d.Body == nil {
			d.Body = ev.Body
		}
		ds = append(ds, d)
	}
	return ds
}

// sending is d in its next attempt, which begins now.
func (q *Queue) sending(d delivery.Delivery) delivery.Delivery {
	d.Status, d.NextAt = delivery.Sending, q.opts.Now().UTC()
	d.Attempts++
	return d
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// course is what one delivery went through in one command.
type course struct {
	// d is how the delivery stands.
	d delivery.Delivery
	// made are the attempts, in order.
	made []delivery.Attempt
	// unrecorded are those of them that the evidence refused.
	unrecorded []delivery.Attempt
	// waiting says that the next attempt is left to a later process.
	waiting bool
	// unsynced is what kept the evidence from being synced, err anything else
	// that could not be written.
	unsynced, err error
}

// Drain attempts every delivery of b, side by side, until it is delivered,
// out of attempts, or a wait would end after the deadline of ctx; what is
// undelivered then stays in the store. When ctx is done, running attempts end
// as interrupted and are still recorded.
//
// A delivery whose attempt can't be recorded, not even at a second try, is not
// given back: nobody has it before the store is closed. [Queue.Recover] would
// say of it that its process died, while this one knows the outcome, and tells
// it in the report.
func (q *Queue) Drain(ctx context.Context, b *Batch) Report {
	courses := make([]course, len(b.intent.Deliveries))
	var running sync.WaitGroup
	for i := range courses {
		running.Go(func() { courses[i] = q.run(ctx, b, i) })
	}
	running.Wait()
	return q.settle(ctx, b, courses)
}

// run takes delivery i of b as far as this command may.
func (q *Queue) run(ctx context.Context, b *Batch, i int) course {
	if ctx.Err() != nil {
		return course{d: b.before[i]}
	}
	c := course{d: b.intent.Deliveries[i]}
	for q.attempt(ctx, &c, b.stored) && len(c.made) < b.attempts[i] && b.stored {
		if c.waiting = !wait(ctx, q.opts.Now(), c.d.NextAt); c.waiting {
			break
		}
		if !q.beginAgain(ctx, b, &c) {
			break
		}
	}
	return c
}

// attempt makes the attempt that c.d is in, records it and plans the next. It
// reports whether there is one. Without a record the delivery stays Sending:
// it must not be marked as done before there is evidence. It stays so too when
// the claim ended before it was sent: somebody else has it.
func (q *Queue) attempt(ctx context.Context, c *course, claimed bool) bool {
	a := delivery.Attempt{Delivery: c.d, Number: c.d.Attempts, At: q.opts.Now().UTC()}
	if a.Result, c.err = q.send(ctx, c.d, claimed); c.err != nil {
		return false
	}
	c.made = append(c.made, a)
	c.d.Tries = append(c.d.Tries, delivery.Try{Number: a.Number, At: a.At, Result: a.Result})
	if c.err = q.record(ctx, a); c.err != nil {
		c.unrecorded = append(c.unrecorded, a)
		return false
	}
	return q.plan(c, a)
}

// plan sets c.d to how it stands after a, its last attempt, which is on
// record. It reports whether there is to be another.
func (q *Queue) plan(c *course, a delivery.Attempt) bool {
	c.d = q.after(c.d, a)
	return c.d.Status == delivery.Pending
}

// after gives d as it stands after its attempt a: Delivered, Pending until the
// next attempt, or Failed.
func (q *Queue) after(d delivery.Delivery, a delivery.Attempt) delivery.Delivery {
	d.LastReason, d.LastMessage = a.Result.Reason, a.Result.Message
	if a.Result.Delivered {
		d.Status, d.NextAt = delivery.Delivered, time.Time{}
		return d
	}
	policy := q.opts.Policy
	policy.NotAfter = d.ExpiresAt
	next, again := policy.Next(a.Number, a.Result, q.opts.Now().UTC(), q.opts.Jitter)
	d.Status, d.NextAt = delivery.Failed, next
	if again {
		d.Status = delivery.Pending
	}
	return d
}

// send makes one attempt. A target that is gone is an outcome like any other.
// A claimed delivery is sent only while the claim stands, which is asked once
// more right before the first byte; the error is [delivery.ErrLost], and
// nothing was sent.
func (q *Queue) send(ctx context.Context, d delivery.Delivery, claimed bool) (delivery.Result, error) {
	sender := q.opts.Sender(d.Target)
	if sender == nil {
		return delivery.Result{
			Reason:  delivery.ReasonTargetGone,
			Message: fmt.Sprintf("Target %q is no longer in the configuration", d.Target.ID()),
		}, nil
	}
	var lost atomic.Bool
	to := ctx
	if claimed {
		to = delivery.WithGate(ctx, func() bool {
			if !q.opts.Store.Held(d.ID) {
				lost.Store(true)
			}
			return !lost.Load()
		})
	}
	if !delivery.GateOpen(to) {
		return delivery.Result{}, wrap("send", delivery.ErrLost)
	}
	r := sender.Send(to, d)
	if lost.Load() && !r.Delivered && r.Reason == delivery.ReasonInterrupted {
		return delivery.Result{}, wrap("send", delivery.ErrLost)
	}
	if !r.Delivered && r.Reason == "" && ctx.Err() != nil {
		r.Reason, r.Retry = delivery.ReasonInterrupted, true
	}
	return r, nil
}

// record writes evidence. It does so even when ctx is done: what was sent must
// not go unrecorded because somebody is in a hurry.
func (q *Queue) record(ctx context.Context, attempts ...delivery.Attempt) error {
	ctx, cancel := context.WithDeadlineCause(context.WithoutCancel(ctx), q.busy.begin(time.Now()), errBusy)
	defer cancel()
	err := q.opts.Audit.Record(ctx, attempts...)
	if err == nil {
		q.busy.clear()
	}
	return wrap("record the attempt", err)
}

// patience bounds how long one queue waits for the evidence in total. Targets
// end one after the other; if each waited for itself, a writer that is stuck
// would hold up the command once per target.
type patience struct {
	mu  sync.Mutex
	end time.Time // zero unless a record has been waited for since the last success
}

// begin returns until when a record that begins now may wait.
func (p *patience) begin(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end.IsZero() {
		p.end = now.Add(recordTime)
	}
	if least := now.Add(recordGrace); p.end.Before(least) {
		return least
	}
	return p.end
}

// clear says that the evidence can be had.
func (p *patience) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = time.Time{}
}

// wait waits until next, if that is before the deadline of ctx. It reports
// whether it did.
func wait(ctx context.Context, now, next time.Time) bool {
	if end, ok := ctx.Deadline(); ok && next.After(end) {
		return false
	}
	timer := time.NewTimer(next.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// beginAgain puts the next attempt of c.d on disk. The evidence of the last
// one is synced first: the store must never know more than the evidence.
func (q *Queue) beginAgain(ctx context.Context, b *Batch, c *course) bool {
	if c.unsynced = q.opts.Audit.Sync(); c.unsynced != nil {
		return false
	}
	next := q.sending(c.d)
	// The offset stays: other deliveries of the event can still be in an
	// attempt whose line is before the end of the evidence.
	in := delivery.Intent{AuditOffset: b.intent.AuditOffset, Deliveries: []delivery.Delivery{next}}
	if c.err = q.opts.Store.Begin(ctx, in); c.err != nil {
		c.err = wrap("store the next attempt", c.err)
		return false
	}
	next.Tries = nil // the store has them
	c.d = next
	return true
}

// settle syncs the evidence, gives the deliveries back and reports. One that
// is Sending has no record; it is not given back.
func (q *Queue) settle(ctx context.Context, b *Batch, courses []course) Report {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	q.recordAgain(ctx, b, courses)
	r := Report{Event: b.event}
	unsynced := wrap("sync the evidence", q.sync(courses))
	errs := []error{b.err, unsynced}
	kept := false
	var back []delivery.Delivery
	for _, c := range courses {
		if unsynced != nil && len(c.made) > 0 {
			c = uncertain(c)
		}
		o := outcome(c, b.stored)
		kept = kept || o.Kept
		r.Outcomes = append(r.Outcomes, o)
		r.Unrecorded = append(r.Unrecorded, c.unrecorded...)
		errs = append(errs, c.err)
		if c.d.Status != delivery.Sending {
			back = append(back, c.d)
		}
	}
	if b.stored {
		errs = append(errs, wrap("update the stored event", q.giveBack(ctx, back)))
	}
	if kept {
		warning, err := q.expire(ctx)
		r.Warning, errs = warning, append(errs, err)
	}
	r.Err = errors.Join(errs...)
	return r
}

// recordAgain tries once more to record what the evidence refused. What it
// holds already, because the first try failed after it wrote, is not recorded
// twice. When this fails too, the courses keep the errors of the first try.
func (q *Queue) recordAgain(ctx context.Context, b *Batch, courses []course) {
	var keys []delivery.AttemptKey
	for _, c := range courses {
		for _, a := range c.unrecorded {
			keys = append(keys, a.Key())
		}
	}
	if len(keys) == 0 {
		return
	}
	known, err := q.opts.Audit.Recorded(b.intent.AuditOffset, keys)
	if err != nil {
		return
	}
	var missing []delivery.Attempt
	for _, c := range courses {
		for _, a := range c.unrecorded {
			if _, ok := known[a.Key()]; !ok {
				missing = append(missing, a)
			}
		}
	}
	if len(missing) > 0 && q.record(ctx, missing...) != nil {
		return
	}
	for i := range courses {
		if c := &courses[i]; len(c.unrecorded) > 0 {
			q.plan(c, c.unrecorded[0]) // a course ends with the first
			c.unrecorded, c.err = nil, nil
		}
	}
}

// sync makes the evidence of these courses durable, if there is any. A sync
// that failed before is not made good by one that succeeds: the system
// reports lost writes once.
func (q *Queue) sync(courses []course) error {
	recorded := false
	for _, c := range courses {
		if c.unsynced != nil {
			return c.unsynced
		}
		recorded = recorded || len(c.made) > len(c.unrecorded)
	}
	if !recorded {
		return nil
	}
	return q.opts.Audit.Sync()
}

// uncertain gives c when its evidence may be lost: the delivery is Sending. A
// later process compares it with what the evidence then holds.
func uncertain(c course) course {
	last := c.made[len(c.made)-1]
	c.d, c.unrecorded = last.Delivery, c.made
	return c
}

func outcome(c course, stored bool) Outcome {
	o := Outcome{
		Target: c.d.Target, State: StateSkipped, Attempts: len(c.made),
		Kept: stored && c.d.Status != delivery.Delivered,
	}
	if c.d.Status == delivery.Pending {
		o.NextAt = c.d.NextAt
	}
	if len(c.made) == 0 {
		return o
	}
	o.Last = c.made[len(c.made)-1]
	switch {
	case o.Last.Result.Delivered:
		o.State = StateDelivered
	case c.waiting:
		o.State = StateQueued
	default:
		o.State = StateFailed
	}
	return o
}

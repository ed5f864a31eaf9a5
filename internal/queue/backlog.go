package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// sideBySide is how many events one retry sends at a time. The targets of
// each are attempted side by side too.
const sideBySide = 8

// Recover settles what dead processes left: an attempt that the evidence
// knows is settled as it says, every other one is recorded as
// unknown_outcome, once, and its delivery stays for a retry, or is due at once
// in a store that is shared, see Options.Shared. It does not touch
// what [Queue.Drain] left without a record, and after that does not wait for
// the evidence once more.
//
// Call it before a command that shows or retries the backlog, and after
// [Queue.Drain] in one that sends an event of its own: looking into a folder
// that is almost always empty takes no time worth saving by a goroutine, but
// when there is something to settle, the event at hand goes first.
func (q *Queue) Recover(ctx context.Context) Recovery {
	var r Recovery
	for {
		orphans, unread := q.opts.Store.Orphans(ctx)
		attempts, err := q.reconcile(ctx, orphans)
		r.Attempts = append(r.Attempts, attempts...)
		if err != nil || len(orphans) == 0 {
			r.Err, r.Warning = err, wrap("look for unfinished deliveries", unread)
			return r
		}
	}
}

// reconcile settles claimed intents with the evidence and gives them back.
func (q *Queue) reconcile(ctx context.Context, intents []delivery.Intent) ([]delivery.Attempt, error) {
	if len(intents) == 0 {
		return nil, nil
	}
	settle := learn
	if q.opts.Shared {
		settle = q.relearn
	}
	recorded, err := q.compare(ctx, intents, settle)
	var back []delivery.Delivery
	for _, in := range intents {
		back = append(back, in.Deliveries...)
	}
	return recorded, errors.Join(err, wrap("update the stored events", q.opts.Store.Finish(ctx, back...)))
}

// compare brings claimed intents up to what the evidence says, in place, by
// learn, and records what it does not say. After an error the deliveries
// concerned are still Sending.
func (q *Queue) compare(ctx context.Context, intents []delivery.Intent, learn func(*delivery.Delivery, map[delivery.AttemptKey]delivery.Reason)) ([]delivery.Attempt, error) {
	crashed, from := q.crashed(intents)
	if len(crashed) == 0 {
		return nil, nil
	}
	var keys []delivery.AttemptKey
	for _, a := range crashed {
		keys = append(keys, a.Key())
	}
	known, err := q.opts.Audit.Recorded(from, keys)
	if err != nil {
		return nil, wrap("read the evidence", err)
	}
	var unknown []delivery.Attempt
	for _, a := range crashed {
		if _, ok := known[a.Key()]; !ok {
			unknown = append(unknown, a)
		}
	}
	if len(unknown) > 0 {
		if err := q.record(ctx, unknown...); err != nil {
			return nil, err
		}
	}
	// What is known can be unsynced too: its writer died before it synced.
	if err := q.opts.Audit.Sync(); err != nil {
		return nil, wrap("sync the evidence", err)
	}
	for _, in := range intents {
		for i := range in.Deliveries {
			if d := &in.Deliveries[i]; d.Status == delivery.Sending {
				learn(d, known)
			}
		}
	}
	return unknown, nil
}

// crashed lists the attempts that were under way, as the unknown outcomes
// that they are unless the evidence knows better, and where to begin reading.
func (q *Queue) crashed(intents []delivery.Intent) (attempts []delivery.Attempt, from int64) {
	for _, in := range intents {
		for _, d := range in.Deliveries {
			if d.Status != delivery.Sending {
				continue
			}
			if len(attempts) == 0 || in.AuditOffset < from {
				from = in.AuditOffset
			}
			attempts = append(attempts, delivery.Attempt{Delivery: d, Number: d.Attempts, At: d.NextAt.UTC(), Result: unknownOutcome()})
		}
	}
	return attempts, from
}

func unknownOutcome() delivery.Result {
	return delivery.Result{
		Reason:  delivery.ReasonUnknownOutcome,
		Message: "The sending process died before it recorded the outcome",
	}
}

// learn sets d to how its attempt ended. A delivery is not sent again by
// itself after a crash: an operator decides.
func learn(d *delivery.Delivery, known map[delivery.AttemptKey]delivery.Reason) {
	reason, ok := known[delivery.Attempt{Delivery: *d, Number: d.Attempts}.Key()]
	if !ok {
		r := unknownOutcome()
		reason, d.LastMessage = r.Reason, r.Message
	}
	d.Status, d.LastReason, d.NextAt = delivery.Failed, reason, time.Time{}
	if reason == delivery.ReasonDelivered {
		d.Status = delivery.Delivered
	}
}

// Pending lists what is undelivered, the oldest event first, without the
// bytes to be sent. The list is good even with an error, which then names
// entries that can't be read.
func (q *Queue) Pending(ctx context.Context) ([]delivery.Delivery, error) {
	return q.opts.Store.List(ctx)
}

// Retry attempts the undelivered deliveries of the given events once more,
// now, with the bytes of the first attempt. With an id that is unknown
// ([delivery.ErrUnknown]) or being sent elsewhere ([delivery.ErrBusy])
// nothing is sent. Without ids it takes everything that nobody else has.
func (q *Queue) Retry(ctx context.Context, eventIDs ...string) ([]Report, error) {
	if len(eventIDs) > 0 {
		intents, err := q.claim(ctx, eventIDs)
		if err != nil {
			return nil, err
		}
		return q.each(len(intents), func(i int) (Report, bool) { return q.again(ctx, intents[i], undelivered), true }), nil
	}
	return q.retry(ctx, undelivered)
}

// RetryDue attempts once more what is Pending and due, and not too old, of
// everything that nobody else has.
func (q *Queue) RetryDue(ctx context.Context) ([]Report, error) {
	now := q.opts.Now()
	return q.retry(ctx, func(d delivery.Delivery) bool {
		return d.Status == delivery.Pending && !d.NextAt.After(now) && (d.ExpiresAt.IsZero() || !now.After(d.ExpiresAt))
	})
}

func undelivered(d delivery.Delivery) bool { return d.Status != delivery.Delivered }

// retry attempts what which chooses of everything that nobody else has.
func (q *Queue) retry(ctx context.Context, which func(delivery.Delivery) bool) ([]Report, error) {
	pending, err := q.pendingEvents(ctx, which)
	reports := q.each(len(pending), func(i int) (Report, bool) {
		if ctx.Err() != nil {
			return Report{}, false
		}
		in, err := q.opts.Store.Claim(ctx, pending[i].ID)
		if errors.Is(err, delivery.ErrBusy) || errors.Is(err, delivery.ErrUnknown) {
			return Report{}, false
		}
		if err != nil {
			return Report{Event: pending[i], Err: err}, true
		}
		return q.again(ctx, in, which), true
	})
	return reports, err
}

// each calls f for 0 to n-1, a few side by side, and returns what it gives in
// order.
func (q *Queue) each(n int, f func(int) (Report, bool)) []Report {
	all := make([]Report, n)
	has := make([]bool, n)
	slots := make(chan struct{}, sideBySide)
	var running sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			all[i], has[i] = f(i)
			<-slots
		})
	}
	running.Wait()
	var reports []Report
	for i, r := range all {
		if has[i] {
			reports = append(reports, r)
		}
	}
	return reports
}

// pendingEvents lists the events of [Queue.Pending] with a delivery that which
// chooses, each once, without Body.
func (q *Queue) pendingEvents(ctx context.Context, which func(delivery.Delivery) bool) ([]events.Event, error) {
	ds, err := q.Pending(ctx)
	var list []events.Event
	seen := make(map[string]bool)
	for _, d := range ds {
		if !seen[d.Event.ID] && which(d) {
			seen[d.Event.ID] = true
			list = append(list, d.Event)
		}
	}
	return list, err
}

// claim takes all of the given events or none.
func (q *Queue) claim(ctx context.Context, eventIDs []string) ([]delivery.Intent, error) {
	var intents []delivery.Intent
	var back []delivery.Delivery
	seen := make(map[string]bool)
	for _, id := range eventIDs {
		if seen[id] {
			continue
		}
		seen[id] = true
		in, err := q.opts.Store.Claim(ctx, id)
		if err != nil {
			return nil, errors.Join(err, q.giveBack(ctx, back))
		}
		intents = append(intents, in)
		back = append(back, in.Deliveries...)
	}
	return intents, nil
}

func (q *Queue) giveBack(ctx context.Context, ds []delivery.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	return q.opts.Store.Finish(context.WithoutCancel(ctx), ds...)
}

// again makes one more attempt at what which chooses of a claimed intent, and
// gives back the rest.
func (q *Queue) again(ctx context.Context, in delivery.Intent, which func(delivery.Delivery) bool) Report {
	report := Report{Event: in.Deliveries[0].Event}
	// The owner can have died after this command looked for orphans.
	if _, err := q.compare(ctx, []delivery.Intent{in}, learn); err != nil {
		report.Err = errors.Join(err, q.giveBack(ctx, in.Deliveries))
		return report
	}
	open, rest := split(in.Deliveries, which)
	if err := q.giveBack(ctx, rest); err != nil || len(open) == 0 {
		report.Err = err
		return report
	}
	b := &Batch{event: report.Event, stored: true, before: open, attempts: make([]int, len(open))}
	if b.err = q.begin(ctx, b, open); b.err != nil {
		// Unlike an alert in emit, nothing is lost by not sending: it is kept.
		report.Err = errors.Join(b.err, q.giveBack(ctx, open))
		return report
	}
	return q.Drain(ctx, b)
}

// split parts what which chooses from the rest.
func split(ds []delivery.Delivery, which func(delivery.Delivery) bool) (open, rest []delivery.Delivery) {
	for _, d := range ds {
		if which(d) {
			open = append(open, d)
		} else {
			rest = append(rest, d)
		}
	}
	return open, rest
}

// begin puts the next attempt of claimed deliveries on disk.
func (q *Queue) begin(ctx context.Context, b *Batch, ds []delivery.Delivery) error {
	size, err := q.opts.Audit.Size()
	if err != nil {
		return wrap("read the size of the evidence", err)
	}
	b.intent.AuditOffset = size
	for _, d := range ds {
		if d.Unmade && q.opts.Make != nil {
			d = q.opts.Make(ctx, d)
		}
		b.intent.Deliveries = append(b.intent.Deliveries, q.sending(d))
	}
	return wrap("store the next attempt", q.opts.Store.Begin(ctx, b.intent))
}

// Discard gives up on every undelivered delivery of an event, and records that
// with the reason discarded and why as the message, one line for people. It
// returns what was recorded, also with an error: then the store kept what the
// evidence says is gone. Without a record nothing is discarded. The error is
// [delivery.ErrUnknown] or [delivery.ErrBusy] when the event can't be had.
func (q *Queue) Discard(ctx context.Context, eventID, why string) ([]delivery.Attempt, error) {
	in, err := q.opts.Store.Claim(ctx, eventID)
	if err != nil {
		return nil, err
	}
	if _, err := q.compare(ctx, []delivery.Intent{in}, learn); err != nil {
		return nil, errors.Join(err, q.giveBack(ctx, in.Deliveries))
	}
	return q.giveUp(ctx, []delivery.Intent{in}, delivery.Result{Reason: delivery.ReasonDiscarded, Message: why})
}

// expire discards what the store does not want to keep any longer.
func (q *Queue) expire(ctx context.Context) (warning, err error) {
	stale, unread := q.opts.Store.Stale(ctx)
	if len(stale) > 0 {
		_, err = q.giveUp(ctx, stale, delivery.Result{
			Reason:  delivery.ReasonExpired,
			Message: "Undelivered for too long, or too many are",
		})
	}
	return wrap("look for old deliveries", unread), wrap("discard old deliveries", err)
}

// giveUp records r for every claimed delivery and discards it. What it returns
// is on record, even with an error. The record
// counts as the delivery's next attempt, so that its key is unique. A crash
// between the two makes the next one record it again: better twice than never.
func (q *Queue) giveUp(ctx context.Context, intents []delivery.Intent, r delivery.Result) ([]delivery.Attempt, error) {
	var back []delivery.Delivery
	var attempts []delivery.Attempt
	now := q.opts.Now().UTC()
	for _, in := range intents {
		for _, d := range in.Deliveries {
			back = append(back, d)
			if d.Status != delivery.Delivered {
				attempts = append(attempts, delivery.Attempt{Delivery: d, Number: d.Attempts + 1, At: now, Result: r})
			}
		}
	}
	err := q.record(ctx, attempts...)
	if err == nil {
		err = wrap("sync the evidence", q.opts.Audit.Sync())
	}
	if err != nil {
		return nil, errors.Join(err, q.giveBack(ctx, back))
	}
	for i := range back {
		if d := &back[i]; d.Status != delivery.Delivered {
			d.Status, d.NextAt, d.LastReason, d.LastMessage = delivery.Discarded, time.Time{}, r.Reason, r.Message
		}
	}
	return attempts, wrap("update the stored events", q.giveBack(ctx, back))
}

package queue

import (
	"context"
	"time"

	"agentxchain/internal/delivery"
)

// forgetAfter is how long a target is remembered after its last delivery.
const forgetAfter = 10 * time.Minute

// sweepUp looks after what dead processes left, until ctx is done.
func (r *Runner) sweepUp(ctx, writes context.Context) {
	ticker := time.NewTicker(r.o.Sweep)
	defer ticker.Stop()
	for {
		r.orphans(ctx, writes)
		select {
		case <-ctx.Done():
			return
		case <-r.sweep:
			// Not more often than this: what is due may only lack room.
			if !rest(ctx, min(lookSoon, r.o.Sweep)) {
				return
			}
		case <-ticker.C:
		}
	}
}

// watch looks after what takes too long in memory, until ctx is done.
func (r *Runner) watch(ctx context.Context) {
	ticker := time.NewTicker(suspicion / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			r.tidy(now)
		}
	}
}

// tidy gives back what has waited too long.
func (r *Runner) tidy(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor.suspect(now)
	// What could not be written is out of memory: one delivery finds out whether
	// it can be now.
	if r.floor.paused && r.floor.held() == r.floor.waiting {
		r.floor.probe = true
		signal(r.wake)
	}
	r.start()
	r.giveBack(r.floor.shed(func(j *job) bool { return now.Sub(j.since) > r.o.MaxWait }))
	r.floor.forget(now.Add(-forgetAfter))
}

// orphans settles what dead processes left: what the evidence has is how it
// ended, and the rest is recorded as unknown_outcome, once, and due again.
func (r *Runner) orphans(ctx, writes context.Context) {
	for ctx.Err() == nil {
		intents, unread := r.ledger.Orphans(ctx)
		if len(intents) == 0 {
			if ctx.Err() == nil {
				r.trouble(orphans, wrap("look for unfinished deliveries", unread))
			}
			return
		}
		recorded, err := r.q.compare(writes, intents, r.q.relearn)
		for _, a := range recorded {
			r.o.Attempted(a)
			r.o.Log.Warn("a process died while it sent a delivery; its outcome is unknown and it is sent again",
				"delivery_id", a.Delivery.ID, "event_id", a.Delivery.Event.ID, "target", a.Delivery.Target.ID())
		}
		var back []delivery.Delivery
		for _, in := range intents {
			back = append(back, in.Deliveries...)
		}
		lost, finishErr := lostIn(r.ledger.Finish(writes, back...))
		if lost > 0 {
			r.o.Lost(lost)
		}
		if err == nil {
			err = wrap("update the stored events", finishErr)
		}
		if r.trouble(orphans, err); err != nil {
			return // and again at the next sweep
		}
		signal(r.wake)
	}
}

// relearn sets d to how its attempt ended: Delivered, or as a failed attempt
// would leave it. What nobody knows is due at once, unless it is too old.
func (q *Queue) relearn(d *delivery.Delivery, known map[delivery.AttemptKey]delivery.Reason) {
	a := delivery.Attempt{Delivery: *d, Number: d.Attempts, At: d.NextAt.UTC(), Result: unknownOutcome()}
	reason, ok := known[a.Key()]
	if ok {
		a.Result = delivery.Result{
			Delivered: reason == delivery.ReasonDelivered, Reason: reason, Retry: !lasting(reason),
			Message: "Read from the evidence: the sending process died after it recorded the attempt",
		}
	}
	now := q.opts.Now().UTC()
	d.Tries = append(d.Tries, delivery.Try{Number: a.Number, At: a.At, Result: a.Result})
	if ok && reason != delivery.ReasonUnknownOutcome {
		*d = q.after(*d, a)
		return
	}
	d.Status, d.NextAt, d.LastReason, d.LastMessage = delivery.Pending, now, a.Result.Reason, a.Result.Message
	if !d.ExpiresAt.IsZero() && now.After(d.ExpiresAt) {
		d.Status, d.NextAt = delivery.Failed, time.Time{}
	}
}

// lasting reports that an attempt which ended so would end so again. The
// evidence does not say more than the reason.
func lasting(r delivery.Reason) bool {
	switch r {
	case delivery.ReasonServerError, delivery.ReasonThrottled, delivery.ReasonTimeout, delivery.ReasonDNS,
		delivery.ReasonRefused, delivery.ReasonReset, delivery.ReasonInterrupted, delivery.ReasonUnknownOutcome:
		return false
	}
	return true
}

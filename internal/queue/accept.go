package queue

import (
	"context"
	"slices"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// waiter is an Accept that waits for room.
type waiter struct {
	targets []string
	// room is what it was given when granted is closed; nil when the queue
	// stopped.
	room    []bool
	granted chan struct{}
}

// Accept stores an event for its targets, and begins to send it as far as
// there is room in memory. It returns when the event is durable, or with the
// store's error, such as [delivery.ErrExists]. It needs no running queue: what
// is stored is sent by whichever process runs one.
func (r *Runner) Accept(ctx context.Context, ev events.Event, messages []Message) error {
	_, err := r.accept(ctx, ev, messages, func(in delivery.Intent) (string, error) {
		return "", r.ledger.Add(ctx, in)
	})
	return err
}

// AcceptOnce is [Runner.Accept] under an idempotency key, see [Desk.AddOnce].
// An event without messages is not stored, and neither is its key.
func (r *Runner) AcceptOnce(ctx context.Context, key struct{ Key, Request [32]byte }, ev events.Event, messages []Message) (existing string, err error) {
	return r.accept(ctx, ev, messages, func(in delivery.Intent) (string, error) {
		return r.ledger.AddOnce(ctx, key, in)
	})
}

func (r *Runner) accept(ctx context.Context, ev events.Event, messages []Message, add func(delivery.Intent) (string, error)) (existing string, err error) {
	if len(messages) == 0 {
		return "", nil
	}
	ds := r.q.deliveries(ev, messages)
	targets := make([]string, len(ds))
	for i, d := range ds {
		targets[i] = d.Target.ID()
	}
	room, leave := r.reserve(ctx, targets)
	defer leave()
	since := time.Now()
	size, _ := r.q.opts.Audit.Size() // without it a recovery reads all
	in := delivery.Intent{AuditOffset: size, Deliveries: ds}
	for i := range ds {
		if room[i] {
			ds[i] = r.q.sending(ds[i])
		}
	}
	existing, err = add(in)
	stored := err == nil && existing == ""
	r.settleIn(ds, room, since, stored)
	if err != nil {
		return "", wrap("store the event", err)
	}
	if stored {
		r.o.Accepted(len(ds))
	}
	return existing, nil
}

// settleIn hands over what was stored and claimed, and gives up the room of
// what was not.
func (r *Runner) settleIn(ds []delivery.Delivery, room []bool, since time.Time, stored bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pending := false
	for i, d := range ds {
		if !room[i] {
			pending = pending || stored
			continue
		}
		r.floor.release(d.Target.ID())
		if stored {
			r.admit(&job{d: d, since: since, direct: true})
		}
	}
	r.start()
	if pending {
		r.floor.backlog = true
		signal(r.wake)
	}
	if !stored {
		r.freed()
	}
}

// reserve makes room in memory for deliveries to these targets, one by one,
// and says which have it. When there is none for a receiver that is well, it
// waits for some. The queue does not stop before leave is called.
func (r *Runner) reserve(ctx context.Context, targets []string) (room []bool, leave func()) {
	w := &waiter{targets: targets, granted: make(chan struct{})}
	r.mu.Lock()
	if r.state != running {
		r.mu.Unlock()
		return make([]bool, len(targets)), func() {}
	}
	r.entering.Add(1)
	if r.grant(w, r.o.AcceptWait <= 0) {
		r.mu.Unlock()
		return w.room, r.entering.Done
	}
	r.waiters = append(r.waiters, w)
	r.mu.Unlock()

	timer := time.NewTimer(r.o.AcceptWait)
	defer timer.Stop()
	select {
	case <-w.granted:
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.waiters, w); i >= 0 {
		r.waiters = slices.Delete(r.waiters, i, i+1)
		r.grant(w, true)
	}
	if w.room == nil {
		w.room = make([]bool, len(targets))
	}
	return w.room, r.entering.Done
}

// grant gives w what room there is, unless waiting for more is worth it; never
// says that it is not. The caller holds the lock.
func (r *Runner) grant(w *waiter, never bool) bool {
	room := make([]bool, len(w.targets))
	worth := false
	for i, t := range w.targets {
		var soon bool
		r.floor.lane(t).used = time.Now()
		room[i], soon = r.floor.reserve(t)
		worth = worth || soon
	}
	if worth && !never {
		for i, t := range w.targets {
			if room[i] {
				r.floor.release(t)
			}
		}
		return false
	}
	w.room = room
	return true
}

// freed gives room that was given up to those who wait for it. The caller
// holds the lock.
func (r *Runner) freed() {
	for len(r.waiters) > 0 && r.grant(r.waiters[0], false) {
		close(r.waiters[0].granted)
		r.waiters = r.waiters[1:]
	}
	if r.floor.backlog && r.floor.low() {
		signal(r.wake)
	}
}

// Retry sends one delivery again, at once, ahead of what waits: the same
// bytes, and the same record, its attempts counted on. It returns when the
// delivery is claimed; the error is one of [Desk.Retry], or [ErrStopped].
func (r *Runner) Retry(ctx context.Context, id string) error {
	if !r.enter() {
		return ErrStopped
	}
	defer r.entering.Done()
	since := time.Now()
	d, err := r.ledger.Retry(ctx, id)
	if err != nil {
		return wrap("retry the delivery", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.admit(&job{d: d, since: since, urgent: true})
	r.start()
	return nil // also when it has to wait for the next process that runs
}

// enter keeps the queue from stopping until entering.Done is called.
func (r *Runner) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != running {
		return false
	}
	r.entering.Add(1)
	return true
}

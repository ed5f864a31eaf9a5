//go:build unix

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/queue"
)

// nothing is a ledger that forgets everything at the end of the process. It
// shows what the queue and the evidence cost by themselves.
type nothing struct {
	mu    sync.Mutex
	due   []delivery.Delivery
	woken chan struct{}
}

func newNothing() *nothing { return &nothing{woken: make(chan struct{}, 1)} }

// Add implements [queue.Keeper].
func (n *nothing) Add(_ context.Context, in delivery.Intent) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keep(in.Deliveries)
	return nil
}

func (n *nothing) keep(ds []delivery.Delivery) {
	for _, d := range ds {
		if d.Status == delivery.Pending {
			n.due = append(n.due, d)
		}
	}
}

// AddOnce implements [queue.Desk]. Keys are not kept.
func (n *nothing) AddOnce(ctx context.Context, _ struct{ Key, Request [32]byte }, in delivery.Intent) (string, error) {
	return "", n.Add(ctx, in)
}

// Begin implements [queue.Keeper].
func (n *nothing) Begin(context.Context, delivery.Intent) error { return nil }

// Finish implements [queue.Keeper].
func (n *nothing) Finish(_ context.Context, ds ...delivery.Delivery) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keep(ds)
	return nil
}

// Held implements [queue.Keeper].
func (n *nothing) Held(string) bool { return true }

// Claim implements [queue.Backlog].
func (n *nothing) Claim(context.Context, string) (delivery.Intent, error) {
	return delivery.Intent{}, delivery.ErrUnknown
}

// Orphans implements [queue.Backlog].
func (n *nothing) Orphans(context.Context) ([]delivery.Intent, error) { return nil, nil }

// Stale implements [queue.Backlog].
func (n *nothing) Stale(context.Context) ([]delivery.Intent, error) { return nil, nil }

// List implements [queue.Lister].
func (n *nothing) List(context.Context) ([]delivery.Delivery, error) { return nil, nil }

// Take implements [queue.Taker]. It knows one time to be due: now.
func (n *nothing) Take(_ context.Context, q queue.Quota) ([]delivery.Delivery, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var taken, rest []delivery.Delivery
	given := map[string]int{}
	for _, d := range n.due {
		id := d.Target.ID()
		room, ok := q.Room[id]
		if !ok && q.PerTarget == 0 {
			room = q.Max
		} else if !ok {
			room = q.PerTarget
		}
		if len(taken) == q.Max || given[id] == room {
			rest = append(rest, d)
			continue
		}
		given[id]++
		d.Status, d.NextAt = delivery.Sending, time.Now()
		d.Attempts++
		taken = append(taken, d)
	}
	n.due = rest
	return taken, nil
}

// NextDue implements [queue.Taker].
func (n *nothing) NextDue(context.Context) (time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.due) == 0 {
		return time.Time{}, nil
	}
	return time.Now(), nil
}

// Woken implements [queue.Taker].
func (n *nothing) Woken() <-chan struct{} { return n.woken }

// Retry implements [queue.Desk].
func (n *nothing) Retry(context.Context, string) (delivery.Delivery, error) {
	return delivery.Delivery{}, errors.ErrUnsupported
}

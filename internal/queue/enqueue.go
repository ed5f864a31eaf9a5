package queue

import (
	"context"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// Enqueue stores an event for other processes to deliver, and attempts
// nothing. After an error nothing is stored.
func (q *Queue) Enqueue(ctx context.Context, ev events.Event, messages []Message) (Report, error) {
	size, _ := q.opts.Audit.Size() // without it a recovery reads all
	in := delivery.Intent{AuditOffset: size, Deliveries: q.deliveries(ev, messages)}
	if err := q.opts.Store.Add(ctx, in); err != nil {
		return Report{Event: ev}, wrap("store the event", err)
	}
	r := Report{Event: ev}
	for _, d := range in.Deliveries {
		r.Outcomes = append(r.Outcomes, Outcome{Target: d.Target, State: StateQueued, Kept: true, NextAt: d.NextAt})
	}
	return r, nil
}

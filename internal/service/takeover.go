package service

import (
	"context"
	"errors"
	"fmt"

	"agentxchain/internal/delivery"
)

// Outbox is where commands leave what they could not deliver.
type Outbox interface {
	// List returns the deliveries without their bytes.
	List(ctx context.Context) ([]delivery.Delivery, error)
	// Claim takes all deliveries of an event.
	Claim(ctx context.Context, eventID string) (delivery.Intent, error)
	// Finish gives claimed deliveries back; Discarded ones leave the outbox.
	Finish(ctx context.Context, ds ...delivery.Delivery) error
}

// Log is the part of the delivery log that takes over deliveries.
type Log interface {
	// Add stores an event's deliveries; [delivery.ErrExists] when it has them.
	Add(ctx context.Context, in delivery.Intent) error
}

// TakeOver moves what commands left in the outbox to the log, where the
// workers of this process deliver it, and returns how many deliveries it
// moved. Call it after what dead processes left was settled: it leaves alone
// what is still Sending.
//
// The log has a delivery before the outbox loses it. After a crash between the
// two both have it, and the next call finds that out.
func TakeOver(ctx context.Context, from Outbox, to Log) (int, error) {
	list, err := from.List(ctx)
	errs := []error{err}
	moved, seen := 0, map[string]bool{}
	for _, d := range list {
		if seen[d.Event.ID] || d.Status == delivery.Sending || ctx.Err() != nil {
			continue
		}
		seen[d.Event.ID] = true
		n, err := takeEvent(ctx, from, to, d.Event.ID)
		moved += n
		if err != nil {
			errs = append(errs, fmt.Errorf("take over event %q: %w", d.Event.ID, err))
		}
	}
	return moved, errors.Join(errs...)
}

func takeEvent(ctx context.Context, from Outbox, to Log, eventID string) (int, error) {
	in, err := from.Claim(ctx, eventID)
	switch {
	case errors.Is(err, delivery.ErrBusy), errors.Is(err, delivery.ErrUnknown):
		return 0, nil // somebody else is at it, or was
	case err != nil:
		return 0, err
	}
	back := in.Deliveries
	for _, d := range back {
		if d.Status == delivery.Sending { // a crash that was not yet settled
			return 0, from.Finish(context.WithoutCancel(ctx), back...)
		}
	}
	err = to.Add(ctx, renamed(in))
	if err != nil && !errors.Is(err, delivery.ErrExists) {
		return 0, errors.Join(err, from.Finish(context.WithoutCancel(ctx), back...))
	}
	for i := range back {
		back[i].Status = delivery.Discarded
	}
	return len(back), from.Finish(context.WithoutCancel(ctx), back...)
}

// renamed gives in with the ids that the log knows deliveries by. Outboxes of
// earlier releases number them.
func renamed(in delivery.Intent) delivery.Intent {
	ds := make([]delivery.Delivery, len(in.Deliveries))
	for i, d := range in.Deliveries {
		d.ID = delivery.NewID(d.Event, d.Target)
		ds[i] = d
	}
	return delivery.Intent{AuditOffset: in.AuditOffset, Deliveries: ds}
}

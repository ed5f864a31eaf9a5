package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"agentxchain/internal/delivery"
	"agentxchain/internal/dispatch"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
	"agentxchain/internal/server"
)

// Accept mints the event of an emission and returns when its deliveries are
// durable; this process, or another that shares the database, makes them. The
// errors are those of [server.Desk].
func (s *Service) Accept(ctx context.Context, e server.Emission) (server.Accepted, error) {
	event, err := s.mint(e)
	if err != nil {
		return server.Accepted{}, err
	}
	routes := s.opts.Pipeline.Routes(e.Event, dispatch.Agent(event))
	messages, warnings := s.opts.Pipeline.Messages(ctx, event, routes)
	for _, w := range warnings {
		s.opts.Log.Warn(w.Error(), "event_id", event.ID)
	}
	stored, err := s.store(ctx, e, event, messages)
	if err != nil {
		return server.Accepted{}, err
	}
	if stored != "" {
		return s.replay(ctx, stored)
	}
	done := server.Accepted{EventID: event.ID, EmittedAt: event.EmittedAt, EventType: events.Type(event.Type)}
	for _, m := range messages {
		done.Deliveries = append(done.Deliveries, server.AcceptedDelivery{
			ID: delivery.NewID(event, m.Target), Channel: m.Target.Channel, Target: cmp.Or(m.Label, m.Target.Name), Status: delivery.Pending,
		})
	}
	return done, nil
}

func (s *Service) mint(e server.Emission) (events.Event, error) {
	run := e.Run
	event, warnings, err := events.Mint(events.Input{Type: e.Event, Now: s.opts.Now(), Agent: &run})
	if err != nil {
		return event, &server.InvalidError{Detail: err.Error()}
	}
	for _, w := range warnings {
		s.opts.Log.Debug(w.Field+": "+w.Message, "event_id", event.ID)
	}
	return event, nil
}

// store accepts the event. earlier is the event that came before with the same
// idempotency key; empty when there was none.
func (s *Service) store(ctx context.Context, e server.Emission, event events.Event, messages []queue.Message) (earlier string, err error) {
	if e.Key == [32]byte{} {
		return "", s.runner.Accept(ctx, event, messages)
	}
	return s.runner.AcceptOnce(ctx, key{e.Key, e.Request}, event, messages)
}

// Send accepts an event of this project, to be delivered at once. The error is
// [delivery.ErrExists] when it was accepted before.
func (s *Service) Send(ctx context.Context, event events.Event, routes []routing.Route) error {
	messages, warnings := s.opts.Pipeline.Messages(ctx, event, routes)
	for _, w := range warnings {
		s.opts.Log.Warn(w.Error(), "event_id", event.ID)
	}
	return s.runner.Accept(ctx, event, messages)
}

// replay answers for an event that was accepted before, as its rows stand.
func (s *Service) replay(ctx context.Context, eventID string) (server.Accepted, error) {
	done := server.Accepted{EventID: eventID, Replayed: true}
	list, err := s.kept.Rows.Page(ctx, delivery.Filter{EventID: eventID}, delivery.Page{Limit: replayed})
	if err != nil {
		return done, fmt.Errorf("look up the event of the idempotency key: %w", err)
	}
	if len(list) == 0 {
		return done, errors.Join(delivery.ErrKeyReused, errors.New("what it accepted is no longer kept"))
	}
	for _, r := range list {
		done.EmittedAt, done.EventType = r.Event.EmittedAt, events.Type(r.Event.Type)
		done.Deliveries = append(done.Deliveries, server.AcceptedDelivery{
			ID: r.ID, Channel: r.Target.Channel, Target: r.LabelOrName(), Status: r.Status,
		})
	}
	return done, nil
}

// replayed is how many deliveries of one event an answer lists at most.
const replayed = 200

// key is an idempotency key with the digest of what was asked for.
type key = struct{ Key, Request [32]byte }

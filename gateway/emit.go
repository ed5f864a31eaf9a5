package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"agentxchain/internal/dispatch"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/queue"
)

// Type is how an agent run ended.
type Type string

// The ends of an agent run, as the guide spells them.
const (
	OnComplete Type = "on_complete"
	OnError    Type = "on_error"
	OnTimeout  Type = "on_timeout"
)

// Event tells how an agent run ended.
type Event struct {
	// Type is required.
	Type Type
	// Agent is the agent's directory name, whose rules apply. They need a
	// gateway.yaml in the project, which may be empty.
	Agent string
	// ExecutionID and SessionID identify the run and the conversation.
	ExecutionID, SessionID string
	// Status is the runner's own word for how it ended, such as "cancelled";
	// empty means the usual word for Type.
	Status string
	// Message is what the agent was asked.
	Message string
	// Output is what it answered, anything that [json.Marshal] takes; nil when
	// there is nothing.
	Output any
	// Error is what went wrong.
	Error string
	// Duration is how long the run took; 0 when not known.
	Duration time.Duration
}

// Outcome is what became of an event at one target.
type Outcome struct {
	// Target is a webhook's name or a Slack channel, Channel "webhook" or "slack".
	Target, Channel string
	// Delivered says that the target has the event.
	Delivered bool
	// Queued says that it is kept and will be tried again: by a process that
	// serves, or by `agentxchain notify retry`.
	Queued bool
	// Reason classifies what happened last, such as "delivered", "rejected" or
	// "blocked"; docs/audit-format.md lists them. It is empty when no attempt
	// was made.
	Reason string
	// Message says it in words, without secrets.
	Message string
	// Attempts counts the attempts made now, at most three.
	Attempts int
	// FallbackBody says that the built-in body was sent because a template gave none.
	FallbackBody bool
}

// Result is what became of an event.
type Result struct {
	// EventID is the event's identity, which receivers get as webhook-id.
	EventID string
	// Outcomes has one entry per target.
	Outcomes []Outcome
}

// Emit sends an event to every target that is to have it, and returns when
// each was delivered or given up for now; what is undelivered can be sent
// again with `agentxchain notify retry`. It takes at most [Options.Deadline],
// and less when ctx ends before. Every attempt is on record in
// .agentxchain/notification-audit.jsonl. That a target could not be reached is
// no error, but a part of the result. The error says what was configured
// wrongly, or that the record could not be written; then the result is valid
// all the same.
func (g *Gateway) Emit(ctx context.Context, e Event) (Result, error) {
	p, err := g.start()
	if err != nil {
		return Result{}, err
	}
	defer g.running.Done()
	ctx, cancel := context.WithTimeout(ctx, g.options.Deadline)
	defer cancel()
	event, err := g.mint(e)
	if err != nil {
		return Result{}, err
	}
	routes := p.Routes(events.Type(event.Type), dispatch.Agent(event))
	report, warnings := p.Emit(ctx, event, routes, 0)
	for _, w := range warnings {
		g.options.Warn(w.Error())
	}
	return result(report), report.Err
}

// start returns the pipeline, which the first call makes. Without an error the
// caller counts as running, and has to say when it is done.
func (g *Gateway) start() (*pipeline.Pipeline, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil, ErrClosed
	case len(g.problems) > 0:
		return nil, errors.Join(g.problems...)
	case g.pipeline == nil:
		p, err := g.open()
		if err != nil {
			return nil, err
		}
		g.pipeline = p
	}
	g.running.Add(1)
	return g.pipeline, nil
}

func (g *Gateway) open() (*pipeline.Pipeline, error) {
	o := pipeline.Options{
		Root: g.root, Governed: g.governed.Webhooks, LookupEnv: g.env.Lookup, Channels: &g.channels,
		Getenv: os.Getenv, Version: "go", Now: g.options.Now, Database: g.database,
	}
	if g.adjust != nil {
		g.adjust(&o)
	}
	return pipeline.New(o)
}

func (g *Gateway) mint(e Event) (events.Event, error) {
	t, err := events.ParseType(string(e.Type))
	if err != nil {
		return events.Event{}, err
	}
	run := &events.AgentRun{
		Name: e.Agent, ExecutionID: e.ExecutionID, SessionID: e.SessionID, Status: e.Status,
		Message: e.Message, Error: e.Error, DurationMS: e.Duration.Milliseconds(),
	}
	if e.Output != nil {
		b, err := json.Marshal(e.Output)
		if err != nil {
			return events.Event{}, fmt.Errorf("output: %w", err)
		}
		if run.Output, err = ecmajson.Parse(b, ecmajson.Options{MaxDepth: events.MaxDepth}); err != nil {
			return events.Event{}, fmt.Errorf("output: %w", err)
		}
	}
	event, warnings, err := events.Mint(events.Input{Type: t, Now: g.options.Now(), Agent: run})
	for _, w := range warnings {
		g.options.Warn(w.Field + ": " + w.Message)
	}
	return event, err
}

func result(r queue.Report) Result {
	out := Result{EventID: r.Event.ID}
	for _, o := range r.Outcomes {
		last := o.Last
		out.Outcomes = append(out.Outcomes, Outcome{
			Target: o.Target.Name, Channel: string(o.Target.Channel),
			Delivered: o.State == queue.StateDelivered, Queued: o.State == queue.StateQueued, Reason: string(last.Result.Reason), Message: last.Result.Message,
			Attempts: o.Attempts, FallbackBody: last.Delivery.FallbackBody,
		})
	}
	return out
}

// Close refuses further events with [ErrClosed], waits for the calls of
// [Gateway.Emit] that run, and gives up what the gateway holds; the error says
// what could not be. To wait less, end the contexts of those calls first.
// Options.Warn must not call it. Only the first call does anything.
func (g *Gateway) Close() error {
	g.mu.Lock()
	p := g.pipeline
	g.closed, g.pipeline = true, nil
	g.mu.Unlock()
	// Their claims are the pipeline's: without them what they deliver could
	// not be taken from the store, and would be told as left by the dead.
	g.running.Wait()
	if p == nil {
		return nil
	}
	return p.Close()
}

//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/egress"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
	"agentxchain/internal/secret"
	"agentxchain/internal/webhook"
)

const (
	// workers is how many deliveries are sent at once, with a database or
	// without; accepts is how many callers wait for theirs to be durable.
	workers = 64
	accepts = 256

	// The engines: two databases, and what forgets everything.
	sqlite   = "sqlite"
	postgres = "postgresql"
	memory   = "nothing kept"

	configFile = "gateway.yaml"
	// requestTime limits one request.
	requestTime = 5 * time.Second
	// patience is how long a row may wait for what must happen.
	patience = 2 * time.Minute
)

// traffic makes events and sends them: the part that needs no database.
type traffic struct {
	sender  *webhook.Sender
	targets []delivery.Target
	// padding fills a body up to a kilobyte.
	padding string
	made    atomic.Int64
}

// newTraffic sends to the given addresses, through the same guard of the same
// tier as a webhook of agentxchain.json, signed as one of gateway.yaml.
func newTraffic(urls []string) *traffic {
	t := &traffic{padding: strings.Repeat("x", 850)}
	var hooks []webhook.Config
	for i, u := range urls {
		name := fmt.Sprintf("hook-%d", i)
		hooks = append(hooks, webhook.Config{
			Name: name, URL: secret.New(u), Timeout: requestTime,
			Secrets: []secret.Text{secret.New("bench-secret-of-thirty-two-bytes")},
		})
		t.targets = append(t.targets, delivery.Target{File: configFile, Channel: delivery.Webhook, Name: name})
	}
	guard := egress.New(egress.Config{Tier: egress.Governed})
	t.sender = webhook.NewSender(webhook.Options{Webhooks: hooks, Transport: guard.Transport(), Version: "bench", EventID: true})
	return t
}

// next makes an event and its one message, to the targets in turn.
func (t *traffic) next() (events.Event, queue.Message, error) {
	n := t.made.Add(1)
	return t.to(t.targets[n%int64(len(t.targets))])
}

func (t *traffic) to(target delivery.Target) (events.Event, queue.Message, error) {
	run := events.AgentRun{Name: "bench", ExecutionID: fmt.Sprintf("exec_%d", t.made.Add(1)), Message: t.padding}
	ev, _, err := events.Mint(events.Input{Type: events.OnComplete, Now: time.Now(), Agent: &run})
	body := fmt.Appendf(nil, `{"event":"execution.completed","event_id":%q,"execution_id":%q,"agent_id":"bench","message":%q}`, ev.ID, run.ExecutionID, t.padding)
	return ev, queue.Message{
		Target: target, Agent: run.Name, ExecutionID: run.ExecutionID, Label: target.Name,
		ContentType: "application/json", Body: body, ExpiresAt: time.Now().Add(72 * time.Hour),
	}, err
}

// send makes an event and sends it, with nothing kept.
func (t *traffic) send(ctx context.Context) error {
	ev, m, err := t.next()
	if err != nil {
		return err
	}
	res := t.sender.Send(ctx, delivery.Delivery{
		ID: delivery.NewID(ev, m.Target), Event: ev, Target: m.Target,
		ContentType: m.ContentType, Body: m.Body, Status: delivery.Sending, Attempts: 1,
	})
	if !res.Delivered {
		return fmt.Errorf("send: %s", res.Message)
	}
	return nil
}

// crowd calls do in so many goroutines, again and again until more says no,
// and returns the first error.
func crowd(n int, more func() bool, do func() error) error {
	var wg sync.WaitGroup
	var failed atomic.Bool
	errs := make(chan error, n)
	for range n {
		wg.Go(func() {
			for !failed.Load() && more() {
				if err := do(); err != nil {
					failed.Store(true)
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// countdown is a more for crowd: n calls in all.
func countdown(n int64) func() bool {
	left := new(atomic.Int64)
	left.Store(n)
	return func() bool { return left.Add(-1) >= 0 }
}

// ledger is a store that counts what it finished, and can be closed.
type ledger struct {
	queue.RunLedger
	close func() error
	// delivered counts durable outcomes; target is what counts, nil for all.
	delivered atomic.Int64
	counts    func(delivery.Delivery) bool
}

// Finish implements [queue.Keeper].
func (l *ledger) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	err := l.RunLedger.Finish(ctx, ds...)
	if err == nil {
		n := 0
		for _, d := range ds {
			if d.Status == delivery.Delivered && (l.counts == nil || l.counts(d)) {
				n++
			}
		}
		l.delivered.Add(int64(n))
	}
	return err
}

// openLedger opens a new, empty database of one engine in dir.
func (b *bed) openLedger(ctx context.Context, engine, dir string) (*ledger, error) {
	if engine == memory {
		return &ledger{RunLedger: newNothing(), close: func() error { return nil }}, nil
	}
	if engine == sqlite {
		return openStore(ctx, "sqlite:///deliveries.db", dir, "bench")
	}
	if b.cluster == nil {
		return nil, fmt.Errorf("PostgreSQL is %w", errAbsent)
	}
	name, err := b.cluster.Create(ctx)
	if err != nil {
		return nil, err
	}
	return openStore(ctx, b.cluster.URL(name), dir, "bench")
}

// rig is a process that serves, without its face: a runner over a ledger, with
// its evidence on disk.
type rig struct {
	*traffic
	ledger *ledger
	audit  *audit.Log
	runner *queue.Runner
	failed atomic.Int64
	cancel context.CancelFunc
	ended  chan error
}

// newRig prepares one; start begins to deliver.
func (b *bed) newRig(ctx context.Context, engine string, t *traffic) (*rig, error) {
	dir, err := b.fresh()
	if err != nil {
		return nil, err
	}
	l, err := b.openLedger(ctx, engine, dir)
	if err != nil {
		return nil, err
	}
	own := func() (string, error) { return dir, nil }
	r := &rig{traffic: t, ledger: l, audit: audit.New(filepath.Join(dir, "notification-audit.jsonl"), audit.Options{OwnDir: own})}
	r.runner = queue.NewRunner(l, queue.Options{
		Audit: r.audit, Sender: func(delivery.Target) queue.Sender { return t.sender }, Policy: delivery.DefaultSchedule(),
	}, queue.RunOptions{
		Workers: workers, Grace: 100 * time.Millisecond,
		Attempted: func(a delivery.Attempt) {
			if !a.Result.Delivered {
				r.failed.Add(1)
			}
		},
	})
	return r, nil
}

func (r *rig) start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.runner.Run(ctx) }()
}

// stop ends the delivering, if it was begun, and closes everything.
func (r *rig) stop() error {
	var err error
	if r.cancel != nil {
		r.cancel()
		err = <-r.ended
	}
	return errors.Join(err, r.audit.Close(), r.ledger.close())
}

// accept makes an event and returns when it is durable.
func (r *rig) accept(ctx context.Context) error {
	ev, m, err := r.next()
	if err != nil {
		return err
	}
	return r.runner.Accept(ctx, ev, []queue.Message{m})
}

// wait waits until so many deliveries are durably done.
func (r *rig) wait(ctx context.Context, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.ledger.delivered.Load() < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d deliveries were made, %d attempts failed", r.ledger.delivered.Load(), n, r.failed.Load())
		}
	}
	return nil
}

// whole proves the work: nothing failed and the receivers have it all.
func (r *rig) whole(ctx context.Context, b *bed, before, n int64) error {
	got, err := b.sinks.got(ctx)
	if err != nil {
		return err
	}
	if failed := r.failed.Load(); failed > 0 || got-before < n {
		return fmt.Errorf("%d attempts failed, the receivers have %d of %d", failed, got-before, n)
	}
	return nil
}

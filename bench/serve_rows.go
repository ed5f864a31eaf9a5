//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/queue"
)

const (
	// warm is how long a steady run is not counted, window how long it is.
	warm   = 500 * time.Millisecond
	window = 2 * time.Second
	// backlog is how many deliveries wait in the rows about backlogs.
	backlog = 10_000
)

// steadyRow compares what is accepted and delivered all the time, each
// delivery durable twice, with the same sender that keeps nothing.
func steadyRow(engine string) func(context.Context, *bed) (outcome, error) {
	return func(ctx context.Context, b *bed) (outcome, error) {
		t := newTraffic(b.sinks.urls)
		figures, err := inTurn(b.rounds(),
			func() (float64, error) { return b.steady(ctx, engine, t) },
			func() (float64, error) { return steadyWithout(ctx, t) })
		if err != nil {
			return outcome{}, err
		}
		return compared(figures, "/s"), nil
	}
}

// steady returns the deliveries a second that were durably done while callers
// accepted as fast as they could.
func (b *bed) steady(ctx context.Context, engine string, t *traffic) (rate float64, err error) {
	r, err := b.newRig(ctx, engine, t)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	before, err := b.sinks.got(ctx)
	if err != nil {
		return 0, err
	}
	r.start(ctx)
	var accepted atomic.Int64
	var over atomic.Bool
	crowded := make(chan error, 1)
	go func() {
		crowded <- crowd(accepts, func() bool { return !over.Load() }, func() error {
			err := r.accept(ctx)
			if err == nil {
				accepted.Add(1)
			}
			return err
		})
	}()
	time.Sleep(warm)
	from, begin := r.ledger.delivered.Load(), time.Now()
	time.Sleep(window)
	rate = perSecond(r.ledger.delivered.Load()-from, time.Since(begin))
	over.Store(true)
	if err := <-crowded; err != nil {
		return 0, err
	}
	if err := r.wait(ctx, accepted.Load()); err != nil {
		return 0, err
	}
	return rate, r.whole(ctx, b, before, accepted.Load())
}

func steadyWithout(ctx context.Context, t *traffic) (float64, error) {
	var sent atomic.Int64
	var over atomic.Bool
	crowded := make(chan error, 1)
	go func() {
		crowded <- crowd(workers, func() bool { return !over.Load() }, func() error {
			err := t.send(ctx)
			sent.Add(1)
			return err
		})
	}()
	time.Sleep(warm)
	from, begin := sent.Load(), time.Now()
	time.Sleep(window)
	rate := perSecond(sent.Load()-from, time.Since(begin))
	over.Store(true)
	return rate, <-crowded
}

// backlogRow compares the delivering of what waits in the database with the
// sending of as many that wait nowhere.
func backlogRow(engine string) func(context.Context, *bed) (outcome, error) {
	return func(ctx context.Context, b *bed) (outcome, error) {
		t := newTraffic(b.sinks.urls)
		figures, err := inTurn(b.rounds(),
			func() (float64, error) { return b.drain(ctx, engine, t, backlog, nil) },
			func() (float64, error) {
				begin := time.Now()
				err := crowd(workers, countdown(backlog), func() error { return t.send(ctx) })
				return perSecond(backlog, time.Since(begin)), err
			})
		if err != nil {
			return outcome{}, err
		}
		return compared(figures, "/s"), nil
	}
}

// drain fills a database and returns the rate at which what it holds is
// delivered. Of every ten deliveries one goes to also, if that is given, and
// is not counted.
func (b *bed) drain(ctx context.Context, engine string, t *traffic, n int64, also *delivery.Target) (rate float64, err error) {
	r, err := b.newRig(ctx, engine, t)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ignoreLeft(r.stop(), also)) }()
	if also != nil {
		r.ledger.counts = func(d delivery.Delivery) bool { return d.Target != *also }
	}
	before, err := b.sinks.got(ctx)
	if err != nil {
		return 0, err
	}
	var made atomic.Int64
	err = crowd(accepts, countdown(n), func() error {
		if also != nil && made.Add(1)%9 == 0 {
			if err := r.acceptFor(ctx, *also); err != nil {
				return err
			}
		}
		return r.accept(ctx)
	})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	r.start(ctx)
	if err := r.wait(ctx, n); err != nil {
		return 0, err
	}
	rate = perSecond(n, time.Since(begin))
	if also != nil {
		return rate, nil
	}
	return rate, r.whole(ctx, b, before, n)
}

// ignoreLeft drops the complaint about attempts at a dead receiver that were
// cut short.
func ignoreLeft(err error, dead *delivery.Target) error {
	if dead != nil {
		return nil
	}
	return err
}

func (r *rig) acceptFor(ctx context.Context, target delivery.Target) error {
	ev, m, err := r.to(target)
	if err != nil {
		return err
	}
	return r.runner.Accept(ctx, ev, []queue.Message{m})
}

// nineRow compares the rate at nine receivers while a tenth takes requests
// and never answers with the rate at the nine alone.
func nineRow(ctx context.Context, b *bed) (outcome, error) {
	dead := newTraffic(append(slices.Clone(b.sinks.urls[:9]), b.sinks.urls[9]+"/dead"))
	tenth := dead.targets[9]
	dead.targets = dead.targets[:9]
	alone := newTraffic(b.sinks.urls[:9])
	figures, err := inTurn(b.rounds(),
		func() (float64, error) { return b.drain(ctx, sqlite, dead, backlog, &tenth) },
		func() (float64, error) { return b.drain(ctx, sqlite, alone, backlog, nil) })
	if err != nil {
		return outcome{}, err
	}
	return compared(figures, "/s"), nil
}

// idleRow measures one delivery at a time: from the call of Accept to the
// receiver, which is in this process so that one clock serves both ends.
func idleRow(engine string) func(context.Context, *bed) (outcome, error) {
	return func(ctx context.Context, b *bed) (o outcome, err error) {
		arrived := make(chan time.Time, 1)
		url, stop, err := hereReceiver(ctx, arrived)
		if err != nil {
			return o, err
		}
		defer stop()
		r, err := b.newRig(ctx, engine, newTraffic([]string{url}))
		if err != nil {
			return o, err
		}
		defer func() { err = errors.Join(err, r.stop()) }()
		r.start(ctx)
		var took []float64
		for i := range 220 {
			time.Sleep(10 * time.Millisecond)
			begin := time.Now()
			if err := r.accept(ctx); err != nil {
				return o, err
			}
			select {
			case at := <-arrived:
				if i >= 20 {
					took = append(took, at.Sub(begin).Seconds()*1000)
				}
			case <-time.After(patience):
				return o, errors.New("a delivery did not arrive")
			}
		}
		slices.Sort(took)
		o.value = took[len(took)/2]
		o.ours = fmt.Sprintf("%.1f ms, p99 %.1f ms", o.value, took[len(took)*99/100])
		o.other = "–"
		return o, nil
	}
}

func hereReceiver(ctx context.Context, arrived chan<- time.Time) (url string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			arrived <- at
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	return "http://" + l.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

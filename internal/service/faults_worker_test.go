//go:build linux

package service

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/pgtest"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/server"
	"agentxchain/internal/store"
	"agentxchain/internal/webhook"
)

// workerEnv makes a re-executed test binary a process that serves a project;
// its value is a workerOrder as JSON.
const workerEnv = "AGENTXCHAIN_SERVICETEST_WORKER"

func TestMain(m *testing.M) {
	if order := os.Getenv(workerEnv); order != "" {
		if err := work(order, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(pgtest.Main(m))
}

// targets are the webhooks of a worker; every event goes to all of them.
var targets = []string{"t0", "t1", "t2", "t3"}

// workerOrder is what a worker is told at its start.
type workerOrder struct {
	// Dir is its project, URL its database, Receiver where its webhooks go.
	Dir, URL, Receiver string
	// Lease is how long its claims last, Timeout the limit of a request.
	Lease, Timeout time.Duration
	// Steps are the schedule of further attempts.
	Steps []time.Duration
}

// movable is a clock that can be moved, as a machine's can.
type movable struct{ by atomic.Int64 }

func (c *movable) now() time.Time { return time.Now().Add(time.Duration(c.by.Load())) }

// worker serves a project as `serve` does.
type worker struct {
	clock   movable
	service *Service
	speak   sync.Mutex
}

// say prints one line for the test.
func (w *worker) say(words ...any) {
	w.speak.Lock()
	defer w.speak.Unlock()
	fmt.Println(words...)
}

// work serves until its input ends. Its input says what it has to accept and
// where its clock stands.
func work(text string, input io.Reader) error {
	var order workerOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	w := &worker{}
	p, err := w.open(order)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.service.Run(ctx) }()
	w.say("ready")
	var accepting sync.WaitGroup
	for lines := bufio.NewScanner(input); lines.Scan(); {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "accept":
			accepting.Go(func() { w.accept(ctx, rest) })
		case "clock":
			by, err := time.ParseDuration(rest)
			if err != nil {
				return err
			}
			w.clock.by.Store(int64(by))
			w.say("moved", rest)
		}
	}
	accepting.Wait()
	stop()
	return errors.Join(<-ended, p.Close())
}

// open opens the database, again and again for a while: who watches over a
// service starts it anew when it could not begin.
func (w *worker) open(order workerOrder) (*pipeline.Pipeline, error) {
	var err error
	for range 10 {
		var p *pipeline.Pipeline
		if p, err = pipeline.New(order.pipeline(w.clock.now)); err != nil {
			return nil, err
		}
		if err = w.serve(order, p); err == nil {
			return p, nil
		}
		if closeErr := p.Close(); closeErr != nil {
			return nil, errors.Join(err, closeErr)
		}
		<-time.After(100 * time.Millisecond)
	}
	return nil, err
}

func (w *worker) serve(order workerOrder, p *pipeline.Pipeline) error {
	s, err := New(context.Background(), Options{
		Root: project.Root{Dir: order.Dir}, Pipeline: p, Retention: time.Hour, Now: w.clock.now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Run: queue.RunOptions{
			Workers: 32, MaxWait: order.Lease / 4, Sweep: order.Lease / 10, Grace: 5 * time.Second,
			Lost: func(n int) { w.say("lost", n) },
			Log:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
		},
	})
	if err != nil {
		return err
	}
	// Days are too long for a test.
	s.kept.Queue.Policy = delivery.Policy{Steps: order.Steps, MaxRetryAfter: time.Minute}
	s.runner = queue.NewRunner(s.kept.Rows, s.kept.Queue, s.opts.Run)
	w.service = s
	return nil
}

func (o workerOrder) pipeline(now func() time.Time) pipeline.Options {
	channels := &pipeline.Channels{Routing: routing.Gateway{File: project.GatewayName}}
	for _, name := range targets {
		channels.Webhooks = append(channels.Webhooks, webhook.Config{Name: name, URL: secret.New(o.Receiver + "/" + name), Timeout: o.Timeout})
		target := delivery.Target{File: project.GatewayName, Channel: delivery.Webhook, Name: name}
		channels.Routing.Webhooks = append(channels.Routing.Webhooks, routing.Subscription{Target: target})
	}
	return pipeline.Options{
		Root: project.Root{Dir: o.Dir}, Channels: channels, Getenv: func(string) string { return "" }, Version: "test", Now: now,
		Database: &pipeline.Database{
			Store: store.Options{
				URL: secret.New(o.URL), Dir: o.Dir, Lease: o.Lease,
				Warn: func(err error) { fmt.Fprintln(os.Stderr, "store:", err) },
			},
			Use: pipeline.Enqueue,
		},
		Public: &http.Transport{DisableKeepAlives: true},
	}
}

// accept accepts the run of this name and says with which event. Asked twice,
// by whomever, it is one event.
func (w *worker) accept(ctx context.Context, run string) {
	done, err := w.service.Accept(ctx, server.Emission{
		Event: events.OnComplete,
		Run:   events.AgentRun{Name: "agent", ExecutionID: run, Message: strings.Repeat("m", 600), DurationMS: 7},
		Key:   sha256.Sum256([]byte("key of " + run)), Request: sha256.Sum256([]byte(run)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "accept:", err)
		w.say("refused", run)
		return
	}
	w.say("accepted", run, done.EventID)
}

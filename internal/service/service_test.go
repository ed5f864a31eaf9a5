package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/server"
	"agentxchain/internal/store"
	"agentxchain/internal/webhook"
)

// staff is a service over an SQLite log whose receivers answer code.
type staff struct {
	*Service
	p    *pipeline.Pipeline
	root project.Root
	code atomic.Int64
	hits atomic.Int64
	// attempted receives once for each attempt that is on record.
	attempted chan delivery.Attempt
}

func newStaff(t *testing.T, remind func(context.Context) error) *staff {
	t.Helper()
	s := &staff{root: project.Root{Dir: t.TempDir(), Kind: project.Run}, attempted: make(chan delivery.Attempt, 100)}
	s.code.Store(http.StatusOK)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a short one is the sender's business
		s.hits.Add(1)
		w.WriteHeader(int(s.code.Load()))
	}))
	t.Cleanup(receiver.Close)
	o := pipeline.Options{
		Root: s.root, Getenv: func(string) string { return "" }, LookupEnv: func(string) (string, bool) { return "", false },
		Version: "test", Now: time.Now, Public: &http.Transport{DisableKeepAlives: true},
		Database: &pipeline.Database{Store: store.Options{URL: secret.New("sqlite:///log.db"), Dir: s.root.Dir}},
		Channels: &pipeline.Channels{Routing: routing.Gateway{File: project.GatewayName}},
	}
	for _, name := range []string{"one", "two"} {
		o.Channels.Webhooks = append(o.Channels.Webhooks, webhook.Config{
			Name: name, URL: secret.New(receiver.URL), Timeout: webhook.GatewayTimeout, Secrets: []secret.Text{secret.New("x")},
		})
		o.Channels.Routing.Webhooks = append(o.Channels.Routing.Webhooks, routing.Subscription{
			Target: delivery.Target{File: project.GatewayName, Channel: delivery.Webhook, Name: name},
		})
	}
	var err error
	if s.p, err = pipeline.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.p.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Service, err = New(t.Context(), Options{
		Root: s.root, Pipeline: s.p, Remind: remind, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Run: queue.RunOptions{Attempted: func(a delivery.Attempt) { s.attempted <- a }},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs the service until stop is called.
func (s *staff) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func emission(key, request byte) server.Emission {
	return server.Emission{
		Event: events.OnError, Run: events.AgentRun{Name: "a", ExecutionID: "e"},
		Key: [32]byte{key}, Request: [32]byte{request},
	}
}

// ids are the deliveries of an answer, sorted.
func ids(a server.Accepted) []string {
	var all []string
	for _, d := range a.Deliveries {
		all = append(all, d.ID+" "+d.Target)
	}
	slices.Sort(all)
	return all
}

// What is accepted is delivered by whoever runs next, once for each key.
func TestAccept(t *testing.T) {
	s := newStaff(t, nil)
	first, err := s.Accept(t.Context(), emission(1, 1))
	if err != nil || len(first.Deliveries) != 2 || first.Replayed {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := s.Accept(t.Context(), emission(1, 1))
	if err != nil || !again.Replayed || again.EventID != first.EventID || again.EventType != first.EventType ||
		!again.EmittedAt.Equal(first.EmittedAt) || !slices.Equal(ids(again), ids(first)) {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := s.Accept(t.Context(), emission(1, 2)); !errors.Is(err, delivery.ErrKeyReused) {
		t.Errorf("another request: %v", err)
	}
	for range 2 { // without a key, each is an event of its own
		if a, err := s.Accept(t.Context(), emission(0, 0)); err != nil || a.EventID == first.EventID {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if n := s.hits.Load(); n != 0 {
		t.Errorf("%d requests before anybody runs", n)
	}
	stop := s.run(t)
	for range 6 {
		if a := <-s.attempted; !a.Result.Delivered {
			t.Errorf("%+v", a.Result)
		}
	}
	stop()
	if n := s.hits.Load(); n != 6 {
		t.Errorf("%d requests", n)
	}
	if _, err := s.Accept(t.Context(), server.Emission{Event: events.RunBlocked}); err == nil {
		t.Error("a governed event came from elsewhere")
	}
}

// A delivery that failed is sent again with the same bytes, and only then.
func TestRetryOfTheService(t *testing.T) {
	s := newStaff(t, nil)
	s.code.Store(http.StatusGone)
	stop := s.run(t)
	defer stop()
	a, err := s.Accept(t.Context(), emission(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		<-s.attempted
	}
	s.code.Store(http.StatusOK)
	id := a.Deliveries[0].ID
	retry := func() error {
		for {
			if err := s.Retry(t.Context(), id); !errors.Is(err, delivery.ErrBusy) || t.Context().Err() != nil {
				return err // busy until its outcome, which is on record, is in the log
			}
		}
	}
	if err := retry(); err != nil {
		t.Fatal(err)
	}
	if at := <-s.attempted; at.Number != 2 || at.Delivery.ID != id || !at.Result.Delivered {
		t.Errorf("%+v", at)
	}
	if err := retry(); !errors.Is(err, delivery.ErrDone) {
		t.Errorf("what is delivered: %v", err)
	}
	if err := s.Retry(t.Context(), "unknown"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("what is unknown: %v", err)
	}
	if n := s.hits.Load(); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// A chore that hangs keeps no other waiting: what a command left in the outbox
// is delivered all the same.
func TestChoresSideBySide(t *testing.T) {
	hanging := make(chan struct{})
	s := newStaff(t, func(ctx context.Context) error {
		close(hanging)
		<-ctx.Done()
		return ctx.Err()
	})
	stop := s.run(t)
	defer stop()
	<-hanging
	p, err := pipeline.New(pipeline.Options{
		Root: s.root, Getenv: func(string) string { return "" }, Now: time.Now,
		Public: failing{}, Channels: &pipeline.Channels{
			Routing: routing.Gateway{File: project.GatewayName, Webhooks: []routing.Subscription{{
				Target: delivery.Target{File: project.GatewayName, Channel: delivery.Webhook, Name: "one"},
			}}},
			Webhooks: []webhook.Config{{Name: "one", URL: secret.New("https://receiver.example/"), Timeout: webhook.GatewayTimeout, Secrets: []secret.Text{secret.New("x")}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := events.Mint(events.Input{Type: events.OnError, Now: time.Now(), Agent: &events.AgentRun{Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	report, _ := p.Emit(t.Context(), e, p.Routes(events.OnError, "a"), 1)
	if err := errors.Join(report.Err, p.Close()); err != nil || len(report.Outcomes) != 1 || !report.Outcomes[0].Kept {
		t.Fatalf("%v, outcomes %+v", err, report.Outcomes)
	}
	if at := <-s.attempted; at.Number != 2 || at.Delivery.Event.ID != e.ID || !at.Result.Delivered {
		t.Errorf("%+v", at)
	}
}

// failing is a network that is down.
type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &networkError{}
}

type networkError struct{}

func (*networkError) Error() string   { return "the network is down" }
func (*networkError) Timeout() bool   { return true }
func (*networkError) Temporary() bool { return true }

package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/secret"
)

// covered runs the tests, and then looks whether they have seen every answer
// that the document promises.
type covered struct{ m *testing.M }

func (c covered) Run() int {
	status := c.m.Run()
	for _, name := range []string{"test.run", "test.list", "test.fuzz", "test.skip"} {
		if flag.Lookup(name).Value.String() != "" {
			return status // only some of the tests ran
		}
	}
	unseen := promised().unseen()
	fmt.Printf("cases: answers held to openapi.yaml: %d\n", len(promised().seen))
	for _, missing := range unseen {
		fmt.Println("no test has seen the documented answer", missing)
		status = max(status, 1)
	}
	return status
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(covered{m}) }

// memory is a delivery log as simple as can be.
type memory struct {
	mu       sync.Mutex
	records  []delivery.Record
	err      error
	refusal  error // what Retry and Accept answer with
	looks    int   // how often Health was asked
	filter   delivery.Filter
	page     delivery.Page
	accepted map[[32]byte]Accepted
	requests map[[32]byte][32]byte
	last     Emission
	minted   int
}

func (m *memory) Page(_ context.Context, f delivery.Filter, p delivery.Page) ([]delivery.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter, m.page = f, p
	all := m.chosen(f)
	slices.SortFunc(all, func(a, b delivery.Record) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	all = all[min(p.Offset, len(all)):]
	return all[:min(p.Limit, len(all))], m.err
}

func (m *memory) chosen(f delivery.Filter) []delivery.Record {
	var out []delivery.Record
	for _, r := range m.records {
		if (len(f.Statuses) == 0 || slices.Contains(f.Statuses, r.Status)) &&
			(f.Agent == "" || f.Agent == r.Agent) && (f.ExecutionID == "" || f.ExecutionID == r.ExecutionID) &&
			(f.Target == "" || f.Target == r.LabelOrName()) && (f.Channel == "" || f.Channel == r.Target.Channel) &&
			(f.EventType == "" || f.EventType == r.Event.Type) && !r.CreatedAt.Before(f.Since) {
			out = append(out, r)
		}
	}
	return out
}

func (m *memory) Total(_ context.Context, f delivery.Filter) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.chosen(f))), m.err
}

func (m *memory) Record(_ context.Context, id string) (delivery.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.ID == id {
			return r, m.err
		}
	}
	return delivery.Record{}, cmp.Or(m.err, delivery.ErrUnknown)
}

func (m *memory) Health(context.Context) (delivery.Health, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	h := delivery.Health{ByStatus: map[delivery.Status]int64{}}
	for _, r := range m.records {
		h.Accepted++
		h.ByStatus[r.Status]++
		if r.Attempts > 0 {
			h.Attempted++
		}
		if r.Status == delivery.Pending && (h.OldestPending.IsZero() || r.CreatedAt.Before(h.OldestPending)) {
			h.OldestPending = r.CreatedAt
		}
		if r.Status == delivery.Pending && r.NextAt.Before(noon().Add(-time.Minute)) {
			h.Overdue++
		}
	}
	return h, m.err
}

func (m *memory) Retry(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refusal != nil {
		return m.refusal
	}
	for i, r := range m.records {
		if r.ID != id {
			continue
		}
		switch {
		case r.Status == delivery.Sending:
			return fmt.Errorf("retry: %w", delivery.ErrBusy)
		case r.Status.Final():
			return fmt.Errorf("retry: %w", delivery.ErrDone)
		case r.Imported:
			return fmt.Errorf("retry: %w", delivery.ErrBodyless)
		}
		m.records[i].Status, m.records[i].Attempts = delivery.Sending, r.Attempts+1
		return nil
	}
	return fmt.Errorf("retry: %w", delivery.ErrUnknown)
}

func (m *memory) Accept(_ context.Context, e Emission) (Accepted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = e
	if m.refusal != nil {
		return Accepted{}, m.refusal
	}
	keyed := e.Key != [32]byte{}
	if before, ok := m.accepted[e.Key]; ok && keyed {
		if m.requests[e.Key] != e.Request {
			return Accepted{}, delivery.ErrKeyReused
		}
		before.Replayed = true
		return before, nil
	}
	m.minted++
	done := Accepted{
		EventID: fmt.Sprintf("notif_%026d", m.minted), EventType: e.Event, EmittedAt: noon().Add(120 * time.Millisecond),
		Deliveries: []AcceptedDelivery{
			{ID: "01A", Channel: delivery.Slack, Target: "#alerts", Status: delivery.Sending},
			{ID: "01B", Channel: delivery.Webhook, Target: "ops", Status: delivery.Pending},
		},
	}
	if keyed {
		m.accepted[e.Key], m.requests[e.Key] = done, e.Request
	}
	return done, nil
}

func noon() time.Time { return time.Date(2026, 4, 4, 12, 0, 0, 0, time.UTC) }

// record is a delivery that failed at its first attempt; change makes it another.
func record(id string, change func(*delivery.Record)) delivery.Record {
	r := delivery.Record{
		Delivery: delivery.Delivery{
			ID: id, Agent: "report-agent", ExecutionID: "abc-123",
			Event: events.Event{
				ID: "notif_01KNBYYSBV60RK4CSM6MV3EE1S", Type: "on_error", EmittedAt: noon(), Body: []byte(`{"of":"the event"}`),
			},
			Target:      delivery.Target{File: "gateway.yaml", Channel: delivery.Webhook, Name: "ops"},
			ContentType: "application/json", Body: []byte(`{"event":"execution.failed"}`),
			Status: delivery.Failed, Attempts: 1, ExpiresAt: noon().Add(72 * time.Hour),
			LastReason: delivery.ReasonRejected, LastMessage: "Webhook returned HTTP 410",
			Tries: []delivery.Try{{Number: 1, At: noon().Add(5 * time.Millisecond), Result: delivery.Result{
				StatusCode: 410, Duration: 12500 * time.Microsecond, Reason: delivery.ReasonRejected, Phase: delivery.PhaseRead,
				Address: "203.0.113.7:443", Message: "Webhook returned HTTP 410",
			}}},
		},
		CreatedAt: noon(), StatusCode: 410,
	}
	if change != nil {
		change(&r)
	}
	return r
}

// world is a server on a real socket over a log in memory.
type world struct {
	t      *testing.T
	log    *memory
	url    string
	talk   *lines
	client *http.Client
}

// The keys of the worlds.
const (
	allKey   = "agw_everything-0123456789"
	readKey  = "agw_reading-0123456789"
	writeKey = "agw_writing-0123456789"
	otherKey = "agw_other-0123456789"
)

// start starts a world in which reader, writer and all have keys, unless
// change says otherwise.
func start(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, log: &memory{accepted: map[[32]byte]Accepted{}, requests: map[[32]byte][32]byte{}}, talk: &lines{}}
	opts := Options{
		Log: w.log, Overview: w.log, Desk: w.log, Now: noon,
		Keys: []Key{
			key(t, "reader", readKey, ScopeRead), key(t, "writer", writeKey, ScopeWrite),
			key(t, "all", allKey, ScopeAll), key(t, "python", otherKey, "agents:invoke"),
		},
		Logger: slog.New(slog.NewJSONHandler(w.talk, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opts)
	}
	w.serve(New(opts))
	return w
}

// serve serves with the limits of a real server.
func (w *world) serve(h http.Handler) {
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = HTTP(h, slog.New(slog.NewJSONHandler(w.talk, nil)))
	srv.Start()
	w.t.Cleanup(srv.Close)
	w.url, w.client = srv.URL, srv.Client()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

func key(t *testing.T, name, text string, scopes ...string) Key {
	t.Helper()
	k, err := KeyFromText(name, secret.New(text), scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// lines is a log that several goroutines write and a test reads.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// with changes a request before it is sent.
type with func(*http.Request)

func header(name string, values ...string) with {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func hostNamed(name string) with { return func(r *http.Request) { r.Host = name } }

func bearerKey(k string) with { return header("Authorization", "Bearer "+k) }

// do sends a request with the key for everything, unless it is changed, and
// holds the answer to the document.
func (w *world) do(method, path, body string, changes ...with) reply {
	w.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, in)
	if err != nil {
		w.t.Fatal(err)
	}
	bearerKey(allKey)(req)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, change := range changes {
		change(req)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	got := reply{res.StatusCode, res.Header, string(text)}
	promised().check(w.t, method, req.URL.EscapedPath(), got)
	return got
}

func (w *world) get(pathAndQuery string, changes ...with) reply {
	w.t.Helper()
	return w.do(http.MethodGet, pathAndQuery, "", changes...)
}

// problem reads an answer that must be a problem of that status and code.
func (r reply) problem(t *testing.T, status int, c code) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	if r.status != status || p.Status != status || p.Code != c || p.Type != problemType+string(c) {
		t.Errorf("got %d %s, want %d %s", r.status, r.body, status, c)
	}
	return p
}

// decode reads an answer of that status.
func decode[T any](t *testing.T, r reply, status int) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(r.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil || r.status != status {
		t.Fatalf("%d %s: %v, want %d", r.status, r.body, err, status)
	}
	return v
}

// errDatabase is what the log answers with while it is down.
var errDatabase = errors.New("connect to db.internal:5432: refused")

package pipeline

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/store"
	"agentxchain/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a project with two webhooks: one for the ends of agent runs, and one
// for governed events.
type site struct {
	t    *testing.T
	root project.Root
	url  string
	// code is what the receiver answers.
	code atomic.Int64

	mu  sync.Mutex
	got []string
}

func newSite(t *testing.T) *site {
	s := &site{t: t, root: project.Root{Dir: t.TempDir(), Kind: project.Run}}
	s.code.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // a short one is not what was sent
		s.mu.Lock()
		s.got = append(s.got, string(b))
		s.mu.Unlock()
		w.WriteHeader(int(s.code.Load()))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// received returns what came since the last call.
func (s *site) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// database is an SQLite file in the project.
func (s *site) database(u Use) *Database {
	return &Database{Store: store.Options{URL: secret.New("sqlite:///log.db"), Dir: s.root.Dir}, Use: u}
}

// open wires what one process of the project has; d may be nil.
func (s *site) open(d *Database) *Pipeline {
	s.t.Helper()
	p, err := New(Options{
		Root: s.root, Database: d, Getenv: func(string) string { return "" }, Version: "test", Now: time.Now,
		LookupEnv: func(string) (string, bool) { return "", false },
		Governed:  []webhook.Config{{Name: "ops", URL: secret.New(s.url), Events: []string{"run_blocked"}, Timeout: 5 * time.Second}},
		Channels: &Channels{
			Routing:  routing.Gateway{File: project.GatewayName, Webhooks: []routing.Subscription{{Target: delivery.Target{File: project.GatewayName, Channel: delivery.Webhook, Name: "runs"}}}},
			Webhooks: []webhook.Config{{Name: "runs", URL: secret.New(s.url), Timeout: webhook.GatewayTimeout, Secrets: []secret.Text{secret.New("x")}}},
		},
		Public: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.close(p) })
	return p
}

func (s *site) close(p *Pipeline) {
	s.t.Helper()
	if err := p.Close(); err != nil {
		s.t.Error(err)
	}
}

// event mints a governed event, or the end of an agent's run.
func (s *site) event(agent bool) events.Event {
	s.t.Helper()
	in := events.Input{Type: events.RunBlocked, Now: time.Now(), Project: events.Project{ID: "p", Name: "p", Root: s.root.Dir}}
	if agent {
		in.Type, in.Agent = events.OnError, &events.AgentRun{Name: "a", ExecutionID: "e"}
	}
	e, _, err := events.Mint(in)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// emit sends one event as a process of its own does.
func (s *site) emit(d *Database, agent bool) queue.Report {
	s.t.Helper()
	p := s.open(d)
	defer s.close(p)
	e := s.event(agent)
	report, warnings := p.Emit(s.t.Context(), e, p.Routes(events.Type(e.Type), ""), 1)
	if len(warnings) > 0 || len(report.Outcomes) != 1 {
		s.t.Fatalf("%d outcomes, warnings %v", len(report.Outcomes), warnings)
	}
	return report
}

// rows are those of the log as "event status attempts reason".
func (s *site) rows() []string {
	s.t.Helper()
	o := s.database(Record).Store
	o.Site = "reader"
	log, err := store.Open(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := log.Page(s.t.Context(), delivery.Filter{}, delivery.Page{Limit: 100})
	if err := errors.Join(err, log.Close()); err != nil {
		s.t.Fatal(err)
	}
	all := []string{}
	for _, r := range list {
		all = append(all, fmt.Sprintf("%s %s %d %s", r.Event.Type, r.Status, r.Attempts, r.LastReason))
	}
	slices.Sort(all)
	return all
}

func (s *site) wantRows(want ...string) {
	s.t.Helper()
	if got := s.rows(); !slices.Equal(got, want) {
		s.t.Errorf("the log has %q, want %q", got, want)
	}
}

// kept counts the files of the outbox.
func (s *site) kept() int {
	s.t.Helper()
	list, err := s.open(nil).Pending(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

// What is emitted directly stands in the log as it went, and nowhere else.
func TestEmitRecord(t *testing.T) {
	s := newSite(t)
	if r := s.emit(s.database(Record), true); r.Err != nil || r.Count(queue.StateDelivered) != 1 {
		t.Errorf("%v, outcomes %+v", r.Err, r.Outcomes)
	}
	s.code.Store(http.StatusServiceUnavailable)
	if r := s.emit(s.database(Record), false); r.Err != nil || r.Outcomes[0].State != queue.StateFailed || !r.Outcomes[0].Kept {
		t.Errorf("%v, outcomes %+v", r.Err, r.Outcomes)
	}
	s.wantRows("on_error delivered 1 delivered", "run_blocked pending 1 server_error")
	if n := s.kept(); n != 0 {
		t.Errorf("%d deliveries in the outbox", n)
	}
}

// With a queue, only a governed event that nobody could deliver is sent here.
func TestEmitEnqueue(t *testing.T) {
	s := newSite(t)
	s.emit(s.database(Enqueue), true)
	if got := s.received(); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
	s.emit(s.database(Enqueue), false)
	if got := s.received(); len(got) != 1 {
		t.Errorf("sent %q although nobody serves", got)
	}
	quit, err := Serving(t.Context(), s.root)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.emit(s.database(Enqueue), false); r.Count(queue.StateQueued) != 1 || !r.Outcomes[0].Kept {
		t.Errorf("%v, outcomes %+v", r.Err, r.Outcomes)
	}
	if err := quit(); err != nil {
		t.Fatal(err)
	}
	if got := s.received(); len(got) > 0 {
		t.Errorf("sent %q although a process serves", got)
	}
	s.wantRows("on_error pending 0 ", "run_blocked delivered 1 delivered", "run_blocked pending 0 ")
}

// A database that only shows what a server took over is not touched by emits.
func TestEmitLookUp(t *testing.T) {
	s := newSite(t)
	s.code.Store(http.StatusServiceUnavailable)
	if r := s.emit(s.database(LookUp), false); r.Err != nil || r.Outcomes[0].State != queue.StateFailed {
		t.Errorf("%v, outcomes %+v", r.Err, r.Outcomes)
	}
	if _, err := os.Stat(filepath.Join(s.root.Dir, "log.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the database: %v", err)
	}
	if n := s.kept(); n != 1 {
		t.Errorf("%d deliveries in the outbox", n)
	}
}

// Without its database an event is sent all the same, and the report says so.
// What is in the outbox can be retried and given up meanwhile.
func TestEmitWithoutDatabase(t *testing.T) {
	for _, use := range []Use{Record, Enqueue} {
		s := newSite(t)
		gone := s.database(use)
		gone.Store.Dir = filepath.Join(s.root.Dir, "missing")
		for _, agent := range []bool{true, false} {
			if r := s.emit(gone, agent); r.Err == nil || !strings.Contains(r.Err.Error(), "delivery log") || r.Count(queue.StateDelivered) != 1 {
				t.Errorf("%v, outcomes %+v", r.Err, r.Outcomes)
			}
		}
		if got := s.received(); len(got) != 2 {
			t.Errorf("sent %q", got)
		}
		s.code.Store(http.StatusServiceUnavailable)
		one, two := s.emit(gone, true), s.emit(gone, false)
		if n := s.kept(); n != 2 {
			t.Fatalf("%d deliveries in the outbox", n)
		}
		p := s.open(gone)
		if _, err := p.Retry(t.Context(), "notif_unknown"); err == nil || errors.Is(err, delivery.ErrUnknown) {
			t.Errorf("what the log may have: %v", err)
		}
		s.code.Store(http.StatusOK)
		if reports, err := p.Retry(t.Context(), one.Event.ID); err != nil || len(reports) != 1 || reports[0].Count(queue.StateDelivered) != 1 {
			t.Errorf("retry: %+v, %v", reports, err)
		}
		if done, err := p.Discard(t.Context(), two.Event.ID, "enough"); err != nil || len(done) != 1 {
			t.Errorf("discard: %+v, %v", done, err)
		}
	}
}

// What has no target has nothing to wait for.
func TestEmitToNobody(t *testing.T) {
	s := newSite(t)
	p := s.open(s.database(Record))
	report, warnings := p.Emit(t.Context(), s.event(false), nil, 1)
	if report.Err != nil || len(warnings) > 0 || p.had() != nil {
		t.Errorf("report %+v, warnings %v, database opened: %v", report, warnings, p.had() != nil)
	}
}

// Commands work on whatever has a delivery.
func TestBothStores(t *testing.T) {
	s := newSite(t)
	s.code.Store(http.StatusServiceUnavailable)
	kept := []queue.Report{s.emit(nil, true), s.emit(s.database(Record), true), s.emit(nil, false), s.emit(s.database(Record), false)}
	p := s.open(s.database(LookUp))
	list, err := p.Pending(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatalf("%d pending, %v", len(list), err)
	}
	s.received()
	if _, err := p.Retry(t.Context(), kept[0].Event.ID, "notif_unknown"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("one is unknown: %v", err)
	}
	if _, err := p.Discard(t.Context(), "notif_unknown", "enough"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("one is unknown: %v", err)
	}
	if got := s.received(); len(got) > 0 {
		t.Errorf("sent %q although one is unknown", got)
	}
	s.code.Store(http.StatusOK)
	reports, err := p.Retry(t.Context(), kept[0].Event.ID, kept[1].Event.ID)
	if err != nil || len(reports) != 2 {
		t.Errorf("%+v, %v", reports, err)
	}
	for _, r := range kept[2:] {
		if done, err := p.Discard(t.Context(), r.Event.ID, "enough"); err != nil || len(done) != 1 {
			t.Errorf("discard: %+v, %v", done, err)
		}
	}
	if got := s.received(); len(got) != 2 {
		t.Errorf("sent %q", got)
	}
	s.wantRows("on_error delivered 2 delivered", "run_blocked discarded 1 discarded")
	if list, err := p.Pending(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("pending %+v, %v", list, err)
	}
}

// What a server was sending when it died is found by a command first, and
// stays due for the next server.
func TestRecoverOfAServer(t *testing.T) {
	s := newSite(t)
	d := s.database(Record)
	d.Store.Lease = time.Second
	s.code.Store(http.StatusServiceUnavailable)
	s.emit(d, true)
	dying := s.open(d)
	kept, err := dying.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var taken []delivery.Delivery
	for len(taken) == 0 && t.Context().Err() == nil { // due within the jitter of a second
		if taken, err = kept.Rows.Take(t.Context(), delivery.Quota{Max: 10}); err != nil {
			t.Fatal(err)
		}
	}
	s.close(dying) // gives up what it has
	p := s.open(d)
	warnings, err := p.Recover(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "its outcome is unknown") {
		t.Errorf("recovered: %v, %v", warnings, err)
	}
	s.wantRows("on_error pending 2 unknown_outcome")
}

// A new configuration counts at once, and one that can't be used not at all.
func TestReload(t *testing.T) {
	s := newSite(t)
	p := s.open(nil)
	o := p.options
	o.Governed = nil
	if err := p.Reload(o); err != nil || len(p.Routes(events.RunBlocked, "")) != 0 {
		t.Errorf("%v, routes %+v", err, p.Routes(events.RunBlocked, ""))
	}
	longer := slices.Clone(p.options.Governed)
	longer[0].Timeout = 30 * time.Second
	o.Governed = longer
	if err := p.Reload(o); err != nil || len(p.Routes(events.RunBlocked, "")) != 1 {
		t.Errorf("%v, routes %+v", err, p.Routes(events.RunBlocked, ""))
	}
	o.Governed, o.Getenv = nil, func(string) string { return "no rule" }
	if err := p.Reload(o); err == nil || len(p.Routes(events.RunBlocked, "")) != 1 {
		t.Errorf("%v, routes %+v", err, p.Routes(events.RunBlocked, ""))
	}
	// Whose claims are made for less could send twice.
	p = s.open(s.database(Record))
	if _, err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	o = p.options
	o.Governed = longer
	if err := p.Reload(o); err == nil || !strings.Contains(err.Error(), "start anew") {
		t.Errorf("claims that end too early: %v", err)
	}
}

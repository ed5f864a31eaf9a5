package dashboard

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/secret"
)

// testNow is when every test happens.
func testNow() time.Time { return time.Date(2026, 2, 21, 16, 30, 0, 0, time.UTC) }

// memory is a log in memory, with the meaning that the interfaces give it.
type memory struct {
	mu      sync.Mutex
	records []delivery.Record // newest first
	version int
	broken  error
	// extra pretends that there are that many more records.
	extra int64
	// sent counts retries; refuse answers them.
	sent   map[string]int
	refuse error
	looks  int
}

func (m *memory) lock() (unlock func()) { m.mu.Lock(); return m.mu.Unlock }

func (m *memory) chosen(f delivery.Filter) []delivery.Record {
	var list []delivery.Record
	same := func(want, got string) bool { return want == "" || want == got }
	for _, r := range m.records {
		if same(f.Agent, r.Agent) && same(f.ExecutionID, r.ExecutionID) && same(f.RunID, r.Event.RunID) && same(f.EventID, r.Event.ID) &&
			same(f.Target, r.LabelOrName()) && same(string(f.Channel), string(r.Target.Channel)) && same(f.EventType, r.Event.Type) &&
			(len(f.Statuses) == 0 || slices.Contains(f.Statuses, r.Status)) && !r.CreatedAt.Before(f.Since) {
			list = append(list, r)
		}
	}
	return list
}

func (m *memory) Page(_ context.Context, f delivery.Filter, p delivery.Page) ([]delivery.Record, error) {
	defer m.lock()()
	list := m.chosen(f)
	from := min(p.Offset%max(1, len(list)), len(list))
	if m.extra == 0 {
		from = min(p.Offset, len(list))
	}
	return slices.Clone(list[from:min(from+p.Limit, len(list))]), m.broken
}

func (m *memory) Total(_ context.Context, f delivery.Filter) (int64, error) {
	defer m.lock()()
	return int64(len(m.chosen(f))) + m.extra, m.broken
}

func (m *memory) Record(_ context.Context, id string) (delivery.Record, error) {
	defer m.lock()()
	for _, r := range m.records {
		if r.ID == id {
			return r, m.broken
		}
	}
	if m.broken != nil {
		return delivery.Record{}, m.broken
	}
	return delivery.Record{}, delivery.ErrUnknown
}

func (m *memory) Health(context.Context) (delivery.Health, error) {
	defer m.lock()()
	h := delivery.Health{ByStatus: map[delivery.Status]int64{delivery.Delivered: m.extra}, Accepted: m.extra, Attempted: m.extra}
	for _, r := range m.records {
		h.Accepted++
		if r.Attempts > 0 {
			h.Attempted++
		}
		h.ByStatus[r.Status]++
		if r.Status == delivery.Pending {
			h.OldestPending = r.CreatedAt
		}
	}
	return h, m.broken
}

func (m *memory) Chart(_ context.Context, since time.Time, width time.Duration) ([]delivery.Bucket, error) {
	defer m.lock()()
	var list []delivery.Bucket
	for _, r := range m.records {
		if r.CreatedAt.Before(since) {
			continue
		}
		b := delivery.Bucket{Target: r.LabelOrName(), Channel: r.Target.Channel, Start: r.CreatedAt.Truncate(width)}
		switch r.Status {
		case delivery.Delivered:
			b.Delivered = 1
		case delivery.Failed, delivery.Discarded:
			b.Failed = 1
		default:
			b.Waiting = 1
		}
		list = append(list, b)
	}
	return list, m.broken
}

func (m *memory) Version(context.Context) (string, error) {
	defer m.lock()()
	m.looks++
	return strconv.Itoa(m.version), m.broken
}

func (m *memory) Targets(context.Context) ([]string, error) {
	return []string{"#alerts", "ops"}, nil
}
func (m *memory) Agents(context.Context) ([]string, error) { return []string{"report-agent"}, nil }

// Retry marks a record as being sent; settle ends the attempt.
func (m *memory) Retry(_ context.Context, id string) error {
	defer m.lock()()
	if m.refuse != nil {
		return m.refuse
	}
	for i := range m.records {
		r := &m.records[i]
		switch {
		case r.ID != id:
			continue
		case r.Status == delivery.Sending:
			return delivery.ErrBusy
		case r.Status != delivery.Failed:
			return delivery.ErrDone
		case r.Imported:
			return delivery.ErrBodyless
		}
		m.sent[id]++
		m.version++
		r.Status = delivery.Sending
		r.Attempts++
		return nil
	}
	return delivery.ErrUnknown
}

// settle ends the attempt of a record as delivered.
func (m *memory) settle(id string) {
	defer m.lock()()
	m.version++
	for i := range m.records {
		if r := &m.records[i]; r.ID == id {
			r.Status, r.DeliveredAt, r.StatusCode = delivery.Delivered, testNow(), 200
			r.Tries = append(r.Tries, delivery.Try{Number: r.Attempts, At: testNow(), Result: delivery.Result{
				Delivered: true, StatusCode: 200, Duration: 43 * time.Millisecond, Reason: delivery.ReasonDelivered, Phase: delivery.PhaseRead, Address: "203.0.113.10:443",
			}})
			r.LastReason, r.LastMessage = delivery.ReasonDelivered, "Delivered"
		}
	}
}

// record is a small one, to be changed by the test.
func record(n int, status delivery.Status) delivery.Record {
	t := delivery.Target{File: "gateway.yaml", Channel: delivery.Webhook, Name: "ops"}
	at := testNow().Add(-time.Duration(n) * 7 * time.Minute)
	r := delivery.Record{CreatedAt: at}
	r.Event = events.Event{ID: fmt.Sprintf("notif_01KHZ%021d", n), Type: "on_error", EmittedAt: at}
	r.Target, r.Status, r.Agent, r.ExecutionID = t, status, "report-agent", fmt.Sprintf("exec-%04d", n)
	r.ID = fmt.Sprintf("01KHZ%021d", n)
	r.ContentType, r.Body = "application/json", []byte(`{"event":"execution.failed"}`)
	return r
}

// records makes n failed ones.
func records(n int) *memory {
	m := &memory{sent: map[string]int{}}
	for i := range n {
		r := record(i, delivery.Failed)
		r.Attempts, r.LastReason, r.LastMessage = 3, delivery.ReasonRefused, "connection refused"
		m.records = append(m.records, r)
	}
	return m
}

// site is a dashboard on a loopback socket.
type site struct {
	*httptest.Server
	log   *memory
	clock *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const (
	adminPassword = "correct horse"
	userPassword  = "battery staple"
)

// serve starts a dashboard; change may alter its options.
func serve(t testing.TB, log *memory, change func(*Options)) *site {
	t.Helper()
	s := &site{log: log, clock: &clock{at: testNow()}}
	o := Options{
		Log: log, Overview: log, Names: log, Desk: log, Now: s.clock.now, Poll: 20 * time.Millisecond,
		Accounts: []Account{
			{Name: "ada", Password: secret.New(adminPassword), Admin: true},
			{Name: "grace", Password: secret.New(userPassword)},
			{Name: "nobody", Admin: true},
		},
		SessionSecret: secret.New("a secret of the test"),
	}
	if change != nil {
		change(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// client has cookies and follows no redirect.
func (s *site) client(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// login returns a client with a session.
func (s *site) login(t testing.TB, name, password string) *http.Client {
	t.Helper()
	c := s.client(t)
	a := s.post(t, c, "/dashboard/login", url.Values{"username": {name}, "password": {password}}, nil)
	if a.status != http.StatusSeeOther {
		t.Fatalf("login of %s: %d %s", name, a.status, a.body)
	}
	return c
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(t testing.TB, c *http.Client, r *http.Request) reply {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, res.Body); err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, b.String()}
}

func (s *site) get(t testing.TB, c *http.Client, path string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, c, r)
}

func (s *site) post(t testing.TB, c *http.Client, path string, form url.Values, header map[string]string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return s.do(t, c, r)
}

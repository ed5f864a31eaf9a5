package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
)

// TestGuidesExample is the answer of the guide, word for word.
func TestGuidesExample(t *testing.T) {
	const guide = `{
  "items": [
    {
      "id": "01J...",
      "execution_id": "abc-123",
      "agent_id": "report-agent",
      "event_type": "on_error",
      "channel": "slack",
      "target": "#alerts",
      "status": "failed",
      "attempts": 3,
      "last_error": "channel_not_found",
      "created_at": "2026-02-25T09:00:00Z",
      "delivered_at": null
    }
  ],
  "total": 1,
  "limit": 50,
  "offset": 0
}
`
	w := start(t, nil)
	w.log.records = []delivery.Record{record("01J...", func(r *delivery.Record) {
		r.Target = delivery.Target{File: "gateway.yaml", Channel: delivery.Slack, Name: "default"}
		r.Label, r.Attempts, r.LastMessage = "#alerts", 3, "channel_not_found"
		r.CreatedAt = time.Date(2026, 2, 25, 9, 0, 0, 0, time.UTC)
	}), record("another", func(r *delivery.Record) { r.Agent = "other-agent" })}
	got := w.get("/v1/notifications?status=failed&agent_id=report-agent&limit=50")
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(got.body), "", "  "); err != nil {
		t.Fatal(err)
	}
	if got.status != http.StatusOK || indented.String() != guide || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s\n%s", got.status, got.header.Get("Content-Type"), cmp.Diff(guide, indented.String()))
	}
	fixtures.Ran(t, "REST as the guide's example", 1)
}

func TestStatusesAreTheGuidesWords(t *testing.T) {
	w := start(t, nil)
	for i, s := range []delivery.Status{delivery.Pending, delivery.Sending, delivery.Delivered, delivery.Failed, delivery.Discarded} {
		w.log.records = append(w.log.records, record(fmt.Sprint(i), func(r *delivery.Record) {
			r.Status = s
			if s == delivery.Delivered {
				r.DeliveredAt = noon().Add(1500 * time.Millisecond)
			}
		}))
	}
	for word, want := range map[string][]string{
		"pending": {"1", "0"}, "delivered": {"2"}, "failed": {"4", "3"}, "": {"4", "3", "2", "1", "0"},
	} {
		query := ""
		if word != "" {
			query = "?status=" + word
		}
		l := decode[list](t, w.get("/v1/notifications"+query), http.StatusOK)
		var ids []string
		for _, it := range l.Items {
			ids = append(ids, it.ID)
			delivered := it.Status == "delivered"
			if word != "" && it.Status != word || delivered != (it.LastError == nil) || delivered != (it.DeliveredAt != nil) {
				t.Errorf("status %q: %+v", word, it)
			}
			if delivered && *it.DeliveredAt != "2026-04-04T12:00:01.500Z" {
				t.Errorf("delivered at %s", *it.DeliveredAt)
			}
		}
		if !cmp.Equal(ids, want) || l.Total != int64(len(want)) {
			t.Errorf("status %q: %v of %d", word, ids, l.Total)
		}
	}
}

func TestListReadsItsQuery(t *testing.T) {
	w := start(t, nil)
	for _, tt := range []struct {
		query  string
		filter delivery.Filter
		page   delivery.Page
	}{
		{"", delivery.Filter{}, delivery.Page{Limit: 50}},
		{"limit=1&offset=2147483647", delivery.Filter{}, delivery.Page{Limit: 1, Offset: 2147483647}},
		{"limit=200&offset=0&&", delivery.Filter{}, delivery.Page{Limit: 200}},
		{"agent_id=a%26b;c&execution_id=x+y", delivery.Filter{Agent: "a&b;c", ExecutionID: "x y"}, delivery.Page{Limit: 50}},
		{"target=%23alerts&channel=slack", delivery.Filter{Target: "#alerts", Channel: delivery.Slack}, delivery.Page{Limit: 50}},
		{"event_type=execution.failed", delivery.Filter{EventType: "on_error"}, delivery.Page{Limit: 50}},
		{"event_type=on_timeout", delivery.Filter{EventType: "on_timeout"}, delivery.Page{Limit: 50}},
		{"event_type=run_blocked", delivery.Filter{EventType: "run_blocked"}, delivery.Page{Limit: 50}},
		{"since=24h", delivery.Filter{Since: noon().Add(-24 * time.Hour)}, delivery.Page{Limit: 50}},
		{"since=2026-01-31T12:00:00%2B02:00", delivery.Filter{Since: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)}, delivery.Page{Limit: 50}},
		{"since=2026-01-31T12:00:00.5Z", delivery.Filter{Since: time.Date(2026, 1, 31, 12, 0, 0, 5e8, time.UTC)}, delivery.Page{Limit: 50}},
		{
			"status=pending&channel=webhook",
			delivery.Filter{Statuses: []delivery.Status{delivery.Pending, delivery.Sending}, Channel: delivery.Webhook},
			delivery.Page{Limit: 50},
		},
	} {
		if got := w.get("/v1/notifications?" + tt.query); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", tt.query, got.status, got.body)
			continue
		}
		if diff := cmp.Diff(tt.filter, w.log.filter) + cmp.Diff(tt.page, w.log.page); diff != "" {
			t.Errorf("%s: %s", tt.query, diff)
		}
	}
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	w := start(t, nil)
	for _, tt := range []struct {
		query string
		want  []string // "parameter: a part of its detail"
	}{
		{"status=faild", []string{`status: did you mean "failed"?`}},
		{"status=", []string{"status: one of delivered, failed, pending"}},
		{"status=discarded", []string{"status: one of"}},
		{"channel=email", []string{"channel: one of slack, webhook"}},
		{"event_type=on_errors", []string{`event_type: did you mean "on_error"?`}},
		{"agent=x", []string{`agent: did you mean "agent_id"?`}},
		{"agent_id=", []string{"agent_id: leave it out"}},
		{"agent_id=a%00b", []string{"agent_id: control"}},
		{"agent_id=%ff", []string{"agent_id: not UTF-8"}},
		{"agent_id=%zz", []string{"agent_id: percent-encoding"}},
		{"target=" + strings.Repeat("x", 1025), []string{"target: longer than 1024 bytes"}},
		{"limit=0", []string{"limit: from 1 to 200"}},
		{"limit=201", []string{"limit: from 1 to 200"}},
		{"limit=+5", []string{"limit: whole number"}},
		{"limit=%205", []string{"limit: whole number"}},
		{"limit=1_0", []string{"limit: whole number"}},
		{"limit=5.0", []string{"limit: whole number"}},
		{"limit=", []string{"limit: whole number"}},
		{"limit=99999999999999999999", []string{"limit: whole number"}},
		{"offset=-1", []string{"offset: from 0"}},
		{"offset=2147483648", []string{"offset: from 0"}},
		{"limit=5&limit=6", []string{"limit: more than once"}},
		{"since=yesterday", []string{"since: 2026-01-31T12:00:00Z"}},
		{"since=-1h", []string{"since: more than zero"}},
		{"since=0s", []string{"since: more than zero"}},
		{"since=2026-01-31T12:00:00+02:00", []string{"since: %2B"}},
		{"since=2026-02-30T12:00:00Z", []string{"since: must be a time"}},
		{"%zz=1", []string{"%zz: is not a parameter"}},
		{"x", []string{"x: is not a parameter"}},
		{
			"status=x&limit=0&offset=-1&channel=y&nope=secret-value",
			[]string{"status: one of", "limit: from 1", "offset: from 0", "channel: one of", "nope: there are status, agent_id"},
		},
	} {
		got := w.get("/v1/notifications?" + tt.query)
		p := got.problem(t, http.StatusBadRequest, invalidParameters)
		if len(p.Errors) != len(tt.want) || strings.Contains(got.body, "secret-value") || strings.HasSuffix(p.Detail, "?.") {
			t.Errorf("%s: %+v", tt.query, p.Errors)
			continue
		}
		for i, want := range tt.want {
			name, part, _ := strings.Cut(want, ": ")
			if e := p.Errors[i]; e.Parameter != name || !strings.Contains(e.Detail, part) || !strings.Contains(p.Detail, e.Detail) {
				t.Errorf("%s: %+v in %q, want %q", tt.query, e, p.Detail, want)
			}
		}
	}
	many := strings.Repeat("x=1&", 500)
	if p := w.get("/v1/notifications?"+many).problem(t, 400, invalidParameters); len(p.Errors) != maxMistakes {
		t.Errorf("%d mistakes are listed", len(p.Errors))
	}
}

func TestPathsWithoutParametersRefuseThem(t *testing.T) {
	w := start(t, nil)
	for _, rt := range []string{"GET /v1/notifications/01A", "POST /v1/notifications/01A/retry", "POST /v1/events"} {
		method, path, _ := strings.Cut(rt, " ")
		w.do(method, path+"?dry_run=1", "").problem(t, http.StatusBadRequest, invalidParameters)
	}
	if w.log.minted != 0 {
		t.Error("an event was accepted all the same")
	}
}

func TestDetails(t *testing.T) {
	w := start(t, nil)
	binary := []byte{0xff, 0x00, '{'}
	w.log.records = []delivery.Record{
		record("text", nil),
		record("binary", func(r *delivery.Record) { r.Body = binary }),
		record("retried", func(r *delivery.Record) {
			r.Status, r.NextAt = delivery.Pending, noon().Add(time.Minute)
			r.Tries = append(r.Tries, delivery.Try{Number: 2, At: noon(), Result: delivery.Result{
				TimedOut: true, Reason: delivery.ReasonTimeout, Phase: delivery.PhaseConnect, Duration: 10 * time.Second, Message: "Timed out after 10000ms",
			}})
		}),
		record("delivered", func(r *delivery.Record) {
			r.Status, r.DeliveredAt, r.LastReason, r.LastMessage, r.StatusCode = delivery.Delivered, noon(), delivery.ReasonDelivered, "Delivered", 204
			r.Event.RunID = "run_1"
			r.Tries[0].Result = delivery.Result{Delivered: true, StatusCode: 204, Reason: delivery.ReasonDelivered, Phase: delivery.PhaseRead, Message: "Delivered"}
		}),
		record("sending", func(r *delivery.Record) { r.Status, r.NextAt = delivery.Sending, noon() }),
		record("discarded", func(r *delivery.Record) { r.Status, r.LastReason = delivery.Discarded, delivery.ReasonDiscarded }),
		record("imported", func(r *delivery.Record) {
			r.Imported, r.Body, r.ContentType, r.ExpiresAt, r.LastReason = true, nil, "", time.Time{}, ""
			r.Tries[0].Result = delivery.Result{Message: "Webhook returned HTTP 500"}
		}),
		record("unmade", func(r *delivery.Record) { r.Unmade, r.Tries, r.Attempts, r.LastReason = true, nil, 0, "" }),
	}
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	for _, tt := range []struct{ id, status, state, payload, encoding, hash, reason, next string }{
		{"text", "failed", "failed", `{"event":"execution.failed"}`, "text", sum([]byte(`{"event":"execution.failed"}`)), "rejected", ""},
		{"binary", "failed", "failed", base64.StdEncoding.EncodeToString(binary), "base64", sum(binary), "rejected", ""},
		{"retried", "pending", "pending", `{"event":"execution.failed"}`, "text", sum([]byte(`{"event":"execution.failed"}`)), "rejected", "2026-04-04T12:01:00Z"},
		{"delivered", "delivered", "delivered", `{"event":"execution.failed"}`, "text", sum([]byte(`{"event":"execution.failed"}`)), "delivered", ""},
		{"sending", "pending", "sending", `{"event":"execution.failed"}`, "text", sum([]byte(`{"event":"execution.failed"}`)), "rejected", ""},
		{"discarded", "failed", "discarded", `{"event":"execution.failed"}`, "text", sum([]byte(`{"event":"execution.failed"}`)), "discarded", ""},
		{"imported", "failed", "failed", "", "", "", "", ""},
		{"unmade", "failed", "failed", "", "", "", "", ""},
	} {
		d := decode[details](t, w.get("/v1/notifications/"+tt.id), http.StatusOK)
		got := []string{d.ID, d.Status, d.State, text(d.Payload), text(d.PayloadEncoding), text(d.PayloadSHA256), text(d.Reason), text(d.NextAttemptAt)}
		want := []string{tt.id, tt.status, tt.state, tt.payload, tt.encoding, tt.hash, tt.reason, tt.next}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.id, diff)
		}
		// What the details promise, the desk keeps.
		retried := w.do(http.MethodPost, "/v1/notifications/"+tt.id+"/retry", "")
		if d.Retryable != (retried.status == http.StatusAccepted) {
			t.Errorf("%s: retryable is %t, a retry gives %d", tt.id, d.Retryable, retried.status)
		}
	}
	d := decode[details](t, w.get("/v1/notifications/retried"), http.StatusOK)
	if len(d.Tries) != 2 || d.Tries[0].DurationMS != 12.5 || *d.Tries[0].ResponseStatus != 410 || !d.Tries[1].TimedOut ||
		d.Tries[1].ResponseStatus != nil || *d.Tries[0].Address != "203.0.113.7:443" || *d.Tries[1].Error != "Timed out after 10000ms" {
		t.Errorf("tries %+v", d.Tries)
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestUnknownIds(t *testing.T) {
	w := start(t, nil)
	for _, id := range []string{"01J", "%00", "%ff", "a%2Fb", strings.Repeat("x", 65), url.PathEscape("'; drop table notification_log")} {
		w.get("/v1/notifications/"+id).problem(t, http.StatusNotFound, unknownDelivery)
		w.do(http.MethodPost, "/v1/notifications/"+id+"/retry", "").problem(t, http.StatusNotFound, unknownDelivery)
	}
}

func TestRetry(t *testing.T) {
	w := start(t, nil)
	status := func(s delivery.Status) func(*delivery.Record) { return func(r *delivery.Record) { r.Status = s } }
	w.log.records = []delivery.Record{
		record("failed", nil), record("pending", status(delivery.Pending)), record("sending", status(delivery.Sending)),
		record("delivered", status(delivery.Delivered)), record("discarded", status(delivery.Discarded)),
		record("imported", func(r *delivery.Record) { r.Imported = true }),
	}
	post := func(id string) reply { return w.do(http.MethodPost, "/v1/notifications/"+id+"/retry", "") }
	for _, id := range []string{"failed", "pending"} {
		if it := decode[item](t, post(id), http.StatusAccepted); it.ID != id || it.Status != "pending" || it.Attempts != 2 {
			t.Errorf("%s: %+v", id, it)
		}
		post(id).problem(t, http.StatusConflict, beingSent) // twice at once is once
	}
	if n := strings.Count(w.talk.String(), `"msg":"a retry was asked for"`); n != 2 || !strings.Contains(w.talk.String(), `"client":"all","delivery_id":"failed"`) {
		t.Errorf("%d retries are logged: %s", n, w.talk.String())
	}
	post("sending").problem(t, http.StatusConflict, beingSent)
	post("delivered").problem(t, http.StatusConflict, alreadyDelivered)
	post("discarded").problem(t, http.StatusConflict, discarded)
	post("imported").problem(t, http.StatusConflict, bytesUnknown)
}

func TestWithoutPersistence(t *testing.T) {
	const why = "Persistence is switched off in gateway.yaml."
	w := start(t, func(o *Options) { o.Log, o.Overview, o.Desk, o.Unkept = nil, nil, nil, why })
	if got := w.get("/v1/notifications?limit=7&offset=3"); got.status != http.StatusOK || got.body != `{"items":[],"total":0,"limit":7,"offset":3}`+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
	w.get("/v1/notifications?status=x").problem(t, http.StatusBadRequest, invalidParameters)
	for _, p := range []problem{
		w.get("/v1/notifications/01A").problem(t, http.StatusNotFound, unknownDelivery),
		w.do(http.MethodPost, "/v1/notifications/01A/retry", "").problem(t, http.StatusServiceUnavailable, notKept),
		w.do(http.MethodPost, "/v1/events", `{"event":"on_error"}`).problem(t, http.StatusServiceUnavailable, notKept),
	} {
		if p.Detail != why {
			t.Errorf("%s", p.Detail)
		}
	}
	if h := decode[health](t, w.get("/v1/health"), http.StatusOK); h.Status != "ok" || text(h.Detail) != why {
		t.Errorf("%+v", h)
	}
	if got := w.get("/metrics"); got.status != http.StatusOK || strings.Contains(got.body, "agentxchain_log_up") {
		t.Errorf("%d %s", got.status, got.body)
	}
	// A server without a log that was not told why says so itself.
	w = start(t, func(o *Options) { o.Desk = nil })
	w.do(http.MethodPost, "/v1/events", `{"event":"on_error"}`).problem(t, http.StatusServiceUnavailable, notKept)
}

// TestUnreachableLogIsNoEmptyList tells a log that is down from one that is empty.
func TestUnreachableLogIsNoEmptyList(t *testing.T) {
	w := start(t, nil)
	w.log.records = []delivery.Record{record("01A", nil)}
	w.log.err, w.log.refusal = errDatabase, errDatabase
	for _, rt := range []string{
		"GET /v1/notifications", "GET /v1/notifications/01A", "POST /v1/notifications/01A/retry", "POST /v1/events", "GET /v1/health",
	} {
		method, path, _ := strings.Cut(rt, " ")
		body := ""
		if path == "/v1/events" {
			body = `{"event":"on_error"}`
		}
		got := w.do(method, path, body)
		p := got.problem(t, http.StatusServiceUnavailable, unavailable)
		if unsure := strings.Contains(p.Detail, "not known whether this was done"); unsure != (method == http.MethodPost) {
			t.Errorf("%s: %s", rt, p.Detail)
		}
		if strings.Contains(got.body, "db.internal") {
			t.Errorf("%s shows where the database is: %s", rt, got.body)
		}
	}
	if n := strings.Count(w.talk.String(), errDatabase.Error()); n != 5 {
		t.Errorf("the cause was logged %d times", n)
	}
	if got := w.get("/metrics"); !strings.Contains(got.body, "\nagentxchain_log_up 0\n") || strings.Contains(got.body, "agentxchain_deliveries{") {
		t.Errorf("%s", got.body)
	}
}

func TestHealth(t *testing.T) {
	now := noon()
	w := start(t, func(o *Options) { o.Now = func() time.Time { return now } })
	w.log.records = []delivery.Record{
		record("1", nil),
		record("2", func(r *delivery.Record) { r.Status = delivery.Delivered }),
		record("3", func(r *delivery.Record) { r.Status = delivery.Discarded }),
		record("4", func(r *delivery.Record) {
			r.Status, r.Attempts, r.CreatedAt, r.NextAt = delivery.Pending, 0, noon().Add(-90*time.Second), noon()
		}),
		record("5", func(r *delivery.Record) { r.Status = delivery.Sending }),
	}
	age := int64(90)
	want := health{Status: "ok", Accepted: 5, Attempted: 4, Delivered: 1, Pending: 2, Failed: 2, OldestPendingSeconds: &age}
	if diff := cmp.Diff(want, decode[health](t, w.get("/v1/health", header("Authorization")), http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	for range 5 { // one look serves all who ask within a second
		w.get("/v1/health?probe=1")
		w.get("/metrics")
	}
	if w.log.looks != 1 {
		t.Errorf("the log was asked %d times within a second", w.log.looks)
	}
	w.log.records[3].NextAt = noon().Add(-2 * time.Minute)
	now = now.Add(healthAge)
	if h := decode[health](t, w.get("/v1/health"), http.StatusOK); h.Status != "degraded" || h.Overdue != 1 || h.Detail == nil || *h.OldestPendingSeconds != 91 {
		t.Errorf("%+v", h)
	}
	now = now.Add(-time.Hour) // the clock was set back
	if h := decode[health](t, w.get("/v1/health"), http.StatusOK); *h.OldestPendingSeconds != 0 || w.log.looks != 3 {
		t.Errorf("%+v after %d looks", h, w.log.looks)
	}
}

// slow is an overview that answers when it is told to.
type slow struct{ asked, answer chan struct{} }

func (s slow) Health(ctx context.Context) (delivery.Health, error) {
	s.asked <- struct{}{}
	select {
	case <-s.answer:
		return delivery.Health{Accepted: 7}, nil
	case <-ctx.Done():
		return delivery.Health{}, ctx.Err()
	}
}

// TestOneLookAtATime: who waits for somebody else's look can still leave, and
// a look that was cut short serves nobody.
func TestOneLookAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow{make(chan struct{}, 9), make(chan struct{})}
		c := newHealthCache(s, time.Now)
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.look(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a look without end: %v", err)
			}
		})
		<-s.asked
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.look(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		all.Wait()
		close(s.answer)
		for range 3 {
			if h, err := c.look(t.Context()); err != nil || h.Accepted != 7 {
				t.Errorf("%+v %v", h, err)
			}
		}
		if n := len(s.asked); n != 1 {
			t.Errorf("asked %d times more", n)
		}
	})
}

func TestShorten(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "short": "short", strings.Repeat("x", 64): strings.Repeat("x", 64),
		strings.Repeat("x", 65): strings.Repeat("x", 64) + "…", strings.Repeat("x", 63) + "ää": strings.Repeat("x", 63) + "…",
	} {
		if got := shorten(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
}

// TestReadQueryOnlyTakesPlainValues: whatever the query, what reaches the log
// is within bounds, and a query with a mistake never reaches it.
func TestReadQueryOnlyTakesPlainValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"status", "limit", "offset", "since", "agent_id", "target", "channel", "event_type", "x"})
		q := url.Values{}
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			q.Add(names.Draw(t, "name"), rapid.String().Draw(t, "value"))
		}
		checkQuery(t, q.Encode())
	})
}

func checkQuery(t interface{ Errorf(string, ...any) }, raw string) {
	q, mistakes := readQuery(raw, noon())
	if q.page.Limit < 1 || q.page.Limit > maxLimit || q.page.Offset < 0 || q.page.Offset > maxOffset ||
		!plain(q.filter.Agent) || !plain(q.filter.Target) || !plain(q.filter.ExecutionID) || len(q.filter.Agent) > maxWord {
		t.Errorf("%q gives %+v", raw, q)
	}
	values, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	for name, v := range values {
		if (len(v) > 1 || name == "x") && len(mistakes) == 0 {
			t.Errorf("%q has no mistakes", raw)
		}
	}
	if err != nil && len(mistakes) == 0 {
		t.Errorf("%q has no mistakes, but %v", raw, err)
	}
	for _, m := range mistakes {
		if m.Parameter == "" || m.Detail == "" || len(m.Detail) > 1000 {
			t.Errorf("%q: %+v", raw, m)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "status=failed&limit=50", "since=24h", "since=2026-01-31T12:00:00Z", "limit=%", "a;b=c", "=1", "&&&", "agent_id=%00",
		"event_type=execution.failed", "offset=99999999999",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkQuery(t, raw) })
}

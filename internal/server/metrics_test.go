package server

import (
	"bufio"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

func attempt(channel delivery.Channel, reason delivery.Reason, took time.Duration) delivery.Attempt {
	return delivery.Attempt{
		Delivery: delivery.Delivery{Target: delivery.Target{Channel: channel}},
		Result:   delivery.Result{Reason: reason, Duration: took},
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	w := start(t, func(o *Options) { o.Metrics = m })
	w.log.records = []delivery.Record{
		record("1", nil), record("2", func(r *delivery.Record) {
			r.Status, r.Attempts, r.CreatedAt, r.NextAt = delivery.Pending, 0, noon().Add(-90*time.Second), noon().Add(-2*time.Minute)
		}),
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				m.Accepted(2)
				m.Lost(1)
				m.Attempted(attempt(delivery.Webhook, delivery.ReasonDelivered, 20*time.Millisecond))
				m.Attempted(attempt(delivery.Webhook, delivery.ReasonTimeout, 40*time.Second))
				m.Attempted(attempt(delivery.Slack, delivery.ReasonRejected, 250*time.Millisecond))
			}
		})
	}
	all.Wait()
	w.get("/v1/notifications")
	w.get("/v1/notifications/1")
	w.get("/v1/notifications/2")
	w.do("BREW", "/v1/events", "")
	w.get("/nowhere/1")
	w.get("/nowhere/2")
	got := w.get("/metrics")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %v", got.status, got.header)
	}
	for _, want := range []string{
		"agentxchain_deliveries_accepted_total 800",
		"agentxchain_claims_lost_total 400",
		`agentxchain_attempts_total{channel="webhook",reason="delivered"} 400`,
		`agentxchain_attempts_total{channel="webhook",reason="timeout"} 400`,
		`agentxchain_attempts_total{channel="slack",reason="rejected"} 400`,
		`agentxchain_attempt_duration_seconds_bucket{channel="webhook",le="0.01"} 0`,
		`agentxchain_attempt_duration_seconds_bucket{channel="webhook",le="0.025"} 400`,
		`agentxchain_attempt_duration_seconds_bucket{channel="webhook",le="30"} 400`,
		`agentxchain_attempt_duration_seconds_bucket{channel="webhook",le="+Inf"} 800`,
		`agentxchain_attempt_duration_seconds_bucket{channel="slack",le="0.25"} 400`,
		`agentxchain_attempt_duration_seconds_sum{channel="webhook"} 16008`,
		`agentxchain_attempt_duration_seconds_count{channel="webhook"} 800`,
		`agentxchain_http_requests_total{route="/v1/notifications/{id}",method="GET",code="200"} 2`,
		`agentxchain_http_requests_total{route="/v1/events",method="other",code="405"} 1`,
		`agentxchain_http_requests_total{route="other",method="GET",code="404"} 2`,
		"agentxchain_log_up 1",
		`agentxchain_deliveries{status="failed"} 1`,
		`agentxchain_deliveries{status="pending"} 1`,
		`agentxchain_deliveries{status="sending"} 0`,
		"agentxchain_deliveries_attempted 1",
		"agentxchain_deliveries_overdue 1",
		"agentxchain_oldest_pending_seconds 90",
	} {
		if !strings.Contains(got.body, "\n"+want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	if n := checkExposition(t, got.body); n < 40 {
		t.Errorf("%d samples", n)
	}
	if t.Failed() {
		t.Log(got.body)
	}
}

// checkExposition holds the text to the rules of Prometheus' format, version
// 0.0.4, for our own metrics: help and type before the samples, each family in
// one place, no series twice, buckets in order and cumulative.
func checkExposition(t *testing.T, text string) int {
	t.Helper()
	sample := regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]+="(?:[^"\\\n]|\\["\\n])*",?[ ]?)*\})? (\S+)$`)
	le := regexp.MustCompile(`le="([^"]+)"`)
	kinds, closed, seen := map[string]string{}, map[string]bool{}, map[string]bool{}
	family, helped, n := "", "", 0
	bucket, bound := -1.0, 0.0
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			helped, _, _ = strings.Cut(rest, " ")
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if closed[name] || helped != name {
				t.Errorf("%s is described twice, or without help", name)
			}
			family, kinds[name], closed[name] = name, kind, true
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no sample: %q", line)
			continue
		}
		n++
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil || seen[m[1]+m[2]] {
			t.Errorf("%q: %v, or twice", line, err)
		}
		seen[m[1]+m[2]] = true
		if !strings.HasPrefix(m[1], "agentxchain_") {
			continue
		}
		if base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m[1], "_bucket"), "_sum"), "_count"); m[1] != family && (base != family || kinds[family] != "histogram") {
			t.Errorf("%q stands in the family %s", line, family)
		}
		if kinds[family] == "counter" != strings.HasSuffix(m[1], "_total") {
			t.Errorf("%q is a %s", line, kinds[family])
		}
		if b := le.FindStringSubmatch(m[2]); b != nil {
			at, err := strconv.ParseFloat(b[1], 64)
			if first := b[1] == fmt.Sprint(bounds[0]); err != nil || !first && (at <= bound || value < bucket) {
				t.Errorf("%q does not follow %g at %g", line, bucket, bound)
			}
			bucket, bound = value, at
		}
	}
	return n
}

func TestLabelsAreEscaped(t *testing.T) {
	if got := labelText("a", "x\"\\\n", "b", ""); got != `{a="x\"\\\n",b=""}` {
		t.Errorf("%s", got)
	}
}

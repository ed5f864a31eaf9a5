package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"agentxchain/internal/delivery"
)

// Metrics counts what this process does, for Prometheus. Its methods may be
// called by several goroutines. Labels have few values: targets, agents and
// ids are in the delivery log, not here.
type Metrics struct {
	accepted, attempts, lost, requests counter
	durations                          histogram
}

// NewMetrics returns counters that stand at zero.
func NewMetrics() *Metrics {
	m := &Metrics{
		accepted: newCounter("agentxchain_deliveries_accepted_total", "Deliveries that this process made durable."),
		attempts: newCounter("agentxchain_attempts_total", "Attempts by channel and by the reason of their outcome."),
		lost:     newCounter("agentxchain_claims_lost_total", "Deliveries that another worker took over before this one was done with them."),
		requests: newCounter("agentxchain_http_requests_total", "HTTP requests by route, method and status."),
		durations: histogram{
			name: "agentxchain_attempt_duration_seconds", help: "Time from connecting to the end of the answer, by channel.",
			series: map[string]*observed{},
		},
	}
	m.accepted.add(0)
	m.lost.add(0)
	return m
}

// Accepted counts n deliveries that were made durable.
func (m *Metrics) Accepted(n int) { m.accepted.add(n) }

// Attempted counts an attempt that ended.
func (m *Metrics) Attempted(a delivery.Attempt) {
	channel := string(a.Delivery.Target.Channel)
	m.attempts.add(1, "channel", channel, "reason", string(a.Result.Reason))
	m.durations.observe(channel, a.Result.Duration)
}

// Lost counts n deliveries whose claim ended before this process was done.
func (m *Metrics) Lost(n int) { m.lost.add(n) }

// requested counts an HTTP request.
func (m *Metrics) requested(route, method string, status int) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		method = "other" // anybody can make methods up
	}
	m.requests.add(1, "route", route, "method", method, "code", strconv.Itoa(status))
}

// write writes the text exposition format, version 0.0.4.
func (m *Metrics) write(w io.Writer) {
	for _, c := range []counter{m.accepted, m.attempts, m.lost, m.requests} {
		c.write(w)
	}
	m.durations.write(w)
	metrics.WriteProcessMetrics(w)
	metrics.WriteFDMetrics(w)
}

// showMetrics answers GET /metrics. What the process counts is shown even
// when the log can't be asked; that is a metric as well.
func (a *api) showMetrics(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	a.writeGauges(r.Context(), &b)
	a.Metrics.write(&b)
	writeBody(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", b.Bytes())
	return nil
}

// writeGauges asks the log how it stands.
func (a *api) writeGauges(ctx context.Context, w io.Writer) {
	if a.Unkept != "" {
		return
	}
	h, err := a.health.look(ctx)
	up := 1
	if err != nil {
		up = 0
	}
	head(w, "agentxchain_log_up", "gauge", "Whether the delivery log could be asked just now.")
	fmt.Fprintf(w, "agentxchain_log_up %d\n", up)
	if err != nil {
		return
	}
	head(w, "agentxchain_deliveries", "gauge", "Deliveries in the log by state.")
	for _, s := range []delivery.Status{delivery.Delivered, delivery.Discarded, delivery.Failed, delivery.Pending, delivery.Sending} {
		fmt.Fprintf(w, "agentxchain_deliveries{status=%q} %d\n", s, h.ByStatus[s])
	}
	for _, g := range []struct {
		name, help string
		value      int64
	}{
		{"agentxchain_deliveries_attempted", "Deliveries in the log with at least one attempt.", h.Attempted},
		{"agentxchain_deliveries_overdue", "Deliveries whose attempt should have begun more than a minute ago.", h.Overdue},
		{"agentxchain_oldest_pending_seconds", "Age of the oldest delivery that waits or is being sent; 0 without any.", oldestAge(h, a.Now())},
	} {
		head(w, g.name, "gauge", g.help)
		fmt.Fprintf(w, "%s %d\n", g.name, g.value)
	}
}

// head writes what stands before the series of one metric. The library would
// leave the help out.
func head(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// counter is one metric with its series, in a set of its own.
type counter struct {
	name, help string
	set        *metrics.Set
}

func newCounter(name, help string) counter {
	return counter{name: name, help: help, set: metrics.NewSet()}
}

// add counts on the series with these labels, names and values in turn.
func (c counter) add(n int, labels ...string) {
	c.set.GetOrCreateCounter(c.name + labelText(labels...)).Add(n)
}

func (c counter) write(w io.Writer) {
	head(w, c.name, "counter", c.help)
	c.set.WritePrometheus(w)
}

// labelText writes labels as the format has them.
func labelText(labels ...string) string {
	if len(labels) == 0 {
		return ""
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	parts := make([]string, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		parts = append(parts, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// bounds are the upper ends of a histogram's buckets, in seconds. The
// library's own histograms have buckets that only one database understands.
var bounds = [...]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// histogram counts durations by channel.
type histogram struct {
	name, help string
	mu         sync.Mutex
	series     map[string]*observed
}

// observed is one series: how many durations ended within each bound, all of
// them, and their sum.
type observed struct {
	within [len(bounds)]uint64
	count  uint64
	sum    time.Duration
}

func (h *histogram) observe(channel string, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.series[channel]
	if o == nil {
		o = &observed{}
		h.series[channel] = o
	}
	o.count++
	o.sum += d
	for i, bound := range bounds {
		if d.Seconds() <= bound {
			o.within[i]++
		}
	}
}

func (h *histogram) write(w io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head(w, h.name, "histogram", h.help)
	for _, channel := range slices.Sorted(maps.Keys(h.series)) {
		o := h.series[channel]
		for i, bound := range bounds {
			le := strconv.FormatFloat(bound, 'g', -1, 64)
			fmt.Fprintf(w, "%s_bucket%s %d\n", h.name, labelText("channel", channel, "le", le), o.within[i])
		}
		fmt.Fprintf(w, "%s_bucket%s %d\n", h.name, labelText("channel", channel, "le", "+Inf"), o.count)
		fmt.Fprintf(w, "%s_sum%s %g\n", h.name, labelText("channel", channel), o.sum.Seconds())
		fmt.Fprintf(w, "%s_count%s %d\n", h.name, labelText("channel", channel), o.count)
	}
}

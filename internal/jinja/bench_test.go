package jinja

import (
	"context"
	"strings"
	"testing"

	"agentxchain/internal/pyvalue"
)

// pagerduty is the payload template of the guide.
const pagerduty = `{
  "routing_key": "your-routing-key",
  "event_action": "trigger",
  "payload": {
    "summary": "{{ agent_name }} failed: {{ error }}",
    "severity": "error",
    "source": "agent-gateway"
  }
}
`

func failure() *pyvalue.Dict {
	d := pyvalue.NewDict(7)
	for name, text := range map[string]string{
		"agent_name": "report-agent", "event": "on_error", "execution_id": "abc-123", "session_id": "s-1",
		"output": "", "error": "connection refused", "timestamp": "2026-02-25T09:00:00Z",
	} {
		d.SetStr(name, pyvalue.NewStr(text))
	}
	return d
}

func renderOnce(tb testing.TB, source string, vars *pyvalue.Dict) string {
	tb.Helper()
	t, err := Compile("", source, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	text, err := t.Render(context.Background(), vars)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func BenchmarkPagerDuty(b *testing.B) {
	vars := failure()
	b.ReportAllocs()
	for b.Loop() {
		renderOnce(b, pagerduty, vars)
	}
}

func BenchmarkRender(b *testing.B) {
	t, err := Compile("", pagerduty, Options{})
	if err != nil {
		b.Fatal(err)
	}
	vars := failure()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Render(context.Background(), vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoop(b *testing.B) {
	const source = "{% for i in range(1000) %}{% if i is odd %}{{ loop.index }}: {{ i * 2 }}, {% endif %}{% endfor %}"
	vars := failure()
	b.ReportAllocs()
	for b.Loop() {
		renderOnce(b, source, vars)
	}
}

// Rendering a template of the guide from its source stays under 100 allocations.
func TestAllocations(t *testing.T) {
	vars := failure()
	want := "report-agent failed: connection refused"
	if got := renderOnce(t, pagerduty, vars); !strings.Contains(got, want) {
		t.Fatalf("got %s, want %s in it", got, want)
	}
	if raceEnabled {
		return
	}
	n := testing.AllocsPerRun(100, func() { renderOnce(t, pagerduty, vars) })
	if n > 100 {
		t.Errorf("%v allocations", n)
	}
}

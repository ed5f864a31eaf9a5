//go:build !race

package render

import (
	"testing"

	"agentxchain/internal/events"
)

// A command compiles and renders a template once; it is part of every emit.
func TestRenderingAllocatesLittle(t *testing.T) {
	j := job{source: Source{Name: "gateway.yaml", Text: pagerDuty}, name: "gateway.yaml", vars: Vars{Event: Sample(events.OnError)}}
	rendering := testing.AllocsPerRun(100, func() {
		template, err := New(Options{}).compile(j)
		if err != nil {
			t.Fatal(err)
		}
		vars, err := j.values()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := template.Render(t.Context(), vars); err != nil {
			t.Fatal(err)
		}
	})
	if rendering > 100 {
		t.Errorf("the guide's example takes %.0f allocations to compile and render", rendering)
	}
	whole := testing.AllocsPerRun(100, func() {
		if _, err := New(Options{}).Payload(t.Context(), j.source, j.vars); err != nil {
			t.Fatal(err)
		}
	})
	if whole > 150 {
		t.Errorf("the guide's example takes %.0f allocations until it is checked and written anew", whole)
	}
}

// pagerDuty is the example of the guide.
const pagerDuty = `{
  "routing_key": "your-routing-key",
  "event_action": "trigger",
  "payload": {
    "summary": "{{ agent_name }} failed: {{ error }}",
    "severity": "error",
    "source": "agent-gateway"
  }
}
`

func BenchmarkPayload(b *testing.B) {
	v := Vars{Event: Sample(events.OnError)}
	for b.Loop() {
		if _, err := New(Options{}).Payload(b.Context(), Source{Name: "gateway.yaml", Text: pagerDuty}, v); err != nil {
			b.Fatal(err)
		}
	}
}

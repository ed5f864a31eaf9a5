package render_test

import (
	"encoding/json"
	"testing"

	"agentxchain/internal/events"
	"agentxchain/internal/jinja"
	"agentxchain/internal/render"
)

// FuzzPayload: whatever the template and the values are, there is either JSON
// or an error, within the budget, and never a panic.
func FuzzPayload(f *testing.F) {
	f.Add(pagerDutyExample, "report-agent", `say "hi"`)
	f.Add(slackExample, `\`, "\xff")
	f.Add(`{% set x %}"{{ error }}"{% endset %}[{{ x }}, "{{ x }}", "\{{ error }}"]`, "", "\n")
	f.Add(`{% macro m(a) %}{{ a }}{% endmacro %}{"{{ m(error) }}": {{ event.duration_ms }}, "b": {{ error | tojson }}}`, "a", "b")
	f.Add(`["{% for c in error %}{{ c | safe }}{% endfor %}"]`, "a", `"\u`)
	r := render.New(render.Options{Budget: jinja.Budget{Steps: 20_000, OutputBytes: 1 << 20, StringBytes: 1 << 20, TotalBytes: 4 << 20, SourceBytes: 1 << 16}})
	f.Fuzz(func(t *testing.T, template, agent, failure string) {
		v := run(events.OnError, func(a *events.AgentRun) { a.Name, a.Error = agent, failure })
		body, err := r.Payload(t.Context(), webhook(template), v)
		if (err == nil) != json.Valid(body) {
			t.Errorf("%q gives %q, %v", template, body, err)
		}
	})
}

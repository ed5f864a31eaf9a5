package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"agentxchain/internal/events"
	"agentxchain/internal/render"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	templates := filepath.Join(dir, "templates")
	writeFile(t, templates, "part.j2", `{"type": "divider"}`)
	writeFile(t, templates, "sub/message.json.j2", `[{% include "part.j2" %}]`)
	writeFile(t, dir, "part.j2", `{"type": "own"}`)
	writeFile(t, dir, "own.json.j2", `[{% include "part.j2" %}]`)
	writeFile(t, dir, "pagerduty.json.j2", pagerDutyExample)
	writeFile(t, dir, "object.json.j2", `{"not": "a list"}`)
	writeFile(t, dir, "broken.json.j2", "\n{{ 1 + }}")
	writeFile(t, dir, "page.html", `["{{ '<' }}"]`)
	slack, webhook := render.TargetVars{Channel: "slack"}, render.TargetVars{Channel: "webhook"}
	tests := []struct {
		file           string
		target         render.TargetVars
		body, fallback string
	}{
		{"templates/sub/message.json.j2", slack, `[{"type": "divider"}]`, ""},
		{"templates/sub/message.json.j2", webhook, "", "TemplateNotFound: part.j2"},
		{"own.json.j2", slack, `[{"type": "own"}]`, ""},
		{"pagerduty.json.j2", webhook, `{"routing_key": "your-routing-key", "event_action": "trigger", "payload": {"summary": "report-agent failed: connection reset by peer", "severity": "error", "source": "agent-gateway"}}`, ""},
		{"pagerduty.json.j2", slack, "", "Slack takes a list of blocks"},
		{"object.json.j2", webhook, `{"not": "a list"}`, ""},
		{"broken.json.j2", webhook, "", "broken.json.j2:2:"},
		{"page.html", webhook, `["&lt;"]`, ""},
	}
	r := render.New(render.Options{TemplatesDir: templates})
	for _, test := range tests {
		out, err := r.File(t.Context(), filepath.Join(dir, test.file), render.Vars{Event: render.Sample(events.OnError), Target: test.target}, nil)
		if err != nil || string(out.Body) != test.body {
			t.Errorf("%s as %s: %s, %v, want %s", test.file, test.target.Channel, out.Body, err, test.body)
		}
		if (out.Fallback != nil) != (test.fallback != "") || out.Fallback != nil && !strings.Contains(out.Fallback.Error(), test.fallback) {
			t.Errorf("%s as %s: falls back for %v, want %s", test.file, test.target.Channel, out.Fallback, test.fallback)
		}
	}
}

func TestFileTellsWhatWasWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json.j2")
	if err := os.WriteFile(file, []byte("[ {{ 1 + 1 }} ,]"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := render.New(render.Options{}).File(t.Context(), file, render.Vars{Event: render.Sample(events.OnError)}, nil)
	if err != nil || out.Output != "[ 2 ,]" || out.Body != nil || out.Fallback == nil {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestFileCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{filepath.Join(dir, "absent.json.j2"), dir} {
		_, err := render.New(render.Options{}).File(t.Context(), file, render.Vars{Event: render.Sample(events.OnError)}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), file+": cannot be read") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestContextReplacesVariables(t *testing.T) {
	tests := []struct{ context, template, want, failure string }{
		{`{"agent_name": "x\"y", "extra": {"a": [1.0, 12345678901234567890, null]}}`, `["{{ agent_name }}", "{{ extra }}"]`, `["x\"y", "{'a': [1.0, 12345678901234567890, None]}"]`, ""},
		{`{"event": {"duration_ms": 5, "more": true}}`, `["{{ event }}", "{{ event.duration_ms }}", "{{ event.more }}", "{{ event.agent_id }}"]`, `["on_error", "5", "True", "report-agent"]`, ""},
		{`{"event": "on_timeout"}`, `["{{ event }}", "{{ event == 'on_timeout' }}", "{{ event.type }}"]`, `["on_timeout", "True", "execution.failed"]`, ""},
		{`{"event": null, "target": 1}`, `["{{ event }}", "{{ target }}"]`, `["None", "1"]`, ""},
		{`{"target": {"target": "#x"}}`, `["{{ target.target }}", "{{ target.channel }}"]`, `["#x", ""]`, ""},
		{`{"target": "text"}`, `["{{ target }}"]`, `["text"]`, ""},
		{`{"agent_name": "x"}`, `["{{ event.agent_id }}"]`, `["report-agent"]`, ""},
		{`{}`, `[1]`, `[1]`, ""},
		{`[]`, `[1]`, "", `context.json:1:1: the context must be an object, not an array`},
		{"{\"a\": 1,\n \"a\": 2}", `[1]`, "", `context.json:2:2: duplicate key "a"`},
		{`{"a": `, `[1]`, "", `context.json:1:7: unexpected end of input`},
		{`{"a": ` + strings.Repeat("9", 5000) + `}`, `[1]`, "", `context.json:1:7: `},
		{strings.Repeat(" ", render.MaxBytes+1), `[1]`, "", "longer than 8388608 bytes"},
	}
	file := filepath.Join(t.TempDir(), "x.json.j2")
	for _, test := range tests {
		if err := os.WriteFile(file, []byte(test.template), 0o600); err != nil {
			t.Fatal(err)
		}
		c := &render.Context{Name: "context.json", Text: []byte(test.context)}
		out, err := render.New(render.Options{}).File(t.Context(), file, render.Vars{Event: render.Sample(events.OnError)}, c)
		if string(out.Body) != test.want {
			t.Errorf("%.60s: %s, want %s (%v, %v)", test.context, out.Body, test.want, out.Fallback, err)
		}
		if (err != nil) != (test.failure != "") || err != nil && !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%.60s: error %v, want %s", test.context, err, test.failure)
		}
	}
}

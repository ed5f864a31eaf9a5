package render_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/jinja"
	"agentxchain/internal/render"
)

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func value(t *testing.T, src string) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Variables are shown by printing them into a list of one string.
func printed(t *testing.T, r *render.Renderer, expression string, v render.Vars) string {
	t.Helper()
	body, err := r.Payload(t.Context(), render.Source{Name: "t", Text: `["{{ ` + expression + ` }}"]`}, v)
	if err != nil {
		t.Errorf("{{ %s }}: %v", expression, err)
		return ""
	}
	return value(t, string(body)).Items()[0].Str()
}

func TestVariablesOfAgentRuns(t *testing.T) {
	full := run(events.OnError, func(a *events.AgentRun) {
		a.SessionID, a.Error, a.Output = "s-1", "boom", value(t, `{"big": 12345678901234567890, "f": 1.0, "n": null, "l": [1, "a"]}`)
	})
	full.Target = render.TargetVars{Channel: "slack", Target: "#c", Template: "custom"}
	bare := run(events.OnComplete, func(a *events.AgentRun) { *a = events.AgentRun{} })
	text := run(events.OnComplete, func(a *events.AgentRun) { a.Status = "max_iterations" })
	tests := []struct {
		vars             render.Vars
		expression, want string
	}{
		{full, "agent_name", "report-agent"},
		{full, "event", "on_error"},
		{full, "event == 'on_error'", "True"},
		{full, "event != 'on_error'", "False"},
		{full, "event in ['on_error', 'on_timeout']", "True"},
		{full, "event ~ '!'", "on_error!"},
		{full, "event | upper", "ON_ERROR"},
		{full, "event.type", "execution.failed"},
		{full, "event.execution_id ~ execution_id", "11111111-2222-3333-4444-55555555555511111111-2222-3333-4444-555555555555"},
		{full, "event.agent_id", "report-agent"},
		{full, "event.status", "failed"},
		{full, "event.message", "Summarise Q1"},
		{full, "event.error ~ error", "boomboom"},
		{full, "event.duration_ms + 1", "1235"},
		{full, "event.usage ~ event.started_at ~ event.completed_at ~ event.input", "NoneNoneNoneNone"},
		{full, "event.result.stop_reason", "failed"},
		{full, "event.result.error", "boom"},
		{full, "event.result.output.big + 1", "12345678901234567891"},
		{full, "event.result.raw_text", `{"big": 12345678901234567890, "f": 1.0, "n": null, "l": [1, "a"]}`},
		{full, "event.result.usage.input_tokens", ""},
		{full, "output", "{'big': 12345678901234567890, 'f': 1.0, 'n': None, 'l': [1, 'a']}"},
		{full, "session_id", "s-1"},
		{full, "timestamp", "2026-04-04T10:00:00.123Z"},
		{full, "target.channel ~ target.target ~ target.template ~ target.url ~ target.payload_template", "slack#ccustomNoneNone"},
		{full, "payload is defined or run is defined or turn is defined or project is defined", "False"},
		{full, "event.nope is defined", "False"},
		{bare, "agent_name ~ execution_id ~ output ~ error", ""},
		{bare, "session_id", "None"},
		{bare, "event.result ~ event.error", "NoneNone"},
		{bare, "event.result.output", ""},
		{bare, "event.duration_ms", "0"},
		{bare, "event.status", "completed"},
		{text, "output", "All good"},
		{text, "event.result.output ~ event.result.raw_text", "All goodAll good"},
		{text, "event.status ~ event.result.stop_reason", "max_iterationsmax_iterations"},
		{text, "event.result.error is defined", "False"},
		{text, "'on_complete' == event", "True"},
	}
	r := render.New(render.Options{})
	for _, test := range tests {
		if got := printed(t, r, test.expression, test.vars); got != test.want {
			t.Errorf("{{ %s }} is %q, want %q", test.expression, got, test.want)
		}
	}
}

func TestVariablesOfGovernedEvents(t *testing.T) {
	blocked := render.Vars{Event: render.Sample(events.RunBlocked), Target: render.TargetVars{Channel: "webhook", Target: "ops"}}
	reminder := render.Vars{Event: render.Sample(events.ApprovalSLAReminder)}
	tests := []struct {
		vars             render.Vars
		expression, want string
	}{
		{blocked, "event", "run_blocked"},
		{blocked, "event == 'run_blocked'", "True"},
		{blocked, "event.type", "run_blocked"},
		{blocked, "agent_name ~ event.agent_id", "pmpm"},
		{blocked, "execution_id", "run_46b4485adac9d14a"},
		{blocked, "error", "planning_signoff action 1 (publish)"},
		{blocked, "event.error", "planning_signoff action 1 (publish)"},
		{blocked, "event.status", "blocked"},
		{blocked, "session_id", "None"},
		{blocked, "output", ""},
		{blocked, "timestamp", "2026-04-04T10:00:00.123Z"},
		{blocked, "project.name", "billing-worker"},
		{blocked, "run.phase", "planning"},
		{blocked, "turn.turn_id", "turn_85aa11df33294725"},
		{blocked, "turn.attempt + 1", "2"},
		{blocked, "payload.human_escalation.service", "None"},
		{blocked, "payload | list | join(' ')", "category blocked_on typed_reason owner recovery_action detail human_escalation"},
		{reminder, "agent_name", ""},
		{reminder, "error", ""},
		{reminder, "event.error", "None"},
		{reminder, "turn", "None"},
		{reminder, "turn.role_id", ""},
		{reminder, "payload.elapsed_seconds // 60", "120"},
	}
	r := render.New(render.Options{})
	for _, test := range tests {
		if got := printed(t, r, test.expression, test.vars); got != test.want {
			t.Errorf("{{ %s }} is %q, want %q", test.expression, got, test.want)
		}
	}
}

// No template can change what the next target sees.
func TestTemplatesCannotChangeEvents(t *testing.T) {
	r := render.New(render.Options{})
	agent := run(events.OnComplete, func(a *events.AgentRun) { a.Output = value(t, `{"list": [1]}`) })
	governed := render.Vars{Event: render.Sample(events.RunBlocked)}
	const show = `[{{ output | tojson }}, {{ event.result | tojson }}, {{ payload | tojson }}, {{ run | tojson }}]`
	seen := 0
	for _, v := range []render.Vars{agent, governed} {
		before, err := r.Payload(t.Context(), webhook(show), v)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range []string{
			`output.list.append(2)`, `output.update({'x': 1})`, `event.result.output.clear()`, `event.result.update({'output': 1})`,
			`payload.pop('detail')`, `payload.human_escalation.clear()`, `run.update({'run_id': 1})`,
		} {
			within, err := r.Payload(t.Context(), render.Source{Name: "t", Text: `{% set _ = ` + change + ` %}` + show}, v)
			if err == nil && string(within) != string(before) {
				seen++ // Otherwise it is about a variable of the other family.
			}
			after, err := r.Payload(t.Context(), webhook(show), v)
			if err != nil || string(before) != string(after) {
				t.Errorf("after %s\n%s\nbecame %s: %v", change, before, after, err)
			}
		}
	}
	if seen != 7 {
		t.Errorf("%d changes were seen by the template that made them, want 7", seen)
	}
}

func TestOutputs(t *testing.T) {
	v := run(events.OnError, func(a *events.AgentRun) { a.Error = "boom" })
	tests := []struct{ template, want, failure string }{
		{`{"a": 1, "b": [1.0, 1E5, 0.10, 12345678901234567890]}`, `{"a": 1, "b": [1.0, 100000.0, 0.1, 12345678901234567890]}`, ""},
		{` "é" `, `"\u00e9"`, ""},
		{`{"a": 1, "a": 2}`, "", `gateway.yaml:12:1: the output is not JSON that can be sent: line 1, column 10: duplicate key 'a'`},
		{"{\"a\":\n {\"b\": 1, \"\\u0062\": 2}}", "", `line 2, column 11: duplicate key`},
		{`NaN`, "", `unexpected 'N'`},
		{`[-Infinity]`, "", `expected a digit`},
		{`[1e999]`, "", `line 1, column 2: the number is too large`},
		{`[[{"a": -1e400}]]`, "", `line 1, column 9: the number is too large`},
		{`{"x": {{ event.usage }}}`, "", `unexpected 'N'`},
		{`{"x": 1} trailing`, "", `after the end of the document`},
		{``, "", `unexpected end of input`},
		{`{{ error }}`, "", `unexpected 'b'`},
		{`{'a': 1}`, "", `expected a key in double quotes`},
		{"{\"a\": \"tab\there\"}", "", `control character 0x09`},
		{`["{{ error | tojson }}"]`, "", `expected ',' or ']'`},
		{`["{{ '\\"' | safe }}"]`, `["\""]`, ""},
		{`{{ "[" * 600 }}{{ "]" * 600 }}`, "", `nested more than 512 levels deep`},
		{`{{ "[" * 512 }}{{ "]" * 512 }}`, strings.Repeat("[", 512) + strings.Repeat("]", 512), ""},
		{`["{{ "é" * 2000000 }}"]`, "", `the output is 12000004 bytes long; at most 8388608 are allowed`},
		{`[{{ "9" * 5000 }}]`, "", `line 1, column 2: the number is too large`},
		{"\n{% if %}", "", "gateway.yaml:13:7: "},
		{`{{ error | nosuch }}`, "", "gateway.yaml:12:12: "},
		{`{% include "other" %}`, "", "TemplateNotFound: other"},
		{`{% macro m(x) %}"{{ x }}"{% endmacro %}[{{ m('a"b') }}]`, `["a\"b"]`, ""},
		{`{% macro m(x) %}{{ x }}{% endmacro %}["{{ m('a"b') }}"]`, `["a\"b"]`, ""},
		{`{% set s %}say "{{ error }}"{% endset %}["{{ s }}"]`, `["say \"boom\""]`, ""},
		{`{% set s %}{{ 'a"' }} and {{ 'b"' }}{% endset %}["{{ s }}"]`, `["a\" and b\""]`, ""},
		{`{% set s %}say "{{ 'b"' }}"{% endset %}["{{ s }}"]`, `["say \"b\\\"\""]`, ""},
		{`["{% filter upper %}"x"{% endfilter %}"]`, `["\"X\""]`, ""},
		{`["{% for c in 'a"' %}{{ c }}{% endfor %}"]`, `["a\""]`, ""},
		{`{"{{ error }}": 1}`, `{"boom": 1}`, ""},
		{`["\{{ error }}"]`, `["\\boom"]`, ""},
	}
	r := render.New(render.Options{})
	for _, test := range tests {
		body, err := r.Payload(t.Context(), webhook(test.template), v)
		if string(body) != test.want {
			t.Errorf("%.60s gives %.80s, want %.80s", test.template, body, test.want)
		}
		if test.failure == "" && err != nil || test.failure != "" && (err == nil || !strings.Contains(err.Error(), test.failure)) {
			t.Errorf("%.60s: error %v, want %s", test.template, err, test.failure)
		}
	}
}

// An event whose body is not what its type promises cannot be rendered, and
// that is an error like any other.
func TestEventsThatAreNone(t *testing.T) {
	for _, body := range []string{"", "[]", "{", `{"run": 1, "turn": [], "payload": null}`} {
		v := render.Vars{Event: events.Event{Type: "run_blocked", Body: []byte(body)}}
		out, err := render.New(render.Options{}).Payload(t.Context(), webhook(`["{{ execution_id }}{{ agent_name }}{{ error }}"]`), v)
		if strings.HasPrefix(body, "{\"") {
			if err != nil || string(out) != `[""]` {
				t.Errorf("%s: %s, %v", body, out, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "gateway.yaml: the body of the event is no envelope") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// The literal around a value may stand in another file than the value.
func TestEscapingAcrossFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "value", `{{ error }}`)
	writeFile(t, dir, "open", `["`)
	writeFile(t, dir, "lib", `{% macro plain(x) %}{{ x }}{% endmacro %}{% macro item(x) %}"{{ x }}"{% endmacro %}{% macro around() %}<{{ caller() }}>{% endmacro %}`)
	writeFile(t, dir, "base", `["{% block b %}base {{ error }}{% endblock %}", "{{ error }}"]`)
	tests := []struct{ text, want string }{
		{`["{% include "value" %}"]`, `["a\"b\\"]`},
		{`{% include "open" %}{{ error }}"]`, `["a\"b\\"]`},
		{`{% import "lib" as lib %}["{{ lib.plain(error) }}", {{ lib.item(error) }}]`, `["a\"b\\", "a\"b\\"]`},
		{`{% from "lib" import around %}["{% call around() %}{{ error }}{% endcall %}"]`, `["<a\"b\\>"]`},
		{`{% extends "base" %}`, `["base a\"b\\", "a\"b\\"]`},
		{`{% extends "base" %}{% block b %}child {{ error }}{% endblock %}`, `["child a\"b\\", "a\"b\\"]`},
		{`{% extends "base" %}{% block b %}child, {{ super() }}{% endblock %}`, `["child, base a\"b\\", "a\"b\\"]`},
		{`["{% for x in [[error, [error]]] recursive %}{{ x[0] }}{{ loop(x[1:]) if x[1:] }}{% endfor %}"]`, `["a\"b\\a\"b\\"]`},
	}
	for _, c := range tests {
		writeFile(t, dir, "on_error.json.j2", c.text)
		r := render.New(render.Options{TemplatesDir: dir})
		blocks, _, err := r.Blocks(t.Context(), "", run(events.OnError, func(a *events.AgentRun) { a.Error = `a"b\` }))
		if err != nil || string(blocks) != c.want {
			t.Errorf("%s\ngives %s, %v\nwant  %s", c.text, blocks, err, c.want)
		}
	}
}

// A template is compiled again when its file has changed.
func TestFilesAreReadAnew(t *testing.T) {
	dir := t.TempDir()
	r := render.New(render.Options{TemplatesDir: dir})
	v := run(events.OnError, func(*events.AgentRun) {})
	steps := []struct{ file, text, used, blocks string }{
		{"", "", "", ""},
		{"default-failed.json.j2", `[1]`, "default-failed.json.j2", `[1]`},
		{"default-failed.json.j2", `[2]`, "default-failed.json.j2", `[2]`},
		{"on_error.json.j2", `[{% include "part" %}]`, "on_error.json.j2", ``},
		{"part", `3`, "on_error.json.j2", `[3]`},
		{"part", `4`, "on_error.json.j2", `[4]`},
		{"report-agent/on_error.json.j2", `[5]`, "report-agent/on_error.json.j2", `[5]`},
	}
	for _, step := range steps {
		if step.file != "" {
			writeFile(t, dir, step.file, step.text)
		}
		blocks, used, err := r.Blocks(t.Context(), "", v)
		if used != step.used || string(blocks) != step.blocks || (err != nil) != (step.used != "" && step.blocks == "") {
			t.Errorf("after %s: %s from %q, %v", step.file, blocks, used, err)
		}
	}
}

func TestBudgets(t *testing.T) {
	v := run(events.OnError, func(*events.AgentRun) {})
	const endless = `{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}`
	_, err := render.New(render.Options{}).Payload(t.Context(), webhook(endless), v)
	if err == nil || !strings.HasPrefix(err.Error(), "gateway.yaml:12:") {
		t.Errorf("endless loops: %v", err)
	}
	_, err = render.New(render.Options{Budget: jinja.Budget{SourceBytes: 10}}).Payload(t.Context(), webhook(pagerDutyExample), v)
	if err == nil {
		t.Error("a template beyond its budget was compiled")
	}
	now := time.Date(2026, time.April, 4, 10, 0, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	_, err = render.New(render.Options{Now: clock}).Payload(t.Context(), webhook(`{% for a in range(100000) %}{% endfor %}1`), v)
	if err == nil {
		t.Error("a slow clock did not end a template")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := render.New(render.Options{}).Payload(ctx, webhook(endless), v); err == nil {
		t.Error("a cancelled context did not end a template")
	}
}

func TestConcurrentRenders(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "on_error.json.j2", `["{{ error }}"]`)
	r := render.New(render.Options{TemplatesDir: dir})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			want := strconv.Itoa(i)
			v := run(events.OnError, func(a *events.AgentRun) { a.Error = want })
			for range 50 {
				body, err := r.Payload(t.Context(), webhook(`["{{ error }}"]`), v)
				blocks, _, failed := r.Blocks(t.Context(), "", v)
				if string(body) != `["`+want+`"]` || string(blocks) != string(body) || err != nil || failed != nil {
					t.Errorf("%s: %s, %s, %v, %v", want, body, blocks, err, failed)
				}
			}
		})
	}
	group.Wait()
}

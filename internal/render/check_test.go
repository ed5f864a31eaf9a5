package render_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/events"
	"agentxchain/internal/render"
)

// problems prints what Check found, files relative to dir.
func problems(t *testing.T, dir string, uses ...render.Use) string {
	t.Helper()
	var lines []string
	for _, p := range render.New(render.Options{TemplatesDir: dir}).Check(t.Context(), uses) {
		severity := "error"
		if p.Warning {
			severity = "warning"
		}
		line := fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, severity, p.Message)
		lines = append(lines, strings.ReplaceAll(strings.TrimPrefix(line, dir+string(filepath.Separator)), dir, "DIR"))
	}
	return strings.Join(lines, "\n")
}

func TestCheckFindsNothing(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "on_complete.json.j2", slackExample)
	writeFile(t, dir, "macros.j2", `{% macro block(x) %}{"type": "section", "text": {"type": "mrkdwn", "text": "{{ x }}"}}{% endmacro %}`)
	writeFile(t, dir, "run_blocked.json.j2", `{% from "macros.j2" import block %}[{{ block(payload.detail) }}]`)
	writeFile(t, dir, "report-agent/on_error.json.j2", `{% if agent_name != "report-agent" %}{{ nope.nope }}{% endif %}[]`)
	writeFile(t, dir, "qa/run_completed.json.j2", `{% if agent_name != "qa" %}{{ nope.nope }}{% endif %}[]`)
	writeFile(t, dir, "default-timeout.json.j2", `{% if event != "on_timeout" %}{{ nope.nope }}{% endif %}[]`)
	writeFile(t, dir, "rule.json.j2", `[{"type": "divider"}, "{{ target.template }}"]`)
	writeFile(t, dir, "part.json.j2", `is used by others only`)
	writeFile(t, dir, "README.md", `{% nothing here is read`)
	all := append(events.Types(events.Governed), events.Types(events.Agent)...)
	got := problems(t, dir,
		render.Use{Source: webhook(pagerDutyExample), Target: render.TargetVars{Channel: "webhook", Target: "pagerduty"}, Events: all},
		render.Use{Target: render.TargetVars{Channel: "webhook", Target: "plain"}, Events: all},
		render.Use{Target: render.TargetVars{Channel: "slack", Template: "rule"}, Events: all},
		render.Use{Target: render.TargetVars{Channel: "slack"}, Agent: "report-agent", Events: all},
	)
	if got != "" {
		t.Errorf("found\n%s", got)
	}
}

func TestCheckFindsMistakes(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "on_complete.json.j2", "[\n{% if %}]")
	writeFile(t, dir, "lib/macros.j2", "\n{{ x | nosuch }}")
	writeFile(t, dir, "on_error.json.j2", `[{{ error }}]`)
	writeFile(t, dir, "on_timeout.json.j2", `{"not": "a list"}`)
	writeFile(t, dir, "pm/run_completed.json.j2", "[]\n{{ payload.nope.nope }}")
	writeFile(t, dir, "huge.j2", strings.Repeat(" ", 8<<20+1))
	writeFile(t, dir, "long.j2", strings.Repeat(" ", 2<<20))
	writeFile(t, dir, "bad.json.j2", `{% include "lib/macros.j2" %}`)
	rule := render.Source{Name: "AGENT.md", Line: 5}
	webhookTarget := render.TargetVars{Channel: "webhook", Target: "pagerduty"}
	got := problems(t, dir,
		render.Use{Source: render.Source{Name: "gateway.yaml", Text: "{\n\"a\": {{ error }}}", Line: 7}, Target: webhookTarget, Events: []events.Type{events.OnComplete, events.OnError, events.OnTimeout}},
		render.Use{Source: render.Source{Name: "AGENT.md", Text: `{% if error %}{"a": "{{ error }}"}{% else %}{{ error.x.y }}{% endif %}`, Line: 3}, Target: webhookTarget, Events: []events.Type{events.OnComplete, events.OnError}},
		render.Use{Source: render.Source{Name: "AGENT.md", Text: "{{ }}", Line: 20}, Target: webhookTarget, Events: []events.Type{events.OnComplete, events.OnError}},
		render.Use{Source: rule, Target: render.TargetVars{Channel: "slack", Template: "missing"}, Events: []events.Type{events.RunBlocked}},
		render.Use{Source: rule, Target: render.TargetVars{Channel: "slack", Template: "../outside"}, Events: []events.Type{events.RunBlocked, events.OnError}},
		render.Use{Target: render.TargetVars{Channel: "slack", Template: "bad"}, Events: []events.Type{events.RunBlocked}},
	)
	want := strings.Join([]string{ // DIR is the templates folder.
		"huge.j2:0:0: error: is longer than 8388608 bytes",
		"lib/macros.j2:2:8: error: No filter named 'nosuch'.",
		"long.j2:0:0: error: template is longer than 262144 bytes",
		"on_complete.json.j2:2:7: error: Expected an expression, got 'end of statement block'",
		"on_error.json.j2:1:1: warning: a sample of on_error: the output is not JSON that can be sent: line 1, column 2: unexpected 'c'",
		"on_timeout.json.j2:1:1: warning: a sample of on_timeout: the output is an object; Slack takes a list of blocks",
		"pm/run_completed.json.j2:2:16: warning: a sample of run_completed: UndefinedError: 'dict object' has no attribute 'nope'",
		"AGENT.md:3:55: warning: a sample of on_complete: UndefinedError: 'str object' has no attribute 'x'",
		`AGENT.md:5:1: error: template "../outside.json.j2" lies outside of the templates folder`,
		`AGENT.md:5:1: warning: a sample of run_blocked: there is no template "missing.json.j2" in DIR`,
		"AGENT.md:20:4: error: Expected an expression, got 'end of print statement'",
		"gateway.yaml:7:1: warning: a sample of on_error: the output is not JSON that can be sent: line 2, column 6: unexpected 'c'",
		"gateway.yaml:7:1: warning: a sample of on_timeout: the output is not JSON that can be sent: line 2, column 6: unexpected 't'",
		"gateway.yaml:7:1: warning: a sample of on_complete: the output is not JSON that can be sent: line 2, column 6: unexpected '}'",
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckOfFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	slack := []render.Use{{Target: render.TargetVars{Channel: "slack"}, Events: []events.Type{events.OnError}}}
	got := render.New(render.Options{TemplatesDir: dir}).Check(t.Context(), slack)
	if len(got) != 1 || got[0].File != dir || got[0].Warning || !strings.Contains(got[0].Message, "cannot be opened") {
		t.Errorf("an absent folder: %v", got)
	}
	if got := render.New(render.Options{}).Check(t.Context(), slack); got != nil {
		t.Errorf("no folder: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := render.New(render.Options{TemplatesDir: t.TempDir()}).Check(ctx, nil); len(got) != 1 {
		t.Errorf("cancelled: %v", got)
	}
}

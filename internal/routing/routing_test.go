package routing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
)

func governed(name string) delivery.Target {
	return delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: name}
}

func hook(name string) delivery.Target {
	return delivery.Target{File: "gateway.yaml", Channel: delivery.Webhook, Name: name}
}

func channel(name string) delivery.Target {
	return delivery.Target{File: "gateway.yaml", Channel: delivery.Slack, Name: name}
}

func TestSubscriptionsKeepTheirOrderAndTakeEachTargetOnce(t *testing.T) {
	r := routing.Router{Subscriptions: []routing.Subscription{
		{Target: governed("b"), Events: []string{"run_blocked", "run_blocked", "run_completed"}},
		{Target: governed("a"), Events: []string{"run_completed"}},
		{Target: governed("c"), Events: []string{"run_blocked"}},
		{Target: governed("b"), Events: []string{"run_blocked"}},
	}}
	for event, want := range map[events.Type][]delivery.Target{
		events.RunBlocked:             {governed("b"), governed("c")},
		events.RunCompleted:           {governed("b"), governed("a")},
		events.PhaseTransitionPending: nil,
	} {
		if d := cmp.Diff(want, targets(r.Route(event, "dev"))); d != "" {
			t.Errorf("%s: %s", event, d)
		}
	}
}

// targets are where something is really sent.
func targets(routes []routing.Route) []delivery.Target {
	var list []delivery.Target
	for _, r := range routes {
		if r.Skip == "" {
			list = append(list, r.Target)
		}
	}
	return list
}

const reportFile = "workspace/agents/report-agent/AGENT.md"

// gateway has the guide's example and more.
func gateway() *routing.Gateway {
	return &routing.Gateway{
		File: "gateway.yaml", Slack: true, DefaultChannel: "#agent-alerts",
		Webhooks: []routing.Subscription{
			{Target: hook("default")},
			{Target: hook("pager"), Events: []string{"on_error"}},
			{Target: hook("governed"), Events: []string{"run_blocked"}},
		},
		Agents: []routing.Agent{
			{Name: "report-agent", Title: "Reporter", File: reportFile, Rules: map[events.Type][]routing.Rule{
				events.OnComplete: {{Channel: delivery.Slack, Target: "reports"}},
				events.OnError: {
					{Channel: delivery.Slack},
					{Channel: delivery.Webhook, Target: "default"},
					{Channel: delivery.Webhook, URL: secret.New("https://h.example/t0ken")},
					{Channel: delivery.Webhook, Target: "default", PayloadTemplate: "{}"},
				},
				events.OnTimeout: {
					{Channel: delivery.Webhook, Target: "pager"},
					{Channel: "sms", Index: 1},
					{Channel: delivery.Webhook, Index: 2},
					{Channel: delivery.Webhook, Target: "absent", Index: 3},
				},
			}},
			{Name: "quiet", File: "workspace/agents/quiet/AGENT.md"},
			{Name: "pm", Title: "Reporter", File: "workspace/agents/pm/AGENT.md", Rules: map[events.Type][]routing.Rule{
				events.RunBlocked: {{Channel: delivery.Webhook, Target: "default"}, {Channel: delivery.Slack, Target: "#oncall"}},
			}},
		},
	}
}

func inline(name string) delivery.Target {
	return delivery.Target{File: reportFile, Channel: delivery.Webhook, Name: name}
}

func TestRoutesOfAgents(t *testing.T) {
	for _, c := range []struct {
		event events.Type
		agent string
		want  []delivery.Target
	}{
		{events.OnComplete, "report-agent", []delivery.Target{channel("reports")}},
		{events.OnError, "report-agent", []delivery.Target{channel("#agent-alerts"), hook("default"), inline("on_error-975dee8e")}},
		{events.OnTimeout, "report-agent", []delivery.Target{inline("on_timeout[1]"), inline("on_timeout[2]"), hook("absent")}},
		// No rules: the defaults.
		{events.OnError, "quiet", []delivery.Target{channel("#agent-alerts"), hook("default"), hook("pager")}},
		{events.OnError, "", []delivery.Target{channel("#agent-alerts"), hook("default"), hook("pager")}},
		{events.OnComplete, "nobody", []delivery.Target{channel("#agent-alerts"), hook("default")}},
		// "Reporter" is said by two agents, so it means neither.
		{events.OnComplete, "Reporter", []delivery.Target{channel("#agent-alerts"), hook("default")}},
		// Governed events need a list or a rule.
		{events.RunBlocked, "dev", []delivery.Target{hook("governed")}},
		{events.RunCompleted, "dev", nil},
		{events.RunBlocked, "pm", []delivery.Target{hook("default"), channel("#oncall")}},
		{events.RunCompleted, "pm", nil},
		// Rules about one family leave the other to the defaults.
		{events.OnComplete, "pm", []delivery.Target{channel("#agent-alerts"), hook("default")}},
		{events.RunBlocked, "report-agent", []delivery.Target{hook("governed")}},
	} {
		got := routing.Router{Gateway: gateway()}.Route(c.event, c.agent)
		if d := cmp.Diff(c.want, targets(got)); d != "" {
			t.Errorf("%s of %q (-want +got):\n%s", c.event, c.agent, d)
		}
		for _, r := range got {
			if r.Why == "" || strings.Contains(r.Why+r.Problem+r.Skip+r.Target.ID(), "t0ken") {
				t.Errorf("%s of %q: route %+v", c.event, c.agent, r)
			}
		}
	}
}

// A route that can't be followed says why, in the words of its own file.
func TestProblems(t *testing.T) {
	g := gateway()
	byTarget := map[delivery.Target]routing.Route{}
	for _, r := range (routing.Router{Gateway: g}).Route(events.OnTimeout, "report-agent") {
		byTarget[r.Target] = r
	}
	for target, want := range map[delivery.Target]string{
		inline("on_timeout[1]"): `has the channel "sms"; there are slack and webhook`,
		inline("on_timeout[2]"): "names neither a webhook nor a url",
		hook("absent"):          `gateway.yaml has no webhook "absent"`,
	} {
		if got := byTarget[target].Problem; !strings.Contains(got, want) || !strings.Contains(got, reportFile+", on_timeout[") {
			t.Errorf("%s: problem %q, want %q", target.ID(), got, want)
		}
	}
	if got := byTarget[hook("pager")].Skip; got != `the events of webhook "pager" leave on_timeout out` {
		t.Errorf("skip %q", got)
	}
	g.Slack = false
	if got := (routing.Router{Gateway: g}).Route(events.OnComplete, "report-agent")[0].Problem; got != "slack is not enabled in gateway.yaml" {
		t.Errorf("slack off: %q", got)
	}
	g.Slack, g.DefaultChannel = true, ""
	if got := (routing.Router{Gateway: g}).Route(events.OnError, "report-agent")[0].Problem; !strings.HasPrefix(got, "no Slack channel is named") {
		t.Errorf("no channel: %q", got)
	}
}

// A stored delivery finds its rule again, and no other that took its place.
func TestInline(t *testing.T) {
	g := gateway()
	target := inline("on_error-975dee8e")
	if rule := g.Inline(target); rule == nil || rule.URL.Reveal() != "https://h.example/t0ken" {
		t.Errorf("rule %v", rule)
	}
	g.Agents[0].Rules[events.OnError][2].URL = secret.New("https://elsewhere.example")
	if rule := g.Inline(target); rule != nil {
		t.Errorf("another URL answers to the old reference: %v", rule)
	}
	if rule := g.Inline(hook("default")); rule != nil {
		t.Errorf("a named webhook is no rule: %v", rule)
	}
}

// The same channel with and without "#", and the same URL, are one target.
func TestOneTargetOnce(t *testing.T) {
	g := gateway()
	url := secret.New("https://h.example/x")
	g.Agents[0].Rules[events.OnError] = []routing.Rule{
		{Channel: delivery.Slack, Target: "oncall"},
		{Channel: delivery.Slack, Target: " #oncall ", Index: 1},
		{Channel: delivery.Webhook, URL: url, Index: 2},
		{Channel: delivery.Webhook, URL: url, Index: 3},
	}
	got := targets(routing.Router{Gateway: g}.Route(events.OnError, "report-agent"))
	if d := cmp.Diff([]delivery.Target{channel("oncall"), inline("on_error-a21832b8")}, got); d != "" {
		t.Error(d)
	}
}

// What is wrong with a file fails on the record; it never widens who is told.
func TestFaultyFiles(t *testing.T) {
	g := gateway()
	g.Agents[0].Problem = "broken YAML in line 3"
	g.Webhooks[0].Problem = "gateway.yaml:4:9: secret must be a string"
	g.SlackProblem = "gateway.yaml:2:9: bot_token must be a string"
	r := routing.Router{Gateway: g}
	for agent, want := range map[string][]string{
		"report-agent": {reportFile + "#webhook/on_complete: The rules of the agent are not known: broken YAML in line 3"},
		"quiet": {
			"gateway.yaml#slack/#agent-alerts: gateway.yaml:2:9: bot_token must be a string",
			"gateway.yaml#webhook/default: gateway.yaml:4:9: secret must be a string",
		},
	} {
		var got []string
		for _, route := range r.Route(events.OnComplete, agent) {
			got = append(got, route.Target.ID()+": "+route.Problem)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", agent, d)
		}
	}
	g = gateway()
	g.Agents[0].Rules[events.OnComplete] = []routing.Rule{{Problem: "on_complete[0] has no channel"}}
	routes := routing.Router{Gateway: g}.Route(events.OnComplete, "report-agent")
	if len(routes) != 1 || routes[0].Problem != reportFile+": on_complete[0] has no channel" {
		t.Errorf("routes %+v", routes)
	}
}

// Whatever the rules say, a target comes once, and a problem never hides a
// target that works.
func TestRoutesProperties(t *testing.T) {
	names := rapid.SampledFrom([]string{"", "default", "pager", "governed", "#a", "nobody"})
	types := rapid.SampledFrom(append(events.Types(events.Governed), events.Types(events.Agent)...))
	rule := rapid.Custom(func(t *rapid.T) routing.Rule {
		return routing.Rule{
			Channel: rapid.SampledFrom([]delivery.Channel{delivery.Slack, delivery.Webhook, "sms", ""}).Draw(t, "channel"),
			Target:  names.Draw(t, "target"),
			URL:     secret.New(rapid.SampledFrom([]string{"", "https://a.example", "https://b.example"}).Draw(t, "url")),
			Problem: rapid.SampledFrom([]string{"", "", "it has no channel"}).Draw(t, "problem"),
			Index:   rapid.IntRange(0, 3).Draw(t, "index"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		g := gateway()
		g.Slack = rapid.Bool().Draw(t, "slack")
		g.Agents[0].Rules = rapid.MapOf(types, rapid.SliceOf(rule)).Draw(t, "rules")
		r := routing.Router{Gateway: g, Subscriptions: []routing.Subscription{{Target: governed("ops"), Events: []string{"run_blocked"}}}}
		seen := map[delivery.Target]bool{}
		for _, route := range r.Route(types.Draw(t, "event"), "report-agent") {
			switch {
			case seen[route.Target]:
				t.Fatalf("%s comes twice", route.Target.ID())
			case route.Problem == "" && route.Target.Name == "":
				t.Fatalf("a target without a name: %+v", route)
			case route.Problem == "" && route.Target.File == reportFile && g.Inline(route.Target) == nil:
				t.Fatalf("%s is not found again", route.Target.ID())
			}
			seen[route.Target] = true
		}
	})
}

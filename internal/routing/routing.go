// Package routing decides which targets an event goes to, and says why. It
// sends nothing and knows no addresses: a target is a reference.
//
// A webhook of agentxchain.json takes the events that it subscribed to. The
// channels of gateway.yaml take an event of an agent by the agent's rules; an
// agent without rules for that family of events is served by the defaults:
// the default Slack channel, and every webhook that takes the event. Governed
// events, whose agent is their role, reach these channels only where a list or
// a rule names them.
//
// A rule that can't be followed still gives a route, with a problem instead of
// a way out: it has to fail on the record, not in silence.
package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// Subscription is a target with the events it asked for.
type Subscription struct {
	// Target is where the events go.
	Target delivery.Target
	// Events are the event types wanted, in the guide's spelling.
	Events []string
	// Problem says why nothing can be sent to the target, in the words of its
	// file; empty when something can.
	Problem string
}

// Router knows every target and every rule.
type Router struct {
	// Subscriptions are the webhooks of agentxchain.json, in its order.
	Subscriptions []Subscription
	// Gateway is nil when there is no gateway.yaml.
	Gateway *Gateway
}

// Route is one way that an event would go.
type Route struct {
	// Target is where it leads.
	Target delivery.Target
	// Rule is the agent's rule behind it, nil where there is none, and File the
	// AGENT.md that it stands in.
	Rule *Rule
	File string
	// Why says in words which line of which file sends the event there.
	Why string
	// Skip says why nothing is sent all the same; empty when it is.
	Skip string
	// Problem says why sending must fail; empty when it can be tried.
	Problem string
}

// Route returns where an event goes, each target once: who is told twice
// learns nothing new. agent is the agent's directory or the name in its
// frontmatter, for a governed event its role, and may be empty.
func (r Router) Route(t events.Type, agent string) []Route {
	var routes []Route
	for _, s := range r.Subscriptions {
		if slices.Contains(s.Events, string(t)) {
			routes = append(routes, Route{Target: s.Target, Why: s.Target.File + " subscribes it"})
		}
	}
	if r.Gateway != nil {
		routes = append(routes, r.Gateway.route(t, agent)...)
	}
	return once(routes)
}

// once keeps the first route to each target. One that skips makes way.
func once(routes []Route) []Route {
	var kept []Route
	for _, route := range routes {
		at := slices.IndexFunc(kept, func(k Route) bool { return same(k.Target, route.Target) })
		switch {
		case at < 0:
			kept = append(kept, route)
		case kept[at].Skip != "" && route.Skip == "":
			kept[at] = route
		}
	}
	return kept
}

// same reports whether two targets are one: a Slack channel is the same with
// and without "#".
func same(a, b delivery.Target) bool {
	if a.Channel == delivery.Slack && b.Channel == delivery.Slack {
		a.Name, b.Name = strings.TrimPrefix(a.Name, "#"), strings.TrimPrefix(b.Name, "#")
	}
	return a == b
}

// Find returns the agent that a name means: its directory, or else the name in
// the frontmatter of exactly one. nil means that there is none.
func (g *Gateway) Find(name string) *Agent {
	if name == "" {
		return nil
	}
	var titled *Agent
	for i := range g.Agents {
		switch a := &g.Agents[i]; {
		case a.Name == name:
			return a
		case a.Title == name && titled != nil:
			return nil // said by two
		case a.Title == name:
			titled = a
		}
	}
	return titled
}

func (g *Gateway) route(t events.Type, name string) []Route {
	agent := g.Find(name)
	switch {
	case agent != nil && agent.Problem != "":
		return []Route{{
			Target: agent.place(t), File: agent.File, Why: agent.File,
			Problem: "The rules of the agent are not known: " + agent.Problem,
		}}
	case agent == nil || !agent.rules(t.Family()):
		return g.defaults(t, agent)
	}
	var routes []Route
	for i := range agent.Rules[t] {
		routes = append(routes, g.follow(agent, t, i))
	}
	return routes
}

// rules reports whether the agent has a rule for any event of a family. Rules
// about the end of its runs say nothing about governed events, and the other
// way round.
func (a *Agent) rules(f events.Family) bool {
	for t, rules := range a.Rules {
		if t.Family() == f && len(rules) > 0 {
			return true
		}
	}
	return false
}

// defaults routes an event that no rule is about.
func (g *Gateway) defaults(t events.Type, agent *Agent) []Route {
	whose := "no agent has rules for it"
	if agent != nil {
		whose = fmt.Sprintf("%s has no rules for such events", agent.File)
	}
	var routes []Route
	if g.Slack && t.Family() == events.Agent {
		route := Route{Target: g.target(delivery.Slack, g.DefaultChannel), Why: whose + ", so it goes to the default channel"}
		route.Problem = g.slackProblem(g.DefaultChannel)
		routes = append(routes, route)
	}
	for _, w := range g.Webhooks {
		if w.takes(t) {
			routes = append(routes, Route{Target: w.Target, Why: whose + ", and the webhook's events have it", Problem: w.Problem})
		}
	}
	return routes
}

// takes reports whether a webhook of the gateway wants an event by itself.
func (s Subscription) takes(t events.Type) bool {
	if len(s.Events) == 0 {
		return t.Family() == events.Agent
	}
	return slices.Contains(s.Events, string(t))
}

func (g *Gateway) target(c delivery.Channel, name string) delivery.Target {
	return delivery.Target{File: g.File, Channel: c, Name: name}
}

// follow routes an event by one rule of an agent.
func (g *Gateway) follow(a *Agent, t events.Type, i int) Route {
	rule := &a.Rules[t][i]
	route := Route{Rule: rule, File: a.File, Why: fmt.Sprintf("%s, %s[%d]", a.File, t, rule.Index)}
	route.Target = rule.place(a, t)
	switch {
	case rule.Problem != "":
		route.Problem = a.File + ": " + rule.Problem
	case rule.Channel == delivery.Slack:
		channel := strings.TrimSpace(rule.Target)
		if channel == "" {
			channel = g.DefaultChannel
		}
		route.Target, route.Problem = g.target(delivery.Slack, channel), g.slackProblem(channel)
	case rule.Channel != delivery.Webhook:
		route.Problem = fmt.Sprintf("%s has the channel %q; there are slack and webhook", route.Why, rule.Channel)
	case !rule.URL.IsZero():
	case rule.Target == "":
		route.Problem = route.Why + " names neither a webhook nor a url"
	default:
		g.followWebhook(&route, t)
	}
	return route
}

// followWebhook completes the route of a rule that names a webhook.
func (g *Gateway) followWebhook(route *Route, t events.Type) {
	route.Target = g.target(delivery.Webhook, route.Rule.Target)
	at := slices.IndexFunc(g.Webhooks, func(w Subscription) bool { return w.Target == route.Target })
	switch {
	case at < 0:
		route.Problem = fmt.Sprintf("%s has no webhook %q, which %s names", g.File, route.Rule.Target, route.Why)
	case g.Webhooks[at].Problem != "":
		route.Problem = g.Webhooks[at].Problem
	case len(g.Webhooks[at].Events) > 0 && !g.Webhooks[at].takes(t):
		route.Skip = fmt.Sprintf("the events of webhook %q leave %s out", route.Rule.Target, t)
	}
}

func (g *Gateway) slackProblem(channel string) string {
	switch {
	case g.SlackProblem != "":
		return g.SlackProblem
	case !g.Slack:
		return "slack is not enabled in " + g.File
	case channel == "":
		return "no Slack channel is named, and default_channel is empty in " + g.File
	}
	return ""
}

// place is the target of a rule that names no other: of one with a URL of its
// own the event and a digest of the URL, so that a stored delivery finds it
// wherever it stands, and is not sent to another URL that took its place.
func (r *Rule) place(a *Agent, t events.Type) delivery.Target {
	target := a.place(t)
	if r.URL.IsZero() {
		target.Name += fmt.Sprintf("[%d]", r.Index)
		return target
	}
	digest := sha256.Sum256([]byte(r.URL.Reveal()))
	target.Name += "-" + hex.EncodeToString(digest[:4])
	return target
}

// place is the target of an event that the agent's file is at fault for.
func (a *Agent) place(t events.Type) delivery.Target {
	return delivery.Target{File: a.File, Channel: delivery.Webhook, Name: string(t)}
}

// Inline returns the rule with a URL of its own that a target refers to, nil
// when there is none, for example because its URL has changed.
func (g *Gateway) Inline(target delivery.Target) *Rule {
	for ai := range g.Agents {
		a := &g.Agents[ai]
		if a.File != target.File {
			continue
		}
		for t, rules := range a.Rules {
			for i := range rules {
				if rule := &rules[i]; !rule.URL.IsZero() && rule.Problem == "" && rule.place(a, t) == target {
					return rule
				}
			}
		}
	}
	return nil
}

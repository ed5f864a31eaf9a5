package config

import (
	"path/filepath"
	"slices"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/pyyaml"
	"agentxchain/internal/render"
	"agentxchain/internal/routing"
)

// Uses lists every way in which the configuration sends through templates,
// each with the events that it can be used for, so that all of them can be
// tried out.
func (g *Gateway) Uses() []render.Use { return g.uses }

func (g *Gateway) templates() []render.Use {
	var uses []render.Use
	for _, w := range g.Webhooks {
		if w.PayloadTemplate == "" {
			continue
		}
		uses = append(uses, render.Use{
			Source: render.Source{Name: g.File, Text: w.PayloadTemplate, Line: w.PayloadTemplateLine},
			Target: render.TargetVars{Channel: string(delivery.Webhook), Target: w.Name},
			Events: g.taken(w.Name, w.Events),
		})
	}
	if g.Slack.Enabled {
		uses = append(uses, render.Use{
			Target: render.TargetVars{Channel: string(delivery.Slack), Target: g.Slack.DefaultChannel},
			Events: events.Types(events.Agent),
		})
	}
	for _, a := range g.Routing.Agents {
		uses = append(uses, g.agentTemplates(a)...)
	}
	return uses
}

// taken lists the events that a webhook can receive: those it takes by itself,
// and governed ones that a rule sends it.
func (g *Gateway) taken(webhook string, names []string) []events.Type {
	if len(names) > 0 {
		var types []events.Type
		for _, name := range names {
			if t, err := events.ParseType(name); err == nil {
				types = append(types, t)
			}
		}
		return types
	}
	types := events.Types(events.Agent)
	for _, t := range events.Types(events.Governed) {
		if slices.ContainsFunc(g.Routing.Agents, func(a routing.Agent) bool { return sends(a.Rules[t], webhook) }) {
			types = append(types, t)
		}
	}
	return types
}

// sends reports whether one of the rules sends a webhook what its own template
// makes.
func sends(rules []routing.Rule, webhook string) bool {
	return slices.ContainsFunc(rules, func(r routing.Rule) bool {
		return r.Channel == delivery.Webhook && r.Target == webhook && r.URL.IsZero() && r.PayloadTemplate == ""
	})
}

// AgentFile is the absolute path of an agent's AGENT.md.
func (g *Gateway) AgentFile(a routing.Agent) string {
	return filepath.Join(g.root, filepath.FromSlash(a.File))
}

// agentTemplates lists the rules of an agent that send through a template.
func (g *Gateway) agentTemplates(a routing.Agent) []render.Use {
	var uses []render.Use
	for t, rules := range a.Rules {
		for _, r := range rules {
			use := render.Use{
				Source: render.Source{Name: g.AgentFile(a), Text: r.PayloadTemplate, Line: r.PayloadTemplateLine},
				Target: render.TargetVars{Channel: string(r.Channel), Target: r.Target, Template: r.Template, PayloadTemplate: r.PayloadTemplate},
				Agent:  a.Name, Events: []events.Type{t},
			}
			if r.Channel == delivery.Slack && g.Slack.Enabled || r.Channel == delivery.Webhook && r.PayloadTemplate != "" {
				uses = append(uses, use)
			}
		}
	}
	return uses
}

// textLine is the line on which the text of a value begins: a block scalar
// begins below its indicator.
func textLine(v *pyyaml.Node, src []byte) int {
	if !v.Is(pyyaml.String) {
		return 0
	}
	if v.Offset < len(src) && (src[v.Offset] == '|' || src[v.Offset] == '>') {
		return v.Line + 1
	}
	return v.Line
}

package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/pyyaml"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/webhook"
)

// ruleReader reads one rule of an agent.
type ruleReader struct {
	*agentReader
	// name and pointer are the rule's place, for people and for programs.
	name, pointer string
	// event is what the rule is about.
	event events.Type
	// problem is why the rule cannot be followed, "" while it can be.
	problem string
}

// rule reads a rule. One that cannot be followed keeps its place, with the
// Problem and nothing else, so that it fails on the record; Agent Gateway
// passes over those that are no mapping or have no channel.
func (r *ruleReader) rule(v *pyyaml.Node) routing.Rule {
	if v.Kind != pyyaml.Mapping {
		r.refuse(v, r.pointer, "model_type", r.name+" must be a mapping, not "+v.Kind.String(), `for example "channel: slack"`)
		return routing.Rule{Problem: r.problem}
	}
	known := []string{"channel", "target", "template", "url", "payload_template"}
	for _, m := range v.Members {
		if m.Key.Kind != pyyaml.String || !slices.Contains(known, m.Key.Text) {
			r.remark(m.Key, r.pointer+"/"+escape(m.Key.Text), "unknown_key",
				fmt.Sprintf("%s has the unknown key %q, which has no effect", r.name, m.Key.Text), r.suggest(m.Key.Text, known))
		}
	}
	if !v.Has("channel") {
		r.refuse(v, r.pointer+"/channel", "missing", r.name+" has no channel", `the channel is "slack" or "webhook"`)
	}
	rule := routing.Rule{
		Channel:         delivery.Channel(r.text(v, "channel")),
		Target:          r.text(v, "target"),
		Template:        r.text(v, "template"),
		URL:             secret.New(r.text(v, "url")),
		PayloadTemplate: r.text(v, "payload_template"),

		PayloadTemplateLine: textLine(v.Get("payload_template"), r.src),
	}
	if r.problem != "" {
		return routing.Rule{Problem: r.problem}
	}
	return rule
}

// text takes a string out. Everything but the channel may be null.
func (r *ruleReader) text(v *pyyaml.Node, key string) string {
	value := v.Get(key)
	switch {
	case value == nil, value.Is(pyyaml.Null) && key != "channel":
		return ""
	case value.Is(pyyaml.String):
		return value.Text
	}
	r.refuse(value, r.pointer+"/"+key, "string_type",
		fmt.Sprintf("%s: %s must be a string, not %s, so the rule fails", r.name, key, value.Kind), stringHint(value))
	return ""
}

// refuse records an error for which the rule cannot be followed.
func (r *ruleReader) refuse(v *pyyaml.Node, pointer, code, message, hint string) {
	r.wrong(v, pointer, code, message, hint)
	r.problem = cmp.Or(r.problem, message)
}

// advise looks for what only sending would show, or never would. before are
// the rules of the same event so far.
func (r *ruleReader) advise(v *pyyaml.Node, rule routing.Rule, before []routing.Rule) {
	if i := slices.IndexFunc(before, func(b routing.Rule) bool { return b.Problem == "" && r.sameTarget(b, rule) }); i >= 0 {
		r.remark(v, r.pointer, "repeated", fmt.Sprintf("%s names the target of an earlier rule, %s[%d]; only the first is sent", r.name, r.event, before[i].Index),
			"remove one, or name another target")
	}
	switch rule.Channel {
	case delivery.Slack:
		r.adviseSlack(v, rule)
	case delivery.Webhook:
		r.adviseWebhook(v, rule)
	default:
		r.wrong(v.Get("channel"), r.pointer+"/channel", "unknown_channel",
			fmt.Sprintf("%s has the unknown channel %q, so it fails", r.name, rule.Channel), r.suggest(string(rule.Channel), []string{"slack", "webhook"}))
	}
}

// sameTarget reports whether two rules tell the same people, whatever their
// templates make of it.
func (r *ruleReader) sameTarget(a, b routing.Rule) bool {
	switch {
	case a.Channel != b.Channel:
		return false
	case a.Channel == delivery.Webhook && !(a.URL.IsZero() && b.URL.IsZero()):
		return a.URL.Equal(b.URL)
	}
	return r.target(a) == r.target(b)
}

// target is what a rule's target comes to.
func (r *ruleReader) target(rule routing.Rule) string {
	if rule.Channel != delivery.Slack {
		return rule.Target
	}
	return strings.TrimPrefix(cmp.Or(strings.TrimSpace(rule.Target), r.gateway.Routing.DefaultChannel), "#")
}

func (r *ruleReader) adviseSlack(v *pyyaml.Node, rule routing.Rule) {
	s := r.gateway.Slack
	if !r.gateway.Routing.Slack { // what else is wrong with it is said at its place
		r.wrong(v.Get("channel"), r.pointer+"/channel", "slack_disabled", r.name+" sends to Slack, which is not enabled in gateway.yaml, so it fails", `set "enabled: true" in notifications.slack`)
	}
	if target := v.Get("target"); target.Is(pyyaml.Null) {
		r.remark(target, r.pointer+"/target", "null_target", r.name+" has an empty target, so it sends to the default channel", `a "#" begins a comment: write "#name" in quotes`)
	}
	for _, key := range []string{"url", "payload_template"} {
		if v.Has(key) {
			r.remark(v.Get(key), r.pointer+"/"+key, "no_effect", fmt.Sprintf("%s: %s has no effect on a message to Slack", r.name, key), "")
		}
	}
	if rule.Template != "" && s.TemplatesDir != "" {
		r.adviseTemplate(v.Get("template"), rule.Template, s.TemplatesDir)
	}
}

// adviseTemplate looks whether a template is there.
func (r *ruleReader) adviseTemplate(v *pyyaml.Node, name, dir string) {
	file := filepath.FromSlash(name) + ".json.j2"
	if !filepath.IsLocal(file) {
		r.remark(v, r.pointer+"/template", "no_template", r.name+": template leaves templates_dir, so the message has the built-in form", "")
		return
	}
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		r.remark(v, r.pointer+"/template", "no_template", fmt.Sprintf("%s: there is no %s.json.j2 in templates_dir", r.name, name), "")
	}
}

func (r *ruleReader) adviseWebhook(v *pyyaml.Node, rule routing.Rule) {
	if v.Has("template") {
		r.remark(v.Get("template"), r.pointer+"/template", "no_effect", r.name+": template is for Slack and has no effect on a webhook", `use "payload_template"`)
	}
	switch {
	case !rule.URL.IsZero():
		r.adviseURL(v.Get("url"), rule)
	case rule.Target == "":
		r.wrong(v, r.pointer+"/target", "missing", r.name+" names neither a webhook nor a url, so it fails", `set "target" to the name of a webhook`)
	default:
		r.adviseTarget(v.Get("target"), rule.Target)
	}
}

// adviseURL never shows the URL: its path may be a secret.
func (r *ruleReader) adviseURL(v *pyyaml.Node, rule routing.Rule) {
	if strings.Contains(rule.URL.Reveal(), "${") {
		r.remark(v, r.pointer+"/url", "not_filled", r.name+": url holds \"${\", which stays as it is: variables are not filled in AGENT.md", "configure a webhook in gateway.yaml and name it in target")
		return
	}
	if why := webhook.CheckURL(rule.URL.Reveal()); why != "" {
		r.remark(v, r.pointer+"/url", "bad_url", r.name+": "+why+", so it fails", "")
	}
	if rule.Target != "" {
		r.remark(v, r.pointer+"/url", "no_effect", r.name+" has both url and target; the url counts", "remove one of them")
	}
}

func (r *ruleReader) adviseTarget(v *pyyaml.Node, target string) {
	var names []string
	for _, w := range r.gateway.Routing.Webhooks {
		if names = append(names, w.Target.Name); w.Target.Name != target {
			continue
		}
		if len(w.Events) > 0 && !slices.Contains(w.Events, string(r.event)) {
			r.remark(v, r.pointer+"/target", "left_out", fmt.Sprintf("%s names the webhook %q, whose events leave %s out, so nothing is sent", r.name, target, r.event),
				fmt.Sprintf("add %q to the events of the webhook", r.event))
		}
		return
	}
	hint := r.suggest(target, names)
	if len(names) == 0 {
		hint = "gateway.yaml configures no webhooks"
	}
	r.wrong(v, r.pointer+"/target", "unknown_webhook", fmt.Sprintf("%s names the webhook %q, which gateway.yaml does not have, so it fails", r.name, target), hint)
}

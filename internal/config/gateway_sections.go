package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
	"agentxchain/internal/pyyaml"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/suggest"
	"agentxchain/internal/webhook"
)

// readSections are the sections that we read. Of the others only their names
// are known; what is in them is Agent Gateway's business.
func readSections() []string {
	return []string{"notifications", "persistence", "queue", "server", "auth", "dashboard"}
}

func gatewaySections() []string {
	return append(readSections(), "timezone", "model", "guardrails", "telemetry", "scheduler",
		"context_retrieval", "mcp", "memory", "context", "cors", "rate_limit", "security")
}

// compose makes a Gateway of the document.
func (r *gatewayReader) compose(doc *pyyaml.Node) *Gateway {
	r.topLevel(doc)
	top := section{r: r, v: doc}
	g := &Gateway{File: r.file}
	g.Routing.File = project.GatewayName
	r.notifications(top, g)
	g.Persistence = r.persistence(top)
	g.Queue = r.queue(top)
	r.checkDatabase(top, g)
	g.Server = r.server(top)
	g.Auth = r.auth(top)
	g.Dashboard = r.dashboard(top)
	return g
}

// topLevel refuses keys that are no section of Agent Gateway, which refuses
// the whole file for one of them.
func (r *gatewayReader) topLevel(doc *pyyaml.Node) {
	for _, m := range doc.Members {
		name := m.Key.Text
		if m.Key.Kind == pyyaml.String && slices.Contains(gatewaySections(), name) {
			continue
		}
		hint := r.near(name, gatewaySections())
		switch {
		case slices.Contains([]string{"slack", "webhooks", "webhook_secret"}, name):
			hint = `move it into "notifications"`
		case hint == "":
			hint = "Agent Gateway refuses the whole file for it; known are " + strings.Join(gatewaySections(), ", ")
		}
		r.wrong(m.Key, "/"+escape(name), "extra_forbidden", fmt.Sprintf("unknown section %q", name), hint)
	}
}

// notifications reads the section of that name. What is wrong in it stays in
// the routing, so that it fails on the record.
func (r *gatewayReader) notifications(top section, g *Gateway) {
	r.fault = ""
	s := top.section("notifications")
	hooks := r.lost(top.v.Get("notifications"), s.name)
	s.only("slack", "webhooks", "webhook_secret")
	s.missing, s.fails = &g.MissingSecret, "every message that webhook_secret would sign fails"
	r.fault = ""
	if text := s.secret("webhook_secret"); !text.IsZero() {
		g.WebhookSecrets = []secret.Text{text}
		r.adviseSecret(s, s.v.Get("webhook_secret"), s.path("webhook_secret"), s.at("webhook_secret"), text)
	}
	g.SecretProblem = r.fault // Nothing may go out unsigned by mistake.
	r.slack(s, g)
	for _, h := range lastOfEach(append(hooks, r.hooks(s, g)...)) {
		g.Routing.Webhooks = append(g.Routing.Webhooks, h.Subscription)
		if h.Problem == "" {
			g.Webhooks = append(g.Webhooks, h.config)
		}
	}
}

// namedHook is a webhook with what routing knows of it.
type namedHook struct {
	routing.Subscription
	config webhook.Config
}

// hooks reads the webhooks, those with wrong values too.
func (r *gatewayReader) hooks(s section, g *Gateway) []namedHook {
	r.fault = ""
	items := s.list("webhooks")
	list := r.lost(s.v.Get("webhooks"), s.path("webhooks"))
	for i, v := range items {
		r.fault = ""
		if e, ok := s.entry("webhooks", i, v); ok {
			list = append(list, r.webhook(e, g, list))
		} else {
			list = append(list, r.lost(v, e.name)...)
		}
	}
	return list
}

// lost is what stands for a value, if it is at fault, that should have said
// which webhooks there are: they would have taken any event. null names none.
func (r *gatewayReader) lost(v *pyyaml.Node, name string) []namedHook {
	if r.fault == "" || v.Is(pyyaml.Null) {
		return nil
	}
	return []namedHook{{Subscription: routing.Subscription{Target: hookTarget(name), Events: ruleEvents(), Problem: r.fault}}}
}

func hookTarget(name string) delivery.Target {
	return delivery.Target{File: project.GatewayName, Channel: delivery.Webhook, Name: name}
}

// slack reads the section notifications.slack. One with a wrong value sends
// nothing, because that could go to a default channel by mistake; where it is
// enabled, or may be, routing keeps it with the reason.
func (r *gatewayReader) slack(notifications section, g *Gateway) {
	r.fault = ""
	c := &g.Slack
	s := notifications.section("slack")
	s.only("enabled", "bot_token", "default_channel", "templates_dir", "threads")
	s.missing, s.fails = &c.Missing, "every message to Slack fails"
	c.Enabled = s.flag("enabled", false)
	wanted := c.Enabled || r.fault != "" && !notifications.v.Get("slack").Is(pyyaml.Null)
	c.BotToken = s.secret("bot_token")
	c.DefaultChannel = s.text("default_channel", slack.DefaultChannel, shown)
	r.templatesDir(s, g)
	c.Threads = s.flag("threads", false)
	switch {
	case r.fault != "":
		c.Enabled = false
		if wanted {
			g.Routing.SlackProblem = r.fault
		}
	case r.opts.Advise && c.Enabled && len(c.Missing) == 0:
		r.adviseSlack(s, *c)
	}
	g.Routing.Slack, g.Routing.DefaultChannel = wanted, c.DefaultChannel
}

// templatesDir reads where the templates of Slack messages are.
func (r *gatewayReader) templatesDir(s section, g *Gateway) {
	dir, v := s.text("templates_dir", "", shown), s.v.Get("templates_dir")
	if dir == "" {
		return
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(r.file), filepath.FromSlash(dir))
	}
	g.Slack.TemplatesDir = dir
	if r.variables[v] == "" {
		g.TemplatesDirLine = v.Line
	}
	if r.opts.Advise && s.unknown(v) == "" && !isDir(dir) {
		r.remark(v, s.at("templates_dir"), "no_templates_dir", s.path("templates_dir")+" names no folder that can be found", "a relative name begins at the folder of gateway.yaml")
	}
}

// adviseSlack looks for what would fail every message.
func (r *gatewayReader) adviseSlack(s section, c slack.Config) {
	switch token := c.BotToken.Reveal(); {
	case token == "":
		r.wrong(s.v, s.at("bot_token"), "no_token", s.name+" is enabled and has no bot_token, so every message fails", `set "bot_token", for example to "${SLACK_BOT_TOKEN}"`)
	case token != "" && !strings.HasPrefix(token, "xoxb-"):
		r.remark(s.v.Get("bot_token"), s.at("bot_token"), "odd_token", s.path("bot_token")+` does not begin with "xoxb-", as the tokens of bots do`, "")
	}
}

// webhook takes one webhook out; before are those that stand above it. Its
// missing variables are its own. With a wrong value it has a Problem: without
// that value it could be told too much, or unsigned.
func (r *gatewayReader) webhook(s section, g *Gateway, before []namedHook) namedHook {
	w := webhook.Config{Timeout: webhook.GatewayTimeout}
	s.missing = &w.Missing
	s.fails = fmt.Sprintf("every delivery to %q fails", s.v.Get("name").Str())
	s.only("name", "url", "secret", "secrets", "signature_format", "events", "payload_template")
	w.Name = s.required("name", "rules name the webhook by it", shown)
	target := hookTarget(w.Name)
	if r.fault != "" {
		target.Name = s.name
	}
	w.URL = secret.New(s.required("url", `for example "https://hooks.example.com/agent-events"`, maskURL))
	w.Secrets = r.signers(s)
	w.Signature = r.signature(s)
	w.Events = r.events(s)
	w.PayloadTemplate = s.template("payload_template")
	w.PayloadTemplateLine = textLine(s.v.Get("payload_template"), r.src)
	r.checkName(s, target, before)
	if r.opts.Advise && r.fault == "" {
		r.adviseWebhook(s, w, g)
	}
	if len(w.Secrets) == 0 {
		w.Secrets, w.Missing = g.WebhookSecrets, append(w.Missing, g.MissingSecret...)
		r.fault = cmp.Or(r.fault, g.SecretProblem)
	}
	return namedHook{routing.Subscription{Target: target, Events: w.Events, Problem: r.fault}, w}
}

// signers takes the secrets out: "secret", and those of "secrets", which is
// ours, so that one can take the place of another while receivers know both.
func (r *gatewayReader) signers(s section) []secret.Text {
	var list []secret.Text
	if text := s.secret("secret"); !text.IsZero() {
		list = append(list, text)
		r.adviseSecret(s, s.v.Get("secret"), s.path("secret"), s.at("secret"), text)
	}
	for i, v := range s.list("secrets") {
		name, pointer := fmt.Sprintf("%s[%d]", s.path("secrets"), i), index(s.at("secrets"), i)
		text, ok := s.str(v, name, pointer)
		if !ok {
			continue
		}
		r.show(name, masked(text), v)
		if text == "" {
			r.remark(v, pointer, "empty_secret", name+" is empty, so nothing is signed with it", "remove it, or give it a value")
			continue
		}
		list = append(list, secret.New(text))
		r.adviseSecret(s, v, name, pointer, list[len(list)-1])
	}
	return list
}

// adviseSecret looks for secrets that cannot sign, or protect nothing.
func (r *gatewayReader) adviseSecret(s section, v *pyyaml.Node, name, pointer string, text secret.Text) {
	if !r.opts.Advise || s.unknown(v) != "" {
		return
	}
	if strings.TrimSpace(text.Reveal()) == "" {
		r.remark(v, pointer, "blank_secret", name+" is blank, so anybody can guess it", "")
		return
	}
	if why := webhook.CheckSecret(text.Reveal()); why != "" {
		r.report(nodeProblem(v, Error, pointer, "bad_secret", name+" "+why+", so every delivery that it would sign fails", ""), v)
	}
}

func (r *gatewayReader) signature(s section) webhook.SignatureFormat {
	formats := []string{string(webhook.SignaturePrefixed), string(webhook.SignatureHex)}
	text := s.text("signature_format", formats[0], shown)
	if len(placeholders(text)) > 0 {
		return webhook.SignatureFormat(formats[0]) // the variable has no value, so nothing is sent
	}
	if !slices.Contains(formats, text) {
		r.wrong(s.v.Get("signature_format"), s.at("signature_format"), "unknown_format",
			fmt.Sprintf("%s must be one of: %s", s.path("signature_format"), strings.Join(formats, ", ")), r.near(text, formats))
	}
	return webhook.SignatureFormat(text)
}

// events takes the events out, in the guide's spelling. Where one of them is
// not known, because its variable has no value or it is no event and near to
// none, all events are: each may be the one that was meant.
func (r *gatewayReader) events(s section) []string {
	items, known := s.list("events"), true
	if v := s.v.Get("events"); v != nil && v.Kind != pyyaml.Sequence {
		known = false
	}
	var list, meant []string
	for i, v := range items {
		name, ok := r.event(s, i, v)
		switch {
		case name == "":
			known = false
		case !ok:
			meant = append(meant, name)
		case slices.Contains(list, name):
			r.remark(v, index(s.at("events"), i), "repeated", fmt.Sprintf("%s: events lists %q twice", s.name, name), "it is sent once all the same; remove one")
		default:
			list = append(list, name)
		}
	}
	r.show(s.path("events"), strings.Join(list, ", "), s.v.Get("events"))
	if !known {
		return ruleEvents()
	}
	return append(list, meant...)
}

// event takes one event out. Where ok is false, name is only what was probably
// meant, or "".
func (r *gatewayReader) event(s section, i int, v *pyyaml.Node) (name string, ok bool) {
	pointer := index(s.at("events"), i)
	text, ok := s.str(v, fmt.Sprintf("%s[%d]", s.path("events"), i), pointer)
	if !ok {
		return "", false
	}
	if variable := s.unknown(v); variable != "" {
		r.spoil(nodeProblem(v, Error, pointer, "unset_variable", fmt.Sprintf("%s: events uses the variable %s, which is not set", s.name, variable), ""))
		return "", false
	}
	t, err := events.ParseType(text)
	var unknown *events.UnknownTypeError
	if !errors.As(err, &unknown) {
		return string(t), true
	}
	r.wrong(v, pointer, "unknown_event", fmt.Sprintf("%s: events contains unknown event %q", s.name, text), eventHint(unknown))
	if meant, err := events.ParseType(suggest.Nearest(text, []string{unknown.Nearest})); err == nil {
		return string(meant), false
	}
	return "", false
}

// eventHint says which event was probably meant.
func eventHint(e *events.UnknownTypeError) string {
	if e.Name == "*" || e.Name == "all" {
		return "there is no wildcard: leave events out for the three ends of an agent's run"
	}
	return fmt.Sprintf("did you mean %q?", e.Nearest)
}

// checkName compares a webhook's name with those before it and with those of
// agentxchain.json.
func (r *gatewayReader) checkName(s section, target delivery.Target, before []namedHook) {
	v := s.v.Get("name")
	if v == nil {
		return
	}
	if slices.ContainsFunc(before, func(h namedHook) bool { return h.Target == target }) {
		r.remark(v, s.at("name"), "repeated", fmt.Sprintf("the name %q is given twice; the last webhook of that name counts", target.Name), "give each webhook a name of its own")
	}
	if slices.Contains(r.opts.Governed, target.Name) {
		r.report(nodeProblem(v, Error, s.at("name"), "governed_name",
			fmt.Sprintf("%s: %q is a webhook of %s too", s.name, target.Name, project.ConfigName), "evidence names webhooks: give this one another name"), v)
	}
}

// lastOfEach keeps the last webhook of each name.
func lastOfEach(list []namedHook) []namedHook {
	var kept []namedHook
	for i, h := range list {
		if !slices.ContainsFunc(list[i+1:], func(later namedHook) bool { return later.Target == h.Target }) {
			kept = append(kept, h)
		}
	}
	return kept
}

// adviseWebhook looks for what loads well and fails or surprises later. It
// never shows the URL: its path may be a secret.
func (r *gatewayReader) adviseWebhook(s section, w webhook.Config, g *Gateway) {
	if w.Name == "" && s.v.Get("name").Is(pyyaml.String) {
		r.remark(s.v.Get("name"), s.at("name"), "empty_name", s.name+" has an empty name, so no rule can name it", "")
	}
	if len(w.Missing) > 0 {
		return
	}
	unsigned := len(w.Secrets) == 0 && len(g.WebhookSecrets) == 0 && g.SecretProblem == ""
	if v := s.v.Get("url"); v.Is(pyyaml.String) {
		if why := webhook.CheckURL(w.URL.Reveal()); why != "" {
			r.remark(v, s.at("url"), "bad_url", s.name+": url: "+why+", so every delivery to it will fail", "")
		}
	}
	if unsigned {
		r.remark(s.v, s.at("secret"), "unsigned", fmt.Sprintf("%s has no secret, so its receiver cannot know who sent a message", s.name),
			`set "secret", or "webhook_secret" for all webhooks`)
	}
}

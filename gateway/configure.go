package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
)

// DefaultChannel is where Slack messages go when nothing else is said.
const DefaultChannel = "#agent-alerts"

// ErrStarted says that a gateway was to be configured after its first event or its end.
var ErrStarted = errors.New("cannot configure notifications after the gateway has started")

// Slack configures [Gateway.UseSlackNotifications].
type Slack struct {
	// BotToken begins with "xoxb-". Required.
	BotToken string
	// DefaultChannel is used when a rule names none; empty means [DefaultChannel].
	DefaultChannel string
	// TemplatesDir holds the *.json.j2 files of messages, relative to the
	// current folder; empty means that there are none.
	TemplatesDir string
	// Threads puts the messages of one run into one thread.
	Threads bool
}

// Webhook configures [Gateway.UseWebhookNotifications].
type Webhook struct {
	// URL is where events are posted, http or https at a public address. Required.
	URL string
	// Name is what rules call it; empty means "default". A webhook of the same
	// name, in gateway.yaml or from an earlier call, is replaced; one in
	// agentxchain.json is an error, as rules could not tell the two apart.
	Name string
	// Secret signs the body, and Secrets further do so while receivers are
	// moved from one to the next. Without any, notifications.webhook_secret of
	// gateway.yaml signs; without that too the body is unsigned.
	Secret  string
	Secrets []string
	// Events are those that it takes, in either spelling; none means the three
	// ends of an agent run.
	Events []string
	// PayloadTemplate is the Jinja2 source of the body; empty means the
	// built-in one.
	PayloadTemplate string
}

// UseSlackNotifications enables Slack. It returns g, so that calls can be
// chained; what is wrong is returned by the first [Gateway.Emit].
func (g *Gateway) UseSlackNotifications(s Slack) *Gateway {
	return g.configure("UseSlackNotifications", func() error {
		if s.BotToken == "" {
			return errors.New("BotToken is empty")
		}
		if s.DefaultChannel == "" {
			s.DefaultChannel = DefaultChannel
		}
		if s.TemplatesDir != "" {
			dir, err := filepath.Abs(s.TemplatesDir)
			if err != nil {
				return err
			}
			s.TemplatesDir = dir
		}
		g.channels.Slack = slack.Config{
			Enabled: true, BotToken: secret.New(s.BotToken), DefaultChannel: s.DefaultChannel,
			TemplatesDir: s.TemplatesDir, Threads: s.Threads,
		}
		g.channels.Routing.Slack, g.channels.Routing.DefaultChannel = true, s.DefaultChannel
		return nil
	})
}

// UseWebhookNotifications adds a webhook. It returns g, so that calls can be
// chained; what is wrong is returned by the first [Gateway.Emit].
func (g *Gateway) UseWebhookNotifications(w Webhook) *Gateway {
	return g.configure("UseWebhookNotifications", func() error {
		w.Name = cmp.Or(w.Name, "default")
		c, err := g.webhook(w)
		if err != nil {
			return fmt.Errorf("webhook %q: %w", w.Name, err)
		}
		g.addWebhook(c)
		return nil
	})
}

// webhook checks w and takes it over.
func (g *Gateway) webhook(w Webhook) (webhook.Config, error) {
	c := webhook.Config{
		Name: w.Name, URL: secret.New(w.URL), Timeout: webhook.GatewayTimeout, PayloadTemplate: w.PayloadTemplate,
	}
	if slices.ContainsFunc(g.governed.Webhooks, func(h webhook.Config) bool { return h.Name == w.Name }) {
		return c, fmt.Errorf("%s has a webhook of the same name; rename one of them", project.ConfigName)
	}
	if text := webhook.CheckURL(w.URL); text != "" {
		return c, errors.New(text)
	}
	for _, name := range w.Events {
		t, err := events.ParseType(name)
		if err != nil {
			return c, err
		}
		c.Events = append(c.Events, string(t))
	}
	return c, g.sign(&c, append([]string{w.Secret}, w.Secrets...))
}

// sign gives c the secrets that are not empty, and webhook_secret when there
// are none: where that cannot be used, c must not go out unsigned, or signed
// with the reference in its place.
func (g *Gateway) sign(c *webhook.Config, secrets []string) error {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		if text := webhook.CheckSecret(s); text != "" {
			return errors.New(text)
		}
		c.Secrets = append(c.Secrets, secret.New(s))
	}
	if len(c.Secrets) > 0 {
		return nil
	}
	if text := g.channels.SecretProblem; text != "" {
		return errors.New(text)
	}
	c.Secrets, c.Missing = slices.Clone(g.channels.WebhookSecrets), slices.Clone(g.channels.MissingSecret)
	return nil
}

func (g *Gateway) addWebhook(c webhook.Config) {
	target := delivery.Target{File: g.channels.Routing.File, Channel: delivery.Webhook, Name: c.Name}
	s := routing.Subscription{Target: target, Events: c.Events}
	if at := slices.IndexFunc(g.channels.Webhooks, func(h webhook.Config) bool { return h.Name == c.Name }); at >= 0 {
		g.channels.Webhooks[at] = c
	} else {
		g.channels.Webhooks = append(g.channels.Webhooks, c)
	}
	list := g.channels.Routing.Webhooks
	if at := slices.IndexFunc(list, func(o routing.Subscription) bool { return o.Target == target }); at >= 0 {
		list[at] = s
	} else {
		g.channels.Routing.Webhooks = append(list, s)
	}
}

// configure runs one call that configures g, unless it has started.
func (g *Gateway) configure(call string, f func() error) *Gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := ErrStarted
	if g.pipeline == nil && !g.closed {
		err = f()
	}
	if err != nil {
		g.problems = append(g.problems, fmt.Errorf("%s: %w", call, err))
	}
	return g
}

// Package dispatch turns one event into the messages of its targets: where it
// goes, what each target is sent, and who sends it. Emit, retry, serve and the
// public Go API go through it, so that they mean the same by a target.
//
// Bodies are made once, before the first attempt: what is stored, sent, sent
// again and shown are the same bytes. A template that does not give a usable
// body never keeps an event from its target: the channel's built-in body goes
// out, and says so in the record.
package dispatch

import (
	"context"
	"slices"
	"sync"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
	"agentxchain/internal/render"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
)

const (
	// governedMaxAge is how long a governed event is tried again by itself: an
	// older notice about a run misleads more than it helps.
	governedMaxAge = time.Hour
	// agentMaxAge is the same for the end of an agent run, which stays true,
	// where nothing else is configured.
	agentMaxAge = 72 * time.Hour

	// governedAttempts and channelAttempts are the attempts that a command
	// makes by default, at a webhook of agentxchain.json and at a channel of
	// gateway.yaml.
	governedAttempts = 1
	channelAttempts  = 3

	contentType = "application/json"
)

// Gateway is what the channels of a gateway.yaml are made of.
type Gateway struct {
	// Routing has the file's webhooks by name, and the agents' rules.
	Routing *routing.Gateway
	// Webhooks are the named webhooks.
	Webhooks []webhook.Config
	// WebhookSecrets sign what goes to a rule's own URL; none leaves it unsigned.
	WebhookSecrets []secret.Text
	// MissingSecret names the environment variables that WebhookSecrets need
	// and that are not set; what they sign then fails.
	MissingSecret []string
	// SecretProblem says why WebhookSecrets are not known; what they would sign
	// then fails. It is empty when they are.
	SecretProblem string
	// Renderer makes bodies from templates.
	Renderer *render.Renderer
	// WebhookSender delivers to Webhooks and to the URLs of rules.
	WebhookSender *webhook.Sender
	// SlackSender posts to Slack; nil when Slack is not enabled.
	SlackSender *slack.Sender
	// SlackMissing names the environment variables that Slack needs and that
	// are not set; every message then fails.
	SlackMissing []string
	// Threads puts the messages of one run into one thread; nil lets each
	// stand for itself.
	Threads *slack.Threads
	// MaxAge is how long the end of an agent run is sent again by itself; 0
	// means three days.
	MaxAge time.Duration
}

// Options are what a [Dispatcher] is made of.
type Options struct {
	// Governed are the webhooks of agentxchain.json, in its order, which Sender
	// delivers to. File is the name of that file in targets.
	File     string
	Governed []webhook.Config
	Sender   *webhook.Sender
	// Gateway is nil when there is no gateway.yaml. When the file can't be
	// used, Broken says why, in one line without secrets: what was to go to its
	// targets then fails with these words instead of being forgotten.
	Gateway *Gateway
	Broken  string
	// GatewayFile is the name of gateway.yaml in targets.
	GatewayFile string
}

// Dispatcher is safe for concurrent use.
type Dispatcher struct {
	opts   Options
	router routing.Router

	mu sync.Mutex
	// problems are why the targets of routes can't be sent to.
	problems map[delivery.Target]string
}

// New returns a dispatcher. It does no work that could fail.
func New(o Options) *Dispatcher {
	d := &Dispatcher{opts: o, problems: map[delivery.Target]string{}}
	for _, h := range o.Governed {
		target := delivery.Target{File: o.File, Channel: delivery.Webhook, Name: h.Name}
		d.router.Subscriptions = append(d.router.Subscriptions, routing.Subscription{Target: target, Events: h.Events})
	}
	if o.Gateway != nil {
		d.router.Gateway = o.Gateway.Routing
	}
	return d
}

// Routes returns where an event of this type goes. The agent of a governed
// event is its role; it may be empty.
func (d *Dispatcher) Routes(t events.Type, agent string) []routing.Route {
	return d.router.Route(t, agent)
}

// maxAge is how long the end of an agent run is sent again by itself.
func (d *Dispatcher) maxAge() time.Duration {
	if g := d.opts.Gateway; g != nil && g.MaxAge > 0 {
		return g.MaxAge
	}
	return agentMaxAge
}

// Agent returns whose event e is: the agent's name, or the role of a governed
// event, empty when it is nobody's.
func Agent(e events.Event) string {
	if e.Agent != nil {
		return e.Agent.Name
	}
	envelope, err := events.Parse(e.Body)
	if err != nil || envelope.Turn == nil {
		return ""
	}
	return envelope.Turn.Role
}

// ExecutionID returns the run of Agent Gateway that ended with e, or the
// governed run; empty when there is none.
func ExecutionID(e events.Event) string {
	if e.Agent != nil {
		return e.Agent.ExecutionID
	}
	return e.RunID
}

// label is what people know the target of r by.
func label(r routing.Route) string {
	if r.Rule != nil && !r.Rule.URL.IsZero() {
		return delivery.StoredTarget(r.Rule.URL.Reveal())
	}
	return r.Target.Name
}

// Messages makes what the targets of routes are sent. Routes that skip make
// none, routes with a problem make one that is going to fail with it. The
// warnings say, free of values, why a template gave no body.
func (d *Dispatcher) Messages(ctx context.Context, e events.Event, routes []routing.Route) (messages []queue.Message, warnings []error) {
	for _, r := range routes {
		if r.Skip != "" {
			continue
		}
		m, warning := d.message(ctx, e, r)
		messages = append(messages, m)
		if warning != nil {
			warnings = append(warnings, warning)
		}
	}
	return messages, warnings
}

func (d *Dispatcher) message(ctx context.Context, e events.Event, r routing.Route) (m queue.Message, warning error) {
	m = queue.Message{
		Target: r.Target, Agent: Agent(e), ExecutionID: ExecutionID(e), Label: label(r), ContentType: contentType,
		Attempts: channelAttempts, ExpiresAt: e.EmittedAt.Add(d.maxAge()),
	}
	if e.Agent == nil {
		m.ExpiresAt = e.EmittedAt.Add(governedMaxAge)
	}
	d.setProblem(r.Target, r.Problem)
	switch {
	case r.Problem != "" || d.missing(r.Target):
		// Without its configuration there is no knowing what it would be sent.
		m.Attempts, m.Unmade = 1, true
	case r.Target.File == d.opts.File:
		m.Attempts = governedAttempts
	case r.Target.Channel == delivery.Slack:
		m.ContentType = slack.ContentType
		m.Body, m.FallbackBody, warning = d.slackBody(ctx, e, r)
	default:
		m.Body, m.FallbackBody, warning = d.webhookBody(ctx, e, r)
	}
	return m, warning
}

// setProblem says why a target can't be sent to; an empty problem says that it
// can.
func (d *Dispatcher) setProblem(t delivery.Target, problem string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if problem == "" {
		delete(d.problems, t)
		return
	}
	d.problems[t] = problem
}

// missing reports whether a target of the gateway lacks environment variables,
// which its sender says when it is asked to send.
func (d *Dispatcher) missing(t delivery.Target) bool {
	switch {
	case t.File == d.opts.File:
		return false // headers alone use variables there
	case t.Channel == delivery.Slack:
		return len(d.opts.Gateway.SlackMissing) > 0
	}
	config, _ := d.opts.Gateway.config(t)
	return len(config.Missing) > 0 || d.unsignable(t)
}

// unsignable reports whether a target is a rule's own URL and the secret that
// signs for those is not known. Nothing goes out unsigned by mistake.
func (d *Dispatcher) unsignable(t delivery.Target) bool {
	return t.File != d.opts.GatewayFile && d.opts.Gateway.SecretProblem != ""
}

// Make makes the body of a delivery that is Unmade, if its target can be used
// by now. It is the body that the event would have by the current
// configuration: nothing was sent of it before.
func (d *Dispatcher) Make(ctx context.Context, kept delivery.Delivery) delivery.Delivery {
	event, err := events.Restore(kept.Event)
	if err != nil {
		d.setProblem(kept.Target, "The event can't be read back")
		return kept
	}
	for _, r := range d.Routes(events.Type(event.Type), Agent(event)) {
		if r.Target != kept.Target || r.Skip != "" {
			continue
		}
		m, _ := d.message(ctx, event, r)
		if !m.Unmade {
			kept.Unmade, kept.ContentType, kept.FallbackBody = false, m.ContentType, m.FallbackBody
			if kept.Body = m.Body; kept.Body == nil {
				kept.Body = kept.Event.Body
			}
		}
		return kept
	}
	d.setProblem(kept.Target, "The configuration sends "+event.Type+" there no more")
	return kept
}

// Sender returns who delivers to a target. It is never nil: a target that
// can't be delivered to has a sender that says why.
func (d *Dispatcher) Sender(t delivery.Target) queue.Sender {
	d.mu.Lock()
	problem := d.problems[t]
	d.mu.Unlock()
	switch {
	case problem != "":
		return refusal(problem)
	case t.File == d.opts.File:
		return d.governed(t)
	case d.opts.Broken != "":
		return refusal(d.opts.Broken)
	case d.opts.Gateway == nil:
		return refusal("There is no " + d.opts.GatewayFile)
	case t.Channel == delivery.Slack:
		return d.slack()
	}
	return d.webhook(t)
}

func (d *Dispatcher) governed(t delivery.Target) queue.Sender {
	if d.opts.Sender == nil || !slices.ContainsFunc(d.opts.Governed, func(h webhook.Config) bool { return h.Name == t.Name }) {
		return gone(t)
	}
	return d.opts.Sender
}

func (d *Dispatcher) slack() queue.Sender {
	if d.opts.Gateway.SlackSender == nil {
		return refusal("Slack is not enabled in " + d.opts.GatewayFile)
	}
	return d.opts.Gateway.SlackSender
}

func (d *Dispatcher) webhook(t delivery.Target) queue.Sender {
	config, ok := d.opts.Gateway.config(t)
	switch {
	case !ok:
		return gone(t)
	case d.unsignable(t):
		return refusal(d.opts.Gateway.SecretProblem)
	}
	return bound{d.opts.Gateway.WebhookSender, config}
}

// config returns the webhook that a target refers to: a named one, or that of
// a rule with a URL of its own.
func (g *Gateway) config(t delivery.Target) (webhook.Config, bool) {
	if t.File == g.Routing.File {
		at := slices.IndexFunc(g.Webhooks, func(h webhook.Config) bool { return h.Name == t.Name })
		if at < 0 {
			return webhook.Config{}, false
		}
		return g.Webhooks[at], true
	}
	rule := g.Routing.Inline(t)
	if rule == nil {
		return webhook.Config{}, false
	}
	return webhook.Config{
		Name: t.Name, URL: rule.URL, Timeout: webhook.GatewayTimeout,
		Secrets: g.WebhookSecrets, Missing: g.MissingSecret,
	}, true
}

// LongestRequest is the greatest time limit of a request to any target.
func (d *Dispatcher) LongestRequest() time.Duration {
	longest := slack.DefaultTimeout
	if g := d.opts.Gateway; g != nil {
		longest = max(longest, webhook.GatewayTimeout)
	}
	for _, h := range d.opts.Governed {
		longest = max(longest, h.Timeout)
	}
	return longest
}

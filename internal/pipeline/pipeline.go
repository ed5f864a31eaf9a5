// Package pipeline wires the way of an event through one project: where it
// goes, what is sent, who may be called, what is kept and what is recorded. It
// decides nothing itself; commands and the public Go API differ only in what
// they put in.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/dispatch"
	"agentxchain/internal/egress"
	"agentxchain/internal/events"
	"agentxchain/internal/outbox"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/render"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
)

// Channels are the channels of a gateway.yaml, checked.
type Channels struct {
	// Routing has the webhooks by name and the agents' rules.
	Routing routing.Gateway
	// Webhooks are the named webhooks.
	Webhooks []webhook.Config
	// WebhookSecrets sign what goes to a rule's own URL.
	WebhookSecrets []secret.Text
	// MissingSecret names the variables that WebhookSecrets lack.
	MissingSecret []string
	// SecretProblem says why WebhookSecrets are not known.
	SecretProblem string
	// Slack is the section notifications.slack.
	Slack slack.Config
}

// Options are what a [Pipeline] is made of.
type Options struct {
	// Root is the project's folder. Required.
	Root project.Root
	// Governed are the webhooks of agentxchain.json.
	Governed []webhook.Config
	// LookupEnv returns the value of a variable for the headers of Governed.
	LookupEnv func(name string) (value string, ok bool)
	// Channels is nil when there is no gateway.yaml, or one of which nothing
	// can be used, which Broken then says.
	Channels *Channels
	Broken   bool
	// Getenv returns the variables that tighten egress, and SLACK_API_URL. Required.
	Getenv func(string) string
	// Version is the version in the User-Agent.
	Version string
	// Now is the clock. Required.
	Now func() time.Time
	// Public carries the requests to Channels instead of the guarded
	// transport, for tests of this module: theirs may not leave the machine.
	Public http.RoundTripper
}

// Pipeline is one project's. Close it.
type Pipeline struct {
	*dispatch.Dispatcher
	// Queue sends, keeps and retries.
	Queue  *queue.Queue
	audit  *audit.Log
	outbox *outbox.Outbox
}

// New wires a pipeline. It opens no file. The error says which variable of the
// environment is wrong.
func New(o Options) (*Pipeline, error) {
	rules, err := egress.FromEnv(o.Getenv)
	if err != nil {
		return nil, err
	}
	create := func() error { _, err := o.Root.OwnDir(); return err }
	p := &Pipeline{
		Dispatcher: dispatch.New(o.dispatch(rules, create)),
		audit:      audit.New(o.Root.AuditFile(), audit.Options{OwnDir: o.Root.OwnDir, Now: o.Now}),
		outbox:     outbox.New(outbox.Options{Path: o.Root.OwnPath(), Create: create, Now: o.Now}),
	}
	p.Queue = queue.New(queue.Options{
		Store: p.outbox, Audit: p.audit, Sender: p.Sender, Make: p.Make, Policy: delivery.DefaultPolicy(), Now: o.Now,
	})
	return p, nil
}

// dispatch wires what is sent, and by whom. The webhooks of agentxchain.json
// and the channels of gateway.yaml have an egress tier each.
func (o Options) dispatch(rules egress.Config, create func() error) dispatch.Options {
	rules.Tier = egress.Governed
	d := dispatch.Options{
		File: project.ConfigName, Governed: o.Governed, GatewayFile: project.GatewayName,
		Sender: webhook.NewSender(webhook.Options{
			Webhooks: o.Governed, Transport: egress.New(rules).Transport(),
			LookupEnv: o.LookupEnv, Version: o.Version, Now: o.Now,
		}),
	}
	if o.Broken && o.Channels == nil {
		d.Broken = project.GatewayName + " can't be used"
	}
	if o.Channels != nil {
		d.Gateway = o.gateway(rules, create)
	}
	return d
}

func (o Options) gateway(rules egress.Config, create func() error) *dispatch.Gateway {
	public := o.Public
	if public == nil {
		rules.Tier = egress.Public
		public = egress.New(rules).Transport()
	}
	c := o.Channels
	g := &dispatch.Gateway{
		Routing: &c.Routing, Webhooks: c.Webhooks, WebhookSecrets: c.WebhookSecrets, MissingSecret: c.MissingSecret, SecretProblem: c.SecretProblem,
		Renderer: render.New(render.Options{TemplatesDir: c.Slack.TemplatesDir, Now: o.Now}),
		WebhookSender: webhook.NewSender(webhook.Options{
			Webhooks: c.Webhooks, Transport: public, Version: o.Version, EventID: true, Now: o.Now,
		}),
	}
	if !c.Slack.Enabled {
		return g
	}
	g.SlackMissing = c.Slack.Missing
	if c.Slack.Threads {
		g.Threads = slack.NewThreads(slack.ThreadsOptions{Path: filepath.Join(o.Root.OwnPath(), "slack-threads.json"), Create: create})
	}
	g.SlackSender = slack.NewSender(slack.Options{
		Config: c.Slack, BaseURL: o.Getenv("SLACK_API_URL"), Transport: public,
		Version: o.Version, Now: o.Now, Threads: g.Threads,
	})
	return g
}

// Emit makes what the targets of routes are sent, sends it and reports what
// became of it. attempts is how many each target may have now; 0 leaves the
// default of its kind. Then it settles what dead processes left: the event at
// hand goes first. The warnings are about templates, and about earlier events.
func (p *Pipeline) Emit(ctx context.Context, e events.Event, routes []routing.Route, attempts int) (queue.Report, []error) {
	messages, warnings := p.Messages(ctx, e, routes)
	for i := range messages {
		if attempts > 0 {
			messages[i].Attempts = attempts
		}
	}
	// What Submit can't write, Drain reports again.
	batch, _ := p.Queue.Submit(ctx, e, messages)
	report := p.Queue.Drain(ctx, batch)
	if report.Err != nil {
		return report, warnings // what can't be written now can't be settled now
	}
	more, err := p.Recover(context.WithoutCancel(ctx))
	warnings = append(warnings, more...)
	if err != nil {
		// The event at hand is told and recorded; what an earlier process
		// left is found by the next command again.
		warnings = append(warnings, err)
	}
	return report, warnings
}

// Recover settles what dead processes left, see [queue.Queue.Recover]. The
// warnings name what is now on record as unknown, and what could not be read;
// the error is what could not be written, and is found again next time.
func (p *Pipeline) Recover(ctx context.Context) (warnings []error, err error) {
	r := p.Queue.Recover(ctx)
	for _, at := range r.Attempts {
		warnings = append(warnings, fmt.Errorf("a process died while it sent an event; its outcome is unknown event_id=%s target=%s",
			at.Delivery.Event.ID, at.Delivery.Target.Name))
	}
	if r.Warning != nil {
		warnings = append(warnings, r.Warning)
	}
	return warnings, r.Err
}

// Close gives up the claims and closes the files.
func (p *Pipeline) Close() error {
	return errors.Join(p.outbox.Close(), p.audit.Close())
}

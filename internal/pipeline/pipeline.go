// Package pipeline wires the way of an event through one project: where it
// goes, what is sent, who may be called, what is kept and what is recorded. It
// decides nothing itself; commands and the public Go API differ only in what
// they put in.
package pipeline

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	"agentxchain/internal/store"
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
	// MaxAge is how long the end of an agent run is sent again by itself; 0
	// means three days.
	MaxAge time.Duration
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
	// Database is nil where deliveries are kept in the outbox alone.
	Database *Database
	// Public carries the requests to Channels instead of the guarded
	// transport, for tests of this module: theirs may not leave the machine.
	Public http.RoundTripper
}

// Use says what a database is for.
type Use uint8

// The uses of a [Database].
const (
	// Record: what a command sends itself is recorded in the database.
	Record Use = iota
	// Enqueue: a command only accepts; a process that serves delivers.
	Enqueue
	// LookUp: the database holds what a process that serves took over from the
	// outbox. Commands that show, retry or discard look into it; new events
	// still go to the outbox.
	LookUp
)

// Database is where deliveries are kept beside or instead of the outbox.
type Database struct {
	// Store says which one. Site and Now are filled in, and Lease with
	// [Pipeline.Lease] where it is 0.
	Store store.Options
	// Problem says, free of secrets, why it can't be used; empty when it can.
	Problem string
	// Use is what it is for.
	Use Use
}

// Pipeline is one project's. Close it.
type Pipeline struct {
	options    Options
	dispatcher atomic.Pointer[dispatch.Dispatcher]
	audit      *audit.Log
	outbox     *outbox.Outbox
	files      *queue.Queue

	opening sync.Mutex // guards what follows
	opened  bool
	rows    *rows
	failed  error // why rows could not be had
}

// New wires a pipeline. It opens no file. The error says which variable of the
// environment is wrong.
func New(o Options) (*Pipeline, error) {
	p := &Pipeline{
		options: o,
		audit:   audit.New(o.Root.AuditFile(), audit.Options{OwnDir: o.Root.OwnDir, Now: o.Now}),
		outbox:  outbox.New(outbox.Options{Path: o.Root.OwnPath(), Create: o.create, Now: o.Now}),
	}
	if err := p.Reload(o); err != nil {
		return nil, err
	}
	p.files = queue.New(p.queueOptions(p.outbox))
	return p, nil
}

// Reload takes over targets, secrets, templates and rules of a new
// configuration. What is being sent is not disturbed; the project, the clock
// and the database stay. A request can't be let take longer than the claims of
// an open database allow for. After an error everything stays.
func (p *Pipeline) Reload(o Options) error {
	rules, err := egress.FromEnv(o.Getenv)
	if err != nil {
		return err
	}
	o.Root, o.Now, o.Database = p.options.Root, p.options.Now, p.options.Database
	d := dispatch.New(o.dispatch(rules, o.create))
	p.opening.Lock()
	defer p.opening.Unlock()
	if p.rows != nil && leaseFor(d) > p.rows.lease {
		return fmt.Errorf("a request may now take %s, and claims on deliveries are made for less; start anew", d.LongestRequest())
	}
	p.dispatcher.Store(d)
	return nil
}

func (o Options) create() error {
	_, err := o.Root.OwnDir()
	return err
}

// queueOptions wires the way of deliveries that s keeps. Targets are those of
// the newest configuration.
func (p *Pipeline) queueOptions(s queue.Store) queue.Options {
	return queue.Options{
		Store: s, Audit: p.audit, Policy: delivery.DefaultPolicy(), Now: p.options.Now,
		Sender: func(t delivery.Target) queue.Sender { return p.dispatcher.Load().Sender(t) },
		Make: func(ctx context.Context, d delivery.Delivery) delivery.Delivery {
			return p.dispatcher.Load().Make(ctx, d)
		},
	}
}

// Routes returns where an event of this type goes. The agent of a governed
// event is its role; it may be empty.
func (p *Pipeline) Routes(t events.Type, agent string) []routing.Route {
	return p.dispatcher.Load().Routes(t, agent)
}

// Messages makes what the targets of routes are sent, see
// [dispatch.Dispatcher.Messages].
func (p *Pipeline) Messages(ctx context.Context, e events.Event, routes []routing.Route) ([]queue.Message, []error) {
	return p.dispatcher.Load().Messages(ctx, e, routes)
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
		Routing: &c.Routing, MaxAge: c.MaxAge, Webhooks: c.Webhooks, WebhookSecrets: c.WebhookSecrets, MissingSecret: c.MissingSecret, SecretProblem: c.SecretProblem,
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

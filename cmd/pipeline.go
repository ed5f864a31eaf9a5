package cmd

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/egress"
	"agentxchain/internal/outbox"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
	"agentxchain/internal/webhook"
)

// governedMaxAge is how long a governed delivery is tried again by itself: an
// older notice about a run misleads more than it helps.
const governedMaxAge = time.Hour

// pipeline is the way of an event from the project to its receivers, wired
// for one command.
type pipeline struct {
	queue  *queue.Queue
	audit  *audit.Log
	outbox *outbox.Outbox
}

// newPipeline wires queue, outbox, audit and senders of a project. It opens
// no file.
func newPipeline(a *app, g *governed) (*pipeline, error) {
	egressConfig, err := egress.FromEnv(a.Getenv)
	if err != nil {
		return nil, cannot("environment", err)
	}
	egressConfig.Tier = egress.Governed
	p := &pipeline{
		audit: audit.New(g.root.AuditFile(), audit.Options{OwnDir: g.root.OwnDir, Now: a.Now}),
		outbox: outbox.New(outbox.Options{
			Path:   ownPath(g.root),
			Create: func() error { _, err := g.root.OwnDir(); return err },
			Now:    a.Now,
		}),
	}
	hooks := g.config.Webhooks
	sender := webhook.NewSender(webhook.Options{
		Webhooks:  hooks,
		Transport: egress.New(egressConfig).Transport(),
		LookupEnv: g.env.Lookup,
		Version:   version,
		Now:       a.Now,
	})
	p.queue = queue.New(queue.Options{
		Store: p.outbox,
		Audit: p.audit,
		Sender: func(t delivery.Target) queue.Sender {
			if t.File == project.ConfigName && slices.ContainsFunc(hooks, func(h webhook.Config) bool { return h.Name == t.Name }) {
				return sender
			}
			return nil
		},
		Policy: delivery.DefaultPolicy(),
		Now:    a.Now,
	})
	return p, nil
}

// ownPath is the project's notify folder, whether it exists or not.
func ownPath(root project.Root) string {
	return filepath.Join(root.Dir, ".agentxchain", "notify")
}

// recover settles what dead processes left. What it can't settle is found
// again by the next command.
func (p *pipeline) recover(ctx context.Context, a *app) error {
	r := p.queue.Recover(ctx)
	for _, at := range r.Attempts {
		a.log.Warn("a process died while it sent an event; its outcome is unknown",
			"event_id", at.Delivery.Event.ID, "target", at.Delivery.Target.Name)
	}
	if r.Warning != nil {
		a.log.Warn(r.Warning.Error())
	}
	return r.Err
}

// close gives up the claims and closes the files.
func (p *pipeline) close(a *app) {
	if err := p.outbox.Close(); err != nil {
		a.log.Warn("close the outbox: " + err.Error())
	}
	if err := p.audit.Close(); err != nil {
		a.log.Warn("close the audit: " + err.Error())
	}
}

// governedTarget refers to a webhook of agentxchain.json.
func governedTarget(name string) delivery.Target {
	return delivery.Target{File: project.ConfigName, Channel: delivery.Webhook, Name: name}
}

// subscriptions lists the webhooks with their events, in the file's order.
func subscriptions(hooks []webhook.Config) []routing.Subscription {
	list := make([]routing.Subscription, len(hooks))
	for i, h := range hooks {
		list[i] = routing.Subscription{Target: governedTarget(h.Name), Events: h.Events}
	}
	return list
}

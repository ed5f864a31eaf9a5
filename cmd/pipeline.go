package cmd

import (
	"context"

	"agentxchain/internal/pipeline"
)

// newPipeline wires the queue, the evidence and the senders of a site. It
// opens no file.
func newPipeline(a *app, s *site, d *pipeline.Database) (*pipeline.Pipeline, error) {
	p, err := pipeline.New(pipelineOptions(a, s, d))
	if err != nil {
		return nil, cannot("environment", err)
	}
	return p, nil
}

func pipelineOptions(a *app, s *site, d *pipeline.Database) pipeline.Options {
	o := pipeline.Options{
		Root: s.root, Governed: s.config.Webhooks, LookupEnv: s.env.Lookup, Broken: s.broken,
		Getenv: a.Getenv, Version: version, Now: a.Now, Database: d,
	}
	if g := s.gateway; g != nil {
		o.Channels = &pipeline.Channels{
			Routing: g.Routing, Webhooks: g.Webhooks, Slack: g.Slack, MaxAge: g.Queue.MaxAge,
			WebhookSecrets: g.WebhookSecrets, MissingSecret: g.MissingSecret, SecretProblem: g.SecretProblem,
		}
	}
	return o
}

// withPipeline opens the site, wires its pipeline and closes it after f. A
// gateway.yaml that can't be used does not keep f from its work; it counts in
// the exit code.
func (a *app) withPipeline(f func(*site, *pipeline.Pipeline) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	p, err := newPipeline(a, s, s.database())
	if err != nil {
		return err
	}
	defer func() {
		if err := p.Close(); err != nil {
			a.log.Warn("close the project's files: " + err.Error())
		}
	}()
	return s.orBroken(f(s, p))
}

// recover settles what dead processes left. What it can't settle is found
// again by the next command.
func (a *app) recover(ctx context.Context, p *pipeline.Pipeline) error {
	warnings, err := p.Recover(ctx)
	a.warnAll(warnings)
	return err
}

func (a *app) warnAll(warnings []error) {
	for _, w := range warnings {
		a.log.Warn(w.Error())
	}
}

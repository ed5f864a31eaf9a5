package cmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"agentxchain/internal/config"
	"agentxchain/internal/project"
)

// site is what a command works on: a governed project, an agent gateway, or both.
type site struct {
	root project.Root
	env  project.Env
	// config is empty without a governed project.
	config *config.Config
	// gateway is nil when there is no gateway.yaml, or one of which nothing can
	// be used.
	gateway *config.Gateway
	// broken says that gateway.yaml has an error, which has been told: what can
	// still be sent is sent, and the command ends with exit 2.
	broken bool
}

// locate looks for the governed project and the gateway.yaml from the start
// folder upwards.
func (a *app) locate() (project.Place, error) {
	place, err := project.Locate(a.dir)
	return place, findFailure(err)
}

func findFailure(err error) error {
	var coordinator *project.CoordinatorError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coordinator):
		return coordinatorFailure(coordinator)
	case errors.Is(err, project.ErrNotFound):
		return cannot("no_project", err,
			"run this inside a governed project or beside a gateway.yaml, or name the folder with --dir")
	}
	return cannot("no_project", err)
}

// coordinatorFailure says that a workspace has no notifications of its own.
func coordinatorFailure(err *project.CoordinatorError) error {
	f := cannot("coordinator", err)
	for _, child := range err.Children {
		f = f.hint("use its repository %q: --dir %s", child.Name, child.Dir)
	}
	return f
}

// open finds the project and the gateway and loads their configuration. A
// gateway.yaml with an error is no error here as long as something is left
// that can be told.
func (a *app) open() (*site, error) {
	place, err := a.locate()
	if err != nil {
		return nil, err
	}
	env, err := project.LoadEnv(a.LookupEnv, place.Root, a.Dir)
	if err != nil {
		// Without the file a placeholder may lack its value; that fails its
		// own target, while a refusal here would fail all of them.
		a.log.Warn(err.Error())
	}
	s := &site{root: place.Root, env: env, config: &config.Config{Root: place.Root}}
	if place.Root.Kind == project.Run {
		if s.config, err = config.Load(place.Root, env); err != nil {
			return nil, configFailure(a, err)
		}
	}
	if f := a.openGateway(s, place); f != nil {
		if s.root.Kind == project.Plain && s.gateway == nil {
			return nil, f
		}
		s.broken, a.broken = true, f
		f.print(a.Stderr)
	}
	a.warnConfig(s)
	a.log.Debug("project loaded", "root", s.root.Dir, "webhooks", len(s.config.Webhooks), "gateway", place.Gateway)
	return s, nil
}

func (a *app) openGateway(s *site, place project.Place) *failure {
	if place.GatewayErr != nil {
		return cannot("config", place.GatewayErr)
	}
	if place.Gateway == "" {
		return nil
	}
	var problems, errs config.Problems
	s.gateway, problems = config.LoadGateway(place.Gateway, a.gatewayOptions(s))
	for _, p := range problems {
		switch {
		case p.Severity != config.Error:
		case p.OfAgent():
			// It fails the rule's own deliveries, on the record.
			a.log.Warn(a.show(p))
		default:
			errs = append(errs, p)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return configFailure(a, errs)
}

func (a *app) gatewayOptions(s *site) config.GatewayOptions {
	o := config.GatewayOptions{Root: s.root.Dir, Lookup: s.env.Lookup, Environ: a.Environ()}
	for _, h := range s.config.Webhooks {
		o.Governed = append(o.Governed, h.Name)
	}
	return o
}

func (a *app) warnConfig(s *site) {
	warnings := s.config.Warnings
	if s.gateway != nil {
		warnings = append(warnings[:len(warnings):len(warnings)], s.gateway.Warnings...)
	}
	for _, p := range s.heard(warnings) {
		a.log.Warn(a.show(p))
	}
}

// heard leaves out what a gateway.yaml makes good: that no webhook of
// agentxchain.json takes reminders.
func (s *site) heard(problems config.Problems) config.Problems {
	if s.gateway == nil || !s.gateway.TakesReminders() {
		return problems
	}
	return slices.DeleteFunc(slices.Clone(problems), config.Problem.Unheard)
}

// configFailure turns the problems of a configuration into one error that
// lists them all.
func configFailure(a *app, err error) *failure {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return cannot("config", err)
	}
	var b strings.Builder
	b.WriteString("the configuration is invalid")
	for _, p := range problems {
		fmt.Fprintf(&b, "\n%s: %s", p.Severity, a.show(p))
		if p.Hint != "" {
			b.WriteString("\n  hint: " + p.Hint)
		}
	}
	return cannot("config", errors.New(b.String()), "`agentxchain config check` checks all of it")
}

// show prints a problem with the path as the user would type it.
func (a *app) show(p config.Problem) string {
	if rel, err := filepath.Rel(a.Dir, p.File); err == nil && filepath.IsLocal(rel) {
		p.File = rel
	}
	return p.String()
}

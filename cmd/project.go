package cmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"agentxchain/internal/config"
	"agentxchain/internal/project"
)

// governed is a governed project that a command works on.
type governed struct {
	root   project.Root
	env    project.Env
	config *config.Config
}

// find looks for the project from the start folder upwards.
func (a *app) find() (project.Root, error) {
	root, err := project.Find(a.dir)
	var coordinator *project.CoordinatorError
	switch {
	case errors.As(err, &coordinator):
		return root, coordinatorFailure(coordinator)
	case errors.Is(err, project.ErrNotFound):
		return root, cannot("no_project", err,
			"run this inside a governed project, or name one with --dir")
	case err != nil:
		return root, cannot("no_project", err)
	}
	return root, nil
}

// coordinatorFailure says that a workspace has no notifications of its own.
func coordinatorFailure(err *project.CoordinatorError) error {
	f := cannot("coordinator", err)
	for _, child := range err.Children {
		f = f.hint("use its repository %q: --dir %s", child.Name, child.Dir)
	}
	return f
}

// open finds the project and loads its configuration.
func (a *app) open() (*governed, error) {
	root, err := a.find()
	if err != nil {
		return nil, err
	}
	env, err := project.LoadEnv(a.LookupEnv, root, a.Dir)
	if err != nil {
		// Without the file a placeholder may lack its value; that fails its
		// own target, while a refusal here would fail all of them.
		a.log.Warn(err.Error())
	}
	cfg, err := config.Load(root, env)
	if err != nil {
		return nil, configFailure(a, err)
	}
	for _, p := range cfg.Warnings {
		a.log.Warn(a.show(p))
	}
	a.log.Debug("project loaded", "root", root.Dir, "webhooks", len(cfg.Webhooks))
	return &governed{root: root, env: env, config: cfg}, nil
}

// configFailure turns the problems of a configuration into one error that
// lists them all.
func configFailure(a *app, err error) error {
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

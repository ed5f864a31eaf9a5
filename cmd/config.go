package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"agentxchain/internal/config"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/egress"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
	"agentxchain/internal/render"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
	"agentxchain/schemas"

	"github.com/spf13/cobra"
)

func newConfig(a *app) *cobra.Command {
	return group(a, "config", "Check and show the project's configuration", newConfigCheck(a), newConfigShow(a))
}

func newConfigCheck(a *app) *cobra.Command {
	var requireEnv, asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Report every problem of the configuration at once",
		Long: `Report every problem of agentxchain.json, gateway.yaml, the agents' AGENT.md and
every template at once, as FILE:LINE:COLUMN: MESSAGE and a hint. A variable without
a value is a warning, because only its own target fails; --require-env makes it an
error.
` + exitStatus("0  no errors (there may be warnings)\n  1  errors\n  2  no project"),
		Example: "  agentxchain config check --require-env",
		Args:    args(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return runConfigCheck(c.Context(), a, requireEnv, asJSON) },
	}
	c.Flags().BoolVar(&requireEnv, "require-env", false, "a variable without a value is an error")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runConfigCheck(ctx context.Context, a *app, requireEnv, asJSON bool) error {
	place, err := a.locate()
	if err != nil {
		return err
	}
	guards, err := a.guards()
	if err != nil {
		return err
	}
	s := &site{root: place.Root, config: &config.Config{}}
	var envErr error
	s.env, envErr = project.LoadEnv(a.LookupEnv, place.Root, a.Dir)
	var problems config.Problems
	if place.Root.Kind == project.Run {
		problems = a.checkGoverned(s, guards, requireEnv)
	}
	problems = s.heard(append(problems, a.checkGateway(ctx, s, place, guards, requireEnv)...))
	if envErr != nil {
		problems = append(problems, config.Problem{
			File: filepath.Join(place.Root.Dir, ".env"), Severity: config.Error, Message: envErr.Error(), Err: envErr,
			Hint: "placeholders are not filled from it until it can be read",
		})
	}
	if asJSON {
		a.printJSON(problemsDocument(problems))
	} else {
		a.printProblems(problems)
	}
	if problems.Bad() {
		return verdict(exitBad)
	}
	return nil
}

// guards are those of the two tiers.
type guards struct{ governed, public *egress.Guard }

func (a *app) guards() (guards, error) {
	rules, err := egress.FromEnv(a.Getenv)
	if err != nil {
		return guards{}, cannot("environment", err)
	}
	var g guards
	rules.Tier = egress.Governed
	g.governed = egress.New(rules)
	rules.Tier = egress.Public
	g.public = egress.New(rules)
	return g, nil
}

// checkGoverned checks agentxchain.json, and puts it into s when it can be used.
func (a *app) checkGoverned(s *site, g guards, requireEnv bool) config.Problems {
	checked, problems := config.Check(s.root, s.env, config.Options{RequireEnv: requireEnv})
	if checked == nil {
		return problems
	}
	s.config = checked
	problems = append(problems, bySchema(s.root, checked)...)
	for i, hook := range checked.Webhooks {
		if why := refusal(g.governed, hook); why != nil {
			problems = append(problems, config.Problem{
				File: s.root.ConfigFile(), Pointer: fmt.Sprintf("/notifications/webhooks/%d/url", i), Severity: config.Warning,
				Message: fmt.Sprintf("notifications.webhooks[%d]: url: %v, so every delivery to it will fail", i, why),
				Hint:    "`agentxchain help egress` says which addresses may be called",
			})
		}
	}
	return problems
}

// checkGateway checks gateway.yaml, the agents' rules and every template, and
// puts the gateway into s when it can be read.
func (a *app) checkGateway(ctx context.Context, s *site, place project.Place, guards guards, requireEnv bool) config.Problems {
	if place.GatewayErr != nil {
		return config.Problems{{File: filepath.Join(s.root.Dir, project.GatewayName), Message: place.GatewayErr.Error(), Err: place.GatewayErr}}
	}
	if place.Gateway == "" {
		return nil
	}
	o := a.gatewayOptions(s)
	o.RequireEnv, o.Advise = requireEnv, true
	g, problems := config.LoadGateway(place.Gateway, o)
	if g == nil {
		return problems
	}
	s.gateway = g
	for _, hook := range g.Webhooks {
		if why := refusal(guards.public, hook); why != nil {
			problems = append(problems, config.Problem{
				File: g.File, Severity: config.Warning,
				Message: fmt.Sprintf("webhook %q: url: %v, so every delivery to it will fail", hook.Name, why),
				Hint:    "channels of gateway.yaml may only be at public addresses; nothing switches that off",
			})
		}
	}
	problems = append(problems, refusedRules(g, guards)...)
	problems = append(problems, a.checkSlackURL(g, guards)...)
	renderer := render.New(render.Options{TemplatesDir: g.Slack.TemplatesDir, Now: a.Now, Accept: acceptBlocks})
	for _, p := range renderer.Check(ctx, g.Uses()) {
		// Which files the rules name is told already, with the rule's place.
		if problem := templateProblem(p); problem.Line > 0 || !problem.OfAgent() {
			problems = append(problems, problem)
		}
	}
	return problems
}

// acceptBlocks judges blocks as the message to Slack will.
func acceptBlocks(e events.Event, blocks []byte) error {
	_, err := slack.BodyFromTemplate(e, slack.Post{Channel: "#sample"}, blocks)
	return err
}

// refusedRules names the rules whose own URL no delivery may call.
func refusedRules(g *config.Gateway, guards guards) config.Problems {
	var problems config.Problems
	for _, agent := range g.Routing.Agents {
		for _, t := range slices.Sorted(maps.Keys(agent.Rules)) {
			for _, rule := range agent.Rules[t] {
				if rule.URL.IsZero() {
					continue
				}
				if why := refusal(guards.public, webhook.Config{URL: rule.URL}); why != nil {
					problems = append(problems, config.Problem{
						File: g.AgentFile(agent), Severity: config.Warning,
						Message: fmt.Sprintf("notifications.%s[%d]: url: %v, so every delivery to it will fail", t, rule.Index, why),
						Hint:    "channels of gateway.yaml may only be at public addresses; nothing switches that off",
					})
				}
			}
		}
	}
	return problems
}

// checkSlackURL looks at the variable that leads Slack's messages elsewhere.
func (a *app) checkSlackURL(g *config.Gateway, guards guards) config.Problems {
	url := a.Getenv("SLACK_API_URL")
	if url == "" || !g.Slack.Enabled {
		return nil
	}
	p := config.Problem{File: "environment variable SLACK_API_URL", Hint: "every message to Slack fails until it is an http or https URL at a public address, or unset"}
	if p.Message = webhook.CheckURL(url); p.Message != "" {
		return config.Problems{p}
	}
	if why := refusal(guards.public, webhook.Config{URL: secret.New(url)}); why != nil {
		p.Message = why.Error()
		return config.Problems{p}
	}
	return nil
}

func templateProblem(p render.Problem) config.Problem {
	out := config.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message}
	if p.Warning {
		out.Severity, out.Hint = config.Warning, "the built-in body would be sent in its place"
	}
	return out
}

// refusal says why no delivery may call a webhook, nil when one may. Names are
// not resolved here: their addresses are judged when they are called.
func refusal(guard *egress.Guard, hook webhook.Config) *egress.Refusal {
	var why *egress.Refusal
	url := hook.URL.Reveal()
	if err := guard.CheckURL(url); webhook.CheckURL(url) == "" && errors.As(err, &why) && why.Host != "" {
		return why
	}
	return nil
}

// bySchema holds a configuration without errors to its published schema, as a
// second opinion: what only the schema refuses is a warning.
func bySchema(root project.Root, c *config.Config) config.Problems {
	issues, err := schemas.Validate("agentxchain", c.Raw)
	if err != nil {
		return config.Problems{{File: root.ConfigFile(), Severity: config.Warning, Message: err.Error()}}
	}
	var problems config.Problems
	for _, issue := range issues {
		problems = append(problems, config.Problem{
			File: root.ConfigFile(), Pointer: issue.Pointer, Severity: config.Warning,
			Message: "the published schema refuses " + issue.Pointer + ": " + issue.Message,
			Hint:    "`agentxchain schema agentxchain` prints it",
		})
	}
	return problems
}

func (a *app) printProblems(problems config.Problems) {
	for _, p := range problems {
		fmt.Fprintf(a.Stdout, "%s\n", a.show(p))
		if p.Severity == config.Warning {
			fmt.Fprintln(a.Stdout, "  (a warning)")
		}
		if p.Hint != "" {
			fmt.Fprintln(a.Stdout, "  hint: "+p.Hint)
		}
	}
	bad := 0
	for _, p := range problems {
		if p.Severity == config.Error {
			bad++
		}
	}
	fmt.Fprintf(a.Stderr, "agentxchain: %s, %s\n", count(bad, "error"), count(len(problems)-bad, "warning"))
}

func problemsDocument(problems config.Problems) *ecmajson.Value {
	items := make([]*ecmajson.Value, len(problems))
	for i, p := range problems {
		items[i] = ecmajson.NewObject().
			Set("severity", ecmajson.NewString(p.Severity.String())).
			Set("file", ecmajson.NewString(p.File)).
			Set("line", ecmajson.NewInt(int64(p.Line))).
			Set("column", ecmajson.NewInt(int64(p.Column))).
			Set("pointer", ecmajson.NewString(p.Pointer)).
			Set("code", ecmajson.NewStringOrNull(p.Code)).
			Set("message", ecmajson.NewString(p.Message)).
			Set("hint", ecmajson.NewStringOrNull(p.Hint))
	}
	return ecmajson.NewObject().
		Set("ok", ecmajson.NewBool(!problems.Bad())).
		Set("problems", ecmajson.NewArray(items...))
}

func newConfigShow(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the effective configuration, secrets masked, and where each value came from",
		Long: `Print the effective configuration with secrets masked, and where each value came
from: a file and line, the environment, .env, or a default.
` + exitStatus("0  printed\n  2  no project, or an invalid configuration"),
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return runConfigShow(a, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runConfigShow(a *app, asJSON bool) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	var settings []config.Setting
	if s.root.Kind == project.Run {
		settings = s.config.Settings()
	}
	if s.gateway != nil {
		settings = append(settings, s.gateway.Settings()...)
	}
	if !asJSON {
		for _, v := range settings {
			fmt.Fprintf(a.Stdout, "%s = %s  (%s)\n", v.Key, v.Value, v.Source)
		}
		return s.orBroken(nil)
	}
	items := make([]*ecmajson.Value, len(settings))
	for i, v := range settings {
		items[i] = ecmajson.NewObject().
			Set("key", ecmajson.NewString(v.Key)).
			Set("value", ecmajson.NewString(v.Value)).
			Set("source", ecmajson.NewString(v.Source))
	}
	a.printJSON(ecmajson.NewObject().Set("settings", ecmajson.NewArray(items...)))
	return s.orBroken(nil)
}

package cmd

import (
	"errors"
	"fmt"
	"path/filepath"

	"agentxchain/internal/config"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/egress"
	"agentxchain/internal/project"
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
		Long: `Report every problem of agentxchain.json at once, as FILE:LINE:COLUMN: MESSAGE and
a hint. A header variable without a value is a warning, because only its own
target fails; --require-env makes it an error.
` + exitStatus("0  no errors (there may be warnings)\n  1  errors\n  2  no project"),
		Example: "  agentxchain config check --require-env",
		Args:    args(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return runConfigCheck(a, requireEnv, asJSON) },
	}
	c.Flags().BoolVar(&requireEnv, "require-env", false, "a header variable without a value is an error")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runConfigCheck(a *app, requireEnv, asJSON bool) error {
	root, err := a.find()
	if err != nil {
		return err
	}
	env, envErr := project.LoadEnv(a.LookupEnv, root, a.Dir)
	checked, problems := config.Check(root, env, config.Options{RequireEnv: requireEnv})
	if checked != nil {
		problems = append(problems, bySchema(root, checked)...)
		refused, err := a.byEgress(checked)
		if err != nil {
			return err
		}
		problems = append(problems, refused...)
	}
	if envErr != nil {
		problems = append(problems, config.Problem{
			File: filepath.Join(root.Dir, ".env"), Severity: config.Error, Message: envErr.Error(), Err: envErr,
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

// byEgress names the webhooks whose address no delivery may call. Names are
// not resolved here: their addresses are judged when they are called.
func (a *app) byEgress(c *config.Config) (config.Problems, error) {
	rules, err := egress.FromEnv(a.Getenv)
	if err != nil {
		return nil, cannot("environment", err)
	}
	rules.Tier = egress.Governed
	guard := egress.New(rules)
	var problems config.Problems
	for i, hook := range c.Webhooks {
		var refusal *egress.Refusal
		if err := guard.CheckURL(hook.URL.Reveal()); errors.As(err, &refusal) && refusal.Addr.IsValid() && webhook.CheckURL(hook.URL.Reveal()) == "" {
			problems = append(problems, config.Problem{
				File: c.Root.ConfigFile(), Pointer: fmt.Sprintf("/notifications/webhooks/%d/url", i), Severity: config.Warning,
				Message: fmt.Sprintf("notifications.webhooks[%d]: url: %v, so every delivery to it will fail", i, refusal),
				Hint:    "`agentxchain help egress` says which addresses may be called",
			})
		}
	}
	return problems, nil
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
	g, err := a.open()
	if err != nil {
		return err
	}
	settings := g.config.Settings()
	if !asJSON {
		for _, s := range settings {
			fmt.Fprintf(a.Stdout, "%s = %s  (%s)\n", s.Key, s.Value, s.Source)
		}
		return nil
	}
	items := make([]*ecmajson.Value, len(settings))
	for i, s := range settings {
		items[i] = ecmajson.NewObject().
			Set("key", ecmajson.NewString(s.Key)).
			Set("value", ecmajson.NewString(s.Value)).
			Set("source", ecmajson.NewString(s.Source))
	}
	a.printJSON(ecmajson.NewObject().Set("settings", ecmajson.NewArray(items...)))
	return nil
}

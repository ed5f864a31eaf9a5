// Package cmd is the command line: it parses, wires, prints and picks exit
// codes. Every command has the same anatomy: newX builds it, xOptions owns its
// flags, runX does the work.
package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// app is what the commands of one run share.
type app struct {
	World
	log *slog.Logger
	// advisory says that the command's work is done whether or not its answer
	// can be written: an emit has sent and recorded.
	advisory bool
	// broken is what is wrong with the gateway.yaml in use, nil when nothing is.
	broken *failure

	dir       string // --dir
	logLevel  string // --log-level
	logFormat string // --log-format
}

// Run executes one command line in the given world and returns its exit code.
// It stops early when ctx ends.
func Run(ctx context.Context, w World) int {
	out := &watchedWriter{w: w.Stdout}
	w.Stdout = out
	a := &app{World: w, log: slog.New(slog.DiscardHandler)}
	root := newRoot(a)
	root.SetArgs(w.Args)
	root.SetIn(w.Stdin)
	root.SetOut(w.Stdout)
	root.SetErr(w.Stderr)
	err := root.ExecuteContext(ctx)
	code := report(ctx, w, err, wantsJSON(w.Args))
	if out.err != nil && code == exitDone {
		fmt.Fprintf(w.Stderr, "agentxchain: the answer could not be written: %v\n", out.err)
		if !a.advisory {
			return exitCannot
		}
	}
	return code
}

// watchedWriter remembers the first error of the writer behind it: an answer
// that did not arrive must not look like one.
type watchedWriter struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (o *watchedWriter) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// wantsJSON reports whether the command line asks for JSON. It looks at the
// words themselves, so that an error in the flags is JSON too.
func wantsJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	if slices.Contains(args, "--json") || slices.Contains(args, "--json=true") || slices.Contains(args, "--format=json") {
		return slices.Contains(args, "verify") || !slices.Contains(args, "--format=json")
	}
	i := slices.Index(args, "--format")
	return i >= 0 && i+1 < len(args) && args[i+1] == "json" && slices.Contains(args, "verify")
}

func newRoot(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "agentxchain",
		Short: "Tell people and systems what governed AI-agent runs are doing, and keep the evidence",
		Long: `agentxchain tells people and systems what governed AI-agent runs are doing, and
keeps evidence of every attempt to tell them.

This is the Go program. It shares a project's files with the Node CLI of the
same name, which runs the agents; this one notifies, serves the delivery log,
exports and verifies.`,
		Example: `  agentxchain notify emit run_blocked
  agentxchain export --output bundle.json
  agentxchain verify export bundle.json
  agentxchain serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          func(c *cobra.Command, args []string) error { return unknownCommand(a, c, args) },
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	flags := c.PersistentFlags()
	flags.StringVarP(&a.dir, "dir", "C", "", "start the search for the project in this `folder` (default: the current one)")
	flags.StringVar(&a.logLevel, "log-level", "", "least level of talk on stderr: debug, info, warn, error (default warn)")
	flags.StringVar(&a.logFormat, "log-format", "", "form of talk on stderr: text, json (default text)")
	c.PersistentPreRunE = func(*cobra.Command, []string) error { return a.start() }
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		// With an unknown command its flags are unknown too: the command is
		// what the user has to hear about.
		if unknown := unknownCommand(a, c, wordsAfter(c, a.Args)); c.HasSubCommands() && unknown != nil {
			return unknown
		}
		return usagef("%w", err).hint("see `%s --help`", c.CommandPath())
	})
	c.SetHelpCommand(newHelp())
	c.CompletionOptions.HiddenDefaultCmd = false
	c.AddCommand(newNotify(a), newExport(a), newVerify(a), newConfig(a), newTemplate(a), newServe(a), newSchema(a), newDemo(a), newVersion(a))
	c.AddCommand(newTopics()...)
	return c
}

// start applies the global flags; flags win over the environment.
func (a *app) start() error {
	level := firstNonEmpty(a.logLevel, a.Getenv("AGENTXCHAIN_LOG_LEVEL"), "warn")
	format := firstNonEmpty(a.logFormat, a.Getenv("AGENTXCHAIN_LOG_FORMAT"), "text")
	log, err := newLogger(a.Stderr, level, format)
	if err != nil {
		return err
	}
	a.log = log
	a.dir = a.path(firstNonEmpty(a.dir, a.Getenv("AGENTXCHAIN_DIR"), "."))
	return nil
}

// path resolves a path of the command line against the working folder.
func (a *app) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(a.Dir, p)
}

func firstNonEmpty(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// group makes a command that only holds others; without one of them it is a
// usage error, so that a typo never looks like success.
func group(a *app, use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			if err := unknownCommand(a, c, args); err != nil {
				return err
			}
			if err := c.Help(); err != nil {
				return err
			}
			return usagef("%q needs a command", c.CommandPath())
		},
	}
	c.AddCommand(children...)
	return c
}

// args wraps one of cobra's argument checks into a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, list []string) error {
		if err := check(c, list); err != nil {
			return usagef("%w", err).hint("see `%s --help`", c.CommandPath())
		}
		return nil
	}
}

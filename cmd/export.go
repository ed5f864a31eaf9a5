package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"agentxchain/internal/config"
	"agentxchain/internal/export"
	"agentxchain/internal/project"

	"github.com/spf13/cobra"
)

// exportOptions are the flags of `export`.
type exportOptions struct {
	output string
	format string
	at     string
	kind   string
}

func newExport(a *app) *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a portable bundle of the governed run, with its audit counts",
		Long: `Write a portable bundle of the governed run, or of a coordinator workspace with
its repositories: every file with its hash and bytes, and a summary. Complete
whatever the size; nothing in the project is changed.

Without --output the bundle goes to stdout, compact; with it to a file, indented
down to the file entries. With --at or SOURCE_DATE_EPOCH the same input gives
the same bytes.
` + exitStatus(`0  exported
  1  no governed project, or an unsupported --format
  2  something could not be read or written`),
		Example: `  agentxchain export --output bundle.json
  agentxchain export | agentxchain verify export`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runExport(c.Context(), a, o) },
	}
	f := c.Flags()
	f.StringVar(&o.output, "output", "", "write to this `FILE` instead of stdout")
	f.StringVar(&o.format, "format", "json", "the bundle's format; only json")
	f.StringVar(&o.at, "at", "", "the bundle's exported_at, an RFC 3339 `TIME` (default: SOURCE_DATE_EPOCH, or now)")
	f.StringVar(&o.kind, "kind", "auto", "what to export: auto, run or coordinator")
	return c
}

func runExport(ctx context.Context, a *app, o exportOptions) error {
	if o.format != "json" {
		return refused("usage", fmt.Sprintf("Unsupported export format %q. Only \"json\" is supported in this slice.", o.format))
	}
	at, err := export.Time(o.at, a.Getenv, a.Now())
	if err != nil {
		return usagef("%w", err)
	}
	root, err := a.exportRoot(o.kind)
	if err != nil {
		return err
	}
	options := export.Options{
		Root: root.Dir, Kind: export.Run, Out: a.Stdout, At: at,
		Generator: "agentxchain " + version, Getenv: a.Getenv,
	}
	if root.Kind == project.Coordinator {
		options.Kind = export.Coordinator
	}
	if o.output != "" {
		options.Path, options.Pretty = a.path(o.output), true
	}
	result, err := export.Build(ctx, options)
	for _, w := range result.Warnings {
		a.log.Warn(w)
	}
	switch {
	case errors.Is(err, export.ErrNoProject), errors.Is(err, export.ErrLegacy):
		return &failure{exit: exitBad, code: "no_project", err: err}
	case err != nil:
		return cannot("export", err)
	}
	if o.output != "" {
		fmt.Fprintf(a.Stdout, "Exported %s audit to %s\n", exportNoun(root.Kind), o.output)
	}
	return nil
}

func exportNoun(k project.Kind) string {
	if k == project.Coordinator {
		return "coordinator workspace"
	}
	return "governed run"
}

// refused is exit 1 with a text of the Node CLI, the one command where a
// missing project is not exit 2.
func refused(code, text string) error {
	return &failure{exit: exitBad, code: code, err: errors.New(text), plain: true}
}

// exportRoot finds what is to be exported and checks that it can be.
func (a *app) exportRoot(kind string) (project.Root, error) {
	if kind != "auto" && kind != project.Run.String() && kind != project.Coordinator.String() {
		return project.Root{}, usagef("unknown --kind %q", kind).hint("use auto, run or coordinator")
	}
	root, err := project.FindAny(a.dir)
	switch {
	case errors.Is(err, project.ErrNotFound):
		return root, refused("no_project", "No governed project or coordinator workspace found. Run this inside an AgentXchain governed project or coordinator workspace.")
	case err != nil:
		return root, cannot("no_project", err)
	}
	if kind != "auto" && kind != root.Kind.String() {
		return a.otherKind(root, kind)
	}
	if root.Kind == project.Coordinator {
		return root, nil
	}
	return root, a.checkExportable(root)
}

// otherKind is for a folder that is both: the user says which one is meant.
func (a *app) otherKind(root project.Root, kind string) (project.Root, error) {
	other := project.Root{Dir: root.Dir, Kind: project.Run}
	if kind == project.Coordinator.String() {
		other.Kind = project.Coordinator
	}
	if _, err := os.Stat(other.ConfigFile()); err != nil {
		return other, &failure{exit: exitBad, code: "no_project", err: fmt.Errorf("%q holds no %s project: %w", root.Dir, kind, err)}
	}
	if other.Kind == project.Coordinator {
		return other, nil
	}
	return other, a.checkExportable(other)
}

// checkExportable says what the Node CLI says about a configuration that it
// would not load. Variables that only deliveries need are not missed here.
func (a *app) checkExportable(root project.Root) error {
	_, err := config.Load(root, project.Env{})
	if err == nil {
		return nil
	}
	if errors.Is(err, config.ErrLegacy) {
		return refused("no_project", export.LegacyText)
	}
	fmt.Fprintln(a.Stderr, configFailure(a, err).Error())
	return refused("no_project", export.NoProjectText)
}

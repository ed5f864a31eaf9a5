package cmd

import (
	"context"
	"io"
	"os"

	"agentxchain/internal/export"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// verifyOptions are the flags of `verify export`.
type verifyOptions struct {
	input        string
	format       string
	json         bool
	strict       bool
	allowBounded bool
}

func newVerify(a *app) *cobra.Command {
	return group(a, "verify", "Prove a bundle, or say exactly what is wrong with it", newVerifyExport(a))
}

func newVerifyExport(a *app) *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "export [FILE|-]",
		Short: "Recompute every hash, count and summary of a bundle",
		Long: `Recompute every hash, count and summary of a bundle and report every difference.

A bundle that withholds content, as the Node CLI's bounded exports do, is
unverifiable: nothing wrong was found, but the verdict needs bytes that are not
there. --allow-bounded passes it and lists those files.

What a pass proves: the parts of the bundle agree with each other. It does not
prove who made it, or that nobody edited it and recomputed the hashes.
` + exitStatus(`0  pass
  1  fail
  2  unverifiable, or not a bundle that can be read`),
		Example: `  agentxchain verify export bundle.json
  agentxchain export | agentxchain verify export --json`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, files []string) error {
			if len(files) == 1 && o.input != "" {
				return usagef("the bundle is named twice: %q and --input %q", files[0], o.input)
			}
			if len(files) == 1 {
				o.input = files[0]
			}
			if o.input == "" && (len(files) == 1 || c.Flags().Changed("input")) {
				return usagef("the bundle's name is empty").hint("name a file, or - for stdin")
			}
			return runVerifyExport(c.Context(), a, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.input, "input", "", "the bundle's `FILE`, or - for stdin (default stdin)")
	f.StringVar(&o.format, "format", "text", "the report's format: text or json")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	f.BoolVar(&o.strict, "strict", false, "refuse what a strict reader would: lenient base64, dates, duplicate keys, paths that leave the project")
	f.BoolVar(&o.allowBounded, "allow-bounded", false, "pass a bundle that withholds content, and list what was not verified")
	return c
}

func runVerifyExport(ctx context.Context, a *app, o verifyOptions) error {
	if o.json {
		o.format = "json"
	}
	if o.format != "text" && o.format != "json" {
		return usagef("unknown --format %q", o.format).hint("use text or json")
	}
	report := a.verify(ctx, o)
	if _, stopped := interruption(ctx); stopped {
		return nil // the exit code is the signal's
	}
	write := report.WriteText
	if o.format == "json" {
		write = report.WriteJSON
	}
	if err := write(a.Stdout); err != nil {
		return cannot("output", err)
	}
	return verdict(report.ExitCode())
}

// verify opens the bundle and judges it. What can't be opened is a report too.
func (a *app) verify(ctx context.Context, o verifyOptions) export.Report {
	input, source, err := a.bundle(ctx, o.input)
	if err != nil {
		return export.ErrorReport(input, err)
	}
	defer source.Close()
	return export.Verify(ctx, source, export.VerifyOptions{Strict: o.strict, AllowBounded: o.allowBounded, Input: input})
}

// bundle opens the file, or keeps stdin where it can be read twice.
func (a *app) bundle(ctx context.Context, name string) (shown string, source *export.Source, err error) {
	if name != "" && name != "-" {
		path := a.path(name)
		source, err = export.OpenSource(ctx, path)
		return path, source, err
	}
	if name == "" && isTerminal(a.Stdin) {
		return "stdin", nil, export.ErrNoInput
	}
	source, err = export.SpoolSource(ctx, a.Stdin)
	return "stdin", source, err
}

// isTerminal reports whether somebody would have to type what is read.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

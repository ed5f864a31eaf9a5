package cmd

import (
	"fmt"
	"runtime"

	"agentxchain/internal/ecmajson"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X agentxchain/cmd.version=v1.2.3.
var version = "dev"

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print which agentxchain this is",
		Long: `Print which agentxchain this is: two programs have the name. This is the Go
program, which notifies, exports and verifies; the Node CLI runs the agents.
` + exitStatus("0  printed"),
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				fmt.Fprintf(a.Stdout, "agentxchain %s (Go program, %s %s/%s; not the Node CLI)\n",
					version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
			doc := ecmajson.NewObject().
				Set("program", ecmajson.NewString("agentxchain (Go)")).
				Set("version", ecmajson.NewString(version)).
				Set("go", ecmajson.NewString(runtime.Version())).
				Set("os", ecmajson.NewString(runtime.GOOS)).
				Set("arch", ecmajson.NewString(runtime.GOARCH))
			fmt.Fprintf(a.Stdout, "%s\n", ecmajson.Append(nil, doc))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

// exitStatus is the last section of every command's long help.
func exitStatus(lines string) string { return "\nEXIT STATUS\n  " + lines }

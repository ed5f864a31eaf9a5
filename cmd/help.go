package cmd

import (
	"agentxchain/internal/suggest"

	"github.com/spf13/cobra"
)

// newHelp replaces cobra's help command, which answers a topic that it does
// not know with the general help and exit code 0.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command or topic]",
		Short: "Help about any command or topic",
		Long: `Print the help of a command, or one of the pages about exit-codes, environment,
audit-format, bundle-format and egress.
` + exitStatus("0  printed\n  2  there is no such command or topic"),
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return commandNames(c.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, words []string) error {
			found, rest, err := c.Root().Find(words)
			if err != nil || len(rest) > 0 {
				f := usagef("there is no help about %q", words)
				if near := suggest.Nearest(words[0], commandNames(c.Root())); near != "" {
					f = f.hint("did you mean %q?", near)
				}
				return f.hint("see `agentxchain --help`")
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

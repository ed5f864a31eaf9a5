package cmd

import (
	_ "embed"

	"github.com/spf13/cobra"
)

//go:embed topics/exit-codes.txt
var topicExitCodes string

//go:embed topics/environment.txt
var topicEnvironment string

//go:embed topics/audit-format.txt
var topicAuditFormat string

//go:embed topics/bundle-format.txt
var topicBundleFormat string

//go:embed topics/egress.txt
var topicEgress string

// newTopics returns the pages of `agentxchain help TOPIC`: commands that do
// nothing but have a long help.
func newTopics() []*cobra.Command {
	topic := func(name, short, long string) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Long: long}
	}
	return []*cobra.Command{
		topic("exit-codes", "What the exit codes mean", topicExitCodes),
		topic("environment", "Which environment variables are read", topicEnvironment),
		topic("audit-format", "The lines of notification-audit.jsonl", topicAuditFormat),
		topic("bundle-format", "What an exported bundle holds", topicBundleFormat),
		topic("egress", "Which addresses may be called", topicEgress),
	}
}

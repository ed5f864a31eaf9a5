package cmd

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"agentxchain/internal/suggest"

	"github.com/spf13/cobra"
)

// nodeCommands are the commands of the Node CLI that this program lacks.
// People type them here by mistake, because both programs have one name.
const nodeCommands = " accept-turn approve-completion approve-transition attention audit benchmark " +
	"branch chain checkpoint-turn ci-report claim conformance connector dashboard decisions diff doctor " +
	"escalate events generate gate history init inject intake kickoff migrate migrate-intents mission " +
	"multi phase plugin proposal rebind reconcile-state reissue-turn reject-turn release replay report " +
	"restart restore resume role run schedule serve serve-mcp ship-status start status step stop " +
	"supervise turn unblock unclaim update validate watch workflow-kit "

// nodeVerifyCommands are those below its `verify`.
const nodeVerifyCommands = " diff protocol turn "

// unknownCommand is the check of the words after a command that has commands
// below it, when none of these matches.
func unknownCommand(a *app, c *cobra.Command, words []string) error {
	if len(words) == 0 || slices.Contains(commandNames(c), words[0]) {
		return nil
	}
	name := words[0]
	if !ofNodeCLI(c, name) {
		f := usagef("unknown command %q for %q", name, c.CommandPath())
		if near := suggest.Nearest(name, commandNames(c)); near != "" {
			f = f.hint("did you mean %q?", near)
		}
		return f.hint("see `%s --help`", c.CommandPath())
	}
	f := usagef("%q is a command of the Node CLI agentxchain; this is the Go program of the same name", name)
	if other := otherOnPath(a); other != "" {
		return f.hint("the other one is %s", other)
	}
	return f.hint("the Node CLI is not further down PATH")
}

func ofNodeCLI(c *cobra.Command, name string) bool {
	list := nodeVerifyCommands
	if !c.HasParent() {
		list = nodeCommands
	}
	return (!c.HasParent() || c.Name() == "verify") && strings.Contains(list, " "+name+" ")
}

// wordsAfter returns what follows a command's own words on the command line,
// flags left out.
func wordsAfter(c *cobra.Command, args []string) []string {
	var words []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			words = append(words, arg)
		}
	}
	for ; c.HasParent() && len(words) > 0; c = c.Parent() {
		words = words[1:]
	}
	return words
}

func commandNames(c *cobra.Command) []string {
	var names []string
	for _, child := range c.Commands() {
		names = append(names, child.Name())
	}
	return names
}

// otherOnPath returns the first program of our name on PATH that is not this
// one, or "".
func otherOnPath(a *app) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	me, err := os.Stat(self)
	if err != nil {
		return ""
	}
	for _, dir := range filepath.SplitList(a.Getenv("PATH")) {
		for _, name := range programNames() {
			p := filepath.Join(dir, name)
			info, err := os.Stat(p)
			if err == nil && !info.IsDir() && !os.SameFile(info, me) {
				return p
			}
		}
	}
	return ""
}

func programNames() []string {
	if runtime.GOOS == "windows" {
		return []string{"agentxchain.cmd", "agentxchain.exe", "agentxchain.ps1"}
	}
	return []string{"agentxchain"}
}

package cmd

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestEveryFlagIsKnown lists every flag of every command, so that a new one is
// a decision (docs and testdata/flags.txt) and none is hidden. Every command
// that does something says what its exit codes mean.
func TestEveryFlagIsKnown(t *testing.T) {
	var got strings.Builder
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		got.WriteString(c.CommandPath() + "\n")
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Usage == "" {
				t.Errorf("%s --%s is hidden or undocumented", c.CommandPath(), f.Name)
			}
			got.WriteString("  --" + f.Name + " " + f.Value.Type() + "\n")
		})
		if c.Hidden {
			t.Errorf("%s is hidden", c.CommandPath())
		}
		if c.Runnable() && !c.HasSubCommands() && !strings.Contains(c.Long, "EXIT STATUS") {
			t.Errorf("%s does not say what its exit codes mean", c.CommandPath())
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(newRoot(new(app)))
	want, err := os.ReadFile("testdata/flags.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("flags differ from testdata/flags.txt: %s", d)
	}
}

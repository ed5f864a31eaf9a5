package egress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"agentxchain/internal/fixtures"
)

// The page for operators lists every rule, with the tiers it holds in.
func TestDocumentListsEveryRule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(fixtures.Root(t), "docs", "egress.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := func(prefix, name string, always bool) {
		tiers := "public"
		if always {
			tiers = "both"
		}
		if row := "| `" + prefix + "` | " + name + " | " + tiers + " |"; !strings.Contains(string(text), row) {
			t.Errorf("docs/egress.md lacks the row %s", row)
		}
	}
	for _, s := range append(specials4[:], specials6[:]...) {
		want(s.prefix, s.name, s.always)
	}
	for _, n := range names {
		want(n.name, n.rule, n.always)
	}
	for _, v := range []string{EnvMode, EnvAllow} {
		if !strings.Contains(string(text), "`"+v) {
			t.Errorf("docs/egress.md does not name %s", v)
		}
	}
}

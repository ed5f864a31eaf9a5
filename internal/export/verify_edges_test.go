package export

import (
	"os"
	"slices"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
)

// TestPeerEdges holds single edits of a good bundle to what the Node CLI says
// of them; each was found by giving both verifiers the same random edits.
func TestPeerEdges(t *testing.T) {
	src, err := os.ReadFile(fixtures.Path(t, "agentxchain/exports/valid/small.stdout.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := ecmajson.NewString
	for _, c := range []struct {
		name string
		edit func(bundle *ecmajson.Value)
		want string
	}{
		{
			"phase is empty", func(b *ecmajson.Value) { b.Get("summary").Set("phase", text("")) },
			"summary.phase: must appear in summary.workflow_phase_order when workflow_phase_order is present",
		},
		{
			"head_sha is empty", func(b *ecmajson.Value) { b.Get("workspace").Get("git").Set("head_sha", text("")) },
			"workspace.git.head_sha: must be a string or null",
		},
		{
			"repo decisions are no list", func(b *ecmajson.Value) { b.Get("files").Get(repoPath).Set("data", text("x")) },
			"summary.repo_decisions: claims repo decisions but repo-decisions.jsonl is empty",
		},
		{
			"repo decisions are no entry", func(b *ecmajson.Value) { b.Get("files").Set(repoPath, ecmajson.NewNull()) },
			"summary.repo_decisions: claims repo decisions but repo-decisions.jsonl is empty",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			bundle, err := ecmajson.Parse(src, ecmajson.Options{})
			if err != nil {
				t.Fatal(err)
			}
			c.edit(bundle)
			if r := verifyBytes(t, ecmajson.Append(nil, bundle), VerifyOptions{}); !slices.Contains(r.Errors, c.want) {
				t.Errorf("errors %q lack %q", r.Errors, c.want)
			}
		})
	}
}

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

// TestLackingRecords verifies a bundle whose history and decisions lack
// values: the Node CLI refuses such bundles, its own ones too, so we say the
// same of bundles that are not ours, and not of ours.
func TestLackingRecords(t *testing.T) {
	root := project(t, minimal(map[string]string{
		historyPath: `{"turn_id":"t","role":"pm","delegations_issued":[{"id":"d"}]}` + "\n",
		repoPath:    `{"id":"DEC-1","status":"active"}` + "\n" + `{"id":"DEC-2","status":"overridden"}` + "\n",
	}))
	src, _ := buildBytes(t, testOptions(root))
	if r := verifyBytes(t, src, VerifyOptions{}); r.Overall != Pass {
		t.Errorf("our own bundle: %s %q", r.Overall, r.Errors)
	}
	bundle, err := ecmajson.Parse(src, ecmajson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := ecmajson.NewObject()
	for _, m := range bundle.Members() {
		if m.Key != "evidence" {
			foreign.Set(m.Key, m.Value)
		}
	}
	want := []string{
		"summary.delegation_summary.delegation_chains: must match reconstructed delegation chains from history.jsonl",
		"summary.repo_decisions.active: must match reconstructed active decisions from repo-decisions.jsonl",
		"summary.repo_decisions.overridden: must match reconstructed overridden decisions from repo-decisions.jsonl",
	}
	if r := verifyBytes(t, ecmajson.Append(nil, foreign), VerifyOptions{}); !slices.Equal(r.Errors, want) {
		t.Errorf("another's bundle: %q", r.Errors)
	}
}

package suggest_test

import (
	"strings"
	"testing"

	"agentxchain/internal/suggest"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	words := []string{"run_blocked", "run_completed", "escalation_resolved"}
	for word, want := range map[string]string{
		"run_bloked": "run_blocked", "RUN_BLOCKED": "run_blocked", "run-completed": "run_completed", "": "", "zzz": "",
		"escalation": "escalation_resolved", strings.Repeat("x", 100): "",
	} {
		if got := suggest.Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{0,6}`)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		ab, ba := suggest.Distance(a, b), suggest.Distance(b, a)
		if ab != ba || (ab == 0) != (a == b) || suggest.Distance(a, c) > ab+suggest.Distance(b, c) {
			t.Fatalf("distances of %q, %q, %q make no metric", a, b, c)
		}
	})
}

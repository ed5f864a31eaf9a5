package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"agentxchain/internal/fixtures"
)

// Every text that the Node CLI was recorded with is in the manual.
func TestManualHasEveryRecordedText(t *testing.T) {
	manual := strings.Join(strings.Fields(string(read(t, filepath.Join(fixtures.Root(t), "docs", "configuration.md")))), " ")
	number, quoted := regexp.MustCompile(`\[\d+\]`), regexp.MustCompile(`(field|event|name) "[^"]*"`)
	member, missing := regexp.MustCompile(`(headers|env)\.\S+ must`), regexp.MustCompile(`env vars (?s:.*)`)
	list, _ := cases(t)
	for _, r := range list {
		for _, text := range append(r.function.errors, r.function.warnings...) {
			text = strings.Replace(number.ReplaceAllString(text, "[N]"), "seconds[N]", "seconds[I]", 1)
			text = quoted.ReplaceAllString(text, `$1 "…"`)
			text = missing.ReplaceAllString(member.ReplaceAllString(text, "$1.… must"), "env vars …")
			if !strings.Contains(manual, text) {
				t.Errorf("%s: docs/configuration.md lacks %q", r.file, text)
			}
		}
	}
}

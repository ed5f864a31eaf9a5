package events_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
)

// docs/events.md describes every event with the keys of its schema, and its
// examples are valid.
func TestDocumentation(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(fixtures.Root(t), "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	envelope, rest, _ := strings.Cut(string(src), "### Where the facts come from")
	if _, err := events.Parse([]byte(example(t, envelope))); err != nil {
		t.Errorf("example of an envelope: %v", err)
	}
	for _, typ := range events.Types(events.Governed) {
		section := sectionOf(t, rest, string(typ))
		name := "event-" + string(typ)
		if want := schemaKeys(t, name); !slices.Equal(documentedKeys(section), want) {
			t.Errorf("%s: documented keys %q, want %q", typ, documentedKeys(section), want)
		}
		p := payload(t, example(t, section))
		checkOrder(t, string(typ), p, schemaKeys(t, name))
		if _, warnings, err := events.Mint(events.Input{Type: typ, Now: noon, Facts: events.Facts{Payload: p}}); err != nil || warnings != nil {
			t.Errorf("%s: example: %v, %v", typ, err, warnings)
		}
	}
	if err := validateBytes(t, "event-agent_run", []byte(example(t, sectionOf(t, rest, "agent_run")))); err != nil {
		t.Error(err)
	}
	for _, typ := range events.Types(events.Agent) {
		if row := "| `" + string(typ) + "` | `" + typ.ExecutionName() + "` |"; !strings.Contains(rest, row) {
			t.Errorf("no row %s", row)
		}
	}
}

func sectionOf(t *testing.T, doc, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(doc, "\n### "+heading+"\n")
	if !found {
		t.Fatalf("no section %q", heading)
	}
	section, _, _ := strings.Cut(after, "\n## ")
	section, _, _ = strings.Cut(section, "\n### ")
	return section
}

// example returns the first block of JSON.
func example(t *testing.T, section string) string {
	t.Helper()
	_, after, found := strings.Cut(section, "```json\n")
	block, _, closed := strings.Cut(after, "\n```")
	if !found || !closed {
		t.Fatalf("no example in %.60q", section)
	}
	return block
}

// documentedKeys returns the keys of a section's table.
func documentedKeys(section string) []string {
	var keys []string
	for line := range strings.Lines(section) {
		if row, found := strings.CutPrefix(line, "| `"); found {
			key, _, _ := strings.Cut(row, "`")
			keys = append(keys, key)
		}
	}
	return keys
}

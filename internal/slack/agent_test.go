package slack

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
)

// recorded is a message that the Python package built.
type recorded struct {
	ID    string
	Event struct {
		Type        string
		ExecutionID string `json:"execution_id"`
		AgentID     string `json:"agent_id"`
		Status      string
		Message     string
		Result      json.RawMessage
		Error       string
		DurationMS  int64  `json:"duration_ms"`
		CompletedAt string `json:"completed_at"`
	}
	Blocks []any
	Text   string
}

// The built-in message is the package's, block for block, but for the rules
// below.
func TestDefaultBlocks(t *testing.T) {
	raw, err := os.ReadFile(fixtures.Path(t, "agent-gateway/slack-default-blocks.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for row := range strings.Lines(string(raw)) {
		var r recorded
		if err := json.Unmarshal([]byte(row), &r); err != nil {
			t.Fatal(err)
		}
		ran++
		t.Run(r.ID, func(t *testing.T) { checkRecorded(t, r) })
	}
	fixtures.Ran(t, "slack-default-blocks", ran)
}

func checkRecorded(t *testing.T, r recorded) {
	e := r.event(t)
	s := read(t, Body(e, Post{Channel: "#c"}))
	var got []any
	if err := json.Unmarshal(s.Blocks, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected(r, e), visible(got)); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
	if s.Text != ruleEscape(r.Text) || s.Channel != "#c" {
		t.Errorf("text %q in %q, want %q", s.Text, s.Channel, r.Text)
	}
}

// event makes of a record what our own emitter would have been told: a text is
// the output of a run that has no other.
func (r recorded) event(t *testing.T) events.Event {
	t.Helper()
	a := &events.AgentRun{
		Name: r.Event.AgentID, ExecutionID: r.Event.ExecutionID, Status: r.Event.Status, Message: r.Event.Message,
		Error: r.Event.Error, DurationMS: r.Event.DurationMS,
	}
	if len(r.Event.Result) > 0 {
		a.Output = outputOf(parse(t, string(r.Event.Result)))
	}
	e := events.Event{ID: "notif_1", Type: r.Event.Type, Agent: a}
	if kind, err := events.ParseType(e.Type); err == nil {
		e.Type = string(kind)
	}
	if r.Event.CompletedAt != "" {
		at, err := time.Parse(time.RFC3339, r.Event.CompletedAt)
		if err != nil {
			t.Fatal(err)
		}
		e.EmittedAt = at
	}
	return e
}

func outputOf(result *ecmajson.Value) *ecmajson.Value {
	switch {
	case result.Len() == 0:
		return nil
	case !result.Has("output"):
		return result
	case result.Get("output").Is(ecmajson.Null) && result.Get("raw_text").Str() != "":
		return result.Get("raw_text")
	}
	return result.Get("output")
}

// expected are the package's blocks after the rules by which ours differ.
func expected(r recorded, e events.Event) []any {
	var blocks []any
	for _, b := range r.Blocks {
		b, _ := b.(map[string]any)
		if ruleFields(b); b["fields"] != nil && len(b["fields"].([]any)) == 0 {
			continue
		}
		if text, ok := b["text"].(map[string]any); ok {
			s, _ := text["text"].(string)
			s, shown := ruleNone(s, e.Agent)
			if !shown {
				continue
			}
			text["text"] = ruleLimit(ruleEscape(s), b["type"])
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// ruleNone: "None" is nothing to tell anybody. The text of the run is shown in
// its place, or else its error, or nothing.
func ruleNone(s string, a *events.AgentRun) (string, bool) {
	switch {
	case s != "*Result*\n```None```":
		return s, true
	case a.Output.Is(ecmajson.String):
		return "*Result*\n```" + a.Output.Str() + "```", true
	case a.Error != "":
		text, _ := firstRunes(a.Error, 1000)
		return "*Error*\n```" + text + "```", true
	}
	return "", false
}

// ruleFields: a field without a value is left out.
func ruleFields(b map[string]any) {
	fields, ok := b["fields"].([]any)
	if !ok {
		return
	}
	kept := []any{}
	for _, f := range fields {
		f, _ := f.(map[string]any)
		if text, _ := f["text"].(string); !strings.HasSuffix(text, "\n``") {
			f["text"] = ruleEscape(text)
			kept = append(kept, f)
		}
	}
	b["fields"] = kept
}

// ruleEscape: what Slack would obey is escaped, except the mark of a quotation
// that is ours.
func ruleEscape(s string) string {
	label := ""
	if rest, ok := strings.CutPrefix(s, "*Input*\n>"); ok {
		label, s = "*Input*\n>", rest
	}
	return label + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// ruleLimit: what Slack would refuse for its length is cut and says so.
func ruleLimit(s string, block any) string {
	limit := 3000
	if block == "header" {
		limit = 150
	}
	if ecmajson.UTF16Len(s) <= limit {
		return s
	}
	return "cut"
}

// visible are our blocks without the invisible characters that break fences
// and mentions; of a text that was cut it is checked that it was cut well.
func visible(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = visible(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = visible(v[k])
		}
	case string:
		switch n := ecmajson.UTF16Len(v); {
		case n > 2900 && n <= 3000 && strings.HasSuffix(v, "\n... (truncated)```"), n > 140 && n <= 150 && strings.HasSuffix(v, "…"):
			return "cut"
		}
		return strings.NewReplacer("\u200b", "", "ˋ", "`").Replace(v)
	}
	return v
}

func TestDuration(t *testing.T) {
	for ms, want := range map[int64]string{
		0: "", 1: "0.0s", 50: "0.1s", 150: "0.1s", 250: "0.2s", 59949: "59.9s", 59950: "60.0s", 59999: "60.0s", 60000: "1.0m",
		3600000: "60.0m", -1: "-0.0s",
	} {
		if got := duration(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}

// An output that Python could not nest as deeply is still shown.
func TestDeepOutput(t *testing.T) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	a := &events.AgentRun{Name: "a", ExecutionID: "e", Output: parse(t, deep)}
	s := read(t, Body(events.Event{Type: "on_complete", Agent: a}, Post{Channel: "c"}))
	if !strings.Contains(string(s.Blocks), "[[[[[") {
		t.Errorf("%.300s", s.Blocks)
	}
}

// A status of any length fits into the header.
func TestLongStatus(t *testing.T) {
	for _, status := range []string{strings.Repeat("s", 126), strings.Repeat("s", 127), strings.Repeat("&", 127)} {
		e := events.Event{Type: "execution." + status, EmittedAt: noon(), Agent: &events.AgentRun{Name: "a", ExecutionID: "e", Status: status}}
		accepted(t, e, Post{Channel: "#c"})
		title := agentTitle(e)
		if whole := strings.HasSuffix(title, status); whole != (len(status) == 126) || !whole && !strings.HasSuffix(title, "…") {
			t.Errorf("%q", title)
		}
	}
}

package slack

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/slack/slacktest"
)

// accepted checks what holds for every message that we build: Slack takes it,
// it pings nobody, and it is the same each time.
func accepted(t rapid.TB, e events.Event, p Post) {
	t.Helper()
	body := Body(e, p)
	if !json.Valid(body) {
		t.Fatalf("not JSON: %.300q", body)
	}
	var s sent
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	if problems := slacktest.Check(s.Text, s.Blocks); len(problems) > 0 {
		t.Fatalf("%v in %.500s", problems, body)
	}
	if s.Text == "" || s.Text != Text(e) {
		t.Fatalf("text %q, want %q", s.Text, Text(e))
	}
	for _, text := range append(texts(s.Blocks), s.Text) {
		if strings.ContainsAny(text, "<") {
			t.Fatalf("unescaped: %q", text)
		}
		if ping := pings(text); ping != "" {
			t.Fatalf("%q in %q", ping, text)
		}
	}
	if !bytes.Equal(body, Body(e, p)) {
		t.Fatal("another body for the same event")
	}
}

// pings returns a name that Slack could take for a mention, outside of code.
func pings(text string) string {
	for i, part := range strings.Split(text, "`") {
		for _, name := range []string{"@here", "@channel", "@everyone", "@group"} {
			if i%2 == 0 && strings.Contains(strings.ToLower(part), name) && !strings.Contains(text, "```") {
				return name
			}
		}
	}
	return ""
}

// texts are all texts of text objects.
func texts(blocks json.RawMessage) []string {
	var list []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["text"].(string); ok {
				list = append(list, s)
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k])
			}
		case []any:
			for _, m := range v {
				walk(m)
			}
		}
	}
	var v any
	if json.Unmarshal(blocks, &v) == nil {
		walk(v)
	}
	return list
}

// anyValue draws any JSON value.
func anyValue(depth int) *rapid.Generator[*ecmajson.Value] {
	return rapid.Custom(func(t *rapid.T) *ecmajson.Value {
		switch k := rapid.IntRange(0, 8).Draw(t, "kind"); {
		case k == 0:
			return ecmajson.NewNull()
		case k == 1:
			return ecmajson.NewBool(rapid.Bool().Draw(t, "bool"))
		case k == 2:
			return ecmajson.NewNumber(rapid.Float64().Draw(t, "number"))
		case k == 3 && depth > 0:
			return ecmajson.NewArray(rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "items")...)
		case k == 4 && depth > 0:
			o := ecmajson.NewObject()
			for _, key := range rapid.SliceOfN(hostile(), 0, 4).Draw(t, "keys") {
				o.Set(key, anyValue(depth-1).Draw(t, "member"))
			}
			return o
		}
		return ecmajson.NewString(hostile().Draw(t, "text"))
	})
}

// payloadKeys are the keys of all events, of the escalation among them.
func payloadKeys() []string {
	return []string{
		"category", "blocked_on", "typed_reason", "owner", "recovery_action", "detail", "human_escalation", "source", "reason", "resolved_via",
		"previous_escalation", "escalation_id", "type", "service", "action", "resolution_command", "from", "to", "gate", "requested_by_turn",
		"requested_at", "completed_at", "completed_via", "approval_type", "elapsed_seconds", "threshold_seconds", "reminder_index",
		"total_thresholds", "from_phase", "to_phase", "unknown_key",
	}
}

func anyPayload(t *rapid.T) *ecmajson.Value {
	p := ecmajson.NewObject()
	for _, key := range payloadKeys() {
		if !rapid.Bool().Draw(t, "has "+key) {
			continue
		}
		v := anyValue(2).Draw(t, key)
		if strings.HasSuffix(key, "_escalation") && rapid.Bool().Draw(t, "object") {
			v = ecmajson.NewObject()
			for _, k := range payloadKeys()[10:20] {
				v.Set(k, anyValue(1).Draw(t, k))
			}
		}
		p.Set(key, v)
	}
	return p
}

func TestGovernedIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return hostile().Draw(t, name) }
		env := events.Envelope{
			ID: "notif_1", Type: rapid.SampledFrom(events.Types(events.Governed)).Draw(t, "type"), EmittedAt: noon(),
			Project: events.Project{ID: text("id"), Name: text("name"), Root: text("root")},
			Run:     events.Run{ID: text("run"), Status: text("status"), Phase: text("phase")},
			Payload: anyPayload(t),
		}
		if rapid.Bool().Draw(t, "turn") {
			n := rapid.Int64().Draw(t, "attempt")
			env.Turn = &events.Turn{ID: text("turn"), Role: text("role"), Attempt: &n}
		}
		accepted(t, event(env), Post{Channel: text("channel"), Thread: text("thread")})
	})
}

func TestAgentRunIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return hostile().Draw(t, name) }
		a := &events.AgentRun{
			Name: text("name"), ExecutionID: text("execution"), Status: text("status"), Message: text("message"), Error: text("error"),
			DurationMS: rapid.Int64().Draw(t, "duration"), Output: rapid.Ptr(anyOutput(), true).Draw(t, "output").value(),
		}
		kinds := append(slices.Clone(events.Types(events.Agent)), "execution.cancelled")
		e := events.Event{ID: "notif_1", Type: string(rapid.SampledFrom(kinds).Draw(t, "type")), EmittedAt: noon(), Agent: a}
		accepted(t, e, Post{Channel: text("channel"), Thread: "1.2"})
	})
}

type output struct{ v *ecmajson.Value }

func (o *output) value() *ecmajson.Value {
	if o == nil {
		return nil
	}
	return o.v
}

func anyOutput() *rapid.Generator[output] {
	return rapid.Map(anyValue(3), func(v *ecmajson.Value) output { return output{v} })
}

// A body that is no envelope still becomes a message.
func FuzzMessage(f *testing.F) {
	for _, kind := range events.Types(events.Governed) {
		f.Add(string(kind), governed(kind, nil).Body)
	}
	f.Add("run_blocked", []byte("no envelope"))
	f.Add("<!channel>", []byte(`{"schema_version":"0.1"}`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		accepted(t, events.Event{ID: kind, Type: kind, EmittedAt: noon(), RunID: string(body), Body: body}, Post{Channel: kind, Thread: kind})
		a := &events.AgentRun{Name: kind, ExecutionID: string(body), Message: string(body), Error: string(body)}
		if v, err := ecmajson.Parse(body, ecmajson.Options{MaxDepth: 500}); err == nil {
			a.Output = v
		}
		accepted(t, events.Event{ID: kind, Type: "on_complete", Agent: a}, Post{Channel: kind})
	})
}

package events_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/oklog/ulid/v2"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// noon has microseconds, which no event shows.
var noon = time.Date(2026, 4, 4, 12, 0, 0, 123_456_000, time.FixedZone("two hours east", 7200))

// sixteen is entropy whose identity can be told beforehand.
func sixteen() io.Reader { return strings.NewReader("0123456789abcdef") }

func TestMintFixesEveryByte(t *testing.T) {
	attempt, sequence := int64(2), int64(7)
	e, warnings, err := events.Mint(events.Input{
		Type:    events.PhaseTransitionPending,
		Now:     noon,
		Entropy: sixteen(),
		Project: events.Project{ID: "shop", Name: "<Shop> & \u2028 \"co\"", Root: "/srv/shop"},
		Facts: events.Facts{
			Run:     events.Run{ID: "run_1", Status: "paused", Phase: "planning"},
			Turn:    &events.Turn{ID: "turn_1", Role: "pm", Attempt: &attempt, Sequence: &sequence},
			Payload: payload(t, `{"from":"a","to":"b","gate":null,"requested_by_turn":"turn_1","cost":1.50}`),
		},
	})
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	want := `{"schema_version":"0.1","event_id":"notif_01KNBYYSBV60RK4CSM6MV3EE1S","event_type":"phase_transition_pending",` +
		`"emitted_at":"2026-04-04T10:00:00.123Z","project":{"id":"shop","name":"<Shop> & ` + "\u2028" + ` \"co\"","root":"/srv/shop"},` +
		`"run":{"run_id":"run_1","status":"paused","phase":"planning"},` +
		`"turn":{"turn_id":"turn_1","role_id":"pm","attempt":2,"assigned_sequence":7},` +
		`"payload":{"from":"a","to":"b","gate":null,"requested_by_turn":"turn_1","cost":1.50}}`
	if string(e.Body) != want {
		t.Errorf("body\n%s\nwant\n%s", e.Body, want)
	}
	if e.Type != "phase_transition_pending" || e.RunID != "run_1" || e.Agent != nil || !strings.Contains(want, e.ID) {
		t.Errorf("event %+v", e)
	}
	if at := time.Date(2026, 4, 4, 10, 0, 0, 123_000_000, time.UTC); e.EmittedAt != at {
		t.Errorf("emitted at %v, want %v", e.EmittedAt, at)
	}
}

func TestMintIdentity(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		e := mint(t, events.Input{Type: events.RunCompleted, Now: noon})
		id, err := ulid.ParseStrict(strings.TrimPrefix(e.ID, "notif_"))
		if err != nil || seen[e.ID] || id.Time() != uint64(noon.UnixMilli()) {
			t.Fatalf("identity %q: %v, seen %v", e.ID, err, seen[e.ID])
		}
		seen[e.ID] = true
	}
}

func TestMintOfNothingIsWhole(t *testing.T) {
	e, warnings, err := events.Mint(events.Input{Type: events.RunBlocked, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(e.Body), `"project":`)
	if want := `{"id":"unknown","name":"Unknown","root":null},"run":{"run_id":null,"status":null,"phase":null},"turn":null,"payload":{}}`; after != want {
		t.Errorf("body ends in\n%s\nwant\n%s", after, want)
	}
	if len(warnings) != 7 || warnings[0] != (events.Warning{Field: "payload.category", Message: "is missing"}) {
		t.Errorf("warnings %v", warnings)
	}
}

func TestMintRefuses(t *testing.T) {
	deep := payload(t, `{"a":`+strings.Repeat("[", events.MaxDepth-1)+strings.Repeat("]", events.MaxDepth-1)+`}`)
	tests := []struct {
		name string
		in   events.Input
		want string
	}{
		{"no type", events.Input{}, `unknown event ""`},
		{"no event", events.Input{Type: "run_failed"}, `there is no governed event "run_failed"`},
		{"agent run without fields", events.Input{Type: events.OnError}, "on_error needs the fields of an agent run"},
		{"governed with agent", events.Input{Type: events.RunBlocked, Agent: &events.AgentRun{}}, "run_blocked is a governed event"},
		{"payload no object", withPayload(ecmajson.NewArray()), "the payload must be an object, not an array"},
		{"too deep", withPayload(object("x", deep)), "the payload is nested more than 512 levels deep"},
		{"before 1970", events.Input{Type: events.RunBlocked, Now: time.Unix(-1, 0)}, "no event identity: "},
		{"after 9999", events.Input{Type: events.RunBlocked, Now: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "no event identity: "},
		{"no entropy left", events.Input{Type: events.RunBlocked, Now: noon, Entropy: iotest.ErrReader(io.ErrClosedPipe)}, "no event identity: io: read/write on closed pipe"},
		{"little entropy left", events.Input{Type: events.RunBlocked, Now: noon, Entropy: strings.NewReader("x")}, "no event identity: unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, _, err := events.Mint(test.in)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %s…", err, test.want)
			}
			if e.ID != "" || e.Body != nil {
				t.Errorf("an event came out: %+v", e)
			}
		})
	}
	if _, _, err := events.Mint(withPayload(deep)); err != nil {
		t.Errorf("a payload of the greatest depth: %v", err)
	}
}

func withPayload(v *ecmajson.Value) events.Input {
	return events.Input{Type: events.RunBlocked, Now: noon, Facts: events.Facts{Payload: v}}
}

// The limit is exact, and what escapes add counts.
func TestMintLimitsTheEnvelope(t *testing.T) {
	empty := len(mint(t, withPayload(object("k", ecmajson.NewString("")))).Body)
	room := events.MaxBytes - empty
	for _, filling := range []string{strings.Repeat("x", room), strings.Repeat("\n", room/2)} {
		if e := mint(t, withPayload(object("k", ecmajson.NewString(filling)))); len(e.Body) < events.MaxBytes-1 {
			t.Errorf("body of %d bytes", len(e.Body))
		}
		_, _, err := events.Mint(withPayload(object("k", ecmajson.NewString(filling+"\n\n"))))
		var size *events.SizeError
		if !errors.As(err, &size) || size.What != "envelope" || size.Size <= events.MaxBytes {
			t.Errorf("error %v", err)
		}
	}
	_, _, err := events.Mint(events.Input{Type: events.OnError, Now: noon, Agent: &events.AgentRun{Error: strings.Repeat("x", events.MaxBytes)}})
	var size *events.SizeError
	if !errors.As(err, &size) || size.What != "agent run" {
		t.Errorf("error %v", err)
	}
}

func TestMintWarnsAboutWhatIsStillUnknown(t *testing.T) {
	facts, _, err := events.FromState(nil, events.Query{Type: events.EscalationResolved})
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := events.Mint(events.Input{Type: events.EscalationResolved, Now: noon, Facts: facts})
	want := []string{
		"payload.blocked_on: not known from the project's state; it is null",
		`payload.resolved_via: not known from the project's state; it is "unknown"`,
		"payload.previous_escalation: not known from the project's state; it is null",
	}
	if err != nil || !slices.Equal(messages(warnings), want) {
		t.Errorf("error %v, warnings %q", err, messages(warnings))
	}
	for _, assignment := range []string{"blocked_on=x", "resolved_via=resume", "previous_escalation=5"} {
		if err := events.SetPayload(facts.Payload, assignment); err != nil {
			t.Fatal(err)
		}
	}
	_, warnings, err = events.Mint(events.Input{Type: events.EscalationResolved, Now: noon, Facts: facts})
	want = []string{"payload.previous_escalation: is a number, usually an object"}
	if err != nil || !slices.Equal(messages(warnings), want) {
		t.Errorf("error %v, warnings %q", err, messages(warnings))
	}
}

func messages(warnings []events.Warning) []string {
	var list []string
	for _, w := range warnings {
		list = append(list, w.Field+": "+w.Message)
	}
	return list
}

func TestMintAgentRun(t *testing.T) {
	run := events.AgentRun{
		Name: "report-agent", ExecutionID: "exec-1", SessionID: "sess-1", Message: "Summarise <Q1>",
		Output: payload(t, `{"pages":3.0}`), DurationMS: 1234,
	}
	e, warnings, err := events.Mint(events.Input{Type: events.OnComplete, Now: noon, Entropy: sixteen(), Agent: &run})
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	want := `{"event_id":"notif_01KNBYYSBV60RK4CSM6MV3EE1S","event_type":"on_complete","emitted_at":"2026-04-04T10:00:00.123Z",` +
		`"agent_name":"report-agent","execution_id":"exec-1","session_id":"sess-1","status":"completed","message":"Summarise <Q1>",` +
		`"output":{"pages":3.0},"error":null,"duration_ms":1234}`
	if string(e.Body) != want {
		t.Errorf("body\n%s\nwant\n%s", e.Body, want)
	}
	kept := e
	kept.Agent = nil
	restored, err := events.Restore(kept)
	if err != nil {
		t.Fatal(err)
	}
	if again := mint(t, events.Input{Type: events.OnComplete, Now: noon, Entropy: sixteen(), Agent: restored.Agent}); string(again.Body) != want {
		t.Errorf("restored %+v, which gives\n%s", restored.Agent, again.Body)
	}
	if e.Agent != &run || e.Type != "on_complete" || e.RunID != "" {
		t.Errorf("event %+v", e)
	}
	_, warnings, err = events.Mint(events.Input{Type: events.OnTimeout, Now: noon, Agent: &events.AgentRun{DurationMS: -1}})
	if err != nil || len(warnings) != 3 {
		t.Errorf("error %v, warnings %v", err, warnings)
	}
}

// Emitting runs in other people's loops: the work that an event costs is counted.
func TestMintAllocations(t *testing.T) {
	in := withPayload(payload(t, `{"category":"c","blocked_on":"b","typed_reason":"t","owner":null,"recovery_action":"r","detail":"d","human_escalation":null}`))
	entropy := strings.NewReader("")
	in.Entropy = entropy
	allocs := testing.AllocsPerRun(100, func() {
		entropy.Reset("0123456789abcdef")
		if _, warnings, err := events.Mint(in); err != nil || warnings != nil {
			t.Fatal(err, warnings)
		}
	})
	if allocs > 6 {
		t.Errorf("%v allocations for one event, at most 6 are expected", allocs)
	}
}

func payload(t *testing.T, src string) *ecmajson.Value {
	t.Helper()
	v, err := events.ParsePayload("payload", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMintDoesNotKeepTheInput(t *testing.T) {
	in := withPayload(payload(t, `{"category":"c"}`))
	e := mint(t, in)
	before := bytes.Clone(e.Body)
	in.Payload.Set("category", ecmajson.NewString("other"))
	if !bytes.Equal(e.Body, before) {
		t.Error("the body changed with the payload")
	}
}

package events_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

func state(t *testing.T, src string) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
	if err != nil {
		t.Fatalf("%v in %s", err, src)
	}
	return v
}

func recordsOf(t *testing.T, lines ...string) []*ecmajson.Value {
	t.Helper()
	var list []*ecmajson.Value
	for _, line := range lines {
		list = append(list, state(t, line))
	}
	return list
}

const (
	turnA    = `"turn_a":{"turn_id":"turn_a","assigned_role":"pm","attempt":1,"assigned_sequence":1}`
	turnB    = `"turn_b":{"turn_id":"turn_b","assigned_role":"","role_id":"dev","attempt":"1","assigned_sequence":2.5}`
	turnC    = `"turn_c":{"turn_id":"turn_c"}`
	retained = `"retained_turns":{`
	active   = `"active_turns":{`
)

func TestWhichTurn(t *testing.T) {
	tests := []struct {
		name  string
		typ   events.Type
		state string
		want  string
		warns bool
	}{
		{"named and active", events.RunBlocked, active + turnA + `,` + turnB + `},"blocked_reason":{"turn_id":"turn_b"}`, "turn_b", false},
		{"named and retained", events.RunBlocked, active + turnA + `},` + retained + turnC + `},"blocked_reason":{"turn_id":"turn_c"}`, "turn_c", false},
		{"named and gone", events.RunBlocked, active + `},"blocked_reason":{"turn_id":"turn_x"}`, "", true},
		{"named and gone, one active", events.RunBlocked, active + turnA + `},"blocked_reason":{"turn_id":"turn_x"}`, "turn_a", true},
		{"not named, one active", events.RunBlocked, active + turnA + `},` + retained + turnC + `}`, "turn_a", false},
		{"not named, two active, one retained", events.RunBlocked, active + turnA + `,` + turnB + `},` + retained + turnC + `}`, "turn_c", false},
		{"not named, two of each", events.RunBlocked, active + turnA + `,` + turnB + `},` + retained + turnA + `,` + turnC + `}`, "", false},
		{"no turns", events.RunBlocked, `"active_turns":null`, "", false},
		{"gate action", events.RunBlocked, active + turnA + `},"blocked_reason":{"category":"gate_action_failed","turn_id":"turn_a"}`, "", false},
		{"raised as blocked", events.HumanEscalationRaised, active + turnA + `,` + turnB + `},"blocked_reason":{"turn_id":"turn_a"}`, "turn_a", false},
		{"escalated", events.OperatorEscalationRaised, active + turnA + `,` + turnB + `},"escalation":{"from_turn_id":"turn_b"}`, "turn_b", false},
		{"escalation over", events.EscalationResolved, active + turnA + `},"escalation":null`, "turn_a", false},
		{"resolved", events.HumanEscalationResolved, active + turnA + `},"blocked_reason":{"turn_id":"turn_x"}`, "turn_a", false},
		{"transition", events.PhaseTransitionPending, active + turnA + `,` + turnB + `},"pending_phase_transition":{"requested_by_turn":"turn_a"}`, "turn_a", false},
		{"completion", events.RunCompletionPending, retained + turnA + `},"pending_run_completion":{"requested_by_turn":"turn_a"}`, "turn_a", false},
		{"completed", events.RunCompleted, active + `},"last_completed_turn_id":"turn_x"`, "", false},
		{"reminder", events.ApprovalSLAReminder, active + turnA + `},"pending_run_completion":{"requested_by_turn":"turn_a"}`, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts, warnings, err := events.FromState(state(t, "{"+test.state+"}"), events.Query{Type: test.typ})
			if err != nil {
				t.Fatal(err)
			}
			if got := turnID(facts.Turn); got != test.want {
				t.Errorf("turn %q, want %q", got, test.want)
			}
			if warned := len(warnings) == 1 && warnings[0].Field == "turn"; warned != test.warns {
				t.Errorf("warnings %v", warnings)
			}
		})
	}
}

func turnID(turn *events.Turn) string {
	if turn == nil {
		return ""
	}
	return turn.ID
}

func TestAskedForTurn(t *testing.T) {
	s := state(t, `{`+active+turnA+`,`+turnB+`},`+retained+turnC+`}}`)
	for _, want := range []events.TurnSelector{"turn_a", "turn_b", "turn_c"} {
		facts, _, err := events.FromState(s, events.Query{Type: events.ApprovalSLAReminder, Turn: want})
		if err != nil || turnID(facts.Turn) != string(want) {
			t.Errorf("%s: %v, %v", want, facts.Turn, err)
		}
	}
	facts, _, err := events.FromState(s, events.Query{Type: events.RunBlocked, Turn: "turn_b"})
	if err != nil || facts.Turn.Role != "dev" || facts.Turn.Attempt != nil || facts.Turn.Sequence != nil {
		t.Errorf("turn %+v, %v", facts.Turn, err)
	}
	one := state(t, `{`+active+turnA+`}}`)
	if facts, _, err := events.FromState(one, events.Query{Type: events.RunBlocked, Turn: events.NoTurn}); err != nil || facts.Turn != nil {
		t.Errorf("turn %v, %v", facts.Turn, err)
	}
	_, _, err = events.FromState(s, events.Query{Type: events.RunBlocked, Turn: "turn_x"})
	var unknown *events.UnknownTurnError
	if !errors.As(err, &unknown) || err.Error() != `unknown turn "turn_x"; the state has "turn_a", "turn_b", "turn_c"` {
		t.Errorf("error %v", err)
	}
	_, _, err = events.FromState(nil, events.Query{Type: events.RunBlocked, Turn: "turn_x"})
	if err == nil || err.Error() != `unknown turn "turn_x": the state has no active and no retained turn` {
		t.Errorf("error %v", err)
	}
}

func TestRunIsOverridden(t *testing.T) {
	s := state(t, `{"run_id":"run_1","status":"active","phase":"planning"}`)
	tests := []struct {
		state    *ecmajson.Value
		override events.Run
		want     events.Run
	}{
		{s, events.Run{}, events.Run{ID: "run_1", Status: "active", Phase: "planning"}},
		{s, events.Run{Status: "blocked"}, events.Run{ID: "run_1", Status: "blocked", Phase: "planning"}},
		{s, events.Run{ID: "r", Phase: "p"}, events.Run{ID: "r", Status: "active", Phase: "p"}},
		{nil, events.Run{ID: "r", Status: "s", Phase: "p"}, events.Run{ID: "r", Status: "s", Phase: "p"}},
		{state(t, `{"run_id":null,"status":5}`), events.Run{}, events.Run{}},
		{state(t, `[]`), events.Run{}, events.Run{}},
	}
	for _, test := range tests {
		facts, _, err := events.FromState(test.state, events.Query{Type: events.RunBlocked, Run: test.override})
		if err != nil || facts.Run != test.want {
			t.Errorf("run %v, want %v (%v)", facts.Run, test.want, err)
		}
	}
}

// filled is what FromState makes of a state: the payload, and after a bar the
// keys that are not known.
func filled(t *testing.T, src string, q events.Query) string {
	t.Helper()
	facts, _, err := events.FromState(state(t, src), q)
	if err != nil {
		t.Fatal(err)
	}
	return string(ecmajson.Append(nil, facts.Payload)) + "|" + strings.Join(facts.Unknown, " ")
}

const blocked = `{"run_id":"r","blocked_on":"human:x","blocked_reason":{"category":"needs_human","turn_id":"turn_a",` +
	`"recovery":{"typed_reason":"t","owner":"human","recovery_action":"a","detail":"d"}}}`

const (
	openLine = `{"kind":"raised","escalation_id":"hesc_1","run_id":"r","blocked_on":"human:x","turn_id":"turn_a","type":"needs_decision","service":null,` +
		`"action":"Decide.","resolution_command":"agentxchain unblock hesc_1","typed_reason":"t0","recovery_action":"a0","detail":"d0"}`
	closeLine = `{"kind":"resolved","escalation_id":"hesc_1","resolved_via":"operator_unblock"}`
)

func TestBlockedTakesTheOpenRecord(t *testing.T) {
	const (
		escalation  = `{"escalation_id":"hesc_1","type":"needs_decision","service":null,"action":"Decide.","resolution_command":"agentxchain unblock hesc_1"}`
		fromState   = `{"category":"needs_human","blocked_on":"human:x","typed_reason":"t","owner":"human","recovery_action":"a","detail":"d","human_escalation":null}|human_escalation`
		fromRecord  = `{"category":"needs_human","blocked_on":"human:x","typed_reason":"t0","owner":"human","recovery_action":"a0","detail":"d0","human_escalation":` + escalation + `}|`
		nothingOpen = `{"escalation_id":null,"type":null,"service":null,"action":null,"resolution_command":null}|escalation_id type service action resolution_command`
	)
	tests := []struct {
		name            string
		lines           []string
		blocked, raised string
	}{
		{"open", []string{openLine}, fromRecord, escalation + "|"},
		{"closed", []string{openLine, closeLine}, fromState, nothingOpen},
		{"closed by an earlier line", []string{closeLine, openLine}, fromRecord, escalation + "|"},
		{"other run", []string{strings.Replace(openLine, `"r"`, `"s"`, 1)}, fromState, nothingOpen},
		{"other block", []string{strings.Replace(openLine, `human:x`, `human:y`, 1)}, fromState, nothingOpen},
		{"other turn", []string{strings.Replace(openLine, `"turn_a"`, `null`, 1)}, fromState, nothingOpen},
		{"no file", nil, fromState, nothingOpen},
		{"odd lines", []string{openLine, `[]`, `null`, `{}`, `{"kind":"raised"}`}, fromRecord, escalation + "|"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			list := recordsOf(t, test.lines...)
			if got := filled(t, blocked, events.Query{Type: events.RunBlocked, Escalations: list}); got != test.blocked {
				t.Errorf("run_blocked\n%s\nwant\n%s", got, test.blocked)
			}
			if got := filled(t, blocked, events.Query{Type: events.HumanEscalationRaised, Escalations: list}); got != test.raised {
				t.Errorf("human_escalation_raised\n%s\nwant\n%s", got, test.raised)
			}
		})
	}
}

func TestBlockedWithoutHuman(t *testing.T) {
	tests := []struct{ name, state, want string }{
		{
			"operator", `{"blocked_on":"timeout:turn","blocked_reason":{"category":"timeout","recovery":{"typed_reason":"timeout","owner":"operator","recovery_action":"a","detail":"d"}}}`,
			`{"category":"timeout","blocked_on":"timeout:turn","typed_reason":"timeout","owner":"operator","recovery_action":"a","detail":"d","human_escalation":null}|`,
		},
		{
			"nobody", `{"blocked_on":"non_progress","blocked_reason":{"category":"non_progress","recovery":{"typed_reason":"non_progress","recovery_action":"a","detail":"d"}}}`,
			`{"category":"non_progress","blocked_on":"non_progress","typed_reason":"non_progress","owner":null,"recovery_action":"a","detail":"d","human_escalation":null}|`,
		},
		{
			"not blocked", `{"blocked_on":null,"blocked_reason":null}`,
			`{"category":null,"blocked_on":null,"typed_reason":null,"owner":null,"recovery_action":null,"detail":null,"human_escalation":null}|category blocked_on typed_reason owner recovery_action detail human_escalation`,
		},
	}
	for _, test := range tests {
		if got := filled(t, test.state, events.Query{Type: events.RunBlocked}); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

func TestEscalationsThatAreOver(t *testing.T) {
	escalated := strings.NewReplacer("human:x", "escalation:operator:x", "hesc_1", "hesc_2").Replace(openLine)
	over := strings.Replace(closeLine, "hesc_1", "hesc_2", 1)
	all := recordsOf(t, openLine, closeLine, escalated, over, `{"kind":"resolved","escalation_id":"hesc_9","resolved_via":"resume"}`)
	human := filled(t, `{"run_id":"r"}`, events.Query{Type: events.HumanEscalationResolved, Escalations: all})
	if want := `{"escalation_id":"hesc_2","type":"needs_decision","service":null,"resolved_via":"operator_unblock"}|`; human != want {
		t.Errorf("human %s, want %s", human, want)
	}
	// The newest one is not always that of an operator.
	later := append(slices.Clone(all[2:4]), all[:2]...)
	operator := filled(t, `{"run_id":"r","escalation":null}`, events.Query{Type: events.EscalationResolved, Escalations: later})
	if want := `{"blocked_on":"escalation:operator:x","resolved_via":"operator_unblock","previous_escalation":null}|previous_escalation`; operator != want {
		t.Errorf("operator %s, want %s", operator, want)
	}
	// While the run is still blocked, an older record says nothing about it.
	still := filled(t, `{"run_id":"r","blocked_on":"escalation:operator:y","escalation":{"reason":"y"}}`,
		events.Query{Type: events.EscalationResolved, Escalations: all})
	if want := `{"blocked_on":"escalation:operator:y","resolved_via":"unknown","previous_escalation":{"reason":"y"}}|resolved_via`; still != want {
		t.Errorf("still blocked %s, want %s", still, want)
	}
	none := filled(t, `{"run_id":"other"}`, events.Query{Type: events.HumanEscalationResolved, Escalations: all})
	if want := `{"escalation_id":null,"type":null,"service":null,"resolved_via":"unknown"}|escalation_id type service resolved_via`; none != want {
		t.Errorf("other run %s, want %s", none, want)
	}
}

// A run that goes on can still have an open record; the newest one counts.
func TestRaisedWhileTheRunGoesOn(t *testing.T) {
	second := strings.ReplaceAll(openLine, "hesc_1", "hesc_2")
	got := filled(t, `{"run_id":"r","blocked_on":null}`, events.Query{Type: events.HumanEscalationRaised, Escalations: recordsOf(t, openLine, second)})
	if !strings.HasPrefix(got, `{"escalation_id":"hesc_2",`) {
		t.Error(got)
	}
}

func TestHowARunCompleted(t *testing.T) {
	const done = `"created_at":"2026-01-01T00:00:00.000Z","completed_at":"2026-01-02T00:00:00.000Z","last_completed_turn_id":"turn_a","phase":"qa"`
	policy := func(at string) []*ecmajson.Value {
		return recordsOf(t, `{"type":"approval_policy","gate_type":"phase_transition","action":"auto_approve","timestamp":"2026-01-01T12:00:00.000Z"}`,
			`{"type":"approval_policy","gate_type":"run_completion","action":"auto_approve","timestamp":"`+at+`"}`)
	}
	config := state(t, `{"routing":{"planning":{"exit_gate":"plan"},"qa":{"exit_gate":"ship"}}}`)
	tests := []struct {
		name, state string
		decisions   []*ecmajson.Value
		config      *ecmajson.Value
		want        string
	}{
		{
			"accepted", `{` + done + `}`, nil, config,
			`{"completed_at":"2026-01-02T00:00:00.000Z","completed_via":"accept_turn","requested_by_turn":"turn_a"}|`,
		},
		{
			"by policy", `{` + done + `}`, policy("2026-01-02T00:00:00.000Z"), config,
			`{"completed_at":"2026-01-02T00:00:00.000Z","completed_via":"accept_turn_direct","requested_by_turn":"turn_a"}|`,
		},
		{
			"policy of an earlier run", `{` + done + `}`, policy("2025-12-31T00:00:00.000Z"), config,
			`{"completed_at":"2026-01-02T00:00:00.000Z","completed_via":"accept_turn","requested_by_turn":"turn_a"}|`,
		},
		{
			"approved", `{"pending_run_completion":null,` + done + `}`, nil, config,
			`{"completed_at":"2026-01-02T00:00:00.000Z","completed_via":"approve_run_completion","gate":"ship","requested_by_turn":"turn_a"}|`,
		},
		{
			"reconciled", `{"pending_run_completion":null,` + done + `}`, policy("2026-01-01T13:00:00.000Z"), config,
			`{"completed_at":"2026-01-02T00:00:00.000Z","completed_via":"approval_policy_reconciled_before_dispatch","gate":"ship","requested_by_turn":"turn_a"}|`,
		},
		{
			"gate not known", `{"pending_run_completion":null,` + done + `}`, nil, nil,
			`{"completed_at":"2026-01-02T00:00:00.000Z","completed_via":"approve_run_completion","gate":null,"requested_by_turn":"turn_a"}|gate`,
		},
		{
			"still waiting", `{"pending_run_completion":{"gate":"g","requested_by_turn":"turn_b"},"last_completed_turn_id":"turn_a"}`, nil, config,
			`{"completed_at":null,"completed_via":null,"gate":"g","requested_by_turn":"turn_b"}|completed_at completed_via`,
		},
		{
			"still active", `{"last_completed_turn_id":"turn_a","status":"active"}`, nil, config,
			`{"completed_at":null,"completed_via":null,"requested_by_turn":null}|completed_at completed_via requested_by_turn`,
		},
	}
	for _, test := range tests {
		got := filled(t, test.state, events.Query{Type: events.RunCompleted, Decisions: test.decisions, Config: test.config})
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

func TestApprovalReminder(t *testing.T) {
	const transition = `"pending_phase_transition":{"from":"a","to":"b","gate":"g","requested_at":"2026-01-01T00:00:00.000Z"}`
	const completion = `"pending_run_completion":{"gate":"h","requested_at":"2026-01-01T00:00:00.500Z"}`
	config := state(t, `{"notifications":{"approval_sla":{"reminder_after_seconds":[300,"x",3600,7200]}}}`)
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name, state, now string
		config           *ecmajson.Value
		want             string
	}{
		{
			"first", `{` + transition + `}`, "2026-01-01T00:05:00Z", config,
			`{"approval_type":"pending_phase_transition","requested_at":"2026-01-01T00:00:00.000Z","elapsed_seconds":300,"threshold_seconds":300,"reminder_index":1,"total_thresholds":3,"from_phase":"a","to_phase":"b","gate":"g"}|`,
		},
		{
			"second", `{"pending_phase_transition":null,` + completion + `}`, "2026-01-01T01:00:01Z", config,
			`{"approval_type":"pending_run_completion","requested_at":"2026-01-01T00:00:00.500Z","elapsed_seconds":3600,"threshold_seconds":3600,"reminder_index":2,"total_thresholds":3,"gate":"h"}|`,
		},
		{
			"both", `{` + completion + `,` + transition + `}`, "2026-01-03T00:00:00Z", config,
			`{"approval_type":"pending_phase_transition","requested_at":"2026-01-01T00:00:00.000Z","elapsed_seconds":172800,"threshold_seconds":7200,"reminder_index":3,"total_thresholds":3,"from_phase":"a","to_phase":"b","gate":"g"}|`,
		},
		{
			"early", `{` + completion + `}`, "2026-01-01T00:00:00Z", config,
			`{"approval_type":"pending_run_completion","requested_at":"2026-01-01T00:00:00.500Z","elapsed_seconds":-1,"threshold_seconds":null,"reminder_index":null,"total_thresholds":3,"gate":"h"}|threshold_seconds reminder_index`,
		},
		{
			"not configured", `{` + completion + `}`, "2026-01-01T00:01:00Z", nil,
			`{"approval_type":"pending_run_completion","requested_at":"2026-01-01T00:00:00.500Z","elapsed_seconds":59,"threshold_seconds":null,"reminder_index":null,"total_thresholds":0,"gate":"h"}|threshold_seconds reminder_index`,
		},
		{
			"no time", `{"pending_phase_transition":{"from":"a","to":"b","gate":"g"}}`, "2026-01-01T00:00:00Z", config,
			`{"approval_type":"pending_phase_transition","requested_at":null,"elapsed_seconds":null,"threshold_seconds":null,"reminder_index":null,"total_thresholds":3,"from_phase":"a","to_phase":"b","gate":"g"}|requested_at elapsed_seconds threshold_seconds reminder_index`,
		},
		{
			"nothing waits", `{}`, "2026-01-01T00:00:00Z", config,
			`{"approval_type":null,"requested_at":null,"elapsed_seconds":null,"threshold_seconds":null,"reminder_index":null,"total_thresholds":3}|approval_type requested_at elapsed_seconds threshold_seconds reminder_index`,
		},
	}
	for _, test := range tests {
		got := filled(t, test.state, events.Query{Type: events.ApprovalSLAReminder, Now: at(test.now), Config: test.config})
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

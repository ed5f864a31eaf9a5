package render

import (
	"cmp"
	"strings"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// Sample returns an event of a type as a real one might be, always the same:
// what templates are tried with. It is what docs/events.md shows. A name that
// is no event gives the zero Event.
func Sample(t events.Type) events.Event { return sample(t, "") }

// sample is the sample of an agent, or of a role; "" is that of [Sample].
func sample(t events.Type, agent string) events.Event {
	in := events.Input{
		Type:    t,
		Now:     time.Date(2026, time.April, 4, 10, 0, 0, 123_000_000, time.UTC),
		Entropy: strings.NewReader("0123456789"),
	}
	switch t.Family() {
	case events.Agent:
		in.Agent = sampleRun(t, agent)
	case events.Governed:
		const root = "/srv/demo/billing-worker"
		in.Project = events.Project{ID: "billing-worker", Name: "billing-worker", Root: root}
		in.Facts = sampleFacts(t, agent)
	}
	e, _, err := events.Mint(in)
	if err != nil {
		return events.Event{} // The name is no event.
	}
	return e
}

func sampleRun(t events.Type, agent string) *events.AgentRun {
	run := &events.AgentRun{
		Name: cmp.Or(agent, "report-agent"), ExecutionID: "11111111-2222-3333-4444-555555555555",
		Message: "Summarise Q1", DurationMS: 1234,
	}
	switch t {
	case events.OnComplete:
		run.Output = ecmajson.NewString("All good")
	case events.OnError:
		run.Error = "connection reset by peer"
	case events.OnTimeout:
		run.Error, run.DurationMS = "timed out after 60 s", 60_000
	}
	return run
}

func sampleFacts(t events.Type, role string) events.Facts {
	payload, err := ecmajson.Parse([]byte(samplePayload(t)), ecmajson.Options{})
	if err != nil {
		payload = nil // The payloads below are JSON; see the test.
	}
	facts := events.Facts{
		Run:     events.Run{ID: "run_46b4485adac9d14a", Status: sampleStatus(t), Phase: "planning"},
		Payload: payload,
	}
	if t != events.ApprovalSLAReminder {
		first := int64(1)
		facts.Turn = &events.Turn{ID: "turn_85aa11df33294725", Role: cmp.Or(role, "pm"), Attempt: &first, Sequence: &first}
	}
	return facts
}

// sampleStatus is the status of a run after an event.
func sampleStatus(t events.Type) string {
	switch t {
	case events.RunBlocked, events.OperatorEscalationRaised, events.HumanEscalationRaised:
		return "blocked"
	case events.PhaseTransitionPending, events.RunCompletionPending, events.ApprovalSLAReminder:
		return "paused"
	case events.RunCompleted:
		return "completed"
	}
	return "active"
}

// samplePayload is the example of docs/events.md.
func samplePayload(t events.Type) string {
	switch t {
	case events.RunBlocked:
		return `{"category":"gate_action_failed","blocked_on":"gate_action:planning_signoff","typed_reason":"gate_action_failed","owner":"human","recovery_action":"agentxchain approve-transition","detail":"planning_signoff action 1 (publish)","human_escalation":{"escalation_id":"hesc_2594ebe1443bfaab","type":"needs_decision","service":null,"action":"Review the blocker, make the required decision, and confirm the run can continue.","resolution_command":"agentxchain unblock hesc_2594ebe1443bfaab"}}`
	case events.OperatorEscalationRaised:
		return `{"source":"operator","blocked_on":"escalation:operator:which-cdn","reason":"Which CDN?","detail":"Choose a CDN contract","recovery_action":"Resolve the escalation, then run agentxchain step --resume"}`
	case events.EscalationResolved:
		return `{"blocked_on":"escalation:operator:which-cdn","resolved_via":"resume","previous_escalation":{"source":"operator","raised_by":"human","from_role":null,"from_turn_id":null,"reason":"Which CDN?"}}`
	case events.HumanEscalationRaised:
		return `{"escalation_id":"hesc_5c0c37ab233e90d6","type":"needs_oauth","service":"Slack","action":"Reconnect Slack OAuth and verify the session.","resolution_command":"agentxchain unblock hesc_5c0c37ab233e90d6"}`
	case events.HumanEscalationResolved:
		return `{"escalation_id":"hesc_5c0c37ab233e90d6","type":"needs_oauth","service":"Slack","resolved_via":"operator_unblock"}`
	case events.PhaseTransitionPending:
		return `{"from":"planning","to":"implementation","gate":"planning_signoff","requested_by_turn":"turn_d3465a593a4b7de0"}`
	case events.RunCompletionPending:
		return `{"gate":"qa_ship_verdict","requested_by_turn":"turn_062ed8c947becb1a","requested_at":"2026-11-21T19:26:24.632Z"}`
	case events.RunCompleted:
		return `{"completed_at":"2026-11-21T19:26:27.486Z","completed_via":"approve_run_completion","gate":"qa_ship_verdict","requested_by_turn":"turn_062ed8c947becb1a"}`
	case events.ApprovalSLAReminder:
		return `{"approval_type":"pending_phase_transition","requested_at":"2026-11-21T17:28:12.454Z","elapsed_seconds":7201,"threshold_seconds":300,"reminder_index":1,"total_thresholds":3,"from_phase":"planning","to_phase":"implementation","gate":"planning_signoff"}`
	}
	return ""
}

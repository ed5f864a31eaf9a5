package slack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
)

// documented returns the payload that docs/events.md shows for an event.
func documented(t *testing.T, kind events.Type) string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(fixtures.Root(t), "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "\n### "+string(kind)+"\n")
	_, rest, ok := strings.Cut(rest, "```json\n")
	if !ok {
		t.Fatalf("docs/events.md shows no %s", kind)
	}
	payload, _, _ := strings.Cut(rest, "\n```")
	return payload
}

// What a person reads of each event, besides where it happened.
func TestGovernedMessages(t *testing.T) {
	for kind, want := range map[events.Type][]string{
		"run_blocked": {
			"Run Blocked in Billing Worker: planning_signoff action 1 (publish) | agentxchain approve-transition",
			":no_entry:  Run Blocked", "*Billing Worker* cannot go on by itself. The *human* has to act.",
			"*Blocked on*\n`gate_action:planning_signoff`", "*Category*\n`gate_action_failed`", "*Owner*\nhuman", "*Reported*\n2026-04-04 12:00:00 UTC",
			"*Escalation*\n`hesc_2594ebe1443bfaab`", "*Kind*\n`needs_decision`", "*Why*\n>planning_signoff action 1 (publish)",
			"*What to do*\nReview the blocker, make the required decision, and confirm the run can continue.",
			"*Recovery command*\n`agentxchain approve-transition`", "*Once it is done*\n`agentxchain unblock hesc_2594ebe1443bfaab`",
		},
		"operator_escalation_raised": {
			"Operator Escalation in Billing Worker: Which CDN? Choose a CDN contract | agentxchain step --resume",
			":rotating_light:  Operator Escalation", "An operator stopped *Billing Worker*.",
			"*Blocked on*\n`escalation:operator:which-cdn`", "*Source*\noperator", "*Reported*\n2026-04-04 12:00:00 UTC",
			"*Why*\n>Which CDN?\n>Choose a CDN contract", "*What to do*\nResolve the escalation, then run agentxchain step --resume",
			"*Recovery command*\n`agentxchain step --resume`",
		},
		"escalation_resolved": {
			"Escalation Resolved in Billing Worker: Which CDN?", ":white_check_mark:  Escalation Resolved",
			"The escalation that stopped *Billing Worker* is over, and the run goes on.",
			"*Was blocked on*\n`escalation:operator:which-cdn`", "*Resolved via*\n`resume`", "*Why*\n>Which CDN?",
		},
		"human_escalation_raised": {
			"Human Escalation Raised in Billing Worker: Reconnect Slack OAuth and verify the session. | agentxchain unblock hesc_5c0c37ab233e90d6",
			":rotating_light:  Human Escalation Raised", "*Billing Worker* waits for a person.", "*Reported*\n2026-04-04 12:00:00 UTC",
			"*Escalation*\n`hesc_5c0c37ab233e90d6`", "*Kind*\n`needs_oauth`", "*Service*\nSlack",
			"*What to do*\nReconnect Slack OAuth and verify the session.", "*Recovery command*\n`agentxchain unblock hesc_5c0c37ab233e90d6`",
		},
		"human_escalation_resolved": {
			"Human Escalation Resolved in Billing Worker", ":white_check_mark:  Human Escalation Resolved",
			"What *Billing Worker* asked of a person is done.", "*Escalation*\n`hesc_5c0c37ab233e90d6`", "*Kind*\n`needs_oauth`", "*Service*\nSlack",
			"*Resolved via*\n`operator_unblock`",
		},
		"phase_transition_pending": {
			"Approval Pending: Phase Transition in Billing Worker: planning → implementation | agentxchain approve-transition",
			":hourglass_flowing_sand:  Approval Pending: Phase Transition", "*Billing Worker* waits for approval to go on to the next phase.",
			"*Transition*\n`planning` → `implementation`", "*Gate*\n`planning_signoff`", "*Requested by*\n`turn_d3465a593a4b7de0`",
			"*Reported*\n2026-04-04 12:00:00 UTC", "*Approve with*\n`agentxchain approve-transition`",
		},
		"run_completion_pending": {
			"Approval Pending: Run Completion in Billing Worker | agentxchain approve-completion",
			":hourglass_flowing_sand:  Approval Pending: Run Completion", "*Billing Worker* waits for approval to complete.",
			"*Gate*\n`qa_ship_verdict`", "*Requested by*\n`turn_062ed8c947becb1a`", "*Since*\n2026-11-21 19:26:24 UTC",
			"*Approve with*\n`agentxchain approve-completion`",
		},
		"run_completed": {
			"Run Completed in Billing Worker", ":white_check_mark:  Run Completed", "*Billing Worker* is complete.",
			"*Completed at*\n2026-11-21 19:26:27 UTC", "*Completed via*\n`approve_run_completion`", "*Gate*\n`qa_ship_verdict`",
			"*Requested by*\n`turn_062ed8c947becb1a`",
		},
		"approval_sla_reminder": {
			"Approval Overdue in Billing Worker: waiting for 2 h | agentxchain approve-transition", ":alarm_clock:  Approval Overdue",
			"*Billing Worker* has been waiting for approval for *2 h*.", "*Transition*\n`planning` → `implementation`", "*Gate*\n`planning_signoff`",
			"*Since*\n2026-11-21 17:28:12 UTC", "*Threshold*\n5 min", "*Reminder*\n1 of 3", "*Approve with*\n`agentxchain approve-transition`",
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			want := append(want,
				"*Project*\n`billing-worker`", "*Run*\n`run_46b4485adac9d14a`", "*Phase*\n`planning`", "*Role*\n`pm`",
				"*Turn*\n`turn_85aa11df33294725` (attempt 2)", "*Folder*\n`/srv/demo/billing-worker`",
				"agentxchain | notif_01KNBYYSBV60RK4CSM6MV3EE1S | 2026-04-04 12:00:00 UTC")
			e := governed(kind, parse(t, documented(t, kind)))
			accepted(t, e, Post{Channel: "#a"})
			s := read(t, Body(e, Post{Channel: "#a"}))
			if got := append([]string{s.Text}, texts(s.Blocks)...); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// Every envelope that the Node CLI was seen to send becomes a message.
func TestRecordedEnvelopes(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures.Path(t, "agentxchain/envelopes"), "*"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := raw
		if _, after, ok := strings.Cut(string(raw), "\r\n\r\n"); ok {
			body = []byte(after)
		}
		env, err := events.Parse(body)
		if err != nil {
			continue // not an envelope alone
		}
		ran++
		e := event(env)
		e.Body = body
		accepted(t, e, Post{Channel: "#a"})
		if s := string(Body(e, Post{Channel: "#a"})); env.Run.ID != "" && !strings.Contains(s, env.Run.ID) {
			t.Errorf("%s: the run is missing in %s", filepath.Base(file), s)
		}
	}
	fixtures.Ran(t, "slack-recorded-envelopes", ran)
}

// With nothing known but the event, there is still a message.
func TestGovernedWithoutDetails(t *testing.T) {
	for _, kind := range events.Types(events.Governed) {
		env := events.Envelope{ID: "notif_1", Type: kind, EmittedAt: noon()}
		accepted(t, event(env), Post{Channel: "#a"})
		broken := event(env)
		broken.Body = json.RawMessage("{}")
		accepted(t, broken, Post{Channel: "#a"})
		if a, b := Text(event(env)), Text(broken); !strings.Contains(a, " in Unknown") || !strings.Contains(b, " in unknown project") {
			t.Errorf("%q, %q", a, b)
		}
	}
}

// A time that the event does not have is not made up.
func TestSince(t *testing.T) {
	for _, kind := range []events.Type{events.PhaseTransitionPending, events.RunCompletionPending, events.RunBlocked} {
		for payload, want := range map[string]string{
			`{"requested_at":"2026-04-04T09:30:00.5Z"}`: "*Since*\n2026-04-04 09:30:00 UTC",
			`{"requested_at":null}`:                     "*Reported*\n2026-04-04 12:00:00 UTC",
			`{}`:                                        "*Reported*\n2026-04-04 12:00:00 UTC",
		} {
			s := read(t, Body(governed(kind, parse(t, payload)), Post{Channel: "#a"}))
			if !slices.Contains(texts(s.Blocks), want) {
				t.Errorf("%s of %s: %q", kind, payload, texts(s.Blocks))
			}
		}
	}
}

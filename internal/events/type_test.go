package events_test

import (
	"errors"
	"strings"
	"testing"

	"agentxchain/internal/events"
)

func TestParseType(t *testing.T) {
	spellings := map[string]events.Type{
		"on_complete": events.OnComplete, "execution.completed": events.OnComplete,
		"on_error": events.OnError, "execution.failed": events.OnError,
		"on_timeout": events.OnTimeout, "execution.timeout": events.OnTimeout,
	}
	for _, typ := range events.Types(events.Governed) {
		spellings[string(typ)] = typ
		if typ.Family() != events.Governed || typ.ExecutionName() != "" {
			t.Errorf("%s: family %q, execution name %q", typ, typ.Family(), typ.ExecutionName())
		}
	}
	if len(spellings) != 9+6 {
		t.Fatalf("%d spellings", len(spellings))
	}
	for name, want := range spellings {
		if got, err := events.ParseType(name); err != nil || got != want {
			t.Errorf("ParseType(%q) = %q, %v", name, got, err)
		}
	}
	for _, typ := range events.Types(events.Agent) {
		if typ.Family() != events.Agent {
			t.Errorf("%s: family %q", typ, typ.Family())
		}
	}
}

func TestParseTypeNamesTheNearest(t *testing.T) {
	tests := []struct{ name, nearest string }{
		{"run_bloked", "run_blocked"},
		{"RUN_BLOCKED", "run_blocked"},
		{" run_blocked", "run_blocked"},
		{"run-completed", "run_completed"},
		{"run_complete", "run_completed"},
		{"on_completed", "on_complete"},
		{"onError", "on_error"},
		{"execution.complete", "execution.completed"},
		{"execution_timeout", "execution.timeout"},
		{"phase_transition", "phase_transition_pending"},
		{"sla_reminder", "approval_sla_reminder"},
		{"human_escalation_raise", "human_escalation_raised"},
	}
	for _, test := range tests {
		_, err := events.ParseType(test.name)
		var unknown *events.UnknownTypeError
		if !errors.As(err, &unknown) || unknown.Nearest != test.nearest || unknown.Name != test.name {
			t.Errorf("ParseType(%q): %v", test.name, err)
		}
	}
	_, err := events.ParseType("run_bloked")
	want := `unknown event "run_bloked"; did you mean "run_blocked"? events are run_blocked, operator_escalation_raised, ` +
		`escalation_resolved, human_escalation_raised, human_escalation_resolved, phase_transition_pending, ` +
		`run_completion_pending, run_completed, approval_sla_reminder, on_complete, on_error, on_timeout`
	if err.Error() != want {
		t.Errorf("message %q", err)
	}
	if _, err := events.ParseType(""); err == nil {
		t.Error("the empty name is an event")
	}
}

func TestRunFailedHasItsOwnMessage(t *testing.T) {
	_, err := events.ParseType("run_failed")
	if err == nil || !strings.HasPrefix(err.Error(), `there is no governed event "run_failed"`) || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("message %v", err)
	}
}

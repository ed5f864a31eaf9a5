package events

import (
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/suggest"
)

// Type is the name of an event, as people, logs and evidence spell it.
type Type string

// The nine governed events (contract/agentxchain.md, section 3).
const (
	RunBlocked               Type = "run_blocked"
	OperatorEscalationRaised Type = "operator_escalation_raised"
	EscalationResolved       Type = "escalation_resolved"
	HumanEscalationRaised    Type = "human_escalation_raised"
	HumanEscalationResolved  Type = "human_escalation_resolved"
	PhaseTransitionPending   Type = "phase_transition_pending"
	RunCompletionPending     Type = "run_completion_pending"
	RunCompleted             Type = "run_completed"
	ApprovalSLAReminder      Type = "approval_sla_reminder"
)

// The three agent-run events, in the spelling of Agent Gateway's guide.
const (
	OnComplete Type = "on_complete"
	OnError    Type = "on_error"
	OnTimeout  Type = "on_timeout"
)

// runFailed is a name that people expect and that the contract refuses.
const runFailed = "run_failed"

// Family tells the two kinds of events apart.
type Family string

// The families of events.
const (
	// Governed events travel as envelopes.
	Governed Family = "governed"
	// Agent events tell how an agent run ended.
	Agent Family = "agent"
)

// Types returns the events of a family in the order in which messages list them.
func Types(f Family) []Type {
	if f == Agent {
		return []Type{OnComplete, OnError, OnTimeout}
	}
	return []Type{
		RunBlocked, OperatorEscalationRaised, EscalationResolved,
		HumanEscalationRaised, HumanEscalationResolved,
		PhaseTransitionPending, RunCompletionPending, RunCompleted,
		ApprovalSLAReminder,
	}
}

// Family returns the family of a type; for a name that is no event, the empty Family.
func (t Type) Family() Family {
	switch t {
	case OnComplete, OnError, OnTimeout:
		return Agent
	case RunBlocked, OperatorEscalationRaised, EscalationResolved,
		HumanEscalationRaised, HumanEscalationResolved,
		PhaseTransitionPending, RunCompletionPending, RunCompleted,
		ApprovalSLAReminder:
		return Governed
	}
	return ""
}

// ExecutionName returns the spelling of Agent Gateway's code, such as
// "execution.completed", which its default webhook body carries; "" for
// governed events, which have one spelling.
func (t Type) ExecutionName() string {
	switch t {
	case OnComplete:
		return "execution.completed"
	case OnError:
		return "execution.failed"
	case OnTimeout:
		return "execution.timeout"
	}
	return ""
}

// ParseType reads the name of an event, an agent-run event in either of its
// spellings. Names are case-sensitive. The error is an [*UnknownTypeError].
func ParseType(name string) (Type, error) {
	if t := Type(name); t.Family() != "" {
		return t, nil
	}
	for _, t := range Types(Agent) {
		if name == t.ExecutionName() {
			return t, nil
		}
	}
	return "", &UnknownTypeError{Name: name, Nearest: nearest(name)}
}

// UnknownTypeError says that a name is no event.
type UnknownTypeError struct {
	// Name is what was given.
	Name string
	// Nearest is the event, in the closest of its spellings, that was probably meant.
	Nearest string
}

// Error names the nearest event and lists all of them.
func (e *UnknownTypeError) Error() string {
	if e.Name == runFailed {
		return fmt.Sprintf("there is no governed event %q, because the governed runner keeps no failed state to announce; "+
			"a run that cannot go on is %q, a failed agent run is %q; events are %s",
			runFailed, RunBlocked, OnError, list())
	}
	return fmt.Sprintf("unknown event %q; did you mean %q? events are %s", e.Name, e.Nearest, list())
}

// list names every event once.
func list() string {
	var b strings.Builder
	for i, t := range append(Types(Governed), Types(Agent)...) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(t))
	}
	return b.String()
}

// nearest returns the spelling of an event that is closest to name, and always
// one: the list of events is short enough for a guess to be of use.
func nearest(name string) string {
	if name == runFailed {
		return string(RunBlocked)
	}
	var spellings []string
	for _, t := range Types(Governed) {
		spellings = append(spellings, string(t))
	}
	for _, t := range Types(Agent) {
		spellings = append(spellings, string(t), t.ExecutionName())
	}
	if near := suggest.Nearest(name, spellings); near != "" {
		return near
	}
	return slices.MinFunc(spellings, func(a, b string) int { return suggest.Distance(name, a) - suggest.Distance(name, b) })
}

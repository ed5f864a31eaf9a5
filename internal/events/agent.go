package events

import (
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"
)

// AgentRun is how a run of Agent Gateway ended. Its channels make their bodies
// from these fields; the event's own Body is a record of them, one compact
// JSON object with the keys
//
//	event_id event_type emitted_at agent_name execution_id session_id
//	status message output error duration_ms
//
// in which empty fields are null.
type AgentRun struct {
	// Name is the agent's directory name.
	Name string
	// ExecutionID and SessionID identify the execution and the conversation it
	// belongs to; the latter may be empty.
	ExecutionID, SessionID string
	// Status is how the run ended in the runner's own word, such as
	// "cancelled"; empty means the usual word for the event, see [RunStatus].
	Status string
	// Message is what the user asked for.
	Message string
	// Output is what the agent answered, any JSON value; nil when there is none.
	Output *ecmajson.Value
	// Error is what went wrong; empty when nothing did.
	Error string
	// DurationMS is how long the run took, in milliseconds; 0 when not known.
	DurationMS int64
}

// append writes the record of the run.
func (a *AgentRun) append(dst []byte, e Event) []byte {
	dst = ecmajson.AppendString(append(dst, `{"event_id":`...), e.ID)
	dst = ecmajson.AppendString(append(dst, `,"event_type":`...), e.Type)
	dst = e.EmittedAt.AppendFormat(append(dst, `,"emitted_at":"`...), timeLayout)
	dst = appendText(append(dst, `","agent_name":`...), a.Name)
	dst = appendText(append(dst, `,"execution_id":`...), a.ExecutionID)
	dst = appendText(append(dst, `,"session_id":`...), a.SessionID)
	dst = appendText(append(dst, `,"status":`...), a.EndStatus(Type(e.Type)))
	dst = appendText(append(dst, `,"message":`...), a.Message)
	dst = ecmajson.Append(append(dst, `,"output":`...), a.Output)
	dst = appendText(append(dst, `,"error":`...), a.Error)
	dst = strconv.AppendInt(append(dst, `,"duration_ms":`...), a.DurationMS, 10)
	return append(dst, '}')
}

// check warns about what every channel shows and is missing.
func (a *AgentRun) check() []Warning {
	var warnings []Warning
	if a.Name == "" {
		warnings = append(warnings, Warning{Field: "agent_name", Message: "is missing, so no rules of an agent apply"})
	}
	if a.ExecutionID == "" {
		warnings = append(warnings, Warning{Field: "execution_id", Message: "is missing"})
	}
	if a.DurationMS < 0 {
		warnings = append(warnings, Warning{Field: "duration_ms", Message: "is negative"})
	}
	return warnings
}

// EndStatus returns Status or, where it is empty, the usual one for an event of type t.
func (a *AgentRun) EndStatus(t Type) string {
	if a.Status != "" {
		return a.Status
	}
	return RunStatus(t)
}

// RunStatus returns the word with which Agent Gateway says how a run of this
// event ended: "completed", "failed" or "timeout"; "" for governed events.
func RunStatus(t Type) string { return strings.TrimPrefix(t.ExecutionName(), "execution.") }

// Restore returns an event that was kept with the fields of its agent run,
// which it reads back from Body; a governed event is returned as it is.
func Restore(e Event) (Event, error) {
	if Type(e.Type).Family() != Agent || e.Agent != nil {
		return e, nil
	}
	v, err := parseStrict("agent run", e.Body, MaxDepth+1)
	if err != nil {
		return e, err
	}
	a := &AgentRun{
		Name: v.Get("agent_name").Str(), ExecutionID: v.Get("execution_id").Str(), SessionID: v.Get("session_id").Str(),
		Status: v.Get("status").Str(), Message: v.Get("message").Str(), Error: v.Get("error").Str(),
		DurationMS: int64(v.Get("duration_ms").Num()),
	}
	if output := v.Get("output"); !output.Is(ecmajson.Null) {
		a.Output = output
	}
	e.Agent = a
	return e, nil
}

package events

import (
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
)

// The records of human-escalations.jsonl are lines that raise an escalation
// and lines that resolve one; an escalation is open until a later line
// resolves it (contract/agentxchain.md, section 3.4).

// blockingRecord returns the open escalation of the block that the state is in.
func (f *filler) blockingRecord() *ecmajson.Value {
	blockedOn := f.state.Get("blocked_on")
	if !blockedOn.Is(ecmajson.String) {
		return nil
	}
	turn := f.state.Get("blocked_reason").Get("turn_id").Str()
	return f.openRecord(func(record *ecmajson.Value) bool {
		return record.Get("blocked_on").Str() == blockedOn.Str() && record.Get("turn_id").Str() == turn
	})
}

// raisedRecord returns the escalation that human_escalation_raised is about:
// that of the block, or the run's newest open one when the run goes on.
func (f *filler) raisedRecord() *ecmajson.Value {
	if f.state.Get("blocked_on").Is(ecmajson.String) {
		return f.blockingRecord()
	}
	return f.openRecord(func(*ecmajson.Value) bool { return true })
}

// openRecord returns the newest open escalation of the run that matches.
func (f *filler) openRecord(match func(*ecmajson.Value) bool) *ecmajson.Value {
	closed := make(map[string]bool)
	for _, record := range slices.Backward(f.query.Escalations) {
		id := record.Get("escalation_id").Str()
		switch record.Get("kind").Str() {
		case "resolved":
			closed[id] = true
		case "raised":
			if !closed[id] && f.ofRun(record) && match(record) {
				return record
			}
		}
	}
	return nil
}

// resolvedRecord returns the two lines of the run's escalation that was
// resolved last and whose block began with prefix; nil when there is none.
func (f *filler) resolvedRecord(prefix string) (raised, resolved *ecmajson.Value) {
	byID := make(map[string]*ecmajson.Value)
	for _, record := range f.query.Escalations {
		id := record.Get("escalation_id").Str()
		switch record.Get("kind").Str() {
		case "raised":
			byID[id] = record
		case "resolved":
			if r := byID[id]; r != nil && f.ofRun(r) && strings.HasPrefix(r.Get("blocked_on").Str(), prefix) {
				raised, resolved = r, record
			}
		}
	}
	return raised, resolved
}

func (f *filler) ofRun(record *ecmajson.Value) bool {
	return record.Get("run_id").Str() == f.run.ID
}

package events

// NeedsRecords reports whether [FromState] looks at [Query.Escalations] or
// [Query.Decisions] for an event of this type, so that a caller reads the
// files only then.
func NeedsRecords(t Type) bool {
	switch t {
	case RunBlocked, HumanEscalationRaised, HumanEscalationResolved, EscalationResolved, RunCompleted:
		return true
	}
	return false
}

package delivery

// AttemptKey names one attempt in the evidence. No two attempts share it, so
// the evidence can be asked whether it already knows how an attempt ended.
type AttemptKey struct {
	// EventID is the event's id.
	EventID string
	// TargetID is the target's [Target.ID].
	TargetID string
	// Attempt is the attempt's number, from 1.
	Attempt int
}

// Key returns the name of a in the evidence.
func (a Attempt) Key() AttemptKey {
	return AttemptKey{EventID: a.Delivery.Event.ID, TargetID: a.Delivery.Target.ID(), Attempt: a.Number}
}

package events

import "time"

// Event is one minted event. Its bytes never change after minting: every
// receiver, every retry and the evidence see the same ones.
type Event struct {
	// ID is "notif_" followed by a ULID; receivers drop duplicates by it.
	ID string
	// Type is the event's name in the contract's spelling, such as "run_blocked".
	Type string
	// EmittedAt is when the event was minted, UTC, whole milliseconds.
	EmittedAt time.Time
	// RunID is the governed run, or empty when there is none.
	RunID string
	// Body is one compact JSON object: the exact envelope of a governed event,
	// or the record of an agent run (see [AgentRun]).
	Body []byte
	// Agent holds the fields of an agent-run event, from which its channels
	// make their own bodies; nil for governed events.
	Agent *AgentRun
}

package delivery

import "time"

// Try is one attempt without its delivery, as a store keeps it beside the
// delivery's row.
type Try struct {
	// Number counts from 1 over the whole life of the delivery.
	Number int
	// At is when the attempt began, UTC.
	At time.Time
	// Result is how it ended.
	Result Result
}

// Record is one delivery as the delivery log shows it.
type Record struct {
	Delivery
	// CreatedAt is when the delivery was accepted, UTC, whole milliseconds.
	// For one imported from the evidence of another program it is the time of
	// the event.
	CreatedAt time.Time
	// DeliveredAt is when the receiver took it; zero while it has not.
	DeliveredAt time.Time
	// StatusCode is the HTTP status of the most recent answer, 0 when there
	// was none.
	StatusCode int
	// Imported says that the row was made from lines of the evidence: what was
	// sent is not known, so that it can't be sent again.
	Imported bool
}

// Filter chooses records. The zero value of a field chooses all.
type Filter struct {
	// Statuses are the states wanted; a record has one of them.
	Statuses []Status
	// Agent, ExecutionID, RunID, EventID and Target are exact; Target is
	// compared with Label.
	Agent, ExecutionID, RunID, EventID, Target string
	// Channel is exact.
	Channel Channel
	// EventType is exact, in the spelling of [events.Type].
	EventType string
	// Since is the least CreatedAt.
	Since time.Time
}

// Page is a part of the log, the newest record first; records of one moment
// are ordered by id, the greatest first, so that pages neither overlap nor skip.
type Page struct {
	// Limit is how many records at most, Offset how many are passed over.
	Limit, Offset int
}

// Health compares what was accepted with what was attempted.
type Health struct {
	// Accepted counts all records, Attempted those with at least one attempt.
	Accepted, Attempted int64
	// ByStatus counts the records of each state; a state without any may lack.
	ByStatus map[Status]int64
	// OldestPending is when the oldest record that waits or is being sent was
	// accepted; zero when there is none.
	OldestPending time.Time
	// Overdue counts the records whose next attempt should have begun more
	// than a minute ago.
	Overdue int64
}

// Bucket counts what became of deliveries to one target in one span of time.
type Bucket struct {
	// Target is the record's Label, Channel its channel.
	Target  string
	Channel Channel
	// Start is the beginning of the span, UTC.
	Start time.Time
	// Delivered, Failed (discarded ones included) and Waiting count records by
	// the span in which they were created.
	Delivered, Failed, Waiting int64
}

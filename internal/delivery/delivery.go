// Package delivery holds the nouns of sending and the rule for trying again.
// It does no I/O: senders produce a [Result], stores keep a [Delivery], the
// audit writes an [Attempt], and all of them mean the same by it.
package delivery

import (
	"time"

	"agentxchain/internal/events"
)

// Channel is a way out.
type Channel string

// The channels, in the spelling of the audit line's "transport".
const (
	Webhook Channel = "webhook"
	Slack   Channel = "slack"
)

// Target is a reference to something that can be sent to. It is safe to
// store: URLs, headers and secrets are looked up in the current configuration
// at each attempt.
type Target struct {
	// File is the configuration file that defines the target, such as "agentxchain.json".
	File string
	// Channel says which sender delivers to it.
	Channel Channel
	// Name is unique within File and Channel.
	Name string
}

// ID is the target's stable identity in evidence and stores, for example
// "agentxchain.json#webhook/ops".
func (t Target) ID() string { return t.File + "#" + string(t.Channel) + "/" + t.Name }

// Status is where a delivery stands.
type Status string

// The states of a delivery; Delivered and Discarded are final.
const (
	Pending   Status = "pending"
	Sending   Status = "sending"
	Delivered Status = "delivered"
	Failed    Status = "failed"
	Discarded Status = "discarded"
)

// Final reports whether a delivery in this state is never attempted again by
// itself nor by hand.
func (s Status) Final() bool { return s == Delivered || s == Discarded }

// Delivery is one event on its way to one target.
type Delivery struct {
	// ID identifies the delivery in its store.
	ID string
	// Event is what is delivered.
	Event events.Event
	// Target is where it goes.
	Target Target
	// Agent is whose event it is: an agent's name, the role of a governed
	// event, or empty.
	Agent string
	// ExecutionID is the run of Agent Gateway that ended, or the governed run;
	// empty when there is none.
	ExecutionID string
	// Label is what people know the target by, free of secrets: the name of a
	// webhook, a Slack channel, or the URL of a rule as [StoredTarget] cuts it.
	// Empty means Target.Name.
	Label string
	// ContentType and Body are what is sent, byte for byte, at every attempt.
	ContentType string
	Body        []byte
	// FallbackBody says that Body is the built-in one because the configured
	// template did not give a usable one.
	FallbackBody bool
	// Unmade says that there is no body yet, because the target could not be
	// used when the event came; Body is the event's own then, and is not sent.
	Unmade bool
	// Status is where the delivery stands.
	Status Status
	// Attempts counts the attempts begun, the current one included.
	Attempts int
	// NextAt is when the next automatic attempt is due; zero means none is planned.
	NextAt time.Time
	// ExpiresAt is when automatic attempts end; zero means never.
	ExpiresAt time.Time
	// LastReason and LastMessage describe the most recent attempt; empty before the first.
	LastReason  Reason
	LastMessage string
	// Tries are the attempts made since the delivery was claimed which its
	// store has not been told of yet. A store that keeps attempts writes them
	// in Begin and Finish; none ever gives them back.
	Tries []Try
}

// LabelOrName is what people know the target by.
func (d Delivery) LabelOrName() string {
	if d.Label == "" {
		return d.Target.Name
	}
	return d.Label
}

// Bound reports whether only processes of the project that the delivery came
// from may send it: a governed event never leaves through somebody else's
// configuration (design, "Whose audit file, in a fleet").
func (d Delivery) Bound() bool {
	return events.Type(d.Event.Type).Family() == events.Governed
}

// Result is the outcome of one attempt. Its zero value is a failure. Message
// is already safe to keep: a sender removes secrets before it returns.
type Result struct {
	// Delivered is true only for a final answer of 200 to 299.
	Delivered bool
	// StatusCode is the HTTP status of the answer, or 0 when there was none.
	StatusCode int
	// TimedOut says that the attempt's own time limit ended it.
	TimedOut bool
	// Duration is the time of the request itself, from connect to end of body.
	Duration time.Duration
	// Reason classifies the outcome.
	Reason Reason
	// Phase is how far the attempt came.
	Phase Phase
	// Address is the IP address and port that were dialled, empty when none was.
	Address string
	// Retry says that another attempt could help.
	Retry bool
	// RetryAfter is what the receiver asked for; 0 when it did not ask.
	RetryAfter time.Duration
	// Message is one line for people, free of secrets.
	Message string
}

// Attempt is one try at a delivery, as the evidence keeps it.
type Attempt struct {
	// Delivery is what was tried.
	Delivery Delivery
	// Number counts from 1 over the whole life of the delivery.
	Number int
	// At is when the attempt began, UTC.
	At time.Time
	// Result is how it ended.
	Result Result
}

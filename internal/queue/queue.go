// Package queue takes an event, makes its deliveries durable, attempts them,
// records every attempt and plans the next one. It knows no channel, no store
// and no evidence file: it declares what it needs of them.
//
// # Order
//
// An attempt is on disk as Sending before a byte leaves; it is recorded the
// moment it ends; the evidence is synced; only then the delivery is finished.
// A process that dies in between leaves a delivery that is Sending. Whoever
// finds it asks the evidence: what is recorded there is what happened, and
// what is not is recorded once, as unknown_outcome, and waits for an operator.
//
// # When the disk refuses
//
// If the intent or the evidence can't be written, every target is attempted
// once all the same, because an alert is worth more than its record. The
// report carries the attempts that have no record and an error. The store
// keeps them claimed until it is closed: only a later process, which can't
// know better, records them as unknown_outcome.
//
// A queue waits for the evidence for five seconds in total, not for each
// attempt, until it can be written again.
//
// # Two doors
//
// A command opens a [Queue], which sends what it was given and returns. A
// process that stays opens a [Runner] over a [Ledger], a store that many
// processes share. Both attempt, record and plan by the same code.
package queue

import (
	"context"
	"math/rand/v2"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// Sender makes one attempt on one channel.
type Sender interface {
	// Send attempts d. It returns within its own time limit, and soon after
	// ctx is done with the reason interrupted. It is safe for concurrent use.
	Send(ctx context.Context, d delivery.Delivery) delivery.Result
}

// Recorder writes evidence.
type Recorder interface {
	// Record appends one line per attempt. After an error none of them counts
	// as recorded, unless Recorded knows it. The end of ctx ends the wait for
	// other writers, nothing else. It is safe for concurrent use.
	Record(ctx context.Context, attempts ...delivery.Attempt) error
	// Sync makes what was recorded survive a loss of power.
	Sync() error
}

// Evidence reads what was recorded, by this and other processes.
type Evidence interface {
	// Size returns how many bytes of evidence there are; 0 before the first.
	Size() (int64, error)
	// Recorded returns how the given attempts ended, as far as the evidence
	// from the offset on, in bytes, knows them.
	Recorded(from int64, keys []delivery.AttemptKey) (map[delivery.AttemptKey]delivery.Reason, error)
}

// Audit is the evidence of one project.
type Audit interface {
	Recorder
	Evidence
}

// Keeper keeps the deliveries that this process is working on.
type Keeper interface {
	// Add stores an event. Deliveries that are Sending are claimed by the
	// caller. After an error none is claimed; [delivery.ErrExists] when the
	// store has the event.
	Add(ctx context.Context, in delivery.Intent) error
	// Begin stores that claimed deliveries of one event enter their next
	// attempt: Sending, with its number in Attempts. One that was Unmade and is
	// not any more brings its body; every other keeps the bytes of Add. After an error they stand
	// as before and stay claimed.
	Begin(ctx context.Context, in delivery.Intent) error
	// Finish gives claimed deliveries back as they now stand. Delivered and
	// Discarded ones leave the store, one that is still Sending becomes an
	// orphan. The error is [delivery.ErrLost] for those not claimed. After
	// another error they are orphans.
	Finish(ctx context.Context, ds ...delivery.Delivery) error
}

// Holder knows what is claimed.
type Holder interface {
	// Held reports whether the claim on a delivery certainly still stands. It
	// asks no disk: it is called right before the first byte leaves. A store
	// whose claims end by time says no in good time before the end.
	Held(id string) bool
}

// Backlog gives out what other processes left. Each method claims what it
// returns, for this store alone, and what it returns is good even with an
// error.
type Backlog interface {
	// Claim takes all undelivered deliveries of an event. The error is
	// [delivery.ErrUnknown] or [delivery.ErrBusy].
	Claim(ctx context.Context, eventID string) (delivery.Intent, error)
	// Orphans takes events whose owner died, some at a time.
	Orphans(ctx context.Context) ([]delivery.Intent, error)
	// Stale takes events that the store does not want to keep any longer,
	// some at a time. It is cheap to call often.
	Stale(ctx context.Context) ([]delivery.Intent, error)
}

// Lister shows what is undelivered.
type Lister interface {
	// List returns the deliveries, the oldest event first, without Body and
	// Event.Body. What it returns is good even with an error.
	List(ctx context.Context) ([]delivery.Delivery, error)
}

// Reader tells of deliveries and changes none.
type Reader interface {
	Holder
	Lister
}

// Store is where deliveries live: files or a database. One value is one owner,
// which has what it claimed until that is finished or the store is closed.
// Neither it nor others are given that meanwhile. It is safe for concurrent use.
type Store interface {
	Keeper
	Backlog
	Reader
}

// Options configure a [Queue].
type Options struct {
	// Store keeps the deliveries. Required.
	Store Store
	// Audit is the evidence. Required.
	Audit Audit
	// Sender returns who delivers to a target, nil when the current
	// configuration does not have it: such a delivery fails as target_gone.
	// Required; safe for concurrent use.
	Sender func(delivery.Target) Sender
	// Make makes the body of a delivery that is Unmade, or returns it as it is,
	// whose attempt then fails. It is asked before each attempt of a retry; from
	// then on the bytes stay. nil leaves such deliveries as they are.
	Make func(context.Context, delivery.Delivery) delivery.Delivery
	// Shared says that processes that stay deliver from the store as well: what
	// [Queue.Recover] finds of dead processes is due again instead of failed, as
	// it would be had one of those found it.
	Shared bool
	// Policy is the rule for trying again, [delivery.DefaultPolicy] where
	// nothing is configured. Its NotAfter is replaced by each delivery's
	// ExpiresAt.
	Policy delivery.Policy
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
	// Jitter returns numbers in [0, 1) and is safe for concurrent use; nil
	// means random ones.
	Jitter func() float64
}

// Queue sends deliveries. It is safe for concurrent use and starts nothing by
// itself: every method returns when its work is done.
type Queue struct {
	opts Options
	busy patience
}

// New returns a queue.
func New(o Options) *Queue {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return &Queue{opts: o}
}

// Message is what one target is to receive.
type Message struct {
	// Target is where it goes.
	Target delivery.Target
	// Agent, ExecutionID and Label are those of [delivery.Delivery].
	Agent, ExecutionID, Label string
	// ContentType and Body are sent byte for byte at every attempt. A nil Body
	// means the event's own bytes.
	ContentType string
	Body        []byte
	// FallbackBody says that Body replaces what a template did not give.
	FallbackBody bool
	// Unmade says that the target can't be used now, so that no body could be
	// made; Options.Make is asked again before the next attempt.
	Unmade bool
	// Attempts is how many attempts Drain may make; less than one means one.
	Attempts int
	// ExpiresAt is when automatic attempts end; zero means never.
	ExpiresAt time.Time
}

// State is what became of a target in one command.
type State string

// The states of a target.
const (
	// StateDelivered: the target has the event.
	StateDelivered State = "delivered"
	// StateFailed: the attempts that the command was to make failed.
	StateFailed State = "failed"
	// StateQueued: the attempts so far failed, and the wait for the next would
	// have ended after the deadline. It is left to retry or another process.
	StateQueued State = "queued"
	// StateSkipped: no attempt was begun, because the deadline had passed or
	// the command was interrupted. There is no audit line.
	StateSkipped State = "skipped"
)

// Outcome is what became of one target.
type Outcome struct {
	// Target is where the event was to go.
	Target delivery.Target
	// State is how it stands.
	State State
	// Attempts counts the attempts that this command made.
	Attempts int
	// Last is the last of them; the zero value when there was none.
	Last delivery.Attempt
	// Kept says that the delivery stays in the store, for retry.
	Kept bool
	// NextAt is when the next automatic attempt is due; zero means none is.
	NextAt time.Time
}

// Report is what became of one event.
type Report struct {
	// Event is what was sent.
	Event events.Event
	// Outcomes has one entry per target, in the order of the targets.
	Outcomes []Outcome
	// Unrecorded are the attempts that are not in the evidence for certain.
	// They must be shown whole: nothing else of this process tells of them.
	Unrecorded []delivery.Attempt
	// Err joins what could not be written, to the evidence or the store; nil
	// when everything was.
	Err error
	// Warning joins what is wrong with other events in the store, such as an
	// entry that can't be read. This event does not suffer from it.
	Warning error
}

// Count returns how many targets are in state s.
func (r Report) Count(s State) int {
	n := 0
	for _, o := range r.Outcomes {
		if o.State == s {
			n++
		}
	}
	return n
}

// Recovery is what was found of dead processes.
type Recovery struct {
	// Attempts are those now on record as unknown_outcome.
	Attempts []delivery.Attempt
	// Err joins what could not be written, to the evidence or the store. What
	// it concerns is found again next time.
	Err error
	// Warning joins what could not be read, such as single entries.
	Warning error
}

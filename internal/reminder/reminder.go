// Package reminder says which approvals have waited for too long, and sees to
// it that each is told of once for each waiting time.
//
// # What is remembered, and where
//
// .agentxchain/sla-reminders.json is a JSON array of strings such as
// "pending_run_completion:3600". The Node CLI keeps it too: it adds a key when
// it has sent a reminder and removes those of an approval that is granted
// (contract, section 5). We keep everything in it that is not ours, in order.
//
// .agentxchain/notify/reminders.json is our own book. It has an entry for each
// approval that waits:
//
//	{"version":1,"approvals":[{"approval_type":"pending_phase_transition",
//	 "run_id":"run_1","requested_at":null,"from":"planning","to":"qa",
//	 "gate":"signoff","requested_by_turn":"turn_1",
//	 "first_seen_at":"2026-11-21T17:28:12.454Z","reminded":[3600],"event":null}]}
//
// The keys of the list hold no run, so only the book knows two approvals of
// one kind apart. "reminded" are the waiting times whose keys we put into the
// list; when the approval is gone, they are taken out again unless they can
// be about the next one. "event" is the envelope of a reminder that is not
// known to be stored yet.
//
// # Once
//
// One process at a time looks and writes: it has the lock of
// .agentxchain/notify/reminders.lock. A reminder is minted, put into the book,
// its key into the list, and only then handed over to be stored. A process
// that dies in between leaves the envelope in the book; the next one hands
// over the same bytes, marked [Reminder.Again], so that what was stored or
// sent already is not sent twice.
//
// The Node CLI takes no lock and writes the list after it has sent. The list
// is read right before a reminder is minted. Both programs send when the Node
// CLI evaluates the same approval in the moment between that and the writing
// of the list, or, if we die in that moment, before we look again.
//
// # One message
//
// When several waiting times have passed since the last look, the last of
// them is told of, and the others count as told: an operator wants to know how
// long something waits now.
package reminder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
)

const lockName = "reminders.lock"

// Options say what is looked at.
type Options struct {
	// Root is the governed project. Required.
	Root project.Root
	// Project is written into the envelopes.
	Project events.Project
	// Thresholds are the waiting times after which a reminder is due, whole
	// seconds, ascending. Without any nothing is due.
	Thresholds []time.Duration
	// Now is the clock. Required.
	Now func() time.Time
	// Entropy feeds event ids; nil means the operating system's.
	Entropy io.Reader
}

// Reminder is one that is due.
type Reminder struct {
	// Approval is the state's key of what waits.
	Approval string
	// Event is what is to be sent.
	Event events.Event
	// Again says that a process that died had it too, and may have stored it.
	Again bool
}

// Due returns the reminders that are due, without sending or writing anything.
func Due(o Options) ([]Reminder, error) {
	r, err := look(o)
	if err != nil {
		return nil, err
	}
	return r.due, nil
}

// Send hands over every reminder that is due, one after the other. store makes
// one durable: after nil it is never handed over again, whatever becomes of
// its deliveries; after an error it is, with the same bytes, as long as its
// approval waits. The error joins those of store with what could not be read
// or written; what could not be remembered is not handed over. The end of ctx
// ends the wait for other processes.
func Send(ctx context.Context, o Options, store func(context.Context, Reminder) error) (err error) {
	unlock, err := o.Root.Lock(ctx, lockName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	r, err := look(o)
	if err != nil {
		return err
	}
	if err := r.remember(); err != nil {
		return err
	}
	var errs []error
	for _, due := range r.due {
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		if err := store(ctx, due); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, r.stored(due))
	}
	return errors.Join(errs...)
}

// round is one look at the project.
type round struct {
	opts  Options
	now   time.Time
	state *ecmajson.Value
	run   events.Run
	// before is the book as it was read, after the book as it is to be.
	before, after book
	// list is the list as it was read.
	list *ecmajson.Value
	// add and remove are the keys by which the list is to change.
	add, remove []string
	due         []Reminder
}

// look reads everything and decides. It writes nothing.
func look(o Options) (*round, error) {
	state, err := project.ReadState(o.Root)
	if err != nil {
		return nil, err
	}
	r := &round{opts: o, now: o.Now().UTC().Truncate(time.Millisecond), state: state.Value}
	if r.before, err = readBook(o.Root); err != nil {
		return nil, err
	}
	if r.list, err = readList(o.Root); err != nil {
		return nil, err
	}
	facts, _, err := events.FromState(r.state, events.Query{Type: events.ApprovalSLAReminder, Now: r.now})
	if err != nil {
		return nil, err
	}
	r.run = facts.Run
	for _, approval := range []string{events.PendingPhaseTransition, events.PendingRunCompletion} {
		pending := r.state.Get(approval)
		if !pending.Is(ecmajson.Object) {
			continue
		}
		if err := r.consider(approval, pending); err != nil {
			return nil, err
		}
	}
	r.forget()
	return r, nil
}

// consider decides about one approval that waits.
func (r *round) consider(approval string, pending *ecmajson.Value) error {
	e := r.before.entry(identify(approval, r.run.ID, pending), r.now)
	since, passed := r.passed(e, pending)
	told := func(threshold int64) bool {
		return e.reminded(threshold) || contains(r.list, key(approval, threshold))
	}
	isDue := len(passed) > 0 && !told(passed[len(passed)-1])
	if len(passed) > 0 && !isDue && !e.reminded(passed[len(passed)-1]) {
		e.Event = nil // The Node CLI has told of a later threshold.
	}
	for _, threshold := range passed {
		if !told(threshold) {
			e.Reminded = append(e.Reminded, threshold)
		}
	}
	if isDue {
		event, err := r.mint(e, pending, since, passed)
		if err != nil {
			return err
		}
		e.Event = &event
	}
	if e.Event != nil {
		r.due = append(r.due, Reminder{Approval: approval, Event: *e.Event, Again: !isDue})
	}
	for _, threshold := range e.Reminded {
		r.add = append(r.add, key(approval, threshold))
	}
	r.after = append(r.after, e)
	return nil
}

// passed returns since when an approval waits, and the thresholds, in seconds,
// that have passed since.
func (r *round) passed(e entry, pending *ecmajson.Value) (since time.Time, passed []int64) {
	since, ok := events.RequestedAt(pending)
	if !ok {
		since = e.FirstSeen
	}
	elapsed := events.Elapsed(since, r.now)
	for _, t := range r.opts.Thresholds {
		if seconds := int64(t / time.Second); seconds <= elapsed {
			passed = append(passed, seconds)
		}
	}
	return since, passed
}

// mint makes the event about the last threshold that has passed.
func (r *round) mint(e entry, pending *ecmajson.Value, since time.Time, passed []int64) (events.Event, error) {
	elapsed := events.Elapsed(since, r.now)
	about := events.Reminder{
		Approval: e.Approval, Pending: pending, Elapsed: &elapsed,
		Threshold: passed[len(passed)-1], Index: len(passed), Total: len(r.opts.Thresholds),
	}
	if _, ok := events.RequestedAt(pending); !ok {
		about.FirstSeen = since
	}
	event, _, err := events.Mint(events.Input{
		Type: events.ApprovalSLAReminder, Now: r.now, Entropy: r.opts.Entropy, Project: r.opts.Project,
		Facts: events.Facts{Run: r.run, Payload: about.Payload()},
	})
	if err != nil {
		return events.Event{}, fmt.Errorf("remind of %s: %w", e.Approval, err)
	}
	return event, nil
}

// forget takes back what was remembered of approvals that no longer wait. A
// key stays when it can be about the approval that waits now: then the Node
// CLI may have written it anew.
func (r *round) forget() {
	for _, e := range r.before {
		if slices.ContainsFunc(r.after, func(now entry) bool { return now.identity == e.identity }) {
			continue
		}
		for _, threshold := range e.Reminded {
			k := key(e.Approval, threshold)
			if !r.overdue(e.Approval, threshold) && !slices.Contains(r.add, k) {
				r.remove = append(r.remove, k)
			}
		}
	}
}

// overdue reports whether an approval of that kind waits for as long.
func (r *round) overdue(approval string, threshold int64) bool {
	for _, e := range r.after {
		if e.Approval != approval {
			continue
		}
		since, ok := events.RequestedAt(r.state.Get(approval))
		if !ok {
			since = e.FirstSeen
		}
		return events.Elapsed(since, r.now) >= threshold
	}
	return false
}

// remember writes what was decided. Keys leave the list before the book
// forgets them, and come into it after the book has them: a process that dies
// in between leaves a book that says what is still to be done.
func (r *round) remember() error {
	if err := updateList(r.opts.Root, nil, r.remove); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	return updateList(r.opts.Root, r.add, nil)
}

// stored notes that a reminder is out of our hands.
func (r *round) stored(due Reminder) error {
	for i := range r.after {
		if e := &r.after[i]; e.Event != nil && e.Event.ID == due.Event.ID {
			e.Event = nil
		}
	}
	return r.write()
}

// write puts the book on disk if it is another than the one that is there.
func (r *round) write() error {
	content := r.after.format()
	if string(content) == string(r.before.format()) {
		return nil
	}
	if err := r.opts.Root.ReplaceBook(content); err != nil {
		return err
	}
	r.before = slices.Clone(r.after)
	return nil
}

// key is how the list names a reminder.
func key(approval string, threshold int64) string {
	return fmt.Sprintf("%s:%d", approval, threshold)
}

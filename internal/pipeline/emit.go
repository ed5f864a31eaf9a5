package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
)

// ErrOutboxOnly says that an event is kept, but not where the configuration
// wants it: the database could not be had.
var ErrOutboxOnly = errors.New("not in the delivery log, only in the outbox")

// Emit makes what the targets of routes are sent, sends it and reports what
// became of it. attempts is how many each target may have now; 0 leaves the
// default of its kind. Then it settles what dead processes left: the event at
// hand goes first. The warnings are about templates, and about earlier events.
//
// With a database for [Enqueue] it only accepts, and the report's targets are
// queued. A governed event is left to others only while a process serves this
// project: nobody else may deliver it. When the database can't be had the
// event is sent over the outbox all the same, and the report says so as an
// error: an alert is worth more than its record.
func (p *Pipeline) Emit(ctx context.Context, e events.Event, routes []routing.Route, attempts int) (queue.Report, []error) {
	messages, warnings := p.Messages(ctx, e, routes)
	for i := range messages {
		if attempts > 0 {
			messages[i].Attempts = attempts
		}
	}
	// What Submit can't write, Drain reports again.
	submitted, _ := p.Submit(ctx, e, messages)
	report := submitted.Drain(ctx)
	if report.Err != nil {
		return report, warnings // what can't be written now can't be settled now
	}
	return report, append(warnings, p.settleAfter(context.WithoutCancel(ctx))...)
}

// settleAfter settles what dead processes left after the event at hand is told
// and recorded. What can't be settled is found by the next command again. A
// database that only looks after older deliveries is not opened for it.
func (p *Pipeline) settleAfter(ctx context.Context) []error {
	queues := []*queue.Queue{p.files}
	if rows := p.had(); rows != nil {
		queues = append(queues, rows.queue)
	}
	var warnings []error
	for _, q := range queues {
		more, err := settle(ctx, q)
		warnings = append(warnings, more...)
		if err != nil {
			warnings = append(warnings, err)
		}
	}
	return warnings
}

// Submitted is an event that is kept, unless nothing could keep it, and not yet
// sent by this process.
type Submitted struct {
	queue *queue.Queue
	batch *queue.Batch
	// report is what is known already: others deliver.
	report *queue.Report
	// unlogged is why the database does not have it.
	unlogged error
}

// Submit keeps an event where the configuration says, or in the outbox when
// the database can't be had. It is never nil: with an error nothing is kept,
// or not in the database, and [Submitted.Drain] sends all the same and reports
// the error again. It is [delivery.ErrExists] when the event is kept already;
// then nothing is to be sent.
func (p *Pipeline) Submit(ctx context.Context, e events.Event, messages []queue.Message) (*Submitted, error) {
	s := &Submitted{queue: p.files}
	if p.recording() && len(messages) > 0 {
		if s.unlogged = p.log(ctx, s, e, messages); s.unlogged == nil || errors.Is(s.unlogged, delivery.ErrExists) {
			return s, s.unlogged
		}
		s.unlogged = fmt.Errorf("not recorded in the delivery log: %w", s.unlogged)
	}
	var err error
	s.queue = p.files
	s.batch, err = s.queue.Submit(ctx, e, messages)
	if err != nil {
		return s, err
	}
	return s, s.unlogged
}

// log keeps an event in the database.
func (p *Pipeline) log(ctx context.Context, s *Submitted, e events.Event, messages []queue.Message) error {
	rows, err := p.database(ctx)
	if err != nil {
		return err
	}
	s.queue = rows.queue
	leave := p.leaveToOthers(ctx, e)
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if leave {
		report, err := rows.queue.Enqueue(ctx, e, messages)
		s.report = &report
		return err
	}
	s.batch, err = rows.queue.Submit(ctx, e, messages)
	return err
}

// Drain sends what was submitted, see [queue.Queue.Drain], unless others do.
func (s *Submitted) Drain(ctx context.Context) queue.Report {
	if s.report != nil && s.batch == nil {
		return *s.report
	}
	report := s.queue.Drain(ctx, s.batch)
	if s.unlogged != nil && report.Err == nil {
		report.Err = fmt.Errorf("%w: %w", ErrOutboxOnly, errors.Unwrap(s.unlogged))
		return report
	}
	report.Err = errors.Join(s.unlogged, report.Err)
	return report
}

// recording reports whether new events go to the database.
func (p *Pipeline) recording() bool {
	return p.options.Database != nil && p.options.Database.Use != LookUp
}

// leaveToOthers reports whether an event is only to be accepted.
func (p *Pipeline) leaveToOthers(ctx context.Context, e events.Event) bool {
	if p.options.Database.Use != Enqueue {
		return false
	}
	return events.Type(e.Type).Family() == events.Agent || served(ctx, p.options.Root)
}

// Recover settles what dead processes left, see [queue.Queue.Recover]. The
// warnings name what is now on record as unknown, and what could not be read;
// the error is what could not be written, and is found again next time.
func (p *Pipeline) Recover(ctx context.Context) (warnings []error, err error) {
	for _, q := range p.queues(ctx, &warnings) {
		more, qErr := settle(ctx, q)
		warnings, err = append(warnings, more...), errors.Join(err, qErr)
	}
	return warnings, err
}

// RecoverFiles is [Pipeline.Recover] for the outbox alone, again and again: the
// warnings are news, and what could not be read is part of the error.
func (p *Pipeline) RecoverFiles(ctx context.Context) (warnings []error, err error) {
	r := p.files.Recover(ctx)
	return unknown(r), errors.Join(r.Warning, r.Err)
}

func settle(ctx context.Context, q *queue.Queue) (warnings []error, err error) {
	r := q.Recover(ctx)
	warnings = unknown(r)
	if r.Warning != nil {
		warnings = append(warnings, r.Warning)
	}
	return warnings, r.Err
}

// unknown tells of the attempts whose outcome nobody knows.
func unknown(r queue.Recovery) (warnings []error) {
	for _, at := range r.Attempts {
		warnings = append(warnings, fmt.Errorf("a process died while it sent an event; its outcome is unknown event_id=%s target=%s",
			at.Delivery.Event.ID, at.Delivery.LabelOrName()))
	}
	return warnings
}

// Pending lists what is undelivered, in the outbox and in the database, see
// [queue.Queue.Pending].
func (p *Pipeline) Pending(ctx context.Context) ([]delivery.Delivery, error) {
	var all []delivery.Delivery
	var warnings []error
	var errs []error
	for _, q := range p.queues(ctx, &warnings) {
		list, err := q.Pending(ctx)
		all, errs = append(all, list...), append(errs, err)
	}
	return all, errors.Join(append(warnings, errs...)...)
}

// Retry attempts what is undelivered once more, wherever it is kept, see
// [queue.Queue.Retry].
func (p *Pipeline) Retry(ctx context.Context, eventIDs ...string) ([]queue.Report, error) {
	var problems []error
	queues := p.queues(ctx, &problems)
	if len(eventIDs) == 0 {
		var all []queue.Report
		for _, q := range queues {
			reports, err := q.Retry(ctx)
			all, problems = append(all, reports...), append(problems, err)
		}
		return all, errors.Join(problems...)
	}
	at, err := p.locate(ctx, queues, eventIDs)
	if errors.Is(err, delivery.ErrUnknown) && len(problems) > 0 {
		return nil, errors.Join(problems...) // it may be there
	}
	if err != nil {
		return nil, err
	}
	var all []queue.Report
	// Those that are only guessed to be there come first: when one is unknown,
	// nothing is sent.
	for i, q := range slices.Backward(queues) {
		if len(at[i]) == 0 {
			continue
		}
		reports, err := q.Retry(ctx, at[i]...)
		if err != nil {
			return append(all, reports...), err
		}
		all = append(all, reports...)
	}
	return all, nil // a database that could not be had was not needed
}

// locate says which of the queues has each event: at[i] are those of queue i.
// What the outbox does not have can only be in the database: that is not asked
// for a list, which can be long. The error is [delivery.ErrUnknown] when there
// is no database to have one of them.
func (p *Pipeline) locate(ctx context.Context, queues []*queue.Queue, eventIDs []string) (at [][]string, err error) {
	at = make([][]string, len(queues))
	list, err := queues[0].Pending(ctx)
	if err != nil && list == nil {
		return nil, err
	}
	kept := make(map[string]bool, len(list))
	for _, d := range list {
		kept[d.Event.ID] = true
	}
	for _, id := range eventIDs {
		switch {
		case kept[id]:
			at[0] = append(at[0], id)
		case len(queues) > 1:
			at[1] = append(at[1], id)
		default:
			return nil, fmt.Errorf("event %q: %w", id, delivery.ErrUnknown)
		}
	}
	return at, nil
}

// Discard gives up on an event, wherever it is kept, see [queue.Queue.Discard].
func (p *Pipeline) Discard(ctx context.Context, eventID, why string) ([]delivery.Attempt, error) {
	attempts, err := p.files.Discard(ctx, eventID, why)
	if p.options.Database == nil || !errors.Is(err, delivery.ErrUnknown) {
		return attempts, err
	}
	rows, err := p.database(ctx)
	if err != nil {
		return nil, unlogged(err) // it may be there
	}
	return rows.queue.Discard(ctx, eventID, why)
}

// RetryDue attempts what the outbox keeps and whose next attempt is due, see
// [queue.Queue.RetryDue].
func (p *Pipeline) RetryDue(ctx context.Context) ([]queue.Report, error) {
	return p.files.RetryDue(ctx)
}

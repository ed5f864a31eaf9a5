package store

import (
	"bytes"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// line is what is written of a row, with its strings escaped. A zero time is
// NULL, and so are an empty owner and an empty lastError.
type line struct {
	// made is the attempt that an outcome is of; 0 when it is of none.
	made                                                            int64
	id, execution, agent, event, channel, target, status, lastError string
	attempts                                                        int64
	created, delivered                                              time.Time
	eventID, run                                                    string
	emitted                                                         time.Time
	file, name                                                      string
	ordinal                                                         int64
	contentType                                                     string
	fallback, unmade, imported                                      bool
	home, site                                                      string
	offset                                                          int64
	expires                                                         time.Time
	reason                                                          string
	code                                                            int64 // of the last answer; 0 is NULL
	next, began                                                     time.Time
	owner                                                           string
	body, envelope                                                  []byte // envelope is nil when it is the same as body
}

// tryLine is what is written of an attempt.
type tryLine struct {
	id              string
	number          int64
	started         time.Time
	micros          int64
	delivered       bool
	code            int64
	timedOut        bool
	reason, phase   string
	address, result string
}

// line gives the row of a delivery.
func (s *Store) line(d delivery.Delivery, offset int64, ordinal int, now time.Time) line {
	l := line{
		id: encode(d.ID), execution: encode(d.ExecutionID), agent: encode(d.Agent), event: encode(d.Event.Type),
		channel: encode(string(d.Target.Channel)), target: encode(d.Label), status: string(d.Status),
		attempts: int64(d.Attempts), created: now.Truncate(time.Millisecond),
		eventID: encode(d.Event.ID), run: encode(d.Event.RunID), emitted: d.Event.EmittedAt,
		file: encode(d.Target.File), name: encode(d.Target.Name), ordinal: int64(ordinal),
		contentType: encode(d.ContentType), fallback: d.FallbackBody, unmade: d.Unmade,
		site: encode(s.opts.Site), offset: offset, expires: d.ExpiresAt,
		reason: encode(string(d.LastReason)), lastError: encode(d.LastMessage), body: d.Body,
	}
	if d.Bound() {
		l.home = l.site
	}
	if l.body == nil {
		l.body = []byte{}
	}
	if !bytes.Equal(d.Body, d.Event.Body) {
		l.envelope = d.Event.Body
		if l.envelope == nil {
			l.envelope = []byte{}
		}
	}
	switch d.Status {
	case delivery.Pending:
		l.next = d.NextAt
	case delivery.Sending:
		l.began, l.owner = d.NextAt, s.owner
	case delivery.Delivered:
		l.delivered, l.lastError = now, ""
	}
	return l
}

// outcome gives what Finish writes of a delivery. It leaves the rest empty.
func (s *Store) outcome(d delivery.Delivery, now time.Time) line {
	l := line{
		id: encode(d.ID), status: string(d.Status), attempts: int64(d.Attempts),
		reason: encode(string(d.LastReason)), lastError: encode(d.LastMessage),
	}
	if n := len(d.Tries); n > 0 {
		last := d.Tries[n-1]
		l.code, l.made = int64(last.Result.StatusCode), int64(last.Number)
		now = last.At.Add(last.Result.Duration)
	}
	switch d.Status {
	case delivery.Pending:
		l.next = d.NextAt
	case delivery.Sending:
		l.began = d.NextAt
	case delivery.Delivered:
		l.delivered, l.lastError = now, ""
	}
	return l
}

// tryLines gives the rows of attempts.
func tryLines(id string, tries []delivery.Try) []tryLine {
	lines := make([]tryLine, 0, len(tries))
	for _, t := range tries {
		r := t.Result
		lines = append(lines, tryLine{
			id: encode(id), number: int64(t.Number), started: t.At, micros: r.Duration.Microseconds(),
			delivered: r.Delivered, code: int64(r.StatusCode), timedOut: r.TimedOut,
			reason: encode(string(r.Reason)), phase: encode(string(r.Phase)),
			address: encode(r.Address), result: encode(r.Message),
		})
	}
	return lines
}

// deliveryColumns are what scanDelivery reads of a row called l.
const deliveryColumns = `l.id, l.event_id, l.event_type, l.emitted_at, l.run_id, l.target_file, l.channel, l.target_name,
	l.agent_id, l.execution_id, l.target, l.content_type, l.fallback_body, l.unmade, l.status, l.attempts,
	coalesce(l.next_attempt_at, l.attempt_began_at), l.expires_at, l.reason, l.last_error`

// scannable is a row of a query.
type scannable interface {
	Scan(dest ...any) error
}

// scanDelivery reads deliveryColumns, and what follows them into more.
func scanDelivery(row scannable, more ...any) (delivery.Delivery, error) {
	var id, eventID, typ, run, file, channel, name, agent, execution, label, contentType, status, reason, message words
	var emitted, next, expires stamp
	var d delivery.Delivery
	dest := []any{
		&id, &eventID, &typ, &emitted, &run, &file, &channel, &name,
		&agent, &execution, &label, &contentType, &d.FallbackBody, &d.Unmade, &status, &d.Attempts,
		&next, &expires, &reason, &message,
	}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return delivery.Delivery{}, err
	}
	d.ID, d.Agent, d.ExecutionID, d.Label, d.ContentType = string(id), string(agent), string(execution), string(label), string(contentType)
	d.Event = events.Event{ID: string(eventID), Type: string(typ), EmittedAt: emitted.Time, RunID: string(run)}
	d.Target = delivery.Target{File: string(file), Channel: delivery.Channel(channel), Name: string(name)}
	d.Status, d.NextAt, d.ExpiresAt = delivery.Status(status), next.Time, expires.Time
	d.LastReason, d.LastMessage = delivery.Reason(reason), string(message)
	return d, nil
}

// setBody gives d its bytes, as notification_body has them.
func setBody(d *delivery.Delivery, body, envelope []byte) {
	d.Body, d.Event.Body = body, envelope
	if envelope == nil {
		d.Event.Body = body
	}
}

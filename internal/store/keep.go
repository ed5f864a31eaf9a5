package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"agentxchain/internal/delivery"
)

// onceKey is an idempotency key with the request that it came with.
type onceKey = struct{ Key, Request [32]byte }

// Add stores an event. Deliveries that are Sending are claimed. It takes the
// place of rows that were only imported. The error is [delivery.ErrExists] when
// the store has the event; after any error nothing is claimed.
func (s *Store) Add(ctx context.Context, in delivery.Intent) error {
	_, err := s.add(ctx, nil, in)
	return err
}

// AddOnce is Add under an idempotency key, in the same transaction. The same
// key with the same request adds nothing and returns the id of the event that
// was stored with it; with another request the error is
// [delivery.ErrKeyReused]. Both are SHA-256 digests, so that what people sent
// is not kept.
func (s *Store) AddOnce(ctx context.Context, key struct{ Key, Request [32]byte }, in delivery.Intent) (string, error) {
	return s.add(ctx, &key, in)
}

func (s *Store) add(ctx context.Context, key *onceKey, in delivery.Intent) (string, error) {
	if len(in.Deliveries) == 0 {
		return "", nil
	}
	o := &op{ctx: ctx, add: &in, key: key, at: s.opts.Now()}
	var claimed []string
	pending := false
	for i, d := range in.Deliveries {
		o.lines = append(o.lines, s.line(d, in.AuditOffset, i, o.at))
		switch d.Status {
		case delivery.Sending:
			claimed = append(claimed, d.ID)
		case delivery.Pending:
			pending = true
		}
	}
	err := s.write(o)
	switch {
	case err != nil:
		if !verdict(err) && len(claimed) > 0 {
			s.spoiled.Store(true)
		}
		return "", fmt.Errorf("add %q: %w", in.Deliveries[0].Event.ID, err)
	case o.existing != "":
		return o.existing, nil
	}
	s.claims.hold(o.at, claimed...)
	if pending {
		s.wake.ring()
	}
	return "", nil
}

// useKey enters the key of an event, unless the event is known under another.
// It reports true when the event is not to be added, because it was.
func (s *Store) useKey(ctx context.Context, t *tx, o *op, known bool) (bool, error) {
	o.existing = ""
	var request []byte
	var event words
	err := t.row(ctx, `SELECT request_hash, event_id FROM {key} WHERE key_hash = ?`, o.key.Key[:]).Scan(&request, &event)
	switch {
	case errors.Is(err, sql.ErrNoRows) && known:
		return false, delivery.ErrExists
	case errors.Is(err, sql.ErrNoRows):
		_, err := t.exec(ctx, `INSERT INTO {key} (key_hash, request_hash, event_id, created_at) VALUES (?, ?, ?, ?)`,
			o.key.Key[:], o.key.Request[:], o.lines[0].eventID, o.lines[0].created)
		return false, err
	case err != nil:
		return false, err
	case string(request) != string(o.key.Request[:]):
		return false, delivery.ErrKeyReused
	}
	o.existing = string(event)
	return true, nil
}

// Begin stores that claimed deliveries enter their next attempt, and renews
// their claims. When one of them is not claimed, the error is
// [delivery.ErrLost] and nothing was stored.
func (s *Store) Begin(ctx context.Context, in delivery.Intent) error {
	at := s.opts.Now()
	ids := make([]string, 0, len(in.Deliveries))
	for _, d := range in.Deliveries {
		ids = append(ids, d.ID)
	}
	err := s.alone(ctx, func(ctx context.Context, t *tx) error {
		for _, d := range in.Deliveries {
			var one int
			err := t.row(ctx, `SELECT 1 FROM {log} l WHERE l.id = ? AND l.lease_owner = ? {lock}`, encode(d.ID), s.owner).Scan(&one)
			if errors.Is(err, sql.ErrNoRows) {
				return delivery.ErrLost
			}
			if err != nil {
				return err
			}
		}
		for _, d := range in.Deliveries {
			if err := s.begin(ctx, t, d, in.AuditOffset); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("begin an attempt: %w", err)
	}
	s.claims.hold(at, ids...)
	return nil
}

// begin writes one row of Begin.
func (s *Store) begin(ctx context.Context, t *tx, d delivery.Delivery, offset int64) error {
	l := s.line(d, offset, 0, s.opts.Now())
	if !d.Unmade {
		n, err := t.exec(ctx, `UPDATE {log} SET unmade = ?, content_type = ?, fallback_body = ? WHERE id = ? AND unmade`, false, l.contentType, l.fallback, l.id)
		if err != nil {
			return err
		}
		if n > 0 {
			_, err := t.exec(ctx, `UPDATE {body} SET event = coalesce(event, body), body = ? WHERE id = ?`, l.body, l.id)
			if err != nil {
				return err
			}
		}
	}
	for _, try := range tryLines(d.ID, d.Tries) {
		if err := s.insertTry(ctx, t, try); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, `UPDATE {log} SET status = 'sending', attempts = ?, reason = ?, last_error = ?, next_attempt_at = NULL, attempt_began_at = ?,
		site = ?, audit_offset = ?, lease_until = {until} WHERE id = ?`,
		l.attempts, l.reason, nullText(l.lastError), l.began, l.site, l.offset, l.id)
	return err
}

// insertTry writes one attempt, unless it is there.
func (s *Store) insertTry(ctx context.Context, t *tx, l tryLine) error {
	_, err := t.exec(ctx, `INSERT INTO {attempt} (`+attemptColumns+`) VALUES (`+marks(11)+`) ON CONFLICT DO NOTHING`,
		l.args()...)
	return err
}

// Finish gives claimed deliveries back as they now stand, with the attempts
// in Tries. One that is still Sending becomes an orphan. For those that are not
// claimed any more, the error is [delivery.ErrLost]; the others are stored.
func (s *Store) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	o := &op{ctx: ctx, finish: ds, at: s.opts.Now()}
	ids := make([]string, 0, len(ds))
	waiting := false
	for _, d := range ds {
		ids = append(ids, d.ID)
		o.lines = append(o.lines, s.outcome(d, o.at))
		o.tries = append(o.tries, tryLines(d.ID, d.Tries)...)
		waiting = waiting || d.Status == delivery.Pending
	}
	err := s.write(o)
	s.claims.drop(ids...)
	if err != nil {
		if !verdict(err) {
			s.spoiled.Store(true)
		}
		return fmt.Errorf("finish deliveries: %w", err)
	}
	if waiting {
		s.wake.ring()
	}
	return nil
}

// Held reports whether the claim on a delivery certainly still stands. It asks
// memory and two clocks only, and says no a fifth of the lease, at most a
// second, before its end.
func (s *Store) Held(id string) bool { return s.claims.stands(id) }

// write has the writer do an operation.
func (s *Store) write(o *op) error { return s.writer.do(o) }

// alone runs f in a transaction: on SQLite in the writer's, on PostgreSQL in
// one of its own. f can run more than once, and its last run counts.
func (s *Store) alone(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	if s.lite != nil {
		return s.writer.do(&op{ctx: ctx, run: f, at: s.opts.Now()})
	}
	if s.ending.Err() != nil {
		return errClosed
	}
	return s.alonePostgres(ctx, f)
}

func (s *Store) faults() (before, after error) {
	if s.fault == nil {
		return nil, nil
	}
	return s.fault()
}

func (s *Store) flusher() flusher {
	if s.lite != nil {
		return s.lite
	}
	return s.pg
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"agentxchain/internal/delivery"
)

// Retry claims one delivery that failed or waits, and begins its next attempt.
// It comes back Sending, with Attempts counted on and its bytes. The error is
// [delivery.ErrUnknown] for what this process may not send either,
// [delivery.ErrBusy] while somebody has it or it is being sent,
// [delivery.ErrDone], or [delivery.ErrBodyless].
func (s *Store) Retry(ctx context.Context, id string) (delivery.Delivery, error) {
	var d delivery.Delivery
	at := s.opts.Now()
	err := s.alone(ctx, func(ctx context.Context, t *tx) error {
		offset, err := s.retriable(ctx, t, id)
		if err != nil {
			return err
		}
		d, err = s.beginRow(ctx, t, encode(id), offset, at)
		return err
	})
	if err != nil {
		if !verdict(err) {
			s.spoiled.Store(true)
		}
		return delivery.Delivery{}, fmt.Errorf("retry %q: %w", id, err)
	}
	s.claims.hold(at, id)
	return d, nil
}

// retriable reports whether a delivery can be sent once more, and returns from
// where on the evidence of this project can speak of it, in bytes.
func (s *Store) retriable(ctx context.Context, t *tx, id string) (int64, error) {
	var status, site words
	var imported, bodyless, live bool
	var offset int64
	err := t.row(ctx, `SELECT l.status, l.site, l.audit_offset, l.imported, NOT EXISTS (SELECT 1 FROM {body} b WHERE b.id = l.id),
		l.lease_owner IS NOT NULL AND NOT {ended} FROM {log} l WHERE l.id = ? AND `+ours+` {lock}`, encode(id), encode(s.opts.Site)).
		Scan(&status, &site, &offset, &imported, &bodyless, &live)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, delivery.ErrUnknown
	case err != nil:
		return 0, err
	case delivery.Status(status).Final():
		return 0, delivery.ErrDone
	case delivery.Status(status) == delivery.Sending || live || s.claims.has(id):
		// One that is Sending and free is an orphan: what became of its last
		// attempt must be found out first.
		return 0, delivery.ErrBusy
	case imported || bodyless:
		return 0, delivery.ErrBodyless
	}
	if string(site) != s.opts.Site {
		offset = 0 // of other evidence: begin at the start of ours
	}
	return offset, nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"agentxchain/internal/delivery"
)

// orphansAtOnce is how many events Orphans takes at a time.
const orphansAtOnce = 64

// open and ours are conditions of SQL: what is undelivered, and what this
// process may send.
const (
	open = `l.status IN ('pending', 'sending', 'failed')`
	ours = `l.home IN ('', ?)`
)

// candidate is a row that may be claimed.
type candidate struct {
	delivery.Delivery
	// live says that somebody's claim stands.
	live   bool
	owner  string
	site   string
	offset int64
}

// Claim takes all undelivered deliveries of an event. The error is
// [delivery.ErrBusy] while anybody, this owner included, has one of them, and
// [delivery.ErrUnknown] when there are none that this process may send; rows that
// were only imported can't be sent.
func (s *Store) Claim(ctx context.Context, eventID string) (delivery.Intent, error) {
	var in delivery.Intent
	at := s.opts.Now()
	err := s.alone(ctx, func(ctx context.Context, t *tx) error {
		in = delivery.Intent{}
		all, err := s.candidates(ctx, t, eventID)
		switch {
		case err != nil:
			return err
		case len(all) == 0:
			return delivery.ErrUnknown
		}
		for _, c := range all {
			if c.live {
				return delivery.ErrBusy
			}
		}
		in, err = s.take(ctx, t, all)
		return err
	})
	if err != nil {
		return delivery.Intent{}, fmt.Errorf("claim %q: %w", eventID, err)
	}
	s.holdIntent(at, in)
	return in, nil
}

// candidates reads the undelivered rows of an event.
func (s *Store) candidates(ctx context.Context, t *tx, eventID string) ([]candidate, error) {
	var all []candidate
	err := t.each(ctx, func(rows *sql.Rows) error {
		var c candidate
		var owner, site words
		d, err := scanDelivery(rows, &c.live, &owner, &site, &c.offset)
		c.Delivery, c.owner, c.site = d, string(owner), string(site)
		all = append(all, c)
		return err
	}, `SELECT `+deliveryColumns+`, l.lease_owner IS NOT NULL AND NOT {ended}, l.lease_owner, l.site, l.audit_offset
		FROM {log} l WHERE l.event_id = ? AND NOT l.imported AND `+open+` AND `+ours+` ORDER BY l.ordinal, l.id {lock}`, encode(eventID), encode(s.opts.Site))
	return all, err
}

// take leases rows of one event to this owner, and reads what is to be sent.
func (s *Store) take(ctx context.Context, t *tx, all []candidate) (delivery.Intent, error) {
	var in delivery.Intent
	sending := false
	for i := range all {
		c := &all[i]
		if _, err := t.exec(ctx, `UPDATE {log} SET lease_owner = ?, lease_until = {until} WHERE id = ?`, s.owner, encode(c.ID)); err != nil {
			return in, err
		}
		if err := s.readBody(ctx, t, &c.Delivery); err != nil {
			return in, err
		}
		if c.site != s.opts.Site {
			c.offset = 0 // of evidence that is not ours: begin at the start
		}
		// What counts is where the attempts under way began.
		isSending := c.Status == delivery.Sending
		if len(in.Deliveries) == 0 || isSending && !sending || isSending == sending && c.offset < in.AuditOffset {
			in.AuditOffset = c.offset
		}
		sending = sending || isSending
		in.Deliveries = append(in.Deliveries, c.Delivery)
	}
	return in, nil
}

// readBody gives d its bytes.
func (s *Store) readBody(ctx context.Context, t *tx, d *delivery.Delivery) error {
	return scanBody(t.row(ctx, `SELECT body, event, event IS NULL FROM {body} WHERE id = ?`, encode(d.ID)), d)
}

// scanBody reads the bytes of d, if there are any.
func scanBody(row scannable, d *delivery.Delivery) error {
	var body, event []byte
	var same bool
	err := row.Scan(&body, &event, &same)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if same {
		event = nil
	} else if event == nil {
		event = []byte{}
	}
	setBody(d, body, event)
	return err
}

// Orphans takes events whose owner died, some at a time: those with a delivery
// that is Sending and whose lease has ended or was given up, with what else is
// undelivered of them and free. It costs one query when there are none.
func (s *Store) Orphans(ctx context.Context) ([]delivery.Intent, error) {
	ids, ended, err := s.endedClaims(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for unfinished deliveries: %w", s.clean(err))
	}
	if ended {
		if err := s.freeEnded(ctx); err != nil {
			return nil, fmt.Errorf("free ended claims: %w", err)
		}
	}
	var found []delivery.Intent
	for _, id := range ids {
		in, err := s.orphan(ctx, id)
		if err != nil {
			return found, fmt.Errorf("claim an unfinished delivery: %w", err)
		}
		if len(in.Deliveries) > 0 {
			found = append(found, in)
		}
	}
	return found, nil
}

// notOld excludes rows that are in the hands of this process, however old
// their claims.
func notOld(old []string) (string, []any) {
	if len(old) == 0 {
		return "", nil
	}
	return ` AND l.id NOT IN (` + marks(len(old)) + `)`, anys(old)
}

// endedClaims lists events with orphans, and says whether there are ended
// claims on rows that nobody was sending.
func (s *Store) endedClaims(ctx context.Context) (ids []string, others bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	not, old := notOld(s.claims.old())
	err = s.read().each(ctx, func(rows *sql.Rows) error {
		var id words
		var sending bool
		if err := rows.Scan(&id, &sending); err != nil {
			return err
		}
		if sending {
			ids = append(ids, string(id))
		}
		others = others || !sending
		return nil
	}, `SELECT DISTINCT l.event_id, l.status = 'sending' FROM {log} l WHERE l.lease_owner IS NOT NULL AND {ended} AND `+ours+not+` LIMIT ?`,
		append(append([]any{encode(s.opts.Site)}, old...), orphansAtOnce)...)
	return ids, others, err
}

// freeEnded ends claims on rows that are not being sent, whose owner died.
func (s *Store) freeEnded(ctx context.Context) error {
	not, old := notOld(s.claims.old())
	return s.alone(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE {log} AS l SET lease_owner = NULL, lease_until = NULL
			WHERE l.lease_owner IS NOT NULL AND {ended} AND l.status <> 'sending'`+not, old...)
		return err
	})
}

// orphan claims what an event has of orphans, if it still has some.
func (s *Store) orphan(ctx context.Context, eventID string) (delivery.Intent, error) {
	var in delivery.Intent
	at := s.opts.Now()
	mine := make(map[string]bool)
	for _, id := range s.claims.old() {
		mine[id] = true
	}
	err := s.alone(ctx, func(ctx context.Context, t *tx) error {
		in = delivery.Intent{}
		all, err := s.candidates(ctx, t, eventID)
		if err != nil {
			return err
		}
		free, live, ended := free(all, mine)
		// A row that was given up waits for the others of its event, so that
		// one who finds it finds them all.
		if !ended && live || len(free) == 0 {
			return nil
		}
		in, err = s.take(ctx, t, free)
		return err
	})
	if err == nil {
		s.holdIntent(at, in)
	}
	return in, err
}

// free lists the rows that nobody has, if one of them is Sending. It reports
// whether others are somebody's, and whether the lease of one has ended by itself.
func free(all []candidate, mine map[string]bool) (list []candidate, live, ended bool) {
	sending := false
	for _, c := range all {
		if c.live || mine[c.ID] {
			live = true
			continue
		}
		list = append(list, c)
		sending = sending || c.Status == delivery.Sending
		ended = ended || c.Status == delivery.Sending && c.owner != ""
	}
	if !sending {
		list = nil
	}
	return list, live, ended
}

// Stale returns nothing: what is undelivered stays until somebody decides.
func (s *Store) Stale(context.Context) ([]delivery.Intent, error) { return nil, nil }

// List returns the undelivered deliveries that this process may send, the
// oldest event first, without Body and Event.Body. It sorts them: an index in
// that order would cost every delivery more than it saves the rare reader.
func (s *Store) List(ctx context.Context) ([]delivery.Delivery, error) {
	var all []delivery.Delivery
	err := s.read().each(ctx, func(rows *sql.Rows) error {
		d, err := scanDelivery(rows)
		all = append(all, d)
		return err
	}, `SELECT `+deliveryColumns+` FROM {log} l WHERE l.status <> 'delivered' AND NOT l.imported AND `+open+` AND `+ours+` ORDER BY l.emitted_at, l.event_id, l.ordinal`, encode(s.opts.Site))
	if err != nil {
		return nil, fmt.Errorf("list undelivered: %w", s.clean(err))
	}
	return all, nil
}

// holdIntent enters the claims of an intent.
func (s *Store) holdIntent(at time.Time, in delivery.Intent) {
	for _, d := range in.Deliveries {
		s.claims.hold(at, d.ID)
	}
}

// abandon gives up everything that is leased to this owner.
func (s *Store) abandon(ctx context.Context) error {
	f := func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE {log} AS l SET
			lease_owner = CASE WHEN l.status = 'sending' THEN '' END, lease_until = CASE WHEN l.status = 'sending' THEN {past} END
			WHERE l.lease_owner IS NOT NULL AND l.lease_owner = ?`, s.owner)
		return err
	}
	if s.lite != nil {
		// The writer has stopped, so its connection is free.
		o := &op{ctx: ctx, run: f, done: make(chan error, 1)}
		s.lite.flush([]*op{o})
		return <-o.done
	}
	return s.alonePostgres(ctx, f)
}

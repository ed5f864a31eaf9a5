package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"agentxchain/internal/delivery"
)

// importRows is how many rows one statement of Import reads or writes.
const importRows = 200

// ImportedTo returns how far, in bytes, a source has been imported; 0 for one
// that is unknown.
func (s *Store) ImportedTo(ctx context.Context, source string) (int64, error) {
	var done int64
	err := s.read().row(ctx, `SELECT done FROM {import} WHERE source = ?`, encode(source)).Scan(&done)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("look how far evidence was imported: %w", s.clean(err))
	}
	return done, nil
}

// Import stores records that were made of evidence, and that its source is
// imported up to offset, in bytes: all of it or nothing. A record that is new
// becomes a row that can't be sent again. One that was imported before takes the
// newer state, but what was delivered stays so. Rows that were accepted here
// keep their state: they only get the attempts that they lack. An attempt
// whose Number is 0 takes the next free one, unless the delivery has one that
// began in the same millisecond. Of the records' states only Delivered and
// Discarded are kept; others are Failed. Names that are too long for an index are
// cut; a record whose event or target has one is passed over with a warning.
func (s *Store) Import(ctx context.Context, source string, offset int64, records []delivery.Record) error {
	err := s.alone(ctx, func(ctx context.Context, t *tx) error {
		// First, so that of two processes that import one source the second waits.
		_, err := t.exec(ctx, `INSERT INTO {import} AS i (source, done) VALUES (?, ?)
			ON CONFLICT (source) DO UPDATE SET done = CASE WHEN excluded.done > i.done THEN excluded.done ELSE i.done END`, encode(source), offset)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(merged(s.importable(records)), importRows) {
			if err := s.importPart(ctx, t, part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("import evidence: %w", err)
	}
	return nil
}

// What foreign evidence says can be of any length, and PostgreSQL's indexes
// hold less than 2,704 bytes of a row: nameMost bytes of what only tells a
// reader something, keyMost of each part of what a row is known by.
const (
	nameMost = 300
	keyMost  = 600
)

// importable cuts what is too long, and passes over records whose event or
// target has a name that is: one line must not keep all others out.
func (s *Store) importable(records []delivery.Record) []delivery.Record {
	list := make([]delivery.Record, 0, len(records))
	for _, r := range records {
		if tooLong(keyMost, r.ID, r.Event.ID, r.Target.File+string(r.Target.Channel)+r.Target.Name) {
			s.opts.Warn(errors.New("an entry of the evidence is not imported: the name of its event or target is too long"))
			continue
		}
		for _, name := range []*string{&r.Agent, &r.ExecutionID, &r.Label, &r.Event.RunID, &r.Event.Type} {
			*name = cut(*name, nameMost)
		}
		list = append(list, r)
	}
	return list
}

// tooLong reports whether one of the texts is stored in more than most bytes.
func tooLong(most int, texts ...string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return len(encode(t)) > most })
}

// cut keeps the beginning of a text that is stored in at most that many bytes.
func cut(text string, most int) string {
	for len(encode(text)) > most {
		text = strings.ToValidUTF8(text[:min(len(text)-1, most)], "")
	}
	return text
}

// imported is a record on its way in, and what the log has of it.
type imported struct {
	delivery.Record
	known bool
	// foreign says that the row that is known was imported as well.
	foreign  bool
	attempts int
	status   delivery.Status
	// tries are the attempts that are known, by number, at the millisecond.
	tries map[int]time.Time
}

// merged gives each record once, the last of one id, with the attempts of all.
func merged(records []delivery.Record) []*imported {
	var list []*imported
	at := make(map[string]*imported)
	for _, r := range records {
		if r.CreatedAt.IsZero() {
			r.CreatedAt = time.Unix(0, 0)
		}
		if r.Status != delivery.Delivered && r.Status != delivery.Discarded {
			r.Status = delivery.Failed
		}
		have := at[r.ID]
		if have == nil {
			have = &imported{Record: r, tries: make(map[int]time.Time)}
			at[r.ID] = have
			list = append(list, have)
			continue
		}
		r.Tries, r.Attempts = slices.Concat(have.Tries, r.Tries), max(r.Attempts, have.Attempts)
		if have.Status != delivery.Delivered || r.Status == delivery.Delivered {
			have.Record = r
			continue
		}
		have.Tries, have.Attempts = r.Tries, r.Attempts
	}
	return list
}

func (s *Store) importPart(ctx context.Context, t *tx, part []*imported) error {
	if err := s.lookUp(ctx, t, part); err != nil {
		return err
	}
	var rows, tries [][]any
	for _, r := range part {
		missing := r.number()
		if !r.known {
			l := s.importLine(r)
			rows = append(rows, l.args(time.Time{}))
		}
		for _, l := range tryLines(r.ID, missing) {
			tries = append(tries, l.args())
		}
		if r.known && r.foreign {
			if err := s.renew(ctx, t, r); err != nil {
				return err
			}
		}
	}
	if err := insertMany(ctx, t, `{log} (`+insertColumns+`)`, rows); err != nil {
		return err
	}
	return insertMany(ctx, t, `{attempt} (`+attemptColumns+`)`, tries)
}

// lookUp finds what the log has of records.
func (s *Store) lookUp(ctx context.Context, t *tx, part []*imported) error {
	by := make(map[string]*imported)
	ids := make([]string, 0, len(part))
	for _, r := range part {
		by[r.ID] = r
		ids = append(ids, r.ID)
	}
	err := t.each(ctx, func(rows *sql.Rows) error {
		var id, status words
		var foreign bool
		var attempts int
		err := rows.Scan(&id, &status, &foreign, &attempts)
		if r := by[string(id)]; r != nil {
			r.known, r.foreign, r.status, r.attempts = true, foreign, delivery.Status(status), attempts
		}
		return err
	}, `SELECT l.id, l.status, l.imported, l.attempts FROM {log} l WHERE l.id IN (`+marks(len(ids))+`) {lock}`, anys(ids)...)
	if err != nil {
		return err
	}
	return t.each(ctx, func(rows *sql.Rows) error {
		var id words
		var number int
		var at stamp
		err := rows.Scan(&id, &number, &at)
		if r := by[string(id)]; r != nil {
			r.tries[number] = at.Truncate(time.Millisecond)
		}
		return err
	}, `SELECT id, number, started_at FROM {attempt} WHERE id IN (`+marks(len(ids))+`)`, anys(ids)...)
}

// number returns the attempts that are not known, each with a number of its own.
func (r *imported) number() []delivery.Try {
	// Numbers that are given come first: they are taken.
	var missing, without []delivery.Try
	for _, t := range r.Tries {
		if t.At.IsZero() {
			t.At = r.CreatedAt
		}
		_, taken := r.tries[t.Number]
		switch {
		case t.Number <= 0:
			without = append(without, t)
		case !taken:
			r.tries[t.Number] = within(t.At).Truncate(time.Millisecond)
			missing = append(missing, t)
		}
	}
	for _, t := range without {
		at := within(t.At).Truncate(time.Millisecond)
		known := false
		last := 0
		for n, began := range r.tries {
			known, last = known || began.Equal(at), max(last, n)
		}
		if known {
			continue
		}
		t.Number = last + 1
		r.tries[t.Number] = at
		missing = append(missing, t)
	}
	return missing
}

// count is how many attempts a row has by what is known.
func (r *imported) count() int {
	n := max(r.Attempts, r.attempts, len(r.tries))
	for number := range r.tries {
		n = max(n, number)
	}
	return n
}

// importLine gives the row of a record that is new.
func (s *Store) importLine(r *imported) line {
	d := r.Delivery
	l := s.line(d, 0, 0, r.CreatedAt)
	l.imported, l.attempts, l.code = true, int64(r.count()), int64(r.StatusCode)
	l.unmade, l.next, l.began, l.owner, l.expires = false, time.Time{}, time.Time{}, "", time.Time{}
	if d.Status == delivery.Delivered {
		l.delivered = deliveredAt(r)
	}
	return l
}

// deliveredAt is never zero: a row that is delivered has the time.
func deliveredAt(r *imported) time.Time {
	if r.DeliveredAt.IsZero() {
		return r.CreatedAt
	}
	return r.DeliveredAt
}

// renew gives a row that was imported what newer lines of evidence say.
func (s *Store) renew(ctx context.Context, t *tx, r *imported) error {
	if r.status == delivery.Delivered && r.Status != delivery.Delivered {
		_, err := t.exec(ctx, `UPDATE {log} SET attempts = ? WHERE id = ? AND attempts < ?`, r.count(), encode(r.ID), r.count())
		return err
	}
	l := s.importLine(r)
	_, err := t.exec(ctx, `UPDATE {log} SET status = ?, attempts = ?, reason = ?, last_error = ?, response_status = coalesce(?, response_status), delivered_at = ?
		WHERE id = ? AND imported`, l.status, l.attempts, l.reason, nullText(l.lastError), nullInt(l.code), l.delivered, l.id)
	return err
}

// insertMany inserts rows of values, and passes over those that are there.
func insertMany(ctx context.Context, t *tx, into string, rows [][]any) error {
	for part := range slices.Chunk(rows, importRows) {
		var args []any
		for _, r := range part {
			args = append(args, r...)
		}
		values := strings.TrimSuffix(strings.Repeat(`(`+marks(len(part[0]))+`), `, len(part)), `, `)
		if _, err := t.exec(ctx, `INSERT INTO `+into+` VALUES `+values+` ON CONFLICT DO NOTHING`, args...); err != nil {
			return err
		}
	}
	return nil
}

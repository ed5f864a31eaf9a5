package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"agentxchain/internal/delivery"
)

// queueOf is what waits for one target.
type queueOf struct {
	home, file, channel, name string
	// due is when the first of it is due; zero means since it was accepted.
	due time.Time
	// room is how many of it may be given out.
	room int
}

func (q queueOf) target() delivery.Target {
	return delivery.Target{File: decode(q.file), Channel: delivery.Channel(decode(q.channel)), Name: decode(q.name)}
}

// waiting is a condition of SQL: what waits and belongs to nobody.
const waiting = `l.status = 'pending' AND l.lease_owner IS NULL`

// firstQueue finds the first target of those that wait for which a condition
// holds, and what is due first of it.
func firstQueue(condition string) string {
	return `SELECT * FROM (SELECT l.target_file, l.channel, l.target_name, l.next_attempt_at FROM {log} l
	WHERE ` + waiting + ` AND l.home = ? AND ` + condition + `
	ORDER BY l.target_file, l.channel, l.target_name, {due}, l.id LIMIT 1)`
}

// nextQueue finds the target after one: the next name of its channel, else the
// first of the next channel, else of the next file. SQLite would answer the
// comparison of all three at once by passing over each row of the target.
func nextQueue() string {
	return firstQueue(`l.target_file = ? AND l.channel = ? AND l.target_name > ?`) +
		` UNION ALL ` + firstQueue(`l.target_file = ? AND l.channel > ?`) +
		` UNION ALL ` + firstQueue(`l.target_file > ?`) + ` LIMIT 1`
}

// allQueues lists all targets in one statement, for an engine that a statement
// is a journey to, and that compares rows as one.
const allQueues = `WITH RECURSIVE q AS (
	(SELECT l.home, l.target_file, l.channel, l.target_name, l.next_attempt_at FROM {log} l
		WHERE ` + waiting + ` AND l.home = ?
		ORDER BY l.target_file, l.channel, l.target_name, {due}, l.id LIMIT 1)
	UNION ALL
	SELECT n.* FROM q, LATERAL (SELECT l.home, l.target_file, l.channel, l.target_name, l.next_attempt_at FROM {log} l
		WHERE ` + waiting + ` AND l.home = q.home AND (l.target_file, l.channel, l.target_name) > (q.target_file, q.channel, q.target_name)
		ORDER BY l.target_file, l.channel, l.target_name, {due}, l.id LIMIT 1) n
) SELECT home, target_file, channel, target_name, next_attempt_at FROM q`

// queues lists what waits by target. It looks at one row of each target,
// however many wait.
func (s *Store) queues(ctx context.Context, t *tx) ([]queueOf, error) {
	var all []queueOf
	for _, home := range []string{"", encode(s.opts.Site)} {
		if s.lite == nil {
			err := t.each(ctx, func(rows *sql.Rows) error {
				var q queueOf
				var due stamp
				err := rows.Scan(&q.home, &q.file, &q.channel, &q.name, &due)
				q.due = due.Time
				all = append(all, q)
				return err
			}, allQueues, home)
			if err != nil {
				return nil, err
			}
			continue
		}
		q := queueOf{home: home}
		query, args := firstQueue(`true`), []any{home}
		for {
			var due stamp
			err := t.row(ctx, query, args...).Scan(&q.file, &q.channel, &q.name, &due)
			query, args = nextQueue(), []any{home, q.file, q.channel, q.name, home, q.file, q.channel, home, q.file}
			if errors.Is(err, sql.ErrNoRows) {
				break
			}
			if err != nil {
				return nil, err
			}
			q.due = due.Time
			all = append(all, q)
		}
	}
	s.looks.Add(int64(len(all)))
	return all, nil
}

// Take claims deliveries that are Pending and due, the longest due first, and
// begins their next attempt: they come back Sending, with Attempts counted on.
// What it costs depends on how many targets wait and how many deliveries it
// gives out, not on how many wait.
func (s *Store) Take(ctx context.Context, q delivery.Quota) ([]delivery.Delivery, error) {
	if q.Max <= 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	at := s.opts.Now()
	// A look before the transaction: most of the time nothing is due.
	queues, err := s.queues(ctx, s.read())
	if err != nil {
		return nil, fmt.Errorf("look for due deliveries: %w", s.clean(err))
	}
	queues = due(queues, q, at)
	if len(queues) == 0 {
		return nil, nil
	}
	var taken []delivery.Delivery
	err = s.alone(ctx, func(ctx context.Context, t *tx) error {
		var err error
		if s.lite == nil {
			taken, err = s.takePostgres(ctx, t, queues, q, at)
		} else {
			taken, err = s.takeSQLite(ctx, t, queues, q, at)
		}
		return err
	})
	if err != nil {
		s.spoiled.Store(true)
		return nil, fmt.Errorf("take due deliveries: %w", err)
	}
	for _, d := range taken {
		s.claims.hold(at, d.ID)
	}
	return taken, nil
}

// due keeps the queues that something may be taken from, and says how much.
func due(queues []queueOf, q delivery.Quota, now time.Time) []queueOf {
	var list []queueOf
	for _, w := range queues {
		room := q.PerTarget
		if room <= 0 {
			room = q.Max
		}
		if own, ok := q.Room[w.target().ID()]; ok {
			room = own
		}
		w.room = min(room, q.Max)
		if w.room > 0 && !w.due.After(now) {
			list = append(list, w)
		}
	}
	// When there are more targets than are given out, the longest due counts.
	slices.SortStableFunc(list, func(a, b queueOf) int { return a.due.Compare(b.due) })
	return list[:min(len(list), q.Max)]
}

// dueRows finds what is due first of one target.
const dueRows = `SELECT l.id, l.next_attempt_at FROM {log} l
	WHERE ` + waiting + ` AND l.home = ? AND l.target_file = ? AND l.channel = ? AND l.target_name = ? AND {due} <= ?
	ORDER BY {due}, l.id LIMIT ?`

func (s *Store) takeSQLite(ctx context.Context, t *tx, queues []queueOf, q delivery.Quota, now time.Time) ([]delivery.Delivery, error) {
	type row struct {
		id  string
		due time.Time
	}
	var found []row
	for _, w := range queues {
		err := t.each(ctx, func(rows *sql.Rows) error {
			var r row
			var at stamp
			err := rows.Scan(&r.id, &at)
			r.due = at.Time
			found = append(found, r)
			return err
		}, dueRows, w.home, w.file, w.channel, w.name, now, w.room)
		if err != nil {
			return nil, err
		}
	}
	s.looks.Add(int64(len(found)))
	slices.SortStableFunc(found, func(a, b row) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.id, b.id)) })
	var taken []delivery.Delivery
	for _, r := range found[:min(len(found), q.Max)] {
		d, err := s.lite.take(ctx, r.id, q.AuditOffset, now)
		if err != nil {
			return nil, err
		}
		taken = append(taken, d)
	}
	return taken, nil
}

// beginColumns are what taking a row sets: it is this owner's, in its next
// attempt.
const beginColumns = `status = 'sending', attempts = l.attempts + 1, next_attempt_at = NULL, attempt_began_at = ?,
	site = ?, audit_offset = ?, lease_owner = ?, lease_until = {until}`

// beginRow takes a row that waits, by its stored id, into its next attempt.
func (s *Store) beginRow(ctx context.Context, t *tx, id string, offset int64, now time.Time) (delivery.Delivery, error) {
	_, err := t.exec(ctx, `UPDATE {log} AS l SET `+beginColumns+` WHERE l.id = ?`, now, encode(s.opts.Site), offset, s.owner, id)
	if err != nil {
		return delivery.Delivery{}, err
	}
	d, err := scanDelivery(t.row(ctx, `SELECT `+deliveryColumns+` FROM {log} l WHERE l.id = ?`, id))
	if err != nil {
		return delivery.Delivery{}, err
	}
	return d, s.readBody(ctx, t, &d)
}

// NextDue returns when the next delivery becomes due that this process may
// send, or the next claim of another owner ends, by this process's clock; zero
// when nothing waits. It can be in the past.
func (s *Store) NextDue(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	queues, err := s.queues(ctx, s.read())
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the next delivery: %w", s.clean(err))
	}
	now := s.opts.Now()
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, q := range queues {
		if q.due.IsZero() {
			q.due = now
		}
		earlier(q.due)
	}
	var end, clock stamp
	err = s.read().row(ctx, `SELECT l.lease_until, `+s.clockSQL()+` FROM {log} l
		WHERE l.lease_owner IS NOT NULL AND l.lease_owner <> ? AND `+ours+` ORDER BY l.lease_until LIMIT 1`, s.owner, encode(s.opts.Site)).Scan(&end, &clock)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return time.Time{}, fmt.Errorf("look for the next claim to end: %w", s.clean(err))
	default:
		left := min(end.Sub(clock.Time), leaseMost)
		earlier(now.Add(left))
	}
	return next.Round(0), nil
}

// clockSQL is the clock that leases are judged by.
func (s *Store) clockSQL() string {
	if s.lite != nil {
		return "{now}"
	}
	return "now()"
}

// waker tells those who wait for work.
type waker struct {
	bell  chan struct{}
	once  sync.Once
	ctx   context.Context
	end   context.CancelFunc
	watch sync.WaitGroup
}

func (w *waker) init() {
	w.bell = make(chan struct{}, 1)
	w.ctx, w.end = context.WithCancel(context.Background())
}

// ring never blocks: a bell that was rung and not heard is enough.
func (w *waker) ring() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

func (w *waker) stop() {
	w.once.Do(func() {}) // nobody begins to watch from now on
	w.end()
	w.watch.Wait()
}

// Woken receives when this or another process may have stored something that
// waits. The first call begins to watch for others: on PostgreSQL by LISTEN, on
// SQLite by asking four times a second whether the file was changed.
func (s *Store) Woken() <-chan struct{} {
	s.wake.once.Do(func() {
		s.wake.watch.Go(func() {
			if s.lite != nil {
				s.watchFile(s.wake.ctx)
			} else {
				s.listen(s.wake.ctx)
			}
		})
	})
	return s.wake.bell
}

// watchEvery is how often SQLite's file is looked at.
const watchEvery = 250 * time.Millisecond

// watchFile rings when another connection has committed.
func (s *Store) watchFile(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		s.warn(fmt.Errorf("watch the database for changes: %w", err))
		return
	}
	defer conn.Close()
	var last int64
	for {
		var version int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err == nil && version != last {
			last = version
			s.wake.ring()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// warn passes on what does not stop the store.
func (s *Store) warn(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.opts.Warn(s.clean(err))
	}
}

package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"agentxchain/internal/delivery"
)

// token tells whether anything was committed to the database since it was last
// asked. Two equal answers of one token mean that nothing was in between;
// different ones mean nothing. Answers of two tokens are never equal, except
// on PostgreSQL, where they mean the same.
type token struct {
	db       *sql.DB
	postgres bool

	mu         sync.Mutex
	conn       *sql.Conn // SQLite's, which nothing else uses
	stmt       *sql.Stmt
	generation string // of conn
}

// read asks. It costs a round trip to PostgreSQL, and some microseconds of
// SQLite.
//
// PostgreSQL: a snapshot is xmin:xmax and the transactions in between that run.
// What commits after one was taken either ran then, and no longer does, or
// began later and pushed xmax up: the next snapshot differs. Its numbers have
// 64 bits and never come again, but that a server which lost commits in a crash
// (synchronous_commit off, or a standby that took over) can give out those of
// the lost ones once more; hence the start of the server. A commit in another
// database of the server changes the answer too, which only costs a new count.
//
// SQLite: data_version changes, for the connection that asks, with each commit
// of another one, in this process or any. It is a number of that connection
// alone, hence the name of a connection before it.
func (t *token) read(ctx context.Context) (string, error) {
	if t.postgres {
		var text string
		const query = `SELECT pg_current_snapshot()::text || ' ' || extract(epoch FROM pg_postmaster_start_time())::text`
		if err := anew(ctx, func() error { return t.db.QueryRowContext(ctx, query).Scan(&text) }); err != nil {
			return "", fmt.Errorf("ask for changes: %w", err)
		}
		return text, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	version, err := t.dataVersion(ctx)
	if err != nil {
		return "", errors.Join(fmt.Errorf("ask for changes: %w", err), t.drop())
	}
	return t.generation + " " + strconv.FormatInt(version, 10), nil
}

func (t *token) dataVersion(ctx context.Context) (version int64, err error) {
	if t.conn == nil {
		if t.conn, err = t.db.Conn(ctx); err != nil {
			return 0, err
		}
		t.generation = rand.Text()
		if t.stmt, err = t.conn.PrepareContext(ctx, `PRAGMA data_version`); err != nil {
			return 0, err
		}
	}
	return version, t.stmt.QueryRowContext(ctx).Scan(&version)
}

// drop gives the connection up; the next answer is another one's.
func (t *token) drop() error {
	var err error
	if t.stmt != nil {
		err = t.stmt.Close()
	}
	if t.conn != nil {
		err = errors.Join(err, t.conn.Close())
	}
	t.conn, t.stmt = nil, nil
	return err
}

// close gives the connection up for good.
func (t *token) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drop()
}

// cache keeps what was computed while the database stood still. Its zero value
// is empty.
type cache[T any] struct {
	mu      sync.Mutex
	version string
	answers map[string]*answer[T]
}

// answer is one computation, under way until done is closed.
type answer[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// most is how many answers a cache keeps: a hundred pages with a filter each.
const most = 100

// get returns what compute gave, or gives now, for the key at this version. The
// version was read before: what is computed is then as new or newer, and is
// given out only as long as the version is still the same, so that nothing was
// committed since. Whoever asks for the same meanwhile waits for one answer.
func (c *cache[T]) get(ctx context.Context, version, key string, compute func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	if c.version != version || len(c.answers) >= most {
		c.version, c.answers = version, make(map[string]*answer[T])
	}
	a, found := c.answers[key]
	if !found {
		a = &answer[T]{done: make(chan struct{})}
		c.answers[key] = a
	}
	c.mu.Unlock()
	if found {
		select {
		case <-a.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		if a.err == nil {
			return a.value, nil
		}
		return compute(ctx) // it may only have been the other's time that ended
	}
	defer close(a.done)
	if a.value, a.err = compute(ctx); a.err != nil {
		c.forget(key, a)
	}
	return a.value, a.err
}

func (c *cache[T]) forget(key string, a *answer[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers[key] == a {
		delete(c.answers, key)
	}
}

// Version returns a text that changes whenever a record did, whoever changed
// it. It may change without.
func (r *reader) Version(ctx context.Context) (string, error) {
	version, err := r.token.read(ctx)
	return version, r.clean(err)
}

// Total returns how many records f chooses: exactly, as of a moment during the
// call. They are counted again only after a change.
func (r *reader) Total(ctx context.Context, f delivery.Filter) (int64, error) {
	version, err := r.token.read(ctx)
	if err != nil {
		return 0, fmt.Errorf("count deliveries: %w", r.clean(err))
	}
	n, err := r.totals.get(ctx, version, fmt.Sprintf("%q", f), func(ctx context.Context) (int64, error) { return r.count(ctx, f) })
	if err != nil {
		return 0, fmt.Errorf("count deliveries: %w", err)
	}
	return n, nil
}

// count counts what f chooses, stream by stream in one statement.
func (r *reader) count(ctx context.Context, f delivery.Filter) (n int64, err error) {
	arms, err := r.arms(ctx, f)
	if err != nil {
		return 0, err
	}
	c := clause{text: `SELECT 0`}
	for _, a := range arms {
		c.add(` + (SELECT count(*) FROM `+r.table("notification_log")+r.by(a.index)+` WHERE `+a.where.text+`)`, a.where.args...)
	}
	err = r.query(ctx, c, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

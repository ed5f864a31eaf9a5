package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"

	"agentxchain/internal/delivery"
)

// SQLite's result codes that matter here (sqlite.org/rescode.html).
const (
	resultBusy   = 5
	resultLocked = 6
)

// busyTime is how long a statement waits for other processes.
const busyTime = 5 * time.Second

// sqliteReaders is how many connections serve readers.
const sqliteReaders = 4

// sqliteWriter is the one connection of this process that writes.
type sqliteWriter struct {
	s    *Store
	db   *sql.DB
	conn *sql.Conn
	stmt statements
	all  []*sql.Stmt
}

// statements are those of the busy operations, prepared once.
type statements struct {
	begin, commit, rollback *sql.Stmt
	known, insert, body     *sql.Stmt
	finish, attempt         *sql.Stmt
	take, read              *sql.Stmt
}

// openSQLite makes the file, readable by its owner alone, and connects to it.
func (s *Store) openSQLite(ctx context.Context) error {
	path, err := filepath.Abs(s.addr.in(s.opts.Dir))
	if err != nil {
		return err
	}
	s.addr.shown = path
	if err := makeFile(path); err != nil {
		return err
	}
	const common = "_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_dqs=0"
	w := &sqliteWriter{s: s}
	if w.db, err = sql.Open("sqlite", sqliteDSN(path, common+"&_txlock=immediate")); err != nil {
		return err
	}
	w.db.SetMaxOpenConns(1)
	s.lite = w
	if s.db, err = sql.Open("sqlite", sqliteDSN(path, common+"&_pragma=query_only(1)")); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(sqliteReaders)
	s.db.SetMaxIdleConns(sqliteReaders)
	// Asked before the first change: a database of another program stays as it
	// is, its journal mode included. What can't be read now fails below.
	if v, err := s.version(ctx); err == nil && v < 0 {
		if err := s.refuseForeign(ctx); err != nil {
			return err
		}
	}
	return w.useWAL(ctx)
}

// useWAL makes readers and the writer independent of each other. While several
// processes open a new file, SQLite can refuse that without waiting.
func (w *sqliteWriter) useWAL(ctx context.Context) error {
	end := time.NewTimer(busyTime)
	defer end.Stop()
	for {
		var mode string
		err := w.db.QueryRowContext(ctx, "PRAGMA journal_mode(WAL)").Scan(&mode)
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return fmt.Errorf("%s: the file system does not allow what SQLite needs for several processes (journal mode %q)", w.s.addr.shown, mode)
		case !isBusy(err):
			return fmt.Errorf("%s: %w", w.s.addr.shown, err)
		}
		select {
		case <-end.C:
			return fmt.Errorf("%s: %w", w.s.addr.shown, err)
		default:
		}
		if err := pause(ctx, migratePause/5); err != nil {
			return err
		}
	}
}

func sqliteDSN(path, options string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?" + options
}

// makeFile makes an empty file of mode 0600, whatever the umask, if there is
// none. It never opens one that exists: closing it would drop the locks that
// other connections of this process have on it.
func makeFile(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("the folder of the SQLite file must exist: %w", err)
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make the SQLite file: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is linked by then, or of no use
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return fmt.Errorf("make the SQLite file: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the SQLite file: %w", err)
	}
	return nil
}

// isBusy reports whether another process had the database for too long.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == resultBusy || e.Code()&0xff == resultLocked)
}

// prepare takes the writer's connection and prepares its statements.
func (w *sqliteWriter) prepare(ctx context.Context, s *Store) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn = conn
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&w.stmt.begin, `BEGIN IMMEDIATE`},
		{&w.stmt.commit, `COMMIT`},
		{&w.stmt.rollback, `ROLLBACK`},
		{&w.stmt.known, `SELECT 1 FROM {log} WHERE event_id = ? AND imported = 0 LIMIT 1`},
		{&w.stmt.insert, `INSERT INTO {log} AS l (` + insertColumns + `) VALUES (` + marks(insertCount) + `) ` + overImported},
		{&w.stmt.body, `INSERT INTO {body} (id, body, event) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body, event = excluded.event`},
		{&w.stmt.finish, finishSQLite},
		{&w.stmt.take, takeSQLite()},
		{&w.stmt.read, `SELECT body, event, event IS NULL FROM {body} WHERE id = ?`},
		{&w.stmt.attempt, `INSERT INTO {attempt} (` + attemptColumns + `) VALUES (` + marks(11) + `) ON CONFLICT DO NOTHING`},
	} {
		stmt, err := conn.PrepareContext(ctx, s.names.Replace(p.sql))
		if err != nil {
			return err
		}
		*p.to = stmt
		w.all = append(w.all, stmt)
	}
	return nil
}

// insertColumns are the columns that Add writes, in the order of line.args.
const insertColumns = `id, execution_id, agent_id, event_type, channel, target, status, attempts, last_error,
	created_at, delivered_at, event_id, run_id, emitted_at, target_file, target_name, ordinal, content_type,
	fallback_body, unmade, imported, home, site, audit_offset, expires_at, reason, response_status,
	next_attempt_at, attempt_began_at, lease_owner, lease_until`

const insertCount = 31

const attemptColumns = `id, number, started_at, duration_us, delivered, status_code, timed_out, reason, phase, address, message`

// overImported lets an event that is added take the place of rows that were
// made of evidence: what they lack is known now. When they were made, and how
// many attempts the evidence knows, stays.
const overImported = `ON CONFLICT (id) DO UPDATE SET
	execution_id = excluded.execution_id, agent_id = excluded.agent_id, event_type = excluded.event_type, target = excluded.target,
	status = excluded.status, attempts = CASE WHEN excluded.attempts > l.attempts THEN excluded.attempts ELSE l.attempts END,
	last_error = excluded.last_error, delivered_at = excluded.delivered_at, run_id = excluded.run_id, emitted_at = excluded.emitted_at,
	ordinal = excluded.ordinal, content_type = excluded.content_type, fallback_body = excluded.fallback_body, unmade = excluded.unmade,
	imported = excluded.imported, home = excluded.home, site = excluded.site, audit_offset = excluded.audit_offset, expires_at = excluded.expires_at,
	reason = excluded.reason, next_attempt_at = excluded.next_attempt_at, attempt_began_at = excluded.attempt_began_at,
	lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
	WHERE l.imported`

const finishSQLite = `UPDATE {log} SET status = ?1, attempts = ?2, reason = ?3, last_error = ?4, response_status = coalesce(?5, response_status),
	next_attempt_at = ?6, attempt_began_at = ?7, delivered_at = ?8,
	lease_owner = CASE WHEN ?1 = 'sending' THEN '' END, lease_until = CASE WHEN ?1 = 'sending' THEN '1970-01-01T00:00:00.000000Z' END
	WHERE id = ?9 AND lease_owner = ?10 AND (?11 = 0 OR attempts = ?11)`

// takeSQLite gives beginColumns to one row and returns its deliveryColumns,
// which SQLite does not let one name by the table here.
func takeSQLite() string {
	return `UPDATE {log} AS l SET ` + strings.Replace(beginColumns, "{until}", "?", 1) +
		` WHERE l.id = ? RETURNING ` + strings.ReplaceAll(deliveryColumns, "l.", "")
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stampText(t)
}

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullInt(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// args gives insertColumns.
func (l *line) args(until time.Time) []any {
	if l.owner == "" {
		until = time.Time{}
	}
	return []any{
		l.id, l.execution, l.agent, l.event, l.channel, l.target, l.status, l.attempts, nullText(l.lastError),
		l.created, l.delivered, l.eventID, l.run, l.emitted, l.file, l.name, l.ordinal, l.contentType,
		l.fallback, l.unmade, l.imported, l.home, l.site, l.offset, l.expires, l.reason, nullInt(l.code),
		l.next, l.began, nullText(l.owner), until,
	}
}

// args gives attemptColumns.
func (t *tryLine) args() []any {
	return []any{t.id, t.number, t.started, t.micros, t.delivered, nullInt(t.code), t.timedOut, t.reason, t.phase, t.address, t.result}
}

// flush does a group of operations in one transaction. When one of them fails,
// all are done again, each alone, so that it takes no other with it.
func (w *sqliteWriter) flush(group []*op) {
	results, err := w.transaction(group)
	if err != nil && len(group) > 1 && !isBusy(err) {
		for _, o := range group {
			w.flush([]*op{o})
		}
		return
	}
	for i, o := range group {
		if err != nil {
			o.done <- w.s.clean(err)
		} else {
			o.done <- results[i]
		}
	}
}

// transaction returns the verdicts of a group that was committed.
func (w *sqliteWriter) transaction(group []*op) (results []error, err error) {
	// No statement has a context: an interrupted one would not say whether the
	// transaction still stands.
	ctx := context.Background()
	before, after := w.s.faults()
	if _, err := w.stmt.begin.ExecContext(ctx); err != nil {
		return nil, err
	}
	committed := false
	defer func() {
		if !committed {
			// It fails when SQLite rolled back already, as with a full disk.
			_, _ = w.stmt.rollback.ExecContext(ctx)
		}
	}()
	results = make([]error, len(group))
	for i, o := range group {
		results[i] = w.apply(ctx, o)
		if !verdict(results[i]) {
			return nil, results[i]
		}
	}
	if before != nil {
		return nil, before
	}
	if _, err := w.stmt.commit.ExecContext(ctx); err != nil {
		return nil, err
	}
	committed = true
	return results, after
}

func (w *sqliteWriter) apply(ctx context.Context, o *op) error {
	switch {
	case o.add != nil:
		return w.add(ctx, o)
	case o.finish != nil:
		return w.finish(ctx, o)
	}
	return o.run(ctx, &tx{w.s, w.conn})
}

func (w *sqliteWriter) add(ctx context.Context, o *op) error {
	if len(o.lines) == 0 {
		return nil
	}
	var one int
	err := w.stmt.known.QueryRowContext(ctx, o.lines[0].eventID).Scan(&one)
	known := err == nil
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	case o.key != nil:
		if done, err := w.s.useKey(ctx, &tx{w.s, w.conn}, o, known); err != nil || done {
			return err
		}
	case known:
		return delivery.ErrExists
	}
	until := o.at.Add(w.s.opts.Lease)
	for i := range o.lines {
		l := &o.lines[i]
		if _, err := w.stmt.insert.ExecContext(ctx, w.s.values(l.args(until))...); err != nil {
			return err
		}
		if _, err := w.stmt.body.ExecContext(ctx, l.id, l.body, l.envelope); err != nil {
			return err
		}
	}
	return nil
}

func (w *sqliteWriter) finish(ctx context.Context, o *op) error {
	var ids []string // of others
	lost := make(map[string]bool)
	for i := range o.lines {
		l := &o.lines[i]
		r, err := w.stmt.finish.ExecContext(ctx, l.status, l.attempts, l.reason, nullText(l.lastError), nullInt(l.code),
			nullTime(l.next), nullTime(l.began), nullTime(l.delivered), l.id, w.s.owner, l.made)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			lost[l.id] = true
			ids = append(ids, l.id)
		}
	}
	for i := range o.tries {
		if t := &o.tries[i]; !lost[t.id] {
			if _, err := w.stmt.attempt.ExecContext(ctx, w.s.values(t.args())...); err != nil {
				return err
			}
		}
	}
	return lostError(ids)
}

// take takes a row that waits, by its stored id, into its next attempt.
func (w *sqliteWriter) take(ctx context.Context, id string, offset int64, now time.Time) (delivery.Delivery, error) {
	d, err := scanDelivery(w.stmt.take.QueryRowContext(ctx, stampText(now), encode(w.s.opts.Site), offset, w.s.owner, stampText(now.Add(w.s.opts.Lease)), id))
	if err != nil {
		return delivery.Delivery{}, err
	}
	return d, scanBody(w.stmt.read.QueryRowContext(ctx, id), &d)
}

// lostError names the deliveries of a Finish that belong to others, one error
// each, so that callers can count them.
func lostError(ids []string) error {
	var all []error
	for _, id := range ids {
		all = append(all, fmt.Errorf("%s: %w", decode(id), delivery.ErrLost))
	}
	return errors.Join(all...)
}

func (w *sqliteWriter) close() error {
	var err error
	for _, stmt := range w.all {
		err = errors.Join(err, stmt.Close())
	}
	if w.conn != nil {
		err = errors.Join(err, w.conn.Close())
	}
	if w.db != nil {
		err = errors.Join(err, w.db.Close())
	}
	return err
}

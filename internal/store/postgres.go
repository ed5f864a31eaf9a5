package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"agentxchain/internal/delivery"
)

const (
	// postgresConns is how many connections readers and single operations
	// share, postgresWriters how many the writer has.
	postgresConns   = 5
	postgresWriters = 1
	// connectTime bounds one attempt to connect, statementTime one group of
	// operations, one transaction and one look for work: a server that does not
	// answer for so long is gone, and its network may not say so for hours.
	connectTime   = 5 * time.Second
	statementTime = 30 * time.Second
	// retryFirst and retryMost bound the pause before a lost connection is
	// tried again.
	retryFirst = 20 * time.Millisecond
	retryMost  = time.Second
)

// postgresWriter writes groups of operations.
type postgresWriter struct {
	s    *Store
	pool *pgxpool.Pool
	add  string
	done string
}

// openPostgres connects, to find out now whether the database can be had.
func (s *Store) openPostgres(ctx context.Context) error {
	config, err := pgxpool.ParseConfig(s.addr.dsn)
	if err != nil {
		return errors.New("the PostgreSQL URL can't be used: an option or a certificate file is wrong") // the error shows the user
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTime
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "agentxchain"
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A process that is stopped in the middle of a transaction must not keep its
	// rows from others for longer than its claims last.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(s.opts.Lease.Milliseconds(), 10)
	config.MaxConns = postgresConns
	writers := config.Copy()
	writers.MaxConns = postgresWriters
	// The writer's few statements find rows by their keys. A plan made while a
	// table was small must not stay a scan of it.
	for _, off := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		writers.ConnConfig.RuntimeParams[off] = "off"
	}
	writers.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return s.clean(err)
	}
	s.pg = &postgresWriter{s: s, add: s.renderPostgres(s.names.Replace(addPostgres)), done: s.renderPostgres(s.names.Replace(finishPostgres))}
	if s.pg.pool, err = pgxpool.NewWithConfig(ctx, writers); err != nil {
		return s.clean(err)
	}
	s.db = stdlib.OpenDBFromPool(s.pool)
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("can't reach PostgreSQL at %s: %w", s.addr.shown, s.clean(err))
	}
	if s.opts.Schema == "" {
		return nil
	}
	var there bool
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, s.opts.Schema).Scan(&there)
	if err == nil && !there {
		return fmt.Errorf("%s has no schema %q; create it, or set persistence.db_schema", s.addr.shown, s.opts.Schema)
	}
	return s.clean(err)
}

// databaseError is an error without what drivers add to theirs: the user, the
// database and the addresses tried.
type databaseError struct {
	text  string
	cause error
}

// Error implements the error interface.
func (e *databaseError) Error() string { return e.text }

// Unwrap gives the driver's error to errors.Is and errors.As.
func (e *databaseError) Unwrap() error { return e.cause }

// clean takes credentials out of a driver's error.
func (s *Store) clean(err error) error {
	var done *databaseError
	if err == nil || s.addr.engine == sqliteEngine || verdict(err) || errors.As(err, &done) {
		return err
	}
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	var dns *net.DNSError
	switch {
	case errors.As(err, &server) && strings.HasPrefix(server.Code, "28"):
		return &databaseError{"it refuses the user or the password", err}
	case errors.As(err, &server) && server.Code == "3D000":
		return &databaseError{"it has no database of that name", err}
	case errors.As(err, &server) && server.Code == "42501":
		return &databaseError{"the user may not do that (SQLSTATE 42501)", err}
	case errors.As(err, &server):
		return &databaseError{fmt.Sprintf("%s (SQLSTATE %s)", server.Message, server.Code), err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &databaseError{"connection refused", err}
	case errors.As(err, &dns):
		return &databaseError{"no such host", err}
	case errors.Is(err, context.DeadlineExceeded):
		return &databaseError{"no answer in time", err}
	case errors.As(err, &connect):
		return &databaseError{"the connection can't be made", err}
	case isConnection(err):
		return &databaseError{"the connection was lost", err}
	}
	return err
}

// isConnection reports whether the connection failed, or the server is going
// down or coming up, so that another try can succeed.
func isConnection(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code {
		case "57P01", "57P02", "57P03", "53300", "40001", "40P01", "25006":
			return true
		}
		return strings.HasPrefix(server.Code, "08")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// isCollision reports whether another process added the same event at the same
// moment, see addPostgres.
func isCollision(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "22012" || server.Code == "23505")
}

// retry calls f until it does not fail for want of a connection, or ctx ends.
// f is told whether an earlier call may have been committed.
func (s *Store) retry(ctx context.Context, f func(again bool) error) error {
	wait := retryFirst
	for again := false; ; again = true {
		err := f(again)
		if err == nil || !isConnection(err) || ctx.Err() != nil {
			return err
		}
		s.pool.Reset() // other connections are as dead
		if !again {
			s.warn(fmt.Errorf("PostgreSQL at %s: %w", s.addr.shown, s.clean(err)))
		}
		if pause(ctx, wait) != nil {
			return err
		}
		wait = min(2*wait, retryMost)
	}
}

// alonePostgres runs f in a transaction of its own. It is tried again when it
// was certainly not committed; an end that nobody knows is an error, and what
// was claimed then is found again when its lease ends.
func (s *Store) alonePostgres(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	before, after := s.faults()
	var unknown error
	err := s.retry(ctx, func(bool) error {
		ctx, cancel := context.WithTimeout(ctx, s.patience)
		defer cancel()
		t, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := errors.Join(f(ctx, &tx{s, t}), before); err != nil {
			_ = t.Rollback() // the transaction ends with its connection otherwise
			return err
		}
		unknown = t.Commit()
		return nil
	})
	if err == nil {
		err = unknown
	}
	if err != nil && !verdict(err) {
		s.spoiled.Store(true)
	}
	if err == nil {
		err = after
	}
	return s.clean(err)
}

// flush does a group of operations in one journey to the server, whose
// transaction ends with it. When one of them fails, each is done alone.
func (w *postgresWriter) flush(group []*op) {
	group, later := apart(group)
	w.together(group)
	if len(later) > 0 {
		w.flush(later)
	}
}

// apart keeps operations that touch the same row or event out of one group:
// one statement can't change a row twice.
func apart(group []*op) (now, later []*op) {
	seen := make(map[string]bool)
	for _, o := range group {
		names := make([]string, 0, 1+2*len(o.lines))
		again := false
		if o.key != nil {
			names = append(names, "key "+string(o.key.Key[:]))
		}
		for i := range o.lines {
			l := &o.lines[i]
			names = append(names, "row "+l.id)
			if o.add != nil && i == 0 {
				names = append(names, "event "+l.eventID)
			}
		}
		for _, n := range names {
			again = again || seen[n]
		}
		if again {
			later = append(later, o)
			continue
		}
		for _, n := range names {
			seen[n] = true
		}
		now = append(now, o)
	}
	return now, later
}

// together does a group, again and again while the connection fails and
// somebody waits for it.
func (w *postgresWriter) together(group []*op) {
	wait := retryFirst
	for {
		lost, err := w.journey(group)
		switch {
		case err == nil:
			for i, o := range group {
				o.done <- lost[i]
			}
			return
		case !isConnection(err) && len(group) > 1:
			for _, o := range group {
				o.again = true // the failure can have come after the commit
				w.together([]*op{o})
			}
			return
		case group[0].add != nil && isCollision(err):
			group[0].done <- delivery.ErrExists
			return
		case !isConnection(err):
			group[0].done <- w.s.clean(err)
			return
		}
		w.s.pool.Reset() // a reader must not be the next to find out
		if !group[0].again {
			w.s.warn(fmt.Errorf("PostgreSQL at %s: %w", w.s.addr.shown, w.s.clean(err)))
		}
		group = w.patient(group, err, wait)
		if len(group) == 0 {
			return
		}
		wait = min(2*wait, retryMost)
	}
}

// patient waits before another try, and returns those who still want it.
func (w *postgresWriter) patient(group []*op, err error, wait time.Duration) []*op {
	_ = pause(w.s.ending, wait) // its end is looked at below
	var still []*op
	for _, o := range group {
		o.again = true
		if o.ctx.Err() != nil || w.s.ending.Err() != nil {
			o.done <- w.s.clean(err)
			continue
		}
		still = append(still, o)
	}
	return still
}

// journey sends a group and returns how each operation ended. After an error
// none was done, or nobody knows.
func (w *postgresWriter) journey(group []*op) ([]error, error) {
	ctx, cancel := context.WithDeadline(context.Background(), waitedFor(group, time.Now().Add(w.s.patience)))
	defer cancel()
	before, after := w.s.faults()
	if before != nil {
		return nil, before
	}
	results, err := w.send(ctx, group)
	if err == nil {
		err = after
	}
	return results, err
}

// waitedFor is when nobody waits for a group any longer: end at the latest. A
// command that can send without the database must not be held up by it.
func waitedFor(group []*op, end time.Time) time.Time {
	var last time.Time
	for _, o := range group {
		t, ok := o.ctx.Deadline()
		if !ok || t.After(end) {
			return end
		}
		if t.After(last) {
			last = t
		}
	}
	return last
}

// send is one pipeline: the statements of a group and the end of its
// transaction.
func (w *postgresWriter) send(ctx context.Context, group []*op) ([]error, error) {
	var adds addArrays
	var ends finishArrays
	wake := false
	for _, o := range group {
		if o.add != nil {
			adds.append(o)
		} else {
			ends.append(o)
		}
		wake = wake || o.wakes()
	}
	batch := &pgx.Batch{}
	if len(adds.id) > 0 {
		batch.Queue(w.add, adds.args(w.s)...)
	}
	if len(ends.id) > 0 {
		batch.Queue(w.done, ends.args(w.s)...)
	}
	if wake {
		batch.Queue(`SELECT pg_notify($1, '')`, w.s.channel())
	}
	answers := w.pool.SendBatch(ctx, batch)
	touched := make(map[string]bool, len(adds.id)+len(ends.id))
	var err error
	if len(adds.id) > 0 {
		err = collect(answers, touched)
	}
	if err == nil && len(ends.id) > 0 {
		err = collect(answers, touched)
	}
	if err = errors.Join(err, answers.Close()); err != nil {
		return nil, err
	}
	return w.judge(ctx, group, touched)
}

// collect reads the ids of the rows that a statement wrote.
func collect(answers pgx.BatchResults, into map[string]bool) error {
	rows, err := answers.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	var id string
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return err
		}
		into[id] = true
	}
	return rows.Err()
}

// judge says of each operation whether its rows were written.
func (w *postgresWriter) judge(ctx context.Context, group []*op, touched map[string]bool) ([]error, error) {
	results := make([]error, len(group))
	for i, o := range group {
		var missing []string
		for j := range o.lines {
			if !touched[o.lines[j].id] {
				missing = append(missing, o.lines[j].id)
			}
		}
		if len(missing) == 0 {
			continue
		}
		if o.again {
			// An earlier try may have done it.
			var err error
			if missing, err = w.undone(ctx, o, missing); err != nil {
				return nil, err
			}
			if len(missing) == 0 {
				continue
			}
		}
		switch {
		case o.key != nil:
			results[i] = w.underKey(ctx, o)
			if !verdict(results[i]) {
				return nil, results[i]
			}
		case o.add != nil:
			results[i] = delivery.ErrExists
		default:
			results[i] = lostError(missing)
		}
	}
	return results, nil
}

// undone lists the rows that do not stand as an operation left them.
func (w *postgresWriter) undone(ctx context.Context, o *op, ids []string) ([]string, error) {
	want := make(map[string]*line)
	for i := range o.lines {
		want[o.lines[i].id] = &o.lines[i]
	}
	rows, err := w.pool.Query(ctx, w.s.names.Replace(`SELECT id, status, attempts, created_at, coalesce(lease_owner, '') FROM {log} WHERE id = ANY($1)`), ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	did := make(map[string]bool)
	for rows.Next() {
		var id, status, owner string
		var attempts int64
		var created time.Time
		if err := rows.Scan(&id, &status, &attempts, &created, &owner); err != nil {
			return nil, err
		}
		l := want[id]
		same := status == l.status && attempts == l.attempts && owner == l.owner
		if o.add != nil {
			same = same && created.Equal(l.created)
		}
		did[id] = same
	}
	var missing []string
	for _, id := range ids {
		if !did[id] {
			missing = append(missing, id)
		}
	}
	return missing, rows.Err()
}

// takePostgres takes what is due in one statement. Rows that another process
// is taking are passed over.
func (s *Store) takePostgres(ctx context.Context, t *tx, queues []queueOf, q delivery.Quota, now time.Time) ([]delivery.Delivery, error) {
	var homes, files, channels, names []string
	var rooms []int32
	for _, w := range queues {
		homes, files, channels, names = append(homes, w.home), append(files, w.file), append(channels, w.channel), append(names, w.name)
		rooms = append(rooms, int32(min(w.room, 1<<20)))
	}
	var taken []delivery.Delivery
	err := t.each(ctx, func(rows *sql.Rows) error {
		var body, event []byte
		var same bool
		d, err := scanDelivery(rows, &body, &event, &same)
		if err != nil {
			return err
		}
		if !same && event == nil {
			event = []byte{}
		}
		setBody(&d, body, event)
		taken = append(taken, d)
		return nil
	}, takeSQL, homes, files, channels, names, rooms, now, q.Max, now, encode(s.opts.Site), q.AuditOffset, s.owner)
	s.looks.Add(int64(len(taken)))
	return taken, err
}

const takeSQL = `WITH w AS (
	SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::int[]) AS w (home, file, channel, name, room)
), p AS MATERIALIZED (
	SELECT p.id, p.due FROM w, LATERAL (
		SELECT l.id, {due} AS due FROM {log} l
		WHERE ` + waiting + ` AND l.home = w.home AND l.target_file = w.file AND l.channel = w.channel AND l.target_name = w.name AND {due} <= ?
		ORDER BY {due}, l.id LIMIT w.room {skip}
	) p ORDER BY p.due, p.id LIMIT ?
), u AS (
	UPDATE {log} AS l SET ` + beginColumns + ` FROM p WHERE l.id = p.id RETURNING l.*, p.due
)
SELECT ` + deliveryColumns + `, b.body, b.event, b.event IS NULL FROM u l LEFT JOIN {body} b ON b.id = l.id ORDER BY l.due, l.id`

// channel is the name that wakes the processes of one set of tables.
func (s *Store) channel() string {
	return strings.ToLower("notify_" + s.opts.Schema + "_" + s.opts.Prefix + "log")
}

// listen rings when another process says that it stored something.
func (s *Store) listen(ctx context.Context) {
	wait := retryFirst
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, func() { wait = retryFirst })
		s.warn(err)
		s.wake.ring() // something may have been missed
		if pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, retryMost)
	}
}

func (s *Store) listenOnce(ctx context.Context, ready func()) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("listen for new deliveries: %w", err)
	}
	// A connection that listens is not for others.
	own := conn.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = own.Close(ctx) // it served nothing that could be lost
	}()
	if _, err := own.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel()}.Sanitize()); err != nil {
		return fmt.Errorf("listen for new deliveries: %w", err)
	}
	ready()
	for {
		s.wake.ring()
		if _, err := own.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listen for new deliveries: %w", err)
		}
	}
}

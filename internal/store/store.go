// Package store keeps deliveries as rows of notification_log, in SQLite or
// PostgreSQL. The row is the job: its state, its attempts, when the next is
// due, and who has it. One value of [Store] is one owner of rows.
//
// # Tables
//
// The files in migrations are the schema; its CHECKs hold the states. The
// columns of the published table come first in notification_log. The bytes to
// send are in notification_body, attempts in notification_attempt. Rows of the
// three with one id belong together and are deleted together. Every name
// begins with the configured prefix.
//
// # Leases
//
// What an owner claims is leased to it for Options.Lease. Others take it when
// the lease has ended, which means that its process died or was stopped for so
// long. PostgreSQL judges by its own clock; for SQLite, whose owners share a
// machine, Options.Now does, and a lease that ends further ahead than any can
// has ended too: the clock was moved. An owner judges its own claims by
// [Store.Held], which gives up early, by the monotonic clock and by the wall
// clock. Every write of an outcome is fenced: it counts only while the row is
// leased to who writes.
//
// # Durability
//
// When an operation has returned without an error, what it wrote is synced.
// Operations of many goroutines share a transaction: one goroutine writes, and
// takes along whatever waits. It waits for nobody, so that an idle store
// answers at once.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"agentxchain/internal/secret"
)

// Options configure a [Store].
type Options struct {
	// URL is persistence.url, see [CheckURL]. Empty means [DefaultURL].
	URL secret.Text
	// Backend is persistence.backend: "sqlite", "postgres", "postgresql" or
	// empty for what the URL says.
	Backend string
	// Dir is the folder that a relative path of SQLite begins in. Required for
	// those.
	Dir string
	// Prefix begins the names of all tables; Schema is where PostgreSQL has
	// them, and must exist. Both may be empty.
	Prefix, Schema string
	// Site names the project that this process sends for. Governed events of
	// one project are never given out to another. Required.
	Site string
	// Lease is how long a claim lasts, one second to five minutes; 0 means one
	// minute. Owners need not agree on it.
	// It must be longer than an attempt and what follows it can take.
	Lease time.Duration
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
	// Warn is told what does not stop the store, such as a lost connection; nil
	// means nobody is. It must not block.
	Warn func(error)
}

// Store is one owner of deliveries in a database. It is safe for concurrent use.
type Store struct {
	*reader
	opts  Options
	addr  address
	owner string
	// names puts the names of the tables into SQL.
	names *strings.Replacer
	// db serves readers, and on PostgreSQL transactions of single operations.
	db   *sql.DB
	pool *pgxpool.Pool // of db and of the writer; nil for SQLite
	pg   *postgresWriter
	lite *sqliteWriter

	writer writer
	claims claims
	wake   waker
	// patience is statementTime, but for tests.
	patience time.Duration
	// fault makes writes fail in tests; nil means none do.
	fault func() (before, after error)
	// looks counts the rows that Take looked at, for tests.
	looks atomic.Int64
	// spoiled says that rows may be leased to this owner which it does not
	// know of, because an operation failed.
	spoiled atomic.Bool
	// ending ends when Close begins: nothing is tried again from then on.
	ending  context.Context
	end     context.CancelFunc
	closing sync.Once
	closed  error
}

// leaseMost is the longest lease of any owner.
const leaseMost = 5 * time.Minute

// closeTime bounds how long Close may take to give up what is claimed.
const closeTime = 10 * time.Second

// Open opens the database, makes or renews its tables, and returns a new owner
// of its rows. The end of ctx ends the attempt to open, nothing else. Errors
// name neither user nor password. An unusable database is never replaced by
// another one.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if s.addr.engine == sqliteEngine {
		err = s.openSQLite(ctx)
	} else {
		err = s.openPostgres(ctx)
	}
	if err == nil {
		err = s.migrate(ctx, newest)
	}
	if err == nil && s.lite != nil {
		err = s.lite.prepare(ctx, s)
	}
	if err != nil {
		s.end()
		_ = s.disconnect() // nothing was written
		return nil, fmt.Errorf("open the database of deliveries: %w", err)
	}
	s.reader = s.reading()
	s.writer.start(s.flusher())
	return s, nil
}

func prepare(o Options) (*Store, error) {
	if o.URL.IsZero() {
		o.URL = secret.New(DefaultURL)
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	addr, err := parseURL(o.URL.Reveal(), o.Backend)
	if err == nil {
		err = errors.Join(CheckPrefix(o.Prefix), CheckSchema(o.Schema))
	}
	switch {
	case err != nil:
		return nil, err
	case o.Site == "":
		return nil, errors.New("the store needs to know whose project it serves")
	case o.Lease < time.Second || o.Lease > leaseMost:
		return nil, fmt.Errorf("a lease of %v is too short or too long", o.Lease)
	case o.Schema != "" && addr.engine == sqliteEngine:
		return nil, errors.New("db_schema is for PostgreSQL only")
	}
	s := &Store{opts: o, addr: addr, owner: newOwner(), patience: statementTime}
	s.ending, s.end = context.WithCancel(context.Background())
	s.names = strings.NewReplacer(s.tables()...)
	s.claims.init(o.Lease, o.Now)
	s.wake.init()
	return s, nil
}

// newOwner returns an id that nobody else has.
func newOwner() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// tables lists placeholders and what replaces them. SQL here names the log as
// {log}; migrations name {schema} and {prefix}.
func (s *Store) tables() []string {
	schema := ""
	if s.opts.Schema != "" {
		schema = `"` + s.opts.Schema + `".`
	}
	list := []string{"{schema}", schema, "{prefix}", s.opts.Prefix}
	for _, name := range []string{"log", "body", "attempt", "key", "import", "schema_version"} {
		list = append(list, "{"+name+"}", schema+`"`+s.opts.Prefix+"notification_"+name+`"`)
	}
	return list
}

// Close gives up everything still claimed, as the death of the process would,
// but at once: a delivery that is Sending becomes an orphan. Operations under
// way are finished first.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.end()
		s.wake.stop()
		s.writer.stop()
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		if s.claims.any() || s.spoiled.Load() {
			if err := s.abandon(ctx); err != nil {
				s.closed = fmt.Errorf("give up claimed deliveries: %w", err)
			}
		}
		s.closed = errors.Join(s.closed, s.disconnect())
	})
	return s.closed
}

func (s *Store) disconnect() error {
	var err error
	if s.lite != nil {
		err = s.lite.close()
	}
	if s.reader != nil {
		err = errors.Join(err, s.reader.close())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.pg != nil {
		s.pg.pool.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
	return err
}

// errClosed is what operations of a closed store say.
var errClosed = errors.New("the store is closed")

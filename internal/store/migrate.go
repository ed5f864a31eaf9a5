package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// newest asks migrate for every migration there is.
const newest int64 = 1 << 62

// migrateTries and migratePause bound the wait for other processes that make
// the same tables.
const (
	migrateTries = 100
	migratePause = 50 * time.Millisecond
)

// migrate brings the tables up to a version. When they are there already, it
// costs one query.
func (s *Store) migrate(ctx context.Context, to int64) error {
	files, err := s.migrationFiles()
	if err != nil {
		return err
	}
	to = min(to, latest(files))
	for try := 1; ; try++ {
		now, err := s.version(ctx)
		switch {
		case err != nil:
			return err
		case now == to:
			return nil
		case now > to:
			return fmt.Errorf("the tables in %s are of version %d, made by a newer release; this one knows version %d", s.addr.shown, now, to)
		case now < 0:
			if err := s.refuseForeign(ctx); err != nil {
				return err
			}
		}
		err = s.climb(ctx, files, to)
		if err == nil {
			continue
		}
		// Another process may have been making the same tables.
		if try == migrateTries || !s.contended(err) {
			return fmt.Errorf("make the tables in %s: %w", s.addr.shown, s.clean(err))
		}
		if err := pause(ctx, migratePause); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// contended reports whether making tables can have failed because somebody
// else made them.
func (s *Store) contended(err error) bool {
	text := err.Error()
	return isBusy(err) || strings.Contains(text, "already exists") || strings.Contains(text, "UNIQUE constraint") ||
		strings.Contains(text, "duplicate key") || strings.Contains(text, "failed to acquire lock") || isConnection(err)
}

// version returns the version of our tables, -1 when there are none.
func (s *Store) version(ctx context.Context) (int64, error) {
	if s.addr.engine == postgresEngine {
		// A statement that fails would be logged by the server as an error.
		var there bool
		err := s.db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, s.names.Replace("{schema_version}")).Scan(&there)
		if err != nil {
			return 0, s.clean(err)
		}
		if !there {
			return -1, nil
		}
	}
	var v sql.NullInt64
	err := s.db.QueryRowContext(ctx, s.names.Replace(`SELECT max(version_id) FROM {schema_version}`)).Scan(&v)
	if err != nil && s.addr.engine == sqliteEngine && strings.Contains(err.Error(), "no such table") {
		return -1, nil
	}
	if err != nil {
		return 0, s.clean(err)
	}
	return v.Int64, nil
}

// refuseForeign refuses a database in which somebody else made a table of our
// names, or will make one: the Python package of the same format does both.
func (s *Store) refuseForeign(ctx context.Context) error {
	names := []string{s.opts.Prefix + "notification_log"}
	if s.opts.Prefix == "" {
		names = append(names, "alembic_version")
	}
	for _, name := range names {
		there, err := s.hasTable(ctx, name)
		if err != nil {
			return s.clean(err)
		}
		if there {
			return fmt.Errorf("%s has a table %q that another program made; set persistence.table_prefix, so that both have their own", s.addr.shown, name)
		}
	}
	return nil
}

func (s *Store) hasTable(ctx context.Context, name string) (there bool, err error) {
	if s.addr.engine == sqliteEngine {
		err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ? COLLATE NOCASE)`, name).Scan(&there)
		return there, err
	}
	schema := ""
	if s.opts.Schema != "" {
		schema = `"` + s.opts.Schema + `".`
	}
	err = s.db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, schema+`"`+name+`"`).Scan(&there)
	return there, err
}

// climb runs goose.
func (s *Store) climb(ctx context.Context, files fs.FS, to int64) error {
	q := querier{pg: s.addr.engine == postgresEngine, exists: s.existsSQL()}
	versions, err := database.NewStoreFromQuerier(s.names.Replace("{schema_version}"), q)
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithStore(versions), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	db := s.db
	if q.pg {
		h := fnv.New64a()
		_, _ = h.Write([]byte(s.names.Replace("{schema_version}"))) // never fails
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(int64(h.Sum64()>>1)), lock.WithLockTimeout(1, 60))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	} else {
		db = s.lite.db
	}
	provider, err := goose.NewProvider(goose.DialectCustom, db, files, options...)
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, to)
	return err
}

func (s *Store) existsSQL() string {
	if s.addr.engine == sqliteEngine {
		return s.names.Replace(`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '{prefix}notification_schema_version')`)
	}
	return s.names.Replace(`SELECT to_regclass('{schema_version}') IS NOT NULL`)
}

// migrationFiles renders the migrations of the engine for the configured names.
func (s *Store) migrationFiles() (fs.FS, error) {
	folder := "migrations/sqlite"
	if s.addr.engine == postgresEngine {
		folder = "migrations/postgres"
	}
	sub, err := fs.Sub(migrations, folder)
	return rendered{sub, s.names}, err
}

// rendered is a folder of files with placeholders in them.
type rendered struct {
	fs.FS
	names *strings.Replacer
}

// Open implements fs.FS.
func (r rendered) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	text, err := io.ReadAll(f)
	return renderedFile{f, strings.NewReader(r.names.Replace(string(text)))}, err
}

// renderedFile has the text of a file with the names put in.
type renderedFile struct {
	fs.File
	text *strings.Reader
}

// Read implements io.Reader.
func (f renderedFile) Read(p []byte) (int, error) { return f.text.Read(p) }

// latest is the newest version among the files, whose names begin with it.
func latest(files fs.FS) int64 {
	var v int64
	names, _ := fs.Glob(files, "*.sql") // only a bad pattern fails
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			v = max(v, n)
		}
	}
	return v
}

// querier is the SQL of the table of versions. Versions are unique, so that of
// two processes that run a migration at once only one can commit.
type querier struct {
	pg     bool
	exists string
}

// CreateTable implements the interface of goose.
func (q querier) CreateTable(table string) string {
	return `CREATE TABLE ` + table + ` (version_id bigint NOT NULL PRIMARY KEY, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)`
}

// InsertVersion implements the interface of goose.
func (q querier) InsertVersion(table string) string {
	return `INSERT INTO ` + table + ` (version_id, is_applied) VALUES ` + q.marks()
}

func (q querier) marks() string {
	if q.pg {
		return `($1, $2)`
	}
	return `(?, ?)`
}

// DeleteVersion implements the interface of goose.
func (q querier) DeleteVersion(table string) string {
	return `DELETE FROM ` + table + ` WHERE version_id = ` + q.mark()
}

// GetMigrationByVersion implements the interface of goose.
func (q querier) GetMigrationByVersion(table string) string {
	return `SELECT tstamp, is_applied FROM ` + table + ` WHERE version_id = ` + q.mark()
}

func (q querier) mark() string {
	if q.pg {
		return `$1`
	}
	return `?`
}

// ListMigrations implements the interface of goose.
func (querier) ListMigrations(table string) string {
	return `SELECT version_id, is_applied FROM ` + table + ` ORDER BY version_id DESC`
}

// GetLatestVersion implements the interface of goose.
func (querier) GetLatestVersion(table string) string {
	return `SELECT max(version_id) FROM ` + table
}

// TableExists implements the interface of goose.
func (q querier) TableExists(string) string { return q.exists }

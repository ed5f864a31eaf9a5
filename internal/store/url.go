package store

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// engine is a kind of database.
type engine string

const (
	sqliteEngine   engine = "SQLite"
	postgresEngine engine = "PostgreSQL"
)

// address is a parsed URL.
type address struct {
	engine engine
	// path is SQLite's file, as the URL has it.
	path string
	// dsn is PostgreSQL's URL, credentials included. It is never printed.
	dsn string
	// shown names the database without credentials and options.
	shown string
}

// DefaultURL is the seed's default of persistence.url.
const DefaultURL = "sqlite+aiosqlite:///agent_gateway.db"

// CheckURL reports whether Open could use the URL with the given backend of
// the configuration: "sqlite", "postgres", "postgresql" or "" for what the URL
// says. The error shows no credentials.
func CheckURL(raw, backend string) error {
	_, err := parseURL(raw, backend)
	return err
}

// parseURL reads the spellings of persistence.url: those of SQLAlchemy, with
// or without the driver, and postgres://. The path of SQLite is what follows
// the first "///".
func parseURL(raw, backend string) (address, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return address{}, errors.New(`the database URL has no "://"; examples: "sqlite+aiosqlite:///agent_gateway.db", "postgresql://host/database"`)
	}
	family, _, _ := strings.Cut(strings.ToLower(scheme), "+")
	var a address
	var err error
	switch family {
	case "sqlite":
		a, err = parseSQLite(rest)
	case "postgres", "postgresql":
		a, err = parsePostgres(rest)
	default:
		// What stands before "://" can hold a password when the slashes are misplaced.
		return address{}, errors.New(`the database URL must begin with "sqlite", "postgresql" or "postgres"`)
	}
	if err != nil {
		return address{}, err
	}
	return a, agree(a.engine, backend)
}

// agree compares the configured backend with the engine of the URL.
func agree(e engine, backend string) error {
	want := map[string]engine{"": e, "sqlite": sqliteEngine, "postgres": postgresEngine, "postgresql": postgresEngine}
	named, known := want[strings.ToLower(backend)]
	switch {
	case !known:
		return fmt.Errorf("backend %q is none of sqlite, postgres and postgresql", backend)
	case named != e:
		return fmt.Errorf("backend %q contradicts the database URL, which is one of %s", backend, e)
	}
	return nil
}

func parseSQLite(rest string) (address, error) {
	path, found := strings.CutPrefix(rest, "/")
	if !found {
		return address{}, errors.New(`a SQLite URL has three slashes before the path, and four before an absolute one: "sqlite:///file.db"`)
	}
	path, _, _ = strings.Cut(path, "?")
	switch {
	case path == "" || path == ":memory:" || strings.HasPrefix(path, "file:"):
		return address{}, errors.New("the SQLite URL names no file; a database in memory would lose what it holds")
	case strings.ContainsRune(path, 0):
		return address{}, errors.New("the path of the SQLite URL holds a NUL byte")
	}
	return address{engine: sqliteEngine, path: path, shown: path}, nil
}

// postgresOptions are the options that a URL may set; anything else, such as a
// driver's own, is an error instead of a surprise at the first connection.
func postgresOptions() []string {
	return []string{"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "application_name", "target_session_attrs", "host", "port"}
}

func parsePostgres(rest string) (address, error) {
	u, err := url.Parse("postgresql://" + rest)
	if err != nil {
		// url.Error quotes the URL, password included.
		return address{}, errors.New("the PostgreSQL URL can't be parsed; a special character in its password must be escaped, as %40 for @")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, errors.New("the options of the PostgreSQL URL can't be parsed")
	}
	if ssl := query.Get("ssl"); ssl != "" && query.Get("sslmode") == "" { // asyncpg's name
		query.Set("sslmode", ssl)
		query.Del("ssl")
	}
	for name := range query {
		if !contains(postgresOptions(), name) {
			return address{}, fmt.Errorf("the PostgreSQL URL has an option that is not known; known are %s", strings.Join(postgresOptions(), ", "))
		}
	}
	u.RawQuery = query.Encode()
	host, port := u.Hostname(), u.Port()
	if h := query.Get("host"); h != "" {
		host = h
	}
	if p := query.Get("port"); p != "" {
		port = p
	}
	if host == "" {
		return address{}, errors.New("the PostgreSQL URL names no host")
	}
	if port == "" {
		port = "5432"
	}
	database := strings.TrimPrefix(u.Path, "/")
	if database == "" {
		return address{}, errors.New("the PostgreSQL URL names no database")
	}
	return address{engine: postgresEngine, dsn: u.String(), shown: net.JoinHostPort(host, port) + "/" + database}, nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// in resolves a relative path of SQLite against a folder.
func (a address) in(dir string) string {
	if filepath.IsAbs(a.path) {
		return a.path
	}
	return filepath.Join(dir, a.path)
}

// identifier is what a table prefix and a schema may be: they are part of SQL.
var identifier = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,40}$`)
})

// CheckPrefix reports whether persistence.table_prefix can be used.
func CheckPrefix(prefix string) error {
	if prefix != "" && !identifier().MatchString(prefix) {
		return errors.New("table_prefix must be letters, digits and underscores, not begin with a digit, and have at most 41 characters")
	}
	return nil
}

// CheckSchema reports whether persistence.db_schema can be used.
func CheckSchema(schema string) error {
	if schema != "" && !identifier().MatchString(schema) {
		return errors.New("db_schema must be letters, digits and underscores, not begin with a digit, and have at most 41 characters")
	}
	return nil
}

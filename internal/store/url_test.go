package store

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		url, backend string
		engine       engine
		path, shown  string
	}{
		{"sqlite+aiosqlite:///agent_gateway.db", "", sqliteEngine, "agent_gateway.db", "agent_gateway.db"},
		{"sqlite:///a/b.db?x=1", "sqlite", sqliteEngine, "a/b.db", "a/b.db"},
		{"SQLite+aiosqlite:////var/lib/log.db", "SQLite", sqliteEngine, "/var/lib/log.db", "/var/lib/log.db"},
		{"sqlite:///with space %41.db", "", sqliteEngine, "with space %41.db", "with space %41.db"},
		{"postgresql+asyncpg://u:p@db/gateway", "postgresql", postgresEngine, "", "db:5432/gateway"},
		{"postgres://db:6432/gateway?sslmode=require", "postgres", postgresEngine, "", "db:6432/gateway"},
		{"postgresql://u@[::1]:5433/gateway?ssl=disable", "", postgresEngine, "", "[::1]:5433/gateway"},
		{"postgresql:///gateway?host=/run/postgresql", "", postgresEngine, "", "/run/postgresql:5432/gateway"},
	} {
		a, err := parseURL(c.url, c.backend)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if a.engine != c.engine || a.path != c.path || a.shown != c.shown {
			t.Errorf("%s is %+v", c.url, a)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, c := range []struct{ url, backend, says string }{
		{"", "", `no "://"`},
		{"agent.db", "", `no "://"`},
		{"mysql://u:hunter2@h/d", "", "must begin with"},
		{"u:hunter2@sqlite:///x.db", "", "must begin with"},
		{"sqlite://x.db", "", "three slashes"},
		{"sqlite:///", "", "names no file"},
		{"sqlite:///:memory:", "", "names no file"},
		{"sqlite:///a\x00b", "", "NUL"},
		{"postgres://u:hunter2@/d", "", "no host"},
		{"postgres://u:hunter2@h", "", "no database"},
		{"postgres://u:hunter2%@h/d", "", "can't be parsed"},
		{"postgres://u:hunter2@h:port/d", "", "can't be parsed"},
		{"postgres://u:hunter2@h/d?password=hunter2", "", "not known"},
		{"postgres://u:hunter2@h/d?%zz", "", "options"},
		{"sqlite:///x.db", "postgresql", "contradicts"},
		{"postgres://u:hunter2@h/d", "sqlite", "contradicts"},
		{"sqlite:///x.db", "oracle", "none of"},
	} {
		err := CheckURL(c.url, c.backend)
		switch {
		case err == nil:
			t.Errorf("%q, %q is accepted", c.url, c.backend)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%q, %q: %v, without %q", c.url, c.backend, err, c.says)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%q: the error shows the password: %v", c.url, err)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for _, good := range []string{"", "a", "_x9", "Agent_" + strings.Repeat("x", 35)} {
		if CheckPrefix(good) != nil || CheckSchema(good) != nil {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"9a", "a-b", `a"b`, "a.b", "é", " ", "a\n", strings.Repeat("x", 42)} {
		if CheckPrefix(bad) == nil || CheckSchema(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzURL wants what is accepted to name a database, and nothing that is
// shown to hold what stood before the host.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"sqlite:///x.db", "sqlite+aiosqlite:////x.db?a", "postgres://u:p@h:1/d?sslmode=disable", "postgresql+asyncpg://h/d", "postgres://@h/%2f", "://", "postgres://u:p@h,i/d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := parseURL(raw, "")
		if err != nil {
			return
		}
		switch a.engine {
		case sqliteEngine:
			if a.path == "" || !strings.HasSuffix(strings.SplitN(raw, "?", 2)[0], a.path) {
				t.Errorf("%q names %q", raw, a.path)
			}
		case postgresEngine:
			if a.dsn == "" || !strings.Contains(a.shown, "/") {
				t.Errorf("%q is %q", raw, a.shown)
			}
		default:
			t.Errorf("%q is of no engine", raw)
		}
	})
}

// FuzzText wants every string to come back from its stored form, and that form
// to be text that PostgreSQL takes.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "é", "nul\x00", "\xff", "\x1a", "\x1a1a", "\x1a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		stored := encode(s)
		if back := decode(stored); back != s {
			t.Errorf("%q is stored as %q and read as %q", s, stored, back)
		}
		if strings.ToValidUTF8(stored, "") != stored || strings.ContainsRune(stored, 0) {
			t.Errorf("%q is stored as %q", s, stored)
		}
	})
}

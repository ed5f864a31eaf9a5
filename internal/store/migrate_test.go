package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

// openVersion opens a database as a release would whose newest tables are of
// a version.
func openVersion(tb testing.TB, place string, version int64) *Store {
	tb.Helper()
	s, err := prepare(Options{URL: secret.New(place), Site: "project A"})
	if err != nil {
		tb.Fatal(err)
	}
	ctx := tb.Context()
	if s.addr.engine == sqliteEngine {
		err = s.openSQLite(ctx)
	} else {
		err = s.openPostgres(ctx)
	}
	if err == nil {
		err = s.migrate(ctx, version)
	}
	if err == nil && s.lite != nil {
		err = s.lite.prepare(ctx, s)
	}
	if err != nil {
		tb.Fatal(err)
	}
	s.reader = s.reading()
	s.writer.start(s.flusher())
	return s
}

// TestTakeOver: a new release takes over the database of the one before, while
// that one still has leases on it.
func TestTakeOver(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			place := e.fresh(t)
			old := openVersion(t, place, 1)
			live, waits := sample(1, delivery.Sending), sample(2, delivery.Pending)
			for _, in := range []delivery.Intent{live, waits} {
				if err := old.Add(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
			s := openStore(t, place, Options{})
			if v, err := s.version(t.Context()); err != nil || v < 2 {
				t.Errorf("version %d, %v", v, err)
			}
			if _, err := s.Claim(t.Context(), live.Deliveries[0].Event.ID); !errors.Is(err, delivery.ErrBusy) {
				t.Errorf("claim what the old release has: %v", err)
			}
			// The old one goes on: what it began it can finish.
			if err := old.Finish(t.Context(), delivered(live.Deliveries[0])); err != nil {
				t.Errorf("finish by the old release: %v", err)
			}
			got, err := s.Take(t.Context(), delivery.Quota{Max: 10})
			if err != nil || len(got) != 1 || got[0].ID != waits.Deliveries[0].ID {
				t.Errorf("taken: %v, %v", got, err)
			}
			if err := old.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNewerTables(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			place := e.fresh(t)
			openStore(t, place, Options{})
			if _, err := raw(t, place).Exec(`INSERT INTO notification_schema_version (version_id, is_applied) VALUES (99, true)`); err != nil {
				t.Fatal(err)
			}
			_, err := openAt(place, Options{})
			if err == nil || !strings.Contains(err.Error(), "version 99, made by a newer release") {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestForeignTables(t *testing.T) {
	for _, e := range engines() {
		for _, table := range []string{"notification_log", "alembic_version"} {
			t.Run(e.name+" "+table, func(t *testing.T) {
				place := e.fresh(t)
				db := raw(t, place)
				if _, err := db.Exec(`CREATE TABLE ` + table + ` (id integer PRIMARY KEY, note text)`); err != nil {
					t.Fatal(err)
				}
				_, err := openAt(place, Options{})
				if err == nil || !strings.Contains(err.Error(), "persistence.table_prefix") {
					t.Fatalf("error: %v", err)
				}
				var n int
				if err := db.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil || n != 0 {
					t.Errorf("the foreign table: %d rows, %v", n, err)
				}
				s := openStore(t, place, Options{Prefix: "axc_"})
				if err := s.Add(t.Context(), sample(1, delivery.Sending)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestOpenTogether lets many open one new database at once.
func TestOpenTogether(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			place := e.fresh(t)
			var running sync.WaitGroup
			for i := range 6 {
				running.Go(func() {
					s, err := openAt(place, Options{})
					if err != nil {
						t.Errorf("open: %v", err)
						return
					}
					if err := s.Add(context.Background(), sample(i, delivery.Sending)); err != nil {
						t.Errorf("add: %v", err)
					}
					if err := s.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			}
			running.Wait()
			list, err := openStore(t, place, Options{}).List(t.Context())
			if err != nil || len(list) != 6 {
				t.Errorf("%d deliveries, %v", len(list), err)
			}
		})
	}
}

func TestFileMode(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, "sqlite:///store.db", Options{Dir: dir})
	if err := s.Add(t.Context(), sample(1, delivery.Sending)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"store.db", "store.db-wal", "store.db-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	_, err := openAt("sqlite:///missing/store.db", Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "folder of the SQLite file must exist") {
		t.Errorf("error: %v", err)
	}
}

// TestSchema keeps tables in a schema of PostgreSQL, which must exist.
func TestSchema(t *testing.T) {
	place := engines()[1].fresh(t)
	_, err := openAt(place, Options{Schema: "gateway"})
	if err == nil || !strings.Contains(err.Error(), `no schema "gateway"`) {
		t.Errorf("error: %v", err)
	}
	db := raw(t, place)
	if _, err := db.Exec(`CREATE SCHEMA gateway`); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, place, Options{Schema: "gateway", Prefix: "P_"})
	if err := s.Add(t.Context(), sample(1, delivery.Sending)); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM gateway."P_notification_log"`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

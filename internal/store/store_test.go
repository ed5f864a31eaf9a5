package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"agentxchain/internal/pgtest"
	"agentxchain/internal/secret"
	"agentxchain/internal/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main(runner{m}, openPlace)
}

// runner runs the tests and looks for leaked goroutines and servers.
type runner struct{ m *testing.M }

func (r runner) Run() int {
	code := 0
	goleak.VerifyTestMain(pgtest.Main(r.m), goleak.Cleanup(func(c int) { code = c }))
	return code
}

// openPlace opens the database at a URL as a new owner.
func openPlace(place string) (storetest.Store, error) { return openAt(place, Options{}) }

// openAt opens the database at a URL.
func openAt(place string, o Options) (*Store, error) {
	o.URL = secret.New(place)
	if o.Site == "" {
		o.Site = "project A"
	}
	return Open(context.Background(), o)
}

// opened opens a store that is closed when the test ends.
func openStore(tb testing.TB, place string, o Options) *Store {
	tb.Helper()
	s, err := openAt(place, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// engines are the databases under test: each makes the URL of a new one.
type madeEngine struct {
	name  string
	fresh func(tb testing.TB) string
}

func engines() []madeEngine {
	return []madeEngine{
		{"sqlite", func(tb testing.TB) string { return "sqlite:///" + filepath.Join(tb.TempDir(), "store.db") }},
		{"postgres", func(tb testing.TB) string { return pgtest.Start(tb) }},
	}
}

// raw is a connection to a database besides every store's.
func raw(tb testing.TB, place string) *sql.DB {
	tb.Helper()
	if path, found := strings.CutPrefix(place, "sqlite:///"); found {
		return opened(tb, "sqlite", sqliteDSN(path, "_pragma=busy_timeout(5000)"))
	}
	return opened(tb, "pgx", place)
}

// TestStore runs the suite of all stores on both engines.
func TestStore(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			storetest.Run(t, storetest.Harness{
				Fresh:  e.fresh,
				Open:   openPlace,
				Buried: func(place string) { bury(t, place) },
				Inject: inject,
			})
		})
	}
}

// inject makes the nth write fail.
func inject(s storetest.Store, nth int, f storetest.Fault) {
	var n atomic.Int64
	store := s.(*Store)
	store.fault = func() (before, after error) {
		select {
		case <-store.ending.Done():
			return nil, nil // Close is no operation
		default:
		}
		if n.Add(1) != int64(nth) {
			return nil, nil
		}
		if f == storetest.FailedBefore {
			return errInjected, nil
		}
		return nil, errInjected
	}
}

// bury ends the leases of everything that is claimed.
func bury(t *testing.T, place string) {
	t.Helper()
	db := raw(t, place)
	defer db.Close()
	_, err := db.ExecContext(t.Context(), `UPDATE notification_log SET lease_until = '1971-01-01T00:00:00.000000Z' WHERE lease_owner <> ''`)
	if err != nil {
		t.Errorf("bury: %v", err)
	}
}

// TestLedger runs the suite of what many processes share on both engines.
func TestLedger(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			storetest.RunLedger(t, storetest.LedgerHarness{
				Fresh:  e.fresh,
				Open:   func(place, site string) (storetest.Ledger, error) { return openAt(place, Options{Site: site}) },
				Buried: func(place string) { bury(t, place) },
			})
		})
	}
}

type injected struct{}

func (injected) Error() string { return "injected" }

var errInjected = injected{}

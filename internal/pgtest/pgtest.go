// Package pgtest gives tests a throw-away PostgreSQL. Only tests and
// benchmarks import it.
//
// A cluster is made by initdb in a temporary folder and listens on loopback
// and on a socket in that folder. It keeps fsync, because durability is one of
// the things measured over it, and is small otherwise. Nobody has to clean up:
// it is stopped and removed when its test binary ends, however that ends.
//
// Most tests want a database and no more:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }
//
//	func TestX(t *testing.T) { url := pgtest.Start(t) }
//
// Those share one cluster, which the first of them starts. A test that stops
// or kills its PostgreSQL takes one of its own, from [New].
//
// Where PostgreSQL is not installed, tests skip with that reason.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// ErrAbsent says that this machine has no PostgreSQL that could be started.
var ErrAbsent = errors.New("PostgreSQL is not installed: neither PATH nor /usr/lib/postgresql has initdb and postgres")

// Runner is what a TestMain has to run: a *testing.M, or what stands for it.
type Runner interface{ Run() int }

// sharing is the cluster of [Start], one a process.
type sharing struct {
	mu      sync.Mutex
	cluster *Cluster
	err     error
}

var shared sharing

// get starts the cluster at the first call. A failure stays: what could not
// start once is not tried again by every test.
func (s *sharing) get() (*Cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil && s.err == nil {
		s.cluster, s.err = Open()
	}
	return s.cluster, s.err
}

func (s *sharing) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil {
		return nil
	}
	err := s.cluster.Close()
	s.cluster, s.err = nil, errors.New("pgtest: the shared cluster is closed")
	return err
}

// main runs the tests, then closes the shared cluster.
type main struct{ tests Runner }

// Run is the [Runner] that [Main] returns.
func (m main) Run() int {
	code := m.tests.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Main wraps m so that the shared cluster is gone once the tests have run,
// and goleak finds nothing of it. A package that does without it leaves the
// cluster to its watchdog.
func Main(m Runner) Runner { return main{m} }

// Start returns the URL of a new, empty database of the shared cluster, such
// as postgres://postgres@127.0.0.1:23456/test_1?sslmode=disable. The database
// is dropped, with whoever is still connected, when tb ends.
func Start(tb testing.TB) string {
	tb.Helper()
	c, err := shared.get()
	check(tb, err)
	return c.Database(tb)
}

// New starts a cluster of tb's own, for a test that stops or kills it. It is
// closed when tb ends.
func New(tb testing.TB) *Cluster {
	tb.Helper()
	c, err := Open()
	check(tb, err)
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// check skips the test when there is no PostgreSQL, and fails it when there
// is one that doesn't start.
func check(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case errors.Is(err, ErrAbsent):
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
}

// Database returns the URL of a new, empty database, which is dropped when tb
// ends if the cluster runs then.
func (c *Cluster) Database(tb testing.TB) string {
	tb.Helper()
	name, err := c.Create(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.drop(context.Background(), name); err != nil {
			tb.Errorf("drop %s: %v", name, err)
		}
	})
	return c.URL(name)
}

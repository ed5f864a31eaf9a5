package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"agentxchain/internal/fixtures"
)

// dies names the variable that makes this binary start a cluster, say where
// it is, and wait to be killed.
const dies = "PGTEST_DIES"

func TestMain(m *testing.M) {
	if os.Getenv(dies) != "" {
		c, err := Open()
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, c.dir)
		select {}
	}
	goleak.VerifyTestMain(Main(m))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func setting(t *testing.T, conn *pgx.Conn, name string) (value string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestStartGivesDatabasesOfTheirOwn(t *testing.T) {
	one, two := Start(t), Start(t)
	if one == two {
		t.Fatalf("both are %s", one)
	}
	first, second := connect(t, one), connect(t, two)
	mustExec(t, first, "CREATE TABLE x (a int)")
	mustExec(t, second, "CREATE TABLE x (b text)")
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if got := setting(t, first, name); got != "on" {
			t.Errorf("%s = %s: durability would not be measured", name, got)
		}
	}
	fixtures.Ran(t, "postgres", 2)
}

func TestCommittedRowsSurviveStops(t *testing.T) {
	for _, tt := range []struct {
		name string
		how  Mode
	}{{"fast", Fast}, {"immediate", Immediate}} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(t)
			url := c.Database(t)
			conn := connect(t, url)
			mustExec(t, conn, "CREATE TABLE x (a int)")
			mustExec(t, conn, "INSERT INTO x VALUES (7)")
			if err := c.Restart(tt.how); err != nil {
				t.Fatal(err)
			}
			if err := conn.Ping(t.Context()); err == nil {
				t.Error("the session outlived the restart")
			}
			var a int
			if err := connect(t, url).QueryRow(t.Context(), "SELECT a FROM x").Scan(&a); err != nil || a != 7 {
				t.Errorf("read %d, %v", a, err)
			}
		})
	}
}

func TestDown(t *testing.T) {
	c := New(t)
	url := c.Database(t)
	if err := errors.Join(c.Down(Fast), c.Down(Immediate)); err != nil {
		t.Fatal(err)
	}
	if c.PID() != 0 {
		t.Error("a stopped cluster has a process")
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("a stopped cluster answered")
	}
	if err := c.Up(); err != nil {
		t.Fatal(err)
	}
	connect(t, url)
	if err := c.Up(); err == nil {
		t.Error("it started twice")
	}
}

// TestUpSaysWhy breaks the data, so that the server leaves at once.
func TestUpSaysWhy(t *testing.T) {
	c := New(t)
	if err := c.Down(Fast); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.data() + "/PG_VERSION"); err != nil {
		t.Fatal(err)
	}
	if err := c.Up(); err == nil || !strings.Contains(err.Error(), "not a valid data directory") {
		t.Errorf("got %v", err)
	}
	if c.PID() != 0 {
		t.Error("it counts as running")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	c := New(t)
	pid := c.PID()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, pid, c.dir)
	if err := c.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// TestKilledBinaryLeavesNothing kills a process that has a cluster.
func TestKilledBinaryLeavesNothing(t *testing.T) {
	_, err := programs()
	check(t, err)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), dies+"=1")
	cmd.Stderr = tell
	if err := errors.Join(cmd.Start(), tell.Close()); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, err := said.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(line[:n]))
	pid := postmaster(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone(t, pid, dir)
}

// postmaster reads the server's process id from its folder.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(dir + "/data/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// gone waits until neither the process nor the folder is there.
func gone(t *testing.T, pid int, dir string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		_, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && !alive(pid) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: process %d alive: %v, folder: %v", patience, pid, alive(pid), err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

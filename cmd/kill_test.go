//go:build linux

package cmd_test

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestKilledEmits kills the real binary at every stage, lets two commands
// recover at once, and holds the audit against what the receiver saw: every
// event that arrived is recorded, delivered or unknown_outcome, exactly once.
// internal/queue has the same test with kills at exact points; this one has
// the real process, the real files and the clock.
func TestKilledEmits(t *testing.T) {
	perWindow := 25
	if testing.Short() {
		perWindow = 4
	}
	k := &killer{requests: make(chan chan struct{})}
	a := receive(t, k.answer)
	dir := project(t, to("good", a.URL))
	kills := 0
	for range perWindow {
		k.killWhileWaiting(t, dir)
		checkAfterKill(t, dir)
		k.killAfterAnswer(t, dir)
		checkAfterKill(t, dir)
		kills += 2
	}
	k.pass()
	for range 4 * perWindow {
		killAfter(t, dir, time.Duration(rand.IntN(12_000))*time.Microsecond)
		kills++
	}
	checkAfterKill(t, dir)
	recoverTwice(t, dir)
	judgeKills(t, dir, a.seen())
	ran(t, "kill -9 of the real binary", kills)
}

// killer is the receiver's side of the kills: it holds each request until it
// is told to answer, or answers at once after pass.
type killer struct {
	requests chan chan struct{}
	mu       sync.Mutex
	open     bool
}

func (k *killer) pass() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open = true
}

func (k *killer) answer(_ http.ResponseWriter, q *http.Request) {
	k.mu.Lock()
	open := k.open
	k.mu.Unlock()
	if open {
		return
	}
	release := make(chan struct{})
	k.requests <- release
	select {
	case <-release:
	case <-q.Context().Done():
	}
}

func startEmit(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	c := exec.Command(binary(t), "notify", "emit", "run_blocked")
	c.Dir = dir
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// kill ends a process the hard way; that it already ended is fine.
func kill(t *testing.T, c *exec.Cmd) {
	t.Helper()
	_ = c.Process.Kill()
	_ = c.Wait()
}

func (k *killer) killWhileWaiting(t *testing.T, dir string) {
	c := startEmit(t, dir)
	release := <-k.requests
	kill(t, c)
	close(release)
}

func (k *killer) killAfterAnswer(t *testing.T, dir string) {
	c := startEmit(t, dir)
	close(<-k.requests)
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond) //nolint:forbidigo // somewhere between answer and finish
	kill(t, c)
}

func killAfter(t *testing.T, dir string, d time.Duration) {
	c := startEmit(t, dir)
	time.Sleep(d) //nolint:forbidigo // the moment of the kill is the test's input
	kill(t, c)
}

// checkAfterKill exports and verifies what a kill left behind.
func checkAfterKill(t *testing.T, dir string) {
	t.Helper()
	bundle := execute(t, dir, nil, "export").want(t, 0).stdout
	c := exec.Command(binary(t), "verify", "export")
	c.Stdin = bytes.NewReader([]byte(bundle))
	c.Dir = dir
	finish(t, c).want(t, 0)
}

func recoverTwice(t *testing.T, dir string) {
	t.Helper()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			c := exec.Command(binary(t), "notify", "pending")
			c.Dir = dir
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("pending: %v\n%s", err, out)
			}
		})
	}
	wg.Wait()
}

func judgeKills(t *testing.T, dir string, seen map[string]int) {
	t.Helper()
	type key struct {
		event   string
		attempt float64
	}
	recorded := map[key]int{}
	told := map[string]bool{}
	for _, line := range auditLines(t, dir) {
		id, _ := line["event_id"].(string)
		attempt, _ := line["attempt"].(float64)
		recorded[key{id, attempt}]++
		told[id] = told[id] || line["delivered"] == true || line["reason"] == "unknown_outcome"
	}
	for k, n := range recorded {
		if n != 1 {
			t.Errorf("%s attempt %v is recorded %d times", k.event, k.attempt, n)
		}
	}
	for id := range seen {
		if !told[id] {
			t.Errorf("the receiver saw %s, and the audit says neither delivered nor unknown_outcome", id)
		}
	}
	if len(seen) == 0 {
		t.Error("the receiver saw nothing")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".agentxchain", "notify", "*", ".*tmp*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files stay behind: %v %v", left, err)
	}
}

// TestSignals stops an emit politely while its receiver is thinking: the
// attempt is recorded as interrupted, the delivery is kept, and the exit code
// is the shell's for that signal.
func TestSignals(t *testing.T) {
	for s, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		k := &killer{requests: make(chan chan struct{})}
		a := receive(t, k.answer)
		dir := project(t, to("good", a.URL))
		c := startEmit(t, dir)
		release := <-k.requests
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // the exit code is looked at
		close(release)
		if got := c.ProcessState.ExitCode(); got != code {
			t.Errorf("%s: exit %d, want %d", s, got, code)
		}
		lines := auditLines(t, dir)
		if len(lines) != 1 || lines[0]["reason"] != "interrupted" || lines[0]["delivered"] != false || lines[0]["phase"] != "wait" {
			t.Errorf("%s: audit %v", s, lines)
		}
		if p := execute(t, dir, nil, "notify", "pending").want(t, 0); !strings.Contains(p.stdout, "interrupted") {
			t.Errorf("%s: pending %q", s, p.stdout)
		}
	}
}

// TestDeadline bounds the whole command, whatever the receiver does.
func TestDeadline(t *testing.T) {
	k := &killer{requests: make(chan chan struct{}, 1)}
	a := receive(t, k.answer)
	dir := project(t, to("slow", a.URL))
	execute(t, dir, nil, "notify", "emit", "run_blocked", "--deadline", "200ms").want(t, 0)
	lines := auditLines(t, dir)
	if len(lines) != 1 || lines[0]["delivered"] != false || lines[0]["reason"] != "interrupted" {
		t.Errorf("audit %v", lines)
	}
}

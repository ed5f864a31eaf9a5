//go:build linux

package cmd_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
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
	k := &killer{requests: make(chan chan struct{}), stages: map[stage]int{}}
	k.receiver = receive(t, k.answer)
	k.dir = project(t, to("good", k.receiver.URL))
	for range perWindow {
		if s := k.judge(t, k.killWhileWaiting); s != seenUnrecorded {
			t.Errorf("killed while the receiver was thinking: %s", s)
		}
		k.judge(t, k.killAfterAnswer)
	}
	k.pass()
	whole := k.takes(t)
	clear(k.stages)
	atRandom, within := 10*perWindow, whole+whole/4
	for range atRandom {
		k.judge(t, func(t *testing.T) { killAfter(t, k.dir, rand.N(within)) })
	}
	t.Logf("%d kills at random within %v of the start, by what they left: %v", atRandom, within, k.stages)
	recoverTwice(t, k.dir)
	judgeKills(t, k.dir, k.receiver.seen())
	checkLeftovers(t, k.dir)
	ran(t, "kill -9 of the real binary", k.kills)
}

// recoverEvery is how many kills leave something before two commands find it.
const recoverEvery = 5

// killer is the receiver's side of the kills: it holds each request until it
// is told to answer, or answers at once after pass.
type killer struct {
	requests chan chan struct{}
	receiver *receiver
	dir      string
	stages   map[stage]int
	kills    int
	mu       sync.Mutex
	open     bool
}

// judge kills one emit, wants what lies there then to be exportable and
// valid, and tells how far the emit came.
func (k *killer) judge(t *testing.T, killOne func(*testing.T)) stage {
	t.Helper()
	before := look(t, k.dir)
	killOne(t)
	after := look(t, k.dir)
	checkAfterKill(t, k.dir)
	// By now the receiver has read what lay in its socket when the sender died.
	s := stageOf(t, before, after, k.receiver.seen())
	k.stages[s]++
	if k.kills++; k.kills%recoverEvery == 0 {
		recoverTwice(t, k.dir)
	}
	return s
}

// takes measures an emit that nobody kills, the fastest of three.
func (k *killer) takes(t *testing.T) time.Duration {
	t.Helper()
	least := time.Hour
	for range 3 {
		start := time.Now()
		execute(t, k.dir, nil, "notify", "emit", "run_blocked").want(t, 0)
		least = min(least, time.Since(start))
	}
	return least
}

// stage is how far an emit came before it was killed.
type stage string

const (
	noIntent       stage = "no intent"
	intentUnseen   stage = "intent, not seen by the receiver"
	seenUnrecorded stage = "seen by the receiver, no audit line"
	recordedLive   stage = "audit line, intent still live"
	allDone        stage = "all done"
)

// traces are the events that a project's files know: those with a live intent
// and those with an audit line.
type traces struct{ live, recorded map[string]bool }

func look(t *testing.T, dir string) traces {
	t.Helper()
	found := traces{map[string]bool{}, map[string]bool{}}
	entries, err := filepath.Glob(filepath.Join(dir, livePath, "*.intent"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range entries {
		found.live[strings.TrimSuffix(filepath.Base(p), ".intent")] = true
	}
	// A kill can tear the last line; the next command closes it.
	audit := readAudit(t, dir)
	closed := audit[:bytes.LastIndexByte(audit, '\n')+1]
	for _, line := range parseLines(t, closed) {
		id, _ := line["event_id"].(string)
		found.recorded[id] = true
	}
	return found
}

// stageOf tells how far the one emit between two looks came.
func stageOf(t *testing.T, before, after traces, seen map[string]int) stage {
	t.Helper()
	fresh := map[string]bool{}
	for _, ids := range []map[string]bool{after.live, after.recorded} {
		for id := range ids {
			if !before.live[id] && !before.recorded[id] {
				fresh[id] = true
			}
		}
	}
	if len(fresh) > 1 {
		t.Errorf("one emit left traces of %d events: %v", len(fresh), fresh)
	}
	for id := range fresh {
		switch {
		case !after.live[id]:
			return allDone
		case after.recorded[id]:
			return recordedLive
		case seen[id] > 0:
			return seenUnrecorded
		}
		return intentUnseen
	}
	return noIntent
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

func (k *killer) killWhileWaiting(t *testing.T) {
	t.Helper()
	c := startEmit(t, k.dir)
	release := <-k.requests
	kill(t, c)
	close(release)
}

func (k *killer) killAfterAnswer(t *testing.T) {
	t.Helper()
	c := startEmit(t, k.dir)
	close(<-k.requests)
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond) //nolint:forbidigo // somewhere between answer and finish
	kill(t, c)
}

func killAfter(t *testing.T, dir string, d time.Duration) {
	t.Helper()
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
}

const livePath = ".agentxchain/notify/outbox/live"

// checkLeftovers wants nothing in live but the hidden files of emits that
// died before their intent was whole. Those may be in use until they are an
// hour old; then the next command removes them.
func checkLeftovers(t *testing.T, dir string) {
	t.Helper()
	if left := look(t, dir).live; len(left) > 0 {
		t.Errorf("intents stay live after recovery: %v", left)
	}
	hidden := hiddenFiles(t, dir)
	t.Logf("%d hidden files left by kills", len(hidden))
	old := time.Now().Add(-2 * time.Hour)
	for _, p := range hidden {
		if filepath.Dir(p) != filepath.Join(dir, livePath) {
			t.Errorf("a temporary file stays behind: %s", p)
			continue
		}
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, dir, nil, "notify", "pending").want(t, 0)
	if left := hiddenFiles(t, dir); len(left) > 0 {
		t.Errorf("hidden files that are two hours old stay behind: %v", left)
	}
}

// hiddenFiles lists the temporary files of a project: every file whose name
// begins with a dot, but the .gitignore that belongs there.
func hiddenFiles(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".gitignore" {
			found = append(found, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
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

// TestSignalWhileReadingStdin ends commands whose input never ends.
func TestSignalWhileReadingStdin(t *testing.T) {
	dir := project(t, to("nobody", "http://127.0.0.1:9/"))
	for _, args := range [][]string{
		{"verify", "export"},
		{"notify", "emit", "run_blocked", "--payload", "-"},
	} {
		c := exec.Command(binary(t), args...)
		c.Dir = dir
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// More than a pipe holds: when this is through, the command is reading.
		if _, err := in.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // the exit code is looked at
		if got := c.ProcessState.ExitCode(); got != 143 {
			t.Errorf("%v: exit %d, want 143", args, got)
		}
	}
}

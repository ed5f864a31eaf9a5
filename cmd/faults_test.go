//go:build linux

package cmd_test

import (
	"fmt"
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

// TestEvidenceThatCannotBeWritten walks every way in which the audit or the
// intent cannot be kept: each target is still called once, the audit lines
// are on stderr whole, and the exit is 2.
func TestEvidenceThatCannotBeWritten(t *testing.T) {
	cases := []struct {
		name, script string
	}{
		{"full disk", `mount -t tmpfs -o size=16k tmpfs "$PROJECT/.agentxchain/space" || exit 77
			cp "$PROJECT/.agentxchain/state.json" "$PROJECT/.agentxchain/space/"
			mount --bind "$PROJECT/.agentxchain/space" "$PROJECT/.agentxchain"
			dd if=/dev/zero of="$PROJECT/.agentxchain/filler" bs=1k 2>/dev/null || true
			"$AGENTXCHAIN" notify emit run_blocked`},
		{"read-only folder", `mount --bind "$PROJECT" "$PROJECT"; mount -o remount,ro,bind "$PROJECT"
			cd /; "$AGENTXCHAIN" -C "$PROJECT" notify emit run_blocked`},
		{"file size limit", `ulimit -f 0; "$AGENTXCHAIN" notify emit run_blocked`},
		{"audit is a folder", `mkdir "$PROJECT/.agentxchain/notification-audit.jsonl"
			"$AGENTXCHAIN" notify emit run_blocked`},
	}
	tried := 0
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := receive(t, nil), receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			dir := project(t, to("good", a.URL), to("bad", b.URL))
			if err := os.MkdirAll(filepath.Join(dir, ".agentxchain", "space"), 0o755); err != nil {
				t.Fatal(err)
			}
			p := inNamespace(t, dir, c.script).want(t, 2)
			tried++ // after the last point at which it may skip
			if len(a.seen()) != 1 || len(b.seen()) != 1 {
				t.Errorf("receivers saw %v and %v, want one event each", a.seen(), b.seen())
			}
			for _, want := range []string{
				`"notification_name":"good","transport":"webhook","delivered":true,"status_code":200`,
				`"notification_name":"bad","transport":"webhook","delivered":false,"status_code":503`,
			} {
				if !strings.Contains(p.stderr, want) {
					t.Errorf("stderr lacks the line with %s:\n%s", want, p.stderr)
				}
			}
			if !strings.Contains(p.stdout, "good  delivered") {
				t.Errorf("stdout: %s", p.stdout)
			}
		})
	}
	ran(t, "unwritable evidence", tried)
}

// TestLockHeldByAnother shows that a stuck neighbour costs five seconds and
// the record, never the alert.
func TestLockHeldByAnother(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the lock's five seconds")
	}
	a := receive(t, nil)
	dir := project(t, to("good", a.URL))
	write(t, filepath.Join(dir, auditPath), "")
	holder := exec.Command("flock", filepath.Join(dir, auditPath), "sleep", "60")
	holder.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := holder.Start(); err != nil {
		t.Skipf("flock(1): %v", err)
	}
	defer func() {
		_ = syscall.Kill(-holder.Process.Pid, syscall.SIGKILL)
		_ = holder.Wait()
	}()
	waitLocked(t, filepath.Join(dir, auditPath))
	p := execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 2)
	if len(a.seen()) != 1 {
		t.Errorf("the receiver saw %v", a.seen())
	}
	if !strings.Contains(p.stderr, `"delivered":true`) {
		t.Errorf("the audit line is not on stderr: %s", p.stderr)
	}
}

// TestLockReleasedAfterTheWait has the lock come free after the emit gave up
// its audit line and before the command ends: what the process itself sent,
// and knows the outcome of, must not go on record as unknown.
func TestLockReleasedAfterTheWait(t *testing.T) {
	if testing.Short() {
		t.Skip("outlasts the lock's five seconds")
	}
	a := receive(t, status(http.StatusNoContent))
	dir := project(t, to("good", a.URL))
	write(t, filepath.Join(dir, auditPath), "")
	held, err := os.Open(filepath.Join(dir, auditPath))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	released := make(chan error, 1)
	time.AfterFunc(6500*time.Millisecond, func() { released <- syscall.Flock(int(held.Fd()), syscall.LOCK_UN) })
	p := execute(t, dir, nil, "notify", "emit", "run_blocked")
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	for _, line := range auditLines(t, dir) {
		if line["reason"] == "unknown_outcome" {
			t.Errorf("the process forgot what it had just done: %v", line)
		}
	}
	a.sawOne(t, "good")
	told := strings.Contains(p.stderr, `"delivered":true`)
	if !told && p.code != 0 || told && p.code != 2 {
		t.Errorf("exit %d, the audit line on stderr: %v", p.code, told)
	}
	pending := execute(t, dir, nil, "notify", "pending").want(t, 0)
	if strings.Contains(pending.stdout, "notif_") && !told {
		t.Errorf("what was delivered is listed as undelivered, and stderr says nothing: %s\nstderr of emit: %s", pending.stdout, p.stderr)
	}
}

func waitLocked(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) { //nolint:forbidigo // the wait for the lock itself
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the lock was never taken")
}

// TestNoHomeUnknownUser runs as a user that no database knows, with nothing
// in the environment.
func TestNoHomeUnknownUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	a := receive(t, nil)
	dir := project(t, to("good", a.URL))
	for p := dir; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, ".agentxchain"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(binary(t)), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary(t), "notify", "emit", "run_blocked")
	c.Dir, c.Env = dir, []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
	finish(t, c).want(t, 0)
	if len(a.seen()) != 1 || len(auditLines(t, dir)) != 1 {
		t.Errorf("the receiver saw %v, the audit holds %v", a.seen(), auditLines(t, dir))
	}
}

// TestReadOnlyMountCanBeExportedAndVerified needs nothing but to read.
func TestReadOnlyMountCanBeExportedAndVerified(t *testing.T) {
	a := receive(t, nil)
	dir := project(t, to("good", a.URL))
	execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	p := inNamespace(t, dir, `mount --bind "$PROJECT" "$PROJECT"; mount -o remount,ro,bind "$PROJECT"
		cd "$PROJECT"; "$AGENTXCHAIN" export | "$AGENTXCHAIN" verify export`).want(t, 0)
	if !strings.Contains(p.stdout, "Overall: PASS") {
		t.Error(p.stdout)
	}
}

// TestConcurrentEmits is the table's "64 processes × 100 emits on one
// project, beside four appenders that do not lock and write 70 KB lines".
func TestConcurrentEmits(t *testing.T) {
	processes, emits := 64, 100
	if testing.Short() {
		processes, emits = 8, 10
	}
	a := receive(t, nil)
	dir := project(t, to("good", a.URL))
	stop := make(chan struct{})
	appended := appendForeign(t, filepath.Join(dir, auditPath), 4, stop)
	emitAll(t, dir, processes, emits)
	close(stop)
	foreign := appended()

	lines := countLines(t, filepath.Join(dir, auditPath))
	if lines.ours != processes*emits {
		t.Errorf("%d lines of ours, want %d", lines.ours, processes*emits)
	}
	if lines.foreign != foreign {
		t.Errorf("%d whole lines of the others, want %d", lines.foreign, foreign)
	}
	if lines.broken > 0 {
		t.Errorf("%d broken lines", lines.broken)
	}
	if got := len(a.seen()); got != processes*emits {
		t.Errorf("the receiver saw %d events, want %d", got, processes*emits)
	}
	if p := execute(t, dir, nil, "notify", "pending").want(t, 0); strings.Contains(p.stdout, "notif_") {
		t.Errorf("something is pending: %s", p.stdout)
	}
	ran(t, "concurrent emits", lines.ours)
}

func emitAll(t *testing.T, dir string, processes, emits int) {
	t.Helper()
	bin := binary(t)
	var wg sync.WaitGroup
	failed := make(chan string, processes)
	for range processes {
		wg.Go(func() {
			for range emits {
				c := exec.Command(bin, "notify", "emit", "run_blocked")
				c.Dir = dir
				if out, err := c.CombinedOutput(); err != nil {
					failed <- fmt.Sprintf("%v: %s", err, out)
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for f := range failed {
		t.Error(f)
	}
}

// appendForeign starts writers that append as the Node CLI does: O_APPEND,
// one write a line, no lock. The function it returns waits for them and tells
// how many lines they wrote.
func appendForeign(t *testing.T, path string, writers int, stop <-chan struct{}) func() int {
	t.Helper()
	var wg sync.WaitGroup
	counts := make([]int, writers)
	filler := strings.Repeat("x", 70_000)
	for i := range writers {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer f.Close()
			for tick := time.NewTicker(50 * time.Millisecond); ; counts[i]++ {
				select {
				case <-stop:
					tick.Stop()
					return
				case <-tick.C:
				}
				line := fmt.Sprintf(`{"foreign":%d,"n":%d,"filler":%q}`+"\n", i, counts[i], filler)
				if _, err := f.WriteString(line); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() int {
		wg.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		return total
	}
}

type lineCount struct{ ours, foreign, broken int }

func countLines(t *testing.T, path string) lineCount {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c lineCount
	for line := range strings.Lines(string(b)) {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "":
		case strings.HasPrefix(trimmed, `{"event_id":"notif_`) && strings.HasSuffix(line, "}\n"):
			c.ours++
		case strings.HasPrefix(trimmed, `{"foreign":`) && strings.HasSuffix(line, "xxx\"}\n") && len(trimmed) > 70_000:
			c.foreign++
		default:
			c.broken++
		}
	}
	return c
}

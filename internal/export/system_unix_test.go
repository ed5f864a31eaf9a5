//go:build unix

package export

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWaitsForTheEndOfAnAppend exports while an appender that holds the lock
// has written half a line.
func TestWaitsForTheEndOfAnAppend(t *testing.T) {
	line := auditLine(1)
	root := project(t, minimal(map[string]string{auditPath: line[:50]}))
	f, err := os.OpenFile(filepath.Join(root, auditPath), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Skipf("no locks here: %v", err)
	}
	var appender sync.WaitGroup
	appender.Go(func() {
		time.Sleep(30 * time.Millisecond) //nolint:forbidigo // how long the other one takes to finish its line
		if _, err := f.WriteString(line[50:]); err != nil {
			t.Error(err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != nil {
			t.Error(err)
		}
	})
	_, res := buildBytes(t, testOptions(root))
	appender.Wait()
	if res.AuditEntries != 1 || len(res.Warnings) != 0 {
		t.Errorf("%+v", res)
	}
}

// TestDoesNotWaitForEver exports beside an appender that never lets go.
func TestDoesNotWaitForEver(t *testing.T) {
	root := project(t, minimal(map[string]string{auditPath: auditLine(1) + "{torn"}))
	f, err := os.Open(filepath.Join(root, auditPath))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Skipf("no locks here: %v", err)
	}
	_, res := buildBytes(t, testOptions(root))
	if res.AuditEntries != 1 || len(res.Warnings) != 1 {
		t.Errorf("%+v", res)
	}
}

// TestNamedPipeIsNoFile puts a pipe where a governed file belongs: opening it
// must not wait for a writer.
func TestNamedPipeIsNoFile(t *testing.T) {
	root := project(t, minimal(map[string]string{".planning/a.md": "a"}))
	for _, name := range []string{"TALK.md", ".planning/pipe.md"} {
		if err := unix.Mkfifo(filepath.Join(root, name), 0o600); err != nil {
			t.Skipf("no pipes here: %v", err)
		}
	}
	if _, res := buildBytes(t, testOptions(root)); res.Files != 3 {
		t.Errorf("%+v", res)
	}
}

package project

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func governed(t *testing.T) Root {
	t.Helper()
	r := Root{Dir: t.TempDir(), Kind: Run}
	if err := os.Mkdir(filepath.Join(r.Dir, governedDir), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

// One has the lock at a time, within a process too; whoever waits gets it when
// it is given back.
func TestLockIsExclusive(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := governed(t)
	inside, most, total := 0, 0, 0
	var mu sync.Mutex
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		inside += n
		most, total = max(most, inside), total+max(0, n)
	}
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			unlock, err := r.Lock(t.Context(), "x.lock")
			if err != nil {
				t.Error(err)
				return
			}
			count(1)
			runtime.Gosched()
			count(-1)
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if most != 1 || total != 8 {
		t.Errorf("%d at once, %d in all", most, total)
	}
}

// The end of the context ends the wait; another lock is not concerned.
func TestLockGivesUp(t *testing.T) {
	r := governed(t)
	unlock, err := r.Lock(t.Context(), "x.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	why := errors.New("no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := r.Lock(ctx, "x.lock"); !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
	other, err := r.Lock(ctx, "y.lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := other(); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(r.OwnPath(), "folder.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Lock(t.Context(), "folder.lock"); err == nil {
		t.Error("a folder was locked")
	}
}

// Both files are replaced whole, keep their mode, and are private when new.
func TestReplaceReminders(t *testing.T) {
	r := governed(t)
	for _, file := range []struct {
		path    string
		read    func() ([]byte, error)
		replace func([]byte) error
	}{
		{r.RemindersFile(), r.ReadReminders, r.ReplaceReminders},
		{r.BookFile(), r.ReadBook, r.ReplaceBook},
	} {
		if _, err := file.read(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", file.path, err)
		}
		for mode, content := range map[fs.FileMode]string{0o600: "first", 0o640: "second"} {
			if content == "second" {
				if err := os.WriteFile(file.path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(file.path, mode); err != nil {
					t.Fatal(err)
				}
			} else {
				_ = os.Remove(file.path) // whichever comes first
			}
			if err := file.replace([]byte(content)); err != nil {
				t.Fatal(err)
			}
			got, err := file.read()
			info, statErr := os.Stat(file.path)
			if err != nil || statErr != nil || string(got) != content {
				t.Fatalf("%s: %q, %v, %v", file.path, got, err, statErr)
			}
			if runtime.GOOS != "windows" && info.Mode().Perm() != mode {
				t.Errorf("%s: mode %v, want %v", file.path, info.Mode(), mode)
			}
		}
	}
	names, err := filepath.Glob(filepath.Join(r.OwnPath(), ".*reminders.json-*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// What can't be replaced stays, and nothing is left behind.
func TestReplaceFails(t *testing.T) {
	r := governed(t)
	if err := os.MkdirAll(filepath.Join(r.RemindersFile(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.ReplaceReminders(nil); err == nil {
		t.Error("a folder was replaced")
	}
	if _, err := r.ReadReminders(); err == nil {
		t.Error("a folder was read")
	}
	names, err := filepath.Glob(filepath.Join(r.OwnPath(), ".*reminders.json-*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// A link does not lead out of the project, neither to read nor to write.
func TestRemindersBehindALink(t *testing.T) {
	r := governed(t)
	outside := filepath.Join(t.TempDir(), "outside.json")
	if err := os.WriteFile(outside, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, r.RemindersFile()); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if b, err := r.ReadReminders(); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read %q, %v", b, err)
	}
	if err := r.ReplaceReminders([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "[]" {
		t.Errorf("outside: %q, %v", b, err)
	}
}

package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

func record(tb testing.TB, l *Log, id string) {
	tb.Helper()
	if err := l.Record(context.Background(), attempt(id, 1)); err != nil {
		tb.Fatal(err)
	}
}

func line(id string) string { return string(Line(attempt(id, 1))) }

func TestRecordCreatesAndAppends(t *testing.T) {
	f := newFolder(t)
	l := f.log(t)
	if n, err := l.Size(); n != 0 || err != nil {
		t.Errorf("size before: %d, %v", n, err)
	}
	if _, err := os.Stat(filepath.Dir(f.path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("New or Size created something: %v", err)
	}
	record(t, l, "a")
	if err := l.Record(context.Background(), attempt("b", 1), attempt("c", 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	want := line("a") + line("b") + line("c")
	if got := f.content(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n, err := l.Size(); n != int64(len(want)) || err != nil {
		t.Errorf("size after: %d, %v", n, err)
	}
	if _, err := os.Stat(f.own); !errors.Is(err, fs.ErrNotExist) && f.recovered(t) != nil {
		t.Errorf("something was recovered from a sound file: %v", err)
	}
}

func TestRecordAfterClose(t *testing.T) {
	f := newFolder(t)
	l := f.log(t)
	record(t, l, "a")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	record(t, l, "b")
	if got := f.content(t); got != line("a")+line("b") {
		t.Errorf("got\n%s", got)
	}
}

func TestConcurrentRecords(t *testing.T) {
	f := newFolder(t)
	l := f.log(t)
	const goroutines, each = 16, 25
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				if err := l.Record(context.Background(), attempt(fmt.Sprintf("%d-%d", g, i), 1)); err != nil {
					t.Error(err)
				}
				if err := l.Sync(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := make(map[string]int)
	for g := range goroutines {
		for i := range each {
			want[strings.TrimSuffix(line(fmt.Sprintf("%d-%d", g, i)), "\n")]++
		}
	}
	lines := strings.Split(strings.TrimSuffix(f.content(t), "\n"), "\n")
	for _, got := range lines {
		want[got]--
	}
	if len(lines) != goroutines*each || len(want) != len(lines) {
		t.Errorf("%d lines, %d different ones", len(lines), len(want))
	}
}

func TestLockHeldByAnother(t *testing.T) {
	f := newFolder(t).holding(t, "")
	other, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := tryLock(other); err != nil {
		t.Fatal(err)
	}
	l := New(f.path, Options{OwnDir: func() (string, error) { return f.own, nil }, LockTimeout: 20 * time.Millisecond})
	defer l.Close()

	// All of a process's callers wait at the same time, not one after another.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), f.path) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Record(gone, attempt("a", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := f.content(t); got != "" {
		t.Errorf("something was written without the lock: %q", got)
	}

	if err := unlock(other); err != nil {
		t.Fatal(err)
	}
	record(t, l, "b")
	if got := f.content(t); got != line("b") {
		t.Errorf("got %q", got)
	}
}

// A file that was renamed away while we waited for its lock is not the
// evidence any more.
func TestFileReplacedWhileWaiting(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed")
	}
	f := newFolder(t)
	l := f.log(t)
	record(t, l, "a")
	other, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := tryLock(other); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- l.Record(context.Background(), attempt("b", 1)) }()
	// Whether the writer waits already or comes later, the outcome is the same.
	if err := os.Rename(f.path, f.path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := unlock(other); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := read(t, f.path+".1"); got != line("a") {
		t.Errorf("the old file holds %q", got)
	}
	if got := f.content(t); got != line("b") {
		t.Errorf("the new file holds %q", got)
	}
}

// Attempts that a signal interrupted are recorded with what is left of ctx.
func TestRecordNeedsNoWaiting(t *testing.T) {
	f := newFolder(t)
	l := f.log(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 {
		if err := l.Record(ctx, attempt("a", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.content(t); got != strings.Repeat(line("a"), 20) {
		t.Errorf("got %q", got)
	}
}

func TestNotAFile(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"folder":       {func(p string) error { return os.Mkdir(p, 0o700) }, "it is a folder, not a regular file"},
		"link":         {func(p string) error { return os.Symlink(p+".elsewhere", p) }, "it is a symbolic link, not a regular file"},
		"link to file": {func(p string) error { return errors.Join(os.WriteFile(p+".x", nil, 0o600), os.Symlink(p+".x", p)) }, "it is a symbolic link, not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			if err := os.Mkdir(filepath.Dir(f.path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.make(f.path); err != nil {
				t.Skip(err)
			}
			l := f.log(t)
			if err := l.Record(context.Background(), attempt("a", 1)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("record: %v", err)
			}
			if _, err := l.Size(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("size: %v", err)
			}
			if _, err := l.Recorded(0, []delivery.AttemptKey{{EventID: "a"}}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("recorded: %v", err)
			}
		})
	}
}

func TestFolderIsAFile(t *testing.T) {
	f := newFolder(t)
	write(t, filepath.Dir(f.path), "")
	if err := f.log(t).Record(context.Background(), attempt("a", 1)); err == nil {
		t.Error("no error")
	}
}

func TestProjectIsMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	l := New(filepath.Join(dir, ".agentxchain", FileName), Options{})
	if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the project was created: %v", err)
	}
}

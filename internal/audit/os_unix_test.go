//go:build unix

package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"agentxchain/internal/delivery"
)

func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		f := newFolder(t)
		old := unix.Umask(umask)
		l := f.log(t)
		err := l.Record(context.Background(), attempt("a", 1))
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]os.FileMode{f.path: 0o600, filepath.Dir(f.path): os.ModeDir | 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode() != want {
				t.Errorf("umask %o: %s has %v, want %v (%v)", umask, path, info.Mode(), want, err)
			}
		}
	}
}

func TestRecoveredFileMode(t *testing.T) {
	f := newFolder(t).holding(t, torn)
	old := unix.Umask(0o777)
	l := New(f.path, Options{OwnDir: func() (string, error) { return filepath.Dir(f.path), nil }})
	err := l.Record(context.Background(), attempt("a", 1))
	unix.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(f.path), RecoveredName))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestExistingModeIsKept(t *testing.T) {
	f := newFolder(t).holding(t, sound)
	if err := os.Chmod(f.path, 0o664); err != nil {
		t.Fatal(err)
	}
	record(t, f.log(t), "a")
	if info, err := os.Stat(f.path); err != nil || info.Mode() != 0o664 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestNamedPipe(t *testing.T) {
	f := newFolder(t)
	if err := os.Mkdir(filepath.Dir(f.path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(f.path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.log(t).Record(context.Background(), attempt("a", 1)); err == nil || !strings.Contains(err.Error(), "it is a named pipe") {
		t.Errorf("got %v", err)
	}
}

// limit is where the system stops a helper from writing, in bytes.
const limit = 2000

// helpRecordLimited PATH records until the file size limit stops it.
func helpRecordLimited(args []string) error {
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	l := at(args[0]).open()
	if err := l.Record(context.Background(), attempt("a", 1), attempt("b", 1), attempt("c", 1)); err != nil {
		return err
	}
	if err := l.Record(context.Background(), attempt("d", 1), attempt("e", 1)); !errors.Is(err, io.ErrShortWrite) {
		return errors.Join(errors.New("not a short write"), err)
	}
	// The limit stands: neither the newline nor a line can be written.
	if err := l.Record(context.Background(), attempt("f", 1)); !errors.Is(err, unix.EFBIG) {
		return errors.Join(errors.New("not too large"), err)
	}
	return nil
}

// A full disk leaves half a line; the next writer repairs it.
func TestShortWriteIsRepaired(t *testing.T) {
	f := newFolder(t)
	if err := os.Mkdir(filepath.Dir(f.path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := helper(t, "record-limit", f.path).Run(); err != nil {
		t.Fatal(err)
	}
	whole := line("a") + line("b") + line("c")
	for _, next := range []string{line("d"), line("e")} {
		if len(whole)+len(next) <= limit {
			whole += next
		}
	}
	left := f.content(t)
	fragment, ok := strings.CutPrefix(left, whole)
	if !ok || fragment == "" || len(left) != limit {
		t.Fatalf("no half a line was left: %d bytes", len(left))
	}
	record(t, f.log(t), "g")
	if got := f.content(t); got != whole+blanks(len(fragment))+"\n"+line("g") {
		t.Errorf("got\n%s", got)
	}
	if saved := f.recovered(t); len(saved) != 1 || string(saved[0].Bytes) != fragment {
		t.Errorf("saved %+v", saved)
	}
}

// asNobody runs do without root's right to write everywhere.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("root may write everywhere")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread dies with its identity
		if err := setFilesystemUser(65534); err != nil {
			t.Error(err)
			return
		}
		do()
	}()
	<-done
}

func TestReadOnlyFolder(t *testing.T) {
	f := newFolder(t)
	dir := filepath.Dir(f.path)
	openUp(t, filepath.Dir(dir))
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		err := f.open().Record(context.Background(), attempt("a", 1))
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), f.path) {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadOnlyFile(t *testing.T) {
	f := newFolder(t).holding(t, sound)
	openUp(t, filepath.Dir(filepath.Dir(f.path)))
	if err := errors.Join(os.Chmod(filepath.Dir(f.path), 0o755), os.Chmod(f.path, 0o444)); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		l := f.open()
		if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, os.ErrPermission) {
			t.Errorf("got %v", err)
		}
		key := attempt("a", 1).Key()
		if _, err := l.Recorded(0, []delivery.AttemptKey{key}); err != nil { // reading needs no more than reading
			t.Errorf("recorded: %v", err)
		}
	})
}

// openUp lets other users reach the test's temporary folders.
func openUp(t *testing.T, dir string) {
	t.Helper()
	for ; dir != filepath.Clean(os.TempDir()) && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

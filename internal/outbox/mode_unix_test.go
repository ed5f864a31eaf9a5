//go:build unix

package outbox

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Only the owner can use what we make, and the owner always can.
func TestModes(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o777} {
		b := newBox(t, Options{})
		must(t, b.opts.Create())
		before := unix.Umask(mask)
		must(t, b.Add(t.Context(), example("notif_1", nil)))
		b.leave(t, "notif_2", noon)
		_, err := b.Stale(t.Context())
		unix.Umask(before)
		must(t, err)
		must(t, filepath.WalkDir(b.path, func(p string, d fs.DirEntry, err error) error {
			if err != nil || p == b.path {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("umask %o: %s has mode %o", mask, d.Name(), info.Mode().Perm())
			}
			return nil
		}))
	}
}

// A pipe in the place of an entry must not block a command.
func TestPipeAsEntry(t *testing.T) {
	b := newBox(t, Options{})
	b.leave(t, "notif_1", noon)
	must(t, unix.Mkfifo(filepath.Join(b.path, "outbox", "live", "notif_2.intent"), 0o600))
	done := make(chan error, 1)
	go func() {
		_, err := b.Orphans(t.Context())
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("the pipe is not reported")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("blocked by a pipe")
	}
}

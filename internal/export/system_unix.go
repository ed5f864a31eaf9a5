//go:build unix

package export

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openFlags keeps the opening of a named pipe, put where a file was expected,
// from waiting for a writer.
const openFlags = os.O_RDONLY | unix.O_NONBLOCK

// tryReadLock takes a shared lock on f without waiting; it reports false when
// another process holds the lock for writing. Where the file system has no
// locks there is nothing to wait for.
func tryReadLock(f *os.File) bool {
	return !errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// processAlive reports whether a process with this id exists.
func processAlive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// syncDir makes a rename inside dir survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // some file systems cannot sync folders
	}
	return errors.Join(err, d.Close())
}

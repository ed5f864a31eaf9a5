//go:build unix

package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// noFollow makes opening a symbolic link fail.
const noFollow = unix.O_NOFOLLOW

// tryLock takes the advisory lock on f, or returns errHeld at once. On a file
// system without flock it succeeds without a lock: evidence that is merely
// appended is better than none.
func tryLock(f *os.File) error {
	err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errHeld
	}
	return err
}

func unlock(f *os.File) error { return flock(f, unix.LOCK_UN) }

func flock(f *os.File, how int) error {
	err := withFD(f, func(fd int) error { return unix.Flock(fd, how) })
	if errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// writeOnce hands b to the system in one write(2). [os.File.Write] goes on
// after a short write, and what it then writes can land behind a line of
// somebody else.
func writeOnce(f *os.File, b []byte) (n int, err error) {
	err = withFD(f, func(fd int) error {
		n, err = unix.Write(fd, b)
		return err
	})
	return max(n, 0), err
}

// withFD runs a system call on f's descriptor, again when a signal interrupts it.
func withFD(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for callErr = call(int(fd)); callErr == unix.EINTR; callErr = call(int(fd)) {
		}
	})
	return errors.Join(err, callErr)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

//go:build unix

package project

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the lock on an open file without waiting. It returns [ErrLocked]
// when that of another open file is in the way, and an error that is
// [errors.ErrUnsupported] where the file system has no locks. Closing the
// file gives the lock back.
func lock(f *os.File, m Mode) error {
	how := unix.LOCK_EX
	if m == Shared {
		how = unix.LOCK_SH
	}
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		failed = unix.EINTR
		for failed == unix.EINTR {
			failed = unix.Flock(int(fd), how|unix.LOCK_NB)
		}
	})
	switch {
	case err != nil:
		return err
	case failed == nil:
		return nil
	case errors.Is(failed, unix.EWOULDBLOCK):
		return ErrLocked
	case errors.Is(failed, unix.ENOLCK), errors.Is(failed, unix.EINVAL):
		return fmt.Errorf("flock: %w: %w", failed, errors.ErrUnsupported)
	}
	return fmt.Errorf("flock: %w", failed)
}

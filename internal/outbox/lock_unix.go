//go:build unix

package outbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the lock on an open file without waiting. It returns errLocked
// when another open file has it, and an error that is
// [errors.ErrUnsupported] where the file system has no locks. Closing the
// file, or the death of the process, gives the lock back.
func lock(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := c.Control(func(fd uintptr) { failed = flock(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func flock(fd int) error {
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EINVAL), errors.Is(err, errors.ErrUnsupported):
			return fmt.Errorf("flock: %w: %w", err, errors.ErrUnsupported)
		}
		return fmt.Errorf("flock: %w", err)
	}
}

package project

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the lock on an open file without waiting. It returns [ErrLocked]
// when that of another handle is in the way, and an error that is [errors.ErrUnsupported]
// where the file system has no locks. Closing the file gives the lock back.
func lock(f *os.File, m Mode) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if m == Exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		failed = windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &windows.Overlapped{})
	})
	switch {
	case err != nil:
		return err
	case failed == nil:
		return nil
	case errors.Is(failed, windows.ERROR_LOCK_VIOLATION), errors.Is(failed, windows.ERROR_IO_PENDING):
		return ErrLocked
	case errors.Is(failed, windows.ERROR_NOT_SUPPORTED), errors.Is(failed, windows.ERROR_INVALID_FUNCTION), errors.Is(failed, windows.ERROR_CALL_NOT_IMPLEMENTED):
		return fmt.Errorf("LockFileEx: %w: %w", failed, errors.ErrUnsupported)
	}
	return fmt.Errorf("LockFileEx: %w", failed)
}

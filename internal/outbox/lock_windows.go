package outbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the lock on an open file without waiting. It returns errLocked
// when another handle has it, and an error that is [errors.ErrUnsupported]
// where the file system has no locks. Closing the file, or the death of the
// process, gives the lock back.
//
// Locks of Windows keep others from reading the locked bytes. One byte far
// behind any content is locked, so that entries stay readable.
func lock(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := c.Control(func(fd uintptr) { failed = lockHandle(windows.Handle(fd)) }); err != nil {
		return err
	}
	return failed
}

func lockHandle(h windows.Handle) error {
	behind := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(h, windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &behind)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return errLocked
	case errors.Is(err, windows.ERROR_NOT_SUPPORTED), errors.Is(err, windows.ERROR_INVALID_FUNCTION), errors.Is(err, windows.ERROR_CALL_NOT_IMPLEMENTED):
		return fmt.Errorf("LockFileEx: %w: %w", err, errors.ErrUnsupported)
	}
	return fmt.Errorf("LockFileEx: %w", err)
}

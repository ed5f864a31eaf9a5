package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow has no equivalent here; lookAt refuses links before the file is opened.
const noFollow = 0

// lockedByte is the one byte that the lock covers. Locks are mandatory on
// Windows, so it lies where no file reaches: readers and writers that know
// nothing of the lock are not kept out.
const lockedByte = 1<<63 - 2

// tryLock takes the lock on f, or returns errHeld at once.
func tryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, lockedRange())
	switch {
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return errHeld
	case errors.Is(err, windows.ERROR_NOT_SUPPORTED), errors.Is(err, windows.ERROR_INVALID_FUNCTION):
		return nil
	}
	return err
}

func unlock(f *os.File) error {
	err := windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, lockedRange())
	if errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION) {
		return nil
	}
	return err
}

func lockedRange() *windows.Overlapped {
	return &windows.Overlapped{Offset: lockedByte & 0xFFFFFFFF, OffsetHigh: lockedByte >> 32}
}

// writeOnce writes b in one call; a file opened for appending takes it whole
// at its end.
func writeOnce(f *os.File, b []byte) (int, error) { return f.Write(b) }

// syncDir does nothing: folders cannot be synced here, names are durable with
// the file system's own log.
func syncDir(string) error { return nil }

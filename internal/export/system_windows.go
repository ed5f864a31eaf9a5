package export

import (
	"os"

	"golang.org/x/sys/windows"
)

const openFlags = os.O_RDONLY

// tryReadLock always succeeds: locks are mandatory here, so taking one could
// make an append fail instead of wait.
func tryReadLock(*os.File) bool { return true }

func unlock(*os.File) {}

// processAlive reports whether a process with this id exists.
func processAlive(pid int) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return err == windows.ERROR_ACCESS_DENIED
	}
	defer func() { _ = windows.CloseHandle(h) }()
	var code uint32
	const stillActive = 259
	return windows.GetExitCodeProcess(h, &code) == nil && code == stillActive
}

// syncDir does nothing: a folder cannot be synced here, NTFS journals renames.
func syncDir(string) error { return nil }

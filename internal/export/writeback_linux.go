package export

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback asks the system to begin writing a part of f to the disk. It
// is advice: what counts is the sync at the end.
func startWriteback(f *os.File, offset, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE)
}

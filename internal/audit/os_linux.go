package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes what was written to f durable, its length included, without
// waiting for times and modes.
func syncData(f *os.File) error {
	return withFD(f, unix.Fdatasync)
}

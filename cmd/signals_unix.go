//go:build unix

package cmd

import (
	"os/signal"
	"syscall"
)

// surviveFileLimit makes a write beyond the process's file size limit an
// error, as on a full disk, instead of the end of the process: the event must
// still go out.
func surviveFileLimit() { signal.Ignore(syscall.SIGXFSZ) }

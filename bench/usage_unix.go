//go:build unix

package main

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// peakMemory is the largest resident set of a finished process, in bytes. It
// is never less than the bench's own, from which the process was started.
func peakMemory(p *os.ProcessState) (int64, error) {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, errors.New("no resource usage on this system")
	}
	if runtime.GOOS == "linux" {
		return usage.Maxrss * 1024, nil
	}
	return usage.Maxrss, nil
}

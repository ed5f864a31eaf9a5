//go:build !unix

package pgtest

import (
	"fmt"
	"runtime"
	"syscall"
)

func unprivileged() (*syscall.SysProcAttr, int, error) {
	return nil, 0, fmt.Errorf("%w that pgtest can start on %s", ErrAbsent, runtime.GOOS)
}

func detached() *syscall.SysProcAttr { return nil }

func (c *Cluster) left() bool { return false }

//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged returns how to start PostgreSQL, which refuses to run as root:
// as ourselves (owner -1), or as the user that its package made or, without
// the package, as nobody.
//
// The server gets a session of its own, so that an interrupt at a terminal
// reaches the tests, and the server by them.
func unprivileged() (as *syscall.SysProcAttr, owner int, err error) {
	if os.Geteuid() != 0 {
		return detached(), -1, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 31)
		if err != nil {
			return nil, 0, fmt.Errorf("pgtest: user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 31)
		if err != nil {
			return nil, 0, fmt.Errorf("pgtest: user %s: %w", name, err)
		}
		as := detached()
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return as, int(uid), nil
	}
	return nil, 0, errors.New("pgtest: no user to run PostgreSQL as: neither postgres nor nobody is there")
}

func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// left says whether the server's process has ended by itself, and buries it. No
// goroutine waits for it, because a test's own search for leaks would find that.
func (c *Cluster) left() bool {
	pid, err := syscall.Wait4(c.server.Process.Pid, nil, syscall.WNOHANG, nil)
	if err != nil || pid == 0 {
		return false
	}
	_ = c.server.Process.Release()
	c.server = nil
	return true
}

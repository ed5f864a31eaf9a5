//go:build !windows

package attempt

import "syscall"

// errnoText returns the system's words, such as "connection refused".
func errnoText(errno syscall.Errno) string { return errno.Error() }

package attempt

import "syscall"

// The winsock errors that have well-known short names elsewhere.
const (
	wsaConnAborted syscall.Errno = 10053
	wsaConnReset   syscall.Errno = 10054
	wsaConnRefused syscall.Errno = 10061
)

// errnoText returns the words that other systems use, so that scripts find
// "connection refused" everywhere, and Windows' own for the rest.
func errnoText(errno syscall.Errno) string {
	switch errno {
	case wsaConnRefused:
		return "connection refused"
	case wsaConnReset, wsaConnAborted:
		return "connection reset by peer"
	}
	return errno.Error()
}

package delivery

import "strings"

// StoredTarget returns what a record keeps of a target: an http or https URL
// without credentials, query and fragment, where tokens stand, and anything
// else, such as the name of a webhook or a channel, as it is. It reads a URL as
// generously as the sender does (any case, blanks around it, backslashes), so
// that nothing that could be sent to is mistaken for a name. The path is kept:
// it says which of a host's webhooks was meant (contract/agent-gateway.md,
// section 6.6).
func StoredTarget(target string) string {
	url := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return -1 // the URL standard drops them wherever they stand
		}
		return r
	}, strings.TrimFunc(target, blank))
	scheme, rest, found := strings.Cut(url, ":")
	if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return target
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = strings.TrimRightFunc(rest[:i], blank) // so that a second clean-up finds nothing more
	}
	slashes := len(rest) - len(strings.TrimLeft(rest, `/\`))
	authority, path := rest[slashes:], ""
	if i := strings.IndexAny(authority, `/\`); i >= 0 {
		authority, path = authority[:i], authority[i:]
	}
	return scheme + ":" + rest[:slashes] + authority[strings.LastIndexByte(authority, '@')+1:] + path
}

// blank reports what the URL standard trims at both ends.
func blank(r rune) bool { return r <= ' ' }

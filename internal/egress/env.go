package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The variables that tighten egress. They are read from the process
// environment alone, never from a file of the repository.
const (
	EnvMode  = "AGENTXCHAIN_EGRESS"
	EnvAllow = "AGENTXCHAIN_EGRESS_ALLOW"
)

// notListed is the rule of a target that the operator's list leaves out.
const notListed = "not in " + EnvAllow

// FromEnv reads the operator's environment: [EnvMode] ("public" or unset),
// [EnvAllow] (see [ParseAllow]), the proxies (see [Proxies]), and where the
// certificates of authorities lie (SSL_CERT_FILE, SSL_CERT_DIR). A value that
// cannot be understood is an error that names its variable: a guard that
// guesses is none. No file is read before the first https target is called.
func FromEnv(getenv func(string) string) (Config, error) {
	var c Config
	switch mode := getenv(EnvMode); mode {
	case "":
	case "public":
		c.PublicOnly = true
	default:
		return Config{}, fmt.Errorf("%s is %q: the only value is \"public\"; unset it for the normal rules", EnvMode, mode)
	}
	var err error
	if c.Allow, err = ParseAllow(getenv(EnvAllow)); err != nil {
		return Config{}, fmt.Errorf("%s: %w", EnvAllow, err)
	}
	if c.Proxies, err = proxiesFromEnv(getenv); err != nil {
		return Config{}, err
	}
	c.Roots = rootsFromEnv(getenv)
	return c, nil
}

// AllowList lists the only targets that may be called. The zero value lists
// nothing and restricts nothing.
type AllowList struct{ entries []allowed }

// allowed is one entry: a name or a prefix, with a port or 0 for any.
type allowed struct {
	name   string
	prefix netip.Prefix
	port   uint16
}

// ParseAllow reads a list separated by commas. Each entry is a host name, an
// address or (without a port) a network such as 10.0.0.0/8; a name or an
// address may have a port, an IPv6 address with a port stands in brackets. A
// name admits itself, not its subdomains, whatever it resolves to within the
// tier; an address or network admits every call that goes there, by any name.
// The empty text is the list that restricts nothing.
func ParseAllow(text string) (AllowList, error) {
	if text == "" {
		return AllowList{}, nil
	}
	var list AllowList
	for i, field := range strings.Split(text, ",") {
		entry, err := parseAllowed(strings.TrimSpace(field))
		if err != nil {
			return AllowList{}, fmt.Errorf("entry %d (%q): %w", i+1, strings.TrimSpace(field), err)
		}
		list.entries = append(list.entries, entry)
	}
	return list, nil
}

// parseAllowed reads one entry. Networks with host bits and odd port numbers
// are refused rather than read generously: the operator meant something, and
// guessing wrong would open what should be closed.
func parseAllowed(s string) (allowed, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || p != p.Masked() {
			return allowed{}, errors.New("not a network; write it like 10.0.0.0/8, without host bits")
		}
		return allowed{prefix: unmapPrefix(p)}, nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return allowedAddr(addr, 0)
	}
	host, port, err := splitPort(s)
	if err != nil {
		return allowed{}, err
	}
	addr, name, ok := parseHost(host)
	switch {
	case !ok || !isASCII(host) || strings.Contains(name, "*"):
		return allowed{}, errors.New("not a host name, address or network; names are written out, in ASCII")
	case addr.IsValid():
		return allowedAddr(addr, port)
	}
	return allowed{name: name, port: port}, nil
}

// allowedAddr is the entry of one address. IPv4-mapped addresses become the
// IPv4 addresses that they are, here and in every call.
func allowedAddr(addr netip.Addr, port uint16) (allowed, error) {
	if addr.Zone() != "" {
		return allowed{}, errors.New("an address with a zone can never be called")
	}
	addr = addr.Unmap()
	return allowed{prefix: netip.PrefixFrom(addr, addr.BitLen()), port: port}, nil
}

// unmapPrefix turns a network of IPv4-mapped addresses into one of IPv4.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// splitPort splits host:port; without a colon the port is 0, any.
func splitPort(s string) (host string, port uint16, err error) {
	if !strings.Contains(s, ":") {
		return s, 0, nil
	}
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errors.New("not host:port; an IPv6 address with a port stands in brackets")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("the port is not one of 1 to 65535")
	}
	return host, uint16(n), nil
}

// admitsName reports whether the target's name is on the list.
func (l AllowList) admitsName(t target) bool {
	for _, e := range l.entries {
		if e.name != "" && e.name == t.name && e.admitsPort(t.port) {
			return true
		}
	}
	return false
}

// admitsAddr reports whether a call to addr may be made whatever its name.
func (l AllowList) admitsAddr(addr netip.Addr, port uint16) bool {
	for _, e := range l.entries {
		if e.prefix.IsValid() && e.prefix.Contains(addr.Unmap()) && e.admitsPort(port) {
			return true
		}
	}
	return len(l.entries) == 0
}

// mayAdmit reports whether a name can still turn out to be admitted, by itself
// or by the addresses that it resolves to.
func (l AllowList) mayAdmit(t target) bool {
	for _, e := range l.entries {
		if e.prefix.IsValid() && e.admitsPort(t.port) {
			return true
		}
	}
	return len(l.entries) == 0 || l.admitsName(t)
}

// admitsPort reports whether the entry is for every port or for this one.
func (e allowed) admitsPort(port uint16) bool { return e.port == 0 || e.port == port }

package egress

import (
	"net/netip"
	"strconv"
	"strings"
)

// target is a host and port that somebody wants to call.
type target struct {
	// host is the host as written, for messages.
	host string
	// addr is the address that host spells; invalid when host is a name.
	addr netip.Addr
	// name is the name in lower case without a final dot, when host is one.
	name string
	port uint16
}

// parseTarget reads host and port of a URL. An empty port means that of the
// scheme.
func parseTarget(host, port, scheme string) (target, error) {
	t := target{host: host, port: 80}
	if strings.EqualFold(scheme, "https") {
		t.port = 443
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return target{}, &Refusal{Host: host, Rule: "the port is not one of 1 to 65535"}
		}
		t.port = uint16(n)
	}
	var ok bool
	if t.addr, t.name, ok = parseHost(host); !ok {
		return target{}, &Refusal{Host: host, Rule: "the host is neither a name nor an address"}
	}
	return t, nil
}

// parseHost reads a host as the WHATWG URL standard does: brackets already
// removed, a host that ends in a number is an IPv4 address in one of its many
// spellings or nothing at all.
func parseHost(host string) (addr netip.Addr, name string, ok bool) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		return addr, "", err == nil
	}
	name = strings.ToLower(strings.TrimSuffix(host, "."))
	if !validName(name) {
		return netip.Addr{}, "", false
	}
	if !endsInNumber(name) {
		return netip.Addr{}, name, true
	}
	addr, ok = parseIPv4(name)
	return addr, "", ok
}

// validName refuses what could mean one host here and another one further on.
// Everything beyond ASCII is left to the judgement at dial time, which sees
// the name as it will be looked up.
func validName(name string) bool {
	if name == "" || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte("\"#%/:<>?@[\\]^`{|}", c) >= 0 {
			return false
		}
	}
	return true
}

// isASCII reports whether s needs no IDNA to be looked up as it stands.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// endsInNumber reports whether the last label makes the host an IPv4 address or
// nothing, in the words of the URL standard. No top-level domain is a number.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// parseIPv4 reads one to four numbers, each decimal, octal (0…) or hexadecimal
// (0x…); the last one fills the bytes that are left.
func parseIPv4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, p := range parts {
		n, ok := parseIPv4Part(p)
		limit := uint64(1) << 8
		if i == len(parts)-1 {
			limit = 1 << (8 * (5 - len(parts)))
		}
		if !ok || n >= limit {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			value = value<<(8*(5-len(parts))) | n
		} else {
			value = value<<8 | n
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// parseIPv4Part reads one lower-case number of an IPv4 address. A bare "0x"
// is zero, as browsers have it.
func parseIPv4Part(s string) (uint64, bool) {
	base := 10
	switch {
	case s == "0x":
		return 0, true
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	n, err := strconv.ParseUint(s, base, 33)
	return n, err == nil
}

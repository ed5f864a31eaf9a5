package webhook

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"agentxchain/internal/delivery"
)

// CheckURL says why no request can ever be made to a URL, in a text that holds
// nothing of it, or "" when one can.
func CheckURL(raw string) string {
	if _, p := parseURL(raw); p != nil {
		return p.message
	}
	return ""
}

// parseURL reads a URL as the WHATWG standard does where that matters for
// http and https: blanks around it and the fragment are dropped, backslashes
// are slashes, dot segments are resolved, and what may not stand in a URL is
// percent-encoded instead of refused. The errors say nothing of the URL.
func parseURL(raw string) (*url.URL, *problem) {
	scheme, rest, ok := strings.Cut(stripped(raw), ":")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return nil, badURL("it does not begin with http:// or https://")
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	rest = strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/")
	authority, path, _ := strings.Cut(rest, "/")
	host, p := parseAuthority(authority, scheme)
	if p != nil {
		return nil, p
	}
	u := &url.URL{Scheme: scheme, Host: host, RawQuery: encodeQuery(query)}
	u.ForceQuery = hasQuery && query == ""
	u.RawPath = encodePath(resolveDots(path))
	if u.Path, ok = decode(u.RawPath); !ok {
		return nil, badURL("its path cannot be encoded")
	}
	return u, nil
}

func badURL(why string) *problem {
	return &problem{delivery.ReasonProtocol, "The webhook's URL cannot be used: " + why}
}

// stripped removes blanks and controls around a URL, and line ends and tabs
// anywhere in it.
func stripped(raw string) string {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, raw)
}

// parseAuthority returns host[:port], without the port of the scheme.
func parseAuthority(authority, scheme string) (string, *problem) {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if strings.Trim(authority[:at], ":") != "" {
			return "", badURL("it holds credentials; send them in a header")
		}
		authority = authority[at+1:]
	}
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	host, ok := parseHost(host)
	if !ok {
		return "", badURL("it has no valid host")
	}
	if port == "" {
		return host, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return "", badURL("its port is not a number from 0 to 65535")
	case n == 80 && scheme == "http", n == 443 && scheme == "https":
		return host, nil
	case slices.Contains(blockedPorts[:], uint16(n)):
		return "", &problem{
			delivery.ReasonBlocked,
			"Port " + strconv.Itoa(int(n)) + " is on the block list of the Fetch standard",
		}
	}
	return host + ":" + strconv.Itoa(int(n)), nil
}

// parseHost returns a host in the form that net/http takes. Which address it
// is, and whether that may be called, is for the transport to say.
func parseHost(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		ok := err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(host, "]")
		return "[" + addr.String() + "]", ok
	}
	host, ok := decode(host)
	if !ok || host == "" || !utf8.ValidString(host) {
		return "", false
	}
	for i := range len(host) {
		if c := host[i]; c <= ' ' || c == 0x7f || strings.IndexByte("\"#%/:<>?@[\\]^`{|}", c) >= 0 {
			return "", false
		}
	}
	return strings.ToLower(host), true
}

// resolveDots removes "." and ".." from a path without its first slash.
func resolveDots(path string) string {
	segments := strings.Split(path, "/")
	var kept []string
	for i, s := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(s), "%2e", ".") {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// encodePath percent-encodes what net/http would not send as it stands, which
// is a little more than the standard asks for ("|", and a "%" that begins no
// escape).
func encodePath(path string) string {
	return encode(path, func(c byte) bool { return strings.IndexByte("\"#<>?^`{|}\\", c) >= 0 }, true)
}

// encodeQuery percent-encodes as the standard says for http and https.
func encodeQuery(query string) string {
	return encode(query, func(c byte) bool { return strings.IndexByte("\"#<>'", c) >= 0 }, false)
}

func encode(s string, special func(byte) bool, percent bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || special(c) || percent && c == '%' && !escapeAt(s, i) {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// escapeAt reports whether a whole escape such as %2F begins at i.
func escapeAt(s string, i int) bool {
	if i+2 >= len(s) {
		return false
	}
	_, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
	return err == nil
}

// decode removes percent-encoding.
func decode(s string) (string, bool) {
	s, err := url.PathUnescape(s)
	return s, err == nil
}

// blockedPorts are the "bad ports" of the Fetch standard: what listens there
// could take an HTTP request for something else. The Node CLI refuses them
// too.
var blockedPorts = [...]uint16{
	0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
	101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
	389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
	636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
	6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}

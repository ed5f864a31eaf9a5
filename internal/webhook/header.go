package webhook

import (
	"fmt"
	"net/http"
	"strings"

	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

// ExpandHeaders replaces every placeholder ${NAME} in the values of the
// headers by the webhook's own Env or else by what lookup returns; an empty
// value is a value. A name is one or more characters other than "}". Anything
// else, "$NAME" and "${}" included, is literal text, and values are not
// expanded again. Missing lists each placeholder without a value as
// "Header:NAME", in order and with repeats; the headers are then not usable.
// Lookup may be nil.
func (c Config) ExpandHeaders(lookup func(name string) (string, bool)) (headers []Header, missing []string) {
	value := func(name string) (string, bool) {
		if v, ok := c.Env[name]; ok {
			return v.Reveal(), true
		}
		if lookup == nil {
			return "", false
		}
		return lookup(name)
	}
	headers = make([]Header, len(c.Headers))
	for i, h := range c.Headers {
		text, names := expand(h.Value.Reveal(), value)
		for _, name := range names {
			missing = append(missing, h.Name+":"+name)
		}
		headers[i] = Header{h.Name, secret.New(text)}
	}
	return headers, missing
}

// expand replaces the placeholders of one value and returns the names that
// have none.
func expand(template string, lookup func(string) (string, bool)) (text string, missing []string) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(template, "${")
		b.WriteString(before)
		if !found {
			return b.String(), missing
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || name == "" {
			b.WriteString("${")
			template = after
			continue
		}
		value, ok := lookup(name)
		if !ok {
			missing = append(missing, name)
		}
		b.WriteString(value)
		template = rest
	}
}

// unresolved is the contract's text for placeholders without a value.
func unresolved(missing []string) *problem {
	return &problem{
		delivery.ReasonHeaderEnv,
		"Unresolved HTTP hook header variables: " + strings.Join(missing, ", "),
	}
}

// connectionHeaders belong to the connection, which is ours (RFC 9110 section
// 7.6.1), or contradict how we send the body.
var connectionHeaders = [...]string{
	"connection", "content-length", "expect", "keep-alive", "proxy-connection", "te",
	"trailer", "transfer-encoding", "upgrade",
}

// requestHeader makes the header of a request from expanded headers and our
// own, which it keeps and returns. Names keep their spelling; a name that comes
// again in another spelling is joined to the first. Host and our own headers
// are never the configuration's, a User-Agent replaces ours.
func requestHeader(headers []Header, own http.Header, agent string) (http.Header, *problem) {
	out := own
	keys := map[string]string{"host": ""}
	for name := range own {
		keys[strings.ToLower(name)] = ""
	}
	for i, h := range headers {
		value, p := sendable(i, h)
		if p != nil {
			return nil, p
		}
		lower := strings.ToLower(h.Name)
		if lower == "connection" {
			continue // "close", which is what we say anyway
		}
		key, seen := keys[lower]
		switch {
		case seen && key == "":
			continue
		case seen:
			out[key][0] += ", " + value
			continue
		case lower == "user-agent":
			key = "User-Agent" // net/http looks for this spelling
		default:
			key = h.Name
		}
		keys[lower] = key
		out[key] = []string{value}
	}
	if _, seen := keys["user-agent"]; !seen {
		out["User-Agent"] = []string{agent}
	}
	if _, seen := keys["accept"]; !seen {
		out["Accept"] = []string{"*/*"}
	}
	return out, nil
}

// CheckHeader says why a header can never be sent, in a text without its value,
// or "" when it can. The value is taken as it stands, placeholders included.
func CheckHeader(name, value string) string {
	if _, p := sendable(0, Header{Name: name, Value: secret.New(value)}); p != nil {
		return p.message
	}
	return ""
}

// sendable checks one header and returns its value as it goes on the wire. Its
// problems never hold the value.
func sendable(i int, h Header) (value string, p *problem) {
	lower := strings.ToLower(h.Name)
	value, ok := encodeValue(h.Value.Reveal())
	switch {
	case !validName(h.Name):
		p = &problem{delivery.ReasonProtocol, fmt.Sprintf("headers: name %d is not a valid header name", i+1)}
	case !ok:
		p = &problem{delivery.ReasonProtocol, fmt.Sprintf("headers: %q has a value that cannot be sent", h.Name)}
	case ownedByConnection(lower) && !(lower == "connection" && strings.EqualFold(value, "close")):
		p = &problem{delivery.ReasonProtocol, fmt.Sprintf("headers: %q cannot be set", h.Name)}
	}
	return value, p
}

func ownedByConnection(lower string) bool {
	for _, n := range connectionHeaders {
		if n == lower {
			return true
		}
	}
	return false
}

// validName reports whether name is a token of RFC 9110 section 5.6.2.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// encodeValue trims a value and turns it into the Latin-1 bytes that go on the
// wire, as the Fetch standard does. It refuses what has no such byte, and
// control characters other than the tab.
func encodeValue(value string) (string, bool) {
	var b strings.Builder
	for _, r := range strings.Trim(value, " \t\r\n") {
		if r > 0xff || r < ' ' && r != '\t' || r == 0x7f {
			return "", false
		}
		b.WriteByte(byte(r))
	}
	return b.String(), true
}

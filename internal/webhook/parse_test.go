package webhook

import (
	"net/http"
	neturl "net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"agentxchain/internal/attempt"
	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

// What a URL becomes: the host of the request and its target line.
func TestParseURL(t *testing.T) {
	for _, c := range []struct{ raw, host, line string }{
		{"http://a.example", "a.example", "/"},
		{"http://a.example?x", "a.example", "/?x"},
		{"HTTP://A.Example:80/x", "a.example", "/x"},
		{"https://a.example:443/x", "a.example", "/x"},
		{"http://a.example:443/x", "a.example:443", "/x"},
		{"https://a.example:/x", "a.example", "/x"},
		{"http://a.example:008080/", "a.example:8080", "/"},
		{"  http://a.example/x \n", "a.example", "/x"},
		{"http://a.exam\tple/x\ny", "a.example", "/xy"},
		{`http:\\a.example\x\y`, "a.example", "/x/y"},
		{"http:///a.example/x", "a.example", "/x"},
		{"http:a.example/x", "a.example", "/x"},
		{"http://@a.example/", "a.example", "/"},
		{"http://a.example/a b?c d#e f", "a.example", "/a%20b?c%20d"},
		{"http://a.example/ü?ö=ß", "a.example", "/%C3%BC?%C3%B6=%C3%9F"},
		{"http://a.example/%C3%BC%2f%zz%", "a.example", "/%C3%BC%2f%25zz%25"},
		{"http://a.example/?%zz'\"<>|", "a.example", "/?%zz%27%22%3C%3E|"},
		{"http://a.example/`{}^|\"<>", "a.example", "/%60%7B%7D%5E%7C%22%3C%3E"},
		{"http://a.example/!$&'()*+,;=:@[]-._~", "a.example", "/!$&'()*+,;=:@[]-._~"},
		{"http://a.example/a/./b/../c", "a.example", "/a/c"},
		{"http://a.example/a/%2e%2E/b/.%2e", "a.example", "/"},
		{"http://a.example/../../x/", "a.example", "/x/"},
		{"http://a.example/a/..", "a.example", "/"},
		{"http://a.example/a/.", "a.example", "/a/"},
		{"http://a.example//x//y", "a.example", "//x//y"},
		{"http://a.example/x?", "a.example", "/x?"},
		{"http://a.example/x??y=?", "a.example", "/x??y=?"},
		{"http://[::1]:8080/", "[::1]:8080", "/"},
		{"http://[0:0::1]/", "[::1]", "/"},
		{"http://ex%61mple.com/", "example.com", "/"},
		{"http://bücher.example/", "bücher.example", "/"},
	} {
		u, p := parseURL(c.raw)
		if p != nil {
			t.Errorf("%q: %v", c.raw, p)
			continue
		}
		if u.Host != c.host || u.RequestURI() != c.line {
			t.Errorf("%q: host %q line %q, want %q %q", c.raw, u.Host, u.RequestURI(), c.host, c.line)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for raw, want := range map[string]delivery.Reason{
		"":                         delivery.ReasonProtocol,
		"a.example":                delivery.ReasonProtocol,
		"ftp://a.example/":         delivery.ReasonProtocol,
		"http://":                  delivery.ReasonProtocol,
		"http:///":                 delivery.ReasonProtocol,
		"http://?x":                delivery.ReasonProtocol,
		"http://a b/":              delivery.ReasonProtocol,
		"http://a%20b/":            delivery.ReasonProtocol,
		"http://a%/":               delivery.ReasonProtocol,
		"http://a<b/":              delivery.ReasonProtocol,
		"http://[::1/":             delivery.ReasonProtocol,
		"http://[1.2.3.4]/":        delivery.ReasonProtocol,
		"http://[fe80::1%25eth0]/": delivery.ReasonProtocol,
		"http://::1/":              delivery.ReasonProtocol,
		"http://a.example:x/":      delivery.ReasonProtocol,
		"http://a.example:-1/":     delivery.ReasonProtocol,
		"http://a.example:65536/":  delivery.ReasonProtocol,
		"http://user@a.example/":   delivery.ReasonProtocol,
		"http://:pass@a.example/":  delivery.ReasonProtocol,
		"http://a@b@c.example/":    delivery.ReasonProtocol,
		"http://a.example:0/":      delivery.ReasonBlocked,
		"http://a.example:25/":     delivery.ReasonBlocked,
		"https://a.example:6667/":  delivery.ReasonBlocked,
	} {
		if _, p := parseURL(raw); p == nil || p.reason != want {
			t.Errorf("%q: %v, want %s", raw, p, want)
		}
	}
	if !slices.IsSorted(blockedPorts[:]) {
		t.Error("the block list is out of order")
	}
}

// FuzzParseURL: what comes out is sent as it is and reads back as the same;
// what is refused says nothing of the URL.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"http://a.example/a b?c#d", "https://[::1]:8/%zz/..", `http:\\x\y`, "http://u:p@h/", "http://ü/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, p := parseURL(raw)
		if p != nil {
			if len(raw) > 8 && strings.Contains(p.message, raw) {
				t.Fatalf("%q: %q", raw, p.message)
			}
			return
		}
		if u.EscapedPath() != u.RawPath || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q: path %q is not sent as %q", raw, u.RawPath, u.EscapedPath())
		}
		for _, c := range []byte(u.RequestURI()) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("%q: byte %#x in %q", raw, c, u.RequestURI())
			}
		}
		again, p := parseURL(u.String())
		if p != nil || again.Host != u.Host || again.RequestURI() != u.RequestURI() {
			t.Fatalf("%q: %q reads back as %v (%v)", raw, u, again, p)
		}
		if std, err := neturl.Parse(u.String()); err == nil && std.Host != u.Host {
			t.Fatalf("%q: net/url sees host %q, not %q", raw, std.Host, u.Host)
		}
	})
}

func TestExpandHeaders(t *testing.T) {
	c := Config{
		Env: map[string]secret.Text{"OWN": secret.New("own"), "BOTH": secret.New("mine"), "EMPTY": secret.New("")},
		Headers: []Header{
			{"A", secret.New("${OWN} ${BOTH} ${OUTER}[${EMPTY}]")},
			{"${OWN}", secret.New("$OWN $<OWN> ${} ${OWN")},
		},
	}
	process := map[string]string{"OUTER": "${OWN}", "BOTH": "theirs"}
	got, missing := c.ExpandHeaders(func(name string) (string, bool) { v, ok := process[name]; return v, ok })
	if missing != nil || got[0].Value.Reveal() != "own mine ${OWN}[]" ||
		got[1].Name != "${OWN}" || got[1].Value.Reveal() != "$OWN $<OWN> ${} ${OWN" {
		t.Errorf("%q %q %v", got[0].Value.Reveal(), got[1].Value.Reveal(), missing)
	}
	c.Headers = []Header{{"A", secret.New("${X}${toString}${X}")}, {"B", secret.New("${a\nb} ${A${B}}")}}
	_, missing = c.ExpandHeaders(nil)
	if want := []string{"A:X", "A:toString", "A:X", "B:a\nb", "B:A${B"}; !slices.Equal(missing, want) {
		t.Errorf("missing %q, want %q", missing, want)
	}
	if p := unresolved(missing); attempt.Failure(p.reason, p.message).Message != "Unresolved HTTP hook header variables: A:X, A:toString, A:X, B:a b, B:A${B" {
		t.Errorf("%q", p.message)
	}
}

// FuzzExpand holds the scanner to the contract's own pattern.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"${A}", "$${A}${}", "${A${B}}", "${", "}${A}", "${\n}"} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile(`\$\{([^}]+)\}`)
	lookup := func(name string) (string, bool) { return "<" + name + ">", !strings.Contains(name, "B") }
	f.Fuzz(func(t *testing.T, template string) {
		var names []string
		want := pattern.ReplaceAllStringFunc(template, func(m string) string {
			value, ok := lookup(m[2 : len(m)-1])
			if !ok {
				names = append(names, m[2:len(m)-1])
			}
			return value
		})
		if got, missing := expand(template, lookup); got != want || !slices.Equal(missing, names) {
			t.Errorf("%q: %q %q, want %q %q", template, got, missing, want, names)
		}
	})
}

// FuzzHeader: whatever the configuration says, a header that is made is one
// that net/http sends, with one value for each name in any spelling.
func FuzzHeader(f *testing.F) {
	f.Add("X-A", "1", "x-a", "2")
	f.Add("Host", "a", "connection", "close")
	f.Add("Webhook-Id", "a", "content-type", "b")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		id := standardIDHeader
		own := http.Header{"Content-Type": {"application/json"}, id: {"notif_1"}}
		h, p := requestHeader([]Header{{n1, secret.New(v1)}, {n2, secret.New(v2)}}, own, "agent")
		if p != nil {
			return
		}
		seen := map[string]bool{}
		for name, values := range h {
			lower := strings.ToLower(name)
			if seen[lower] || len(values) != 1 || !validName(name) || strings.ContainsAny(values[0], "\r\n\x00") {
				t.Fatalf("%q", h)
			}
			seen[lower] = true
		}
		if h["Content-Type"][0] != "application/json" || h[id][0] != "notif_1" || seen["host"] || seen["connection"] {
			t.Fatalf("%q", h)
		}
	})
}

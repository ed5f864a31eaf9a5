package webhook

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/secret"
)

// recorded is one situation with what the Node CLI made of it.
type recorded struct {
	Case       string `json:"case"`
	Delivered  bool   `json:"delivered"`
	StatusCode int    `json:"status_code"`
	TimedOut   bool   `json:"timed_out"`
	Message    string `json:"message"`
	Setup      string `json:"server_or_config"`
}

// stage is how a situation is set up here, and where our outcome differs.
type stage struct {
	serve  func(net.Conn, <-chan struct{})
	config func(t *testing.T, c *Config, addr string)
	reason delivery.Reason
	// message replaces the recorded one: the cause instead of "fetch failed",
	// or a text without secrets.
	message string
	// differs is the decision by which delivered, status or timeout differ
	// from the record; then is what we say.
	differs string
	then    recorded
}

const (
	bodyIsCut    = "response body: at most 64 KiB read, never inflated"
	noRedirects  = "redirects are never followed"
	envIsForHdrs = "webhook env is used for header expansion only"
	ownClock     = "timeout measures the request"
)

var stages = map[string]stage{
	"status101":   {serve: answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), reason: delivery.ReasonProtocol, message: "The receiver gave no final answer"},
	"hang":        {serve: hang, reason: delivery.ReasonTimeout},
	"slow_body":   {serve: slowBody, reason: delivery.ReasonTimeout},
	"endless":     {serve: endless, differs: bodyIsCut, then: recorded{Delivered: true, StatusCode: 200, Message: "Delivered"}},
	"refused":     {config: toClosedPort, reason: delivery.ReasonRefused, message: "connection refused"},
	"redirloop":   redirect(307),
	"redir_file":  {serve: answering(status(302, "Location: file:///etc/passwd\r\n", "")), reason: delivery.ReasonRedirect, differs: noRedirects, then: recorded{StatusCode: 302, Message: "Webhook returned HTTP 302"}},
	"redir_noloc": {serve: answering(status(302, "", "")), reason: delivery.ReasonRedirect},
	"http304":     {serve: answering("HTTP/1.1 304 Not Modified\r\n\r\n"), reason: delivery.ReasonRedirect},
	"big600kq":    bigBody(`"`, 600_000),
	"garbage":     {serve: answering("this is no HTTP at all\r\n\r\n"), reason: delivery.ReasonProtocol, message: "the answer is not valid HTTP"},
	"closenow":    {serve: answering(""), reason: delivery.ReasonReset, message: "connection closed before the end of the answer"},
	"rst":         {serve: reset, reason: delivery.ReasonReset, message: "connection reset by peer"},
	"gzip":        {serve: answering(status(200, "Content-Encoding: gzip\r\n", gzipped(10)))},
	"badgzip":     {serve: answering(status(200, "Content-Encoding: gzip\r\n", "no gzip")), differs: bodyIsCut, then: recorded{Delivered: true, StatusCode: 200, Message: "Delivered"}},
	"gzipbomb":    {serve: answering(status(200, "Content-Encoding: gzip\r\n", gzipped(16<<20))), differs: bodyIsCut, then: recorded{Delivered: true, StatusCode: 200, Message: "Delivered"}},

	"tls_selfsigned":   {config: toTLS, reason: delivery.ReasonTLS, message: "certificate signed by unknown authority"},
	"tls_insecure_env": {config: withEnv(toTLS, "NODE_TLS_REJECT_UNAUTHORIZED", "0"), reason: delivery.ReasonTLS, differs: envIsForHdrs, then: recorded{Message: "certificate signed by unknown authority"}},
	"tls_ca_env":       {config: withEnv(toTLS, "NODE_EXTRA_CA_CERTS", "/x"), reason: delivery.ReasonTLS, differs: envIsForHdrs, then: recorded{Message: "certificate signed by unknown authority"}},
	"plain_to_tls":     {serve: answering("\x15\x03\x01\x00\x02\x02\x16"), reason: delivery.ReasonProtocol, message: "the answer is not valid HTTP"},
	"tls_to_plain":     {config: plainAsTLS, reason: delivery.ReasonTLS, differs: "fails at once instead of waiting", then: recorded{Message: "the receiver does not speak TLS on this port"}},

	"dns_fail":   {config: toURL("http://nobody.example/x"), reason: delivery.ReasonDNS, message: "no such host"},
	"bad_port":   {config: toURL("http://127.0.0.1:25/x"), reason: delivery.ReasonBlocked, message: "Port 25 is on the block list of the Fetch standard"},
	"port_range": {config: toURL("http://127.0.0.1:99999/x"), reason: delivery.ReasonProtocol, message: "The webhook's URL cannot be used: its port is not a number from 0 to 65535"},
	"bad_url":    {config: toURL("http:// /x"), reason: delivery.ReasonProtocol, message: "The webhook's URL cannot be used: it has no valid host"},
	"cred_url":   {config: toURL("http://user:fakepass@127.0.0.1:18081/x"), reason: delivery.ReasonProtocol, message: "The webhook's URL cannot be used: it holds credentials; send them in a header"},
	"space_url":  {config: toPath("/a b?c d")},
	"frag_url":   {config: toPath("/a#b")},
	"uni_url":    {config: toPath("/ü")},

	"hdr_newline":     {config: headers("Authorization", "Bearer fake\r\nX-Evil: 1"), reason: delivery.ReasonProtocol, message: `headers: "Authorization" has a value that cannot be sent`},
	"hdr_trailing_nl": {config: headers("X", "v\n")},
	"hdr_unicode":     {config: headers("X", "abc\u2603"), reason: delivery.ReasonProtocol, message: `headers: "X" has a value that cannot be sent`},
	"hdr_latin1":      {config: headers("X", "é")},
	"hdr_badname":     {config: headers("X T", "v"), reason: delivery.ReasonProtocol, message: "headers: name 1 is not a valid header name"},
	"hdr_emptyname":   {config: headers("", "v"), reason: delivery.ReasonProtocol, message: "headers: name 1 is not a valid header name"},
	"hdr_ctype":       {config: headers("content-type", "text/plain")},
	"hdr_Ctype":       {config: headers("Content-Type", "text/plain")},
	"hdr_conn":        {config: headers("connection", "keep-alive"), reason: delivery.ReasonProtocol, message: `headers: "connection" cannot be set`},
	"hdr_host":        {config: headers("Host", "evil.example")},
	"hdr_ua":          {config: headers("User-Agent", "mine")},
	"hdr_cl":          {config: headers("Content-Length", "5"), reason: delivery.ReasonProtocol, differs: "fails at once instead of waiting", then: recorded{Message: `headers: "Content-Length" cannot be set`}},
	"hdr_te":          {config: headers("Transfer-Encoding", "chunked"), reason: delivery.ReasonProtocol, message: `headers: "Transfer-Encoding" cannot be set`},
	"hdr_expect":      {config: headers("Expect", "100-continue"), reason: delivery.ReasonProtocol, message: `headers: "Expect" cannot be set`},
	"hdr_dupcase":     {config: headers("X-A", "1", "x-a", "2")},
	"hdr_proto": {
		config: headers("X", "${toString}|${constructor}|${__proto__}"), reason: delivery.ReasonHeaderEnv, differs: "no names of the JavaScript prototype",
		then: recorded{Message: "Unresolved HTTP hook header variables: X:toString, X:constructor, X:__proto__"},
	},
	"hdr_empty_env": {config: withEnv(headers("X", "${E}"), "E", "")},
	"hdr_nested":    {config: withEnv(headers("X", "${A}"), "A", "${B}")},
	"hdr_spaces":    {config: headers("X", "  v  ")},
	"hdr_dollar":    {config: withEnv(withEnv(headers("X", "$HOME ${} ${ } $${A} ${A"), "A", "aa"), " ", "sp")},
	"unresolved":    {config: headers("Authorization", "${NOPE_TOKEN}", "X-2", "${NOPE2} ${NOPE_TOKEN}"), reason: delivery.ReasonHeaderEnv},

	"tiny_timeout":      {differs: ownClock, then: recorded{Delivered: true, StatusCode: 200, Message: "Delivered"}},
	"node_opts":         {config: withEnv(nil, "NODE_OPTIONS", "--bogus-flag"), differs: envIsForHdrs, then: recorded{Delivered: true, StatusCode: 200, Message: "Delivered"}},
	"node_opts_require": {config: withEnv(nil, "NODE_OPTIONS", "--require /x")},
	"http_proxy_env":    {config: withEnv(nil, "HTTP_PROXY", "http://127.0.0.1:1")},
}

func redirect(code int) stage {
	return stage{
		serve: answering(status(code, "Location: http://127.0.0.1:1/\r\n", "")), reason: delivery.ReasonRedirect,
		differs: noRedirects, then: recorded{StatusCode: code, Message: "Webhook returned HTTP " + strconv.Itoa(code)},
	}
}

func bigBody(text string, n int) stage {
	return stage{
		serve: answering(status(200, "", strings.Repeat(text, n))), differs: bodyIsCut,
		then: recorded{Delivered: true, StatusCode: 200, Message: "Delivered"},
	}
}

func gzipped(n int) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.CopyN(z, zeros{}, int64(n))
	_ = z.Close()
	return b.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func slowBody(c net.Conn, done <-chan struct{}) {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
	<-done
}

func endless(c net.Conn, _ <-chan struct{}) {
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for err == nil {
		_, err = io.WriteString(c, "1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n")
	}
}

type configure = func(t *testing.T, c *Config, addr string)

func toClosedPort(t *testing.T, c *Config, _ string) { c.URL = at(closedPort(t)).URL }

func toTLS(t *testing.T, c *Config, _ string) { c.URL = secret.New(newTLSReceiver(t).URL) }

func plainAsTLS(t *testing.T, c *Config, _ string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	c.URL = secret.New("https://" + l.Addr().String() + "/")
}

func toURL(text string) configure {
	return func(_ *testing.T, c *Config, _ string) { c.URL = secret.New(text) }
}

func toPath(text string) configure {
	return func(_ *testing.T, c *Config, addr string) { c.URL = secret.New("http://" + addr + text) }
}

func headers(pairs ...string) configure {
	return func(_ *testing.T, c *Config, _ string) {
		for i := 0; i < len(pairs); i += 2 {
			c.Headers = append(c.Headers, Header{pairs[i], secret.New(pairs[i+1])})
		}
	}
}

func withEnv(also configure, name, value string) configure {
	return func(t *testing.T, c *Config, addr string) {
		if also != nil {
			also(t, c, addr)
		}
		if c.Env == nil {
			c.Env = map[string]secret.Text{}
		}
		c.Env[name] = secret.New(value)
	}
}

var (
	describedRedirect = regexp.MustCompile(`^(3\d\d) to `)
	describedBody     = regexp.MustCompile(`^200 with an? (\d+) byte body`)
	describedStatus   = regexp.MustCompile(`^([2-9]\d\d)\b`)
)

// stageOf returns the stage of a situation: its own, or one made from what its
// description begins with.
func stageOf(r recorded) (stage, bool) {
	if s, ok := stages[r.Case]; ok {
		return s, true
	}
	number := func(pattern *regexp.Regexp) int {
		m := pattern.FindStringSubmatch(r.Setup)
		if m == nil {
			return 0
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	if code := number(describedRedirect); code > 0 {
		return redirect(code), true
	}
	if n := number(describedBody); n > 0 {
		s := bigBody("x", n)
		if r.Delivered { // small enough for the Node CLI
			s.differs = ""
		}
		return s, true
	}
	if code := number(describedStatus); code > 0 {
		return stage{serve: answering(status(code, "", ""))}, true
	}
	return stage{}, false
}

// TestOutcomes stages every recorded situation and compares.
func TestOutcomes(t *testing.T) {
	raw, err := os.ReadFile(fixtures.Path(t, "agentxchain/outcomes/outcomes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []recorded }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	ran := 0
	t.Run("cases", func(t *testing.T) {
		for _, r := range file.Cases {
			s, ok := stageOf(r)
			if !ok {
				t.Run(r.Case, func(t *testing.T) { t.Skipf("nothing here stages %q", r.Setup) })
				continue
			}
			ran++
			t.Run(r.Case, func(t *testing.T) {
				if limit := timeoutOf(r.Setup); limit == 0 || limit > time.Second {
					t.Parallel() // short limits have the machine to themselves
				}
				checkOutcome(t, r, s)
			})
		}
	})
	fixtures.Ran(t, "outcomes", ran)
}

func checkOutcome(t *testing.T, r recorded, s stage) {
	if s.serve == nil {
		s.serve = answering(status(200, "", "ok"))
	}
	rcv := newReceiver(t, s.serve)
	c := at(rcv.addr)
	c.Timeout = timeoutOf(r.Setup)
	if s.config != nil {
		s.config(t, &c, rcv.addr)
	}
	got := send(t, c)
	want := r
	if s.differs != "" {
		want = s.then
		if got.Delivered == r.Delivered && got.StatusCode == r.StatusCode && got.TimedOut == r.TimedOut && got.Message == r.Message {
			t.Errorf("no longer differs from the record (%s)", s.differs)
		}
	} else if s.message != "" {
		want.Message = s.message
	}
	if got.Delivered != want.Delivered || got.StatusCode != want.StatusCode || got.TimedOut != want.TimedOut || got.Message != want.Message {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if s.reason != "" && got.Reason != s.reason {
		t.Errorf("reason %q, want %q", got.Reason, s.reason)
	}
	if (got.Reason == delivery.ReasonDelivered) != got.Delivered {
		t.Errorf("reason %q, delivered %v", got.Reason, got.Delivered)
	}
}

// timeoutOf reads "timeout_ms N" from a description.
func timeoutOf(setup string) time.Duration {
	_, text, _ := strings.Cut(setup, "timeout_ms ")
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	if n, err := strconv.Atoi(digits); err == nil {
		return time.Duration(n) * time.Millisecond
	}
	return 0
}

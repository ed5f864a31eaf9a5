package webhook

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"agentxchain/internal/attempt"
	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/secret"
)

// nodeHeaders are the headers of a recorded request that the configuration
// did not ask for.
var nodeHeaders = map[string]bool{
	"host": true, "connection": true, "content-type": true, "accept": true, "accept-language": true,
	"sec-fetch-mode": true, "user-agent": true, "accept-encoding": true, "content-length": true,
}

// Sending what the Node CLI sent gives the same request: line, configured
// headers in their spelling, type, length and body.
func TestRecordedRequests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures.Path(t, "agentxchain/envelopes"), "*.http"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		if !strings.HasPrefix(lines[0], "POST ") {
			continue // what followed a redirect
		}
		ran++
		t.Run(filepath.Base(file), func(t *testing.T) { checkRecorded(t, lines, body) })
	}
	fixtures.Ran(t, "envelopes on the wire", ran)
}

func checkRecorded(t *testing.T, lines []string, body string) {
	rcv := newReceiver(t, answering(status(204, "", "")))
	c := Config{URL: secret.New("http://" + rcv.addr + strings.Fields(lines[0])[1])}
	want := []string{
		lines[0], "Connection: close", "Content-Type: application/json", "Accept: */*",
		"User-Agent: agentxchain/test", fmt.Sprintf("Content-Length: %d", len(body)), "Host: " + rcv.addr,
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if nodeHeaders[strings.ToLower(name)] {
			continue
		}
		c.Headers = append(c.Headers, Header{name, secret.New(value)})
		want = append(want, line)
	}
	if res := sendWith(t.Context(), Options{Transport: newTransport()}, c, body); !res.Delivered {
		t.Fatalf("%+v", res)
	}
	head, got, _ := strings.Cut(rcv.requests()[0], "\r\n\r\n")
	if got != body {
		t.Errorf("body %q, want %q", got, body)
	}
	sent := strings.Split(head, "\r\n")
	for _, line := range want {
		if !contains(sent, line) {
			t.Errorf("no line %q in %q", line, sent)
		}
	}
	if len(sent) != len(want) {
		t.Errorf("%d lines, want %d: %q", len(sent), len(want), sent)
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// What user headers become on the wire.
func TestHeadersOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name string
		pair []string
		want []string
		not  string
	}{
		{"spelling", []string{"x-lower", "1", "X-UPPER", "2"}, []string{"x-lower: 1", "X-UPPER: 2"}, ""},
		{"joined", []string{"X-A", "1", "x-a", "2"}, []string{"X-A: 1, 2"}, "x-a"},
		{"user agent", []string{"user-agent", "mine"}, []string{"User-Agent: mine"}, "agentxchain/"},
		{"accept", []string{"accept", "text/plain"}, []string{"accept: text/plain"}, "*/*"},
		{"content type", []string{"content-type", "text/plain"}, []string{"Content-Type: application/json"}, "text/plain"},
		{"host", []string{"HOST", "evil.example"}, nil, "evil.example"},
		{"close", []string{"Connection", "Close"}, []string{"Connection: close"}, "Connection: Close"},
		{"trimmed", []string{"X", "\t a b \r\n"}, []string{"X: a b"}, ""},
		{"latin-1", []string{"X", "é"}, []string{"X: \xe9"}, ""},
		{"empty", []string{"X", ""}, []string{"X: "}, ""},
		{"no inflating", nil, nil, "Accept-Encoding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rcv := newReceiver(t, answering(status(204, "", "")))
			hook := at(rcv.addr)
			headers(c.pair...)(t, &hook, "")
			if res := send(t, hook); !res.Delivered {
				t.Fatalf("%+v", res)
			}
			sent := strings.Split(rcv.requests()[0], "\r\n")
			for _, line := range c.want {
				if !contains(sent, line) {
					t.Errorf("no line %q in %q", line, sent)
				}
			}
			if c.not != "" && strings.Contains(rcv.requests()[0], c.not) {
				t.Errorf("%q was sent: %q", c.not, sent)
			}
		})
	}
}

// A date in Retry-After is measured with the sender's clock.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	rcv := newReceiver(t, answering(status(429, "Retry-After: Sat, 21 Nov 2026 20:00:30 GMT\r\n", "")))
	res := sendWith(t.Context(), Options{Transport: newTransport(), Now: func() time.Time { return now }}, at(rcv.addr), "{}")
	if res.Reason != delivery.ReasonThrottled || !res.Retry || res.RetryAfter != 30*time.Second {
		t.Errorf("%+v", res)
	}
}

// How far an attempt came, for every place where it can end.
func TestPhases(t *testing.T) {
	half := func(c net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConte") }
	for _, c := range []struct {
		name   string
		serve  func(net.Conn, <-chan struct{})
		config configure
		phase  delivery.Phase
		reason delivery.Reason
		seen   bool
		retry  bool
	}{
		{"header", nil, headers("X", "${NO}"), delivery.PhaseNone, delivery.ReasonHeaderEnv, false, false},
		{"url", nil, toURL("mailto:x"), delivery.PhaseNone, delivery.ReasonProtocol, false, false},
		{"resolve", nil, toURL("http://nobody.example/"), delivery.PhaseResolve, delivery.ReasonDNS, false, true},
		{"connect", nil, toClosedPort, delivery.PhaseConnect, delivery.ReasonRefused, false, true},
		{"tls", nil, toTLS, delivery.PhaseTLS, delivery.ReasonTLS, false, false},
		{"wait", hang, nil, delivery.PhaseWait, delivery.ReasonTimeout, true, true},
		{"closed", answering(""), nil, delivery.PhaseWait, delivery.ReasonReset, true, true},
		{"half a head", half, nil, delivery.PhaseRead, delivery.ReasonProtocol, true, true},
		{"garbage", answering("garbage\r\n\r\n"), nil, delivery.PhaseRead, delivery.ReasonProtocol, true, true},
		{"body", slowBody, nil, delivery.PhaseRead, delivery.ReasonTimeout, true, true},
		{"delivered", answering(status(204, "", "")), nil, delivery.PhaseRead, delivery.ReasonDelivered, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			serve := c.serve
			if serve == nil {
				serve = hang
			}
			hook := at(newReceiver(t, serve).addr)
			if c.reason == delivery.ReasonTimeout {
				hook.Timeout = 300 * time.Millisecond
			}
			if c.config != nil {
				c.config(t, &hook, "")
			}
			res := send(t, hook)
			if c.phase == delivery.PhaseWait && res.Phase == delivery.PhaseWrite {
				res.Phase = c.phase // the receiver can be faster than the word that all was written
			}
			if res.Phase != c.phase || res.Reason != c.reason || res.MaybeSeen() != c.seen || res.Retry != c.retry {
				t.Errorf("%+v", res)
			}
		})
	}
}

// An answer that breaks off was not one, unless its status says more than its
// body could.
func TestBrokenBody(t *testing.T) {
	for code, want := range map[int]delivery.Result{
		200: {Reason: delivery.ReasonReset, Retry: true, Message: "connection closed before the end of the answer"},
		429: {Reason: delivery.ReasonThrottled, Retry: true, StatusCode: 429, Message: "Webhook returned HTTP 429"},
		404: {Reason: delivery.ReasonRejected, StatusCode: 404, Message: "Webhook returned HTTP 404"},
	} {
		for name, rest := range map[string]string{
			"wrong length": "Content-Length: 100\r\n\r\nshort",
			"cut chunk":    "Transfer-Encoding: chunked\r\n\r\n64\r\nshort",
		} {
			rcv := newReceiver(t, answering(fmt.Sprintf("HTTP/1.1 %d X\r\n%s", code, rest)))
			got := send(t, at(rcv.addr))
			want.Phase, want.Address, want.Duration = delivery.PhaseRead, rcv.addr, got.Duration
			if got != want {
				t.Errorf("%d, %s: %+v, want %+v", code, name, got, want)
			}
		}
	}
	rcv := newReceiver(t, answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"))
	if got := send(t, at(rcv.addr)); got.Reason != delivery.ReasonProtocol || got.Delivered {
		t.Errorf("bad chunk: %+v", got)
	}
}

// However much a receiver sends, only so much is taken: it cannot write more
// than that and what the sockets hold.
func TestAnswersAreBounded(t *testing.T) {
	const total = 64 << 20
	chunk := strings.Repeat("x", 64<<10)
	for _, c := range []struct {
		name, head, each string
		reason           delivery.Reason
		message          string
	}{
		{"body", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", total), chunk, delivery.ReasonDelivered, "Delivered"},
		{"body to the end", "HTTP/1.1 200 OK\r\n\r\n", chunk, delivery.ReasonDelivered, "Delivered"},
		{"error body", fmt.Sprintf("HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n", total), chunk, delivery.ReasonServerError, "Webhook returned HTTP 500"},
		{"head", "HTTP/1.1 200 OK\r\nX-A: ", chunk, delivery.ReasonProtocol, "the answer's headers are too large"},
		{"many headers", "HTTP/1.1 200 OK\r\n", strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 600), delivery.ReasonProtocol, "the answer's headers are too large"},
		{"early answers", "", strings.Repeat("HTTP/1.1 103 Early\r\nX: "+strings.Repeat("y", 100)+"\r\n\r\n", 500), delivery.ReasonProtocol, ""},
		{"no head", "HTTP", chunk, delivery.ReasonProtocol, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wrote atomic.Int64
			rcv := newReceiver(t, func(conn net.Conn, _ <-chan struct{}) {
				_, err := io.WriteString(conn, c.head)
				for n := 0; err == nil && wrote.Load() < total; wrote.Add(int64(n)) {
					n, err = io.WriteString(conn, c.each)
				}
			})
			res := send(t, at(rcv.addr))
			if res.Reason != c.reason || c.message != "" && res.Message != c.message {
				t.Errorf("%+v", res)
			}
			if n := wrote.Load(); n > total/4 {
				t.Errorf("the receiver could write %d bytes", n)
			}
		})
	}
}

// A body of exactly what is read ends in time, one byte less as well.
func TestBodyAtTheLimit(t *testing.T) {
	for _, n := range []int{attempt.MaxAnswerBytes - 1, attempt.MaxAnswerBytes, attempt.MaxAnswerBytes + 1} {
		rcv := newReceiver(t, answering(status(200, "", strings.Repeat("x", n))))
		if res := send(t, at(rcv.addr)); !res.Delivered {
			t.Errorf("%d bytes: %+v", n, res)
		}
	}
}

func TestLargeEvent(t *testing.T) {
	body := strings.Repeat("x", 8<<20)
	rcv := newReceiver(t, answering(status(204, "", "")))
	res := sendWith(t.Context(), Options{Transport: newTransport()}, at(rcv.addr), body)
	if !res.Delivered {
		t.Fatalf("%+v", res)
	}
	if !strings.HasSuffix(rcv.requests()[0], "\r\n\r\n"+body) {
		t.Error("the body did not arrive whole")
	}
}

// A receiver that refuses an event before it has read it is heard, as long as
// it does not hang up.
func TestEarlyAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		both := http.NewResponseController(w)
		if err := both.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		if err := both.Flush(); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	res := sendWith(t.Context(), Options{Transport: newTransport()}, at(srv.Listener.Addr().String()), strings.Repeat("x", 8<<20))
	if res.StatusCode != http.StatusRequestEntityTooLarge || res.Reason != delivery.ReasonRejected {
		t.Errorf("%+v", res)
	}
}

// The receiver is asked once, whatever happens.
func TestOneAttempt(t *testing.T) {
	for name, answer := range map[string]string{
		"redirect": status(307, "Location: /again\r\n", ""), "bad location": status(302, "Location: http://[::1\r\n", ""),
		"closed": "", "server error": status(503, "", ""), "unauthorised": status(401, "WWW-Authenticate: Basic\r\n", ""),
	} {
		rcv := newReceiver(t, answering(answer))
		c := at(rcv.addr)
		headers("Idempotency-Key", "1")(t, &c, "") // makes net/http believe that it may repeat
		res := send(t, c)
		if n := len(rcv.requests()); n != 1 || res.Delivered {
			t.Errorf("%s: %d requests, %+v", name, n, res)
		}
		if strings.Contains(name, "location") && res.Reason != delivery.ReasonRedirect {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

// blocked is a refusal as a guard in the dialer makes it.
type blocked struct{}

func (blocked) Error() string  { return "egress refused 10.0.0.1: private use" }
func (blocked) Reason() string { return "blocked" }

func TestDialerKnowsItsReason(t *testing.T) {
	tr := newTransport()
	tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: blocked{}}
	}
	res := sendWith(t.Context(), Options{Transport: tr}, at("10.0.0.1:80"), "{}")
	if res.Reason != delivery.ReasonBlocked || res.Message != blocked.Error(blocked{}) || res.Retry || res.MaybeSeen() {
		t.Errorf("%+v", res)
	}
}

func TestTargetGone(t *testing.T) {
	s := NewSender(Options{Transport: newTransport()})
	res := s.Send(t.Context(), delivery.Delivery{Target: delivery.Target{Name: "ops"}})
	if res.Reason != delivery.ReasonTargetGone || res.Delivered || res.Retry {
		t.Errorf("%+v", res)
	}
}

// The caller's end is an interruption, never the receiver's timeout.
func TestInterrupted(t *testing.T) {
	arrived := make(chan struct{})
	rcv := newReceiver(t, func(_ net.Conn, done <-chan struct{}) { close(arrived); <-done })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	res := sendWith(ctx, Options{Transport: newTransport()}, at(rcv.addr), "{}")
	if res.Reason != delivery.ReasonInterrupted || res.TimedOut || !res.Retry || !res.MaybeSeen() {
		t.Errorf("cancelled: %+v", res)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 0)
	defer cancel()
	res = sendWith(ctx, Options{Transport: newTransport()}, at(rcv.addr), "{}")
	if res.Reason != delivery.ReasonInterrupted || res.MaybeSeen() || !strings.Contains(res.Message, "whole command") {
		t.Errorf("deadline: %+v", res)
	}
}

// slowStart is a transport with work of its own to do before it connects.
type slowStart struct {
	http.RoundTripper
	work time.Duration
}

func (s slowStart) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(s.work) //nolint:forbidigo // the slowness under test
	return s.RoundTripper.RoundTrip(req)
}

// The clock runs from connect to the end of the body: what the transport does
// before is not the receiver's, everything after is, every phase of it. Time
// is the bubble's own.
func TestClock(t *testing.T) {
	for _, c := range []struct {
		name                        string
		before, connect, wait, body time.Duration
		want                        time.Duration
		reason                      delivery.Reason
	}{
		{"start-up is free", 4 * time.Second, time.Second, time.Second, time.Second, 3 * time.Second, delivery.ReasonDelivered},
		{"connect counts", 4 * time.Second, 6 * time.Second, 0, 0, 5 * time.Second, delivery.ReasonTimeout},
		{"wait counts", 4 * time.Second, time.Second, 6 * time.Second, 0, 5 * time.Second, delivery.ReasonTimeout},
		{"body counts", 0, time.Second, time.Second, 6 * time.Second, 5 * time.Second, delivery.ReasonTimeout},
		{"just in time", 0, time.Second, time.Second, 2900 * time.Millisecond, 4900 * time.Millisecond, delivery.ReasonDelivered},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTransport()
				var peers sync.WaitGroup
				tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					select {
					case <-time.After(c.connect):
					case <-ctx.Done():
						return nil, ctx.Err()
					}
					near, far := net.Pipe()
					peers.Go(func() {
						defer far.Close()
						if new(receiver).read(far) != nil {
							return
						}
						time.Sleep(c.wait) //nolint:forbidigo // the fake clock passes
						_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
						time.Sleep(c.body) //nolint:forbidigo // the fake clock passes
						_, _ = io.WriteString(far, "k")
					})
					return near, nil
				}
				hook := at("10.0.0.1:80")
				hook.Timeout = 5 * time.Second
				res := sendWith(t.Context(), Options{Transport: slowStart{tr, c.before}}, hook, "{}")
				if res.Reason != c.reason || res.Duration != c.want || res.TimedOut != (c.reason == delivery.ReasonTimeout) {
					t.Errorf("%+v", res)
				}
				tr.CloseIdleConnections() // ends a dial that was given up
				peers.Wait()
			})
		})
	}
}

// A drop at a time keeps a receiver going only until the limit.
func TestDrip(t *testing.T) {
	rcv := newReceiver(t, func(c net.Conn, done <-chan struct{}) {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		for tick := time.Tick(10 * time.Millisecond); err == nil; { //nolint:forbidigo // the pace of the drops
			select {
			case <-tick:
				_, err = io.WriteString(c, "x")
			case <-done:
				return
			}
		}
	})
	c := at(rcv.addr)
	c.Timeout = 200 * time.Millisecond
	res := send(t, c)
	if !res.TimedOut || res.Message != "Timed out after 200ms" || res.StatusCode != 0 || res.Phase != delivery.PhaseRead {
		t.Errorf("%+v", res)
	}
}

func TestSendersShareNothing(t *testing.T) {
	rcv := newReceiver(t, answering(status(204, "", "")))
	var hooks []Config
	for i := range 8 {
		c := at(rcv.addr)
		c.Name, c.Timeout = fmt.Sprintf("h%d", i), 10*time.Second
		hooks = append(hooks, c)
	}
	s := NewSender(Options{Webhooks: hooks, Transport: newTransport()})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			target := delivery.Target{Name: fmt.Sprintf("h%d", i%8)}
			if res := s.Send(t.Context(), delivery.Delivery{Target: target, Body: []byte("{}")}); !res.Delivered {
				t.Errorf("%+v", res)
			}
		})
	}
	all.Wait()
	if n := len(rcv.requests()); n != 32 {
		t.Errorf("%d requests", n)
	}
}

// Nothing secret gets into a message, however an attempt ends.
func TestSecretsStayOut(t *testing.T) {
	const planted = "hunter2"
	tlsURL := newTLSReceiver(t).URL
	answers := []string{
		"", planted, "HTTP/1.1 " + planted + "\r\n\r\n", status(200, "", planted), status(302, "Location: /"+planted+"\r\n", ""),
		"HTTP/1.1 200 OK\r\nContent-Length: " + planted + "\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + planted + "\r\n\r\n",
		"HTTP/1.1 429 " + planted + "\r\nRetry-After: " + planted + "\r\n\r\n", "HTTP/1.1 200 OK\r\n" + planted + "\r\n\r\n",
		status(500, "X: "+planted+"\r\n", planted), "HTTP/1.1 101 " + planted + "\r\n\r\n",
	}
	var addrs []string
	for _, a := range answers {
		addrs = append(addrs, newReceiver(t, answering(a)).addr)
	}
	urls := []string{
		tlsURL, "http://" + closedPort(t), "http://nobody.example", "http://x y", "http://127.0.0.1:99999", "http://127.0.0.1:25",
		"http://[::1", "http://%zz", "https://" + addrs[0],
	}
	for _, a := range addrs {
		urls = append(urls, "http://"+a)
	}
	suffixes := []string{"/" + planted, "/?" + planted, "/#" + planted, "/%" + planted}
	values := []string{planted, planted + "\r\nX: 1", planted + "\u2603", planted + "\x00", "${" + "T}" + planted, "${NOT}" + planted}
	n := 0
	for _, u := range urls {
		raw := []string{planted + u, strings.Replace(u, "://", "://user:"+planted+"@", 1)}
		for _, s := range suffixes {
			raw = append(raw, u+s)
		}
		for i, r := range raw {
			c := Config{URL: secret.New(r), Env: map[string]secret.Text{"T": secret.New(planted)}}
			headers("Authorization", values[i%len(values)])(t, &c, "")
			for _, c := range []Config{c, {URL: c.URL}} {
				n++
				res := send(t, c)
				if strings.Contains(res.Message, planted) || strings.ContainsAny(res.Message, "\r\n") {
					t.Errorf("%s: %+v", r, res)
				}
				if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, planted) {
					t.Errorf("a Config prints its secrets: %s", text)
				}
			}
		}
	}
	fixtures.Ran(t, "secrets", n)
}

package cmd_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestWire emits with the real binary to receivers that behave, and to such
// that do not, all in one project: each gets the event once, only 2xx
// counts as delivered, and no answer costs more than its bound.
func TestWire(t *testing.T) {
	elsewhere := receive(t, nil)
	var written atomic.Int64 // bytes that the endless answers could get rid of
	cases := []struct {
		name      string
		answer    http.HandlerFunc
		delivered bool
		reason    string
	}{
		{"ok", nil, true, "delivered"},
		{"no-content", status(http.StatusNoContent), true, "delivered"},
		{"not-modified", status(http.StatusNotModified), false, "redirect"},
		{"teapot", status(http.StatusTeapot), false, "rejected"},
		{"throttled", status(http.StatusTooManyRequests), false, "throttled"},
		{"broken", status(http.StatusBadGateway), false, "server_error"},
		{"large-answer", endless(&written, 64<<20, nil), true, "delivered"},
		{"gzip-bomb", endless(&written, 64<<20, bomb(t)), true, "delivered"},
		{"short", hijack("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), false, "reset"},
		{"reset", reset, false, "reset"},
		{"garbage", hijack("hello\r\n\r\n"), false, "protocol"},
		{"drips", drips, false, "timeout"},
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		to := elsewhere.URL
		cases = append(cases, struct {
			name      string
			answer    http.HandlerFunc
			delivered bool
			reason    string
		}{fmt.Sprintf("redirect-%d", code), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(code)
		}, false, "redirect"})
	}
	for start := 0; start < len(cases); start += 8 {
		batch := cases[start:min(start+8, len(cases))]
		hooks := make([]hook, len(batch))
		receivers := make([]*receiver, len(batch))
		for i, c := range batch {
			receivers[i] = receive(t, c.answer)
			hooks[i] = to(c.name, receivers[i].URL)
			hooks[i].TimeoutMS = 2000
		}
		dir := project(t, hooks...)
		p := execute(t, dir, nil, "notify", "emit", "run_blocked", "--json").want(t, 0)
		outcomes := outcomesOf(t, p.stdout)
		for i, c := range batch {
			o := outcomes[c.name]
			if o.Delivered != c.delivered || o.Reason != c.reason {
				t.Errorf("%s: delivered %v with reason %q (%s), want %v, %q", c.name, o.Delivered, o.Reason, o.Message, c.delivered, c.reason)
			}
			receivers[i].sawOne(t, c.name)
		}
	}
	if n := len(elsewhere.seen()); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
	// What was written fills socket buffers at most, on both sides.
	if n := written.Load(); n > 2*(16<<20) {
		t.Errorf("%d bytes of two endless answers were taken", n)
	}
	ran(t, "receivers on the wire", len(cases))
}

// TestMebibytePayload sends what no command line could hold.
func TestMebibytePayload(t *testing.T) {
	a := receive(t, nil)
	dir := project(t, to("ops", a.URL))
	payload := `{"filler":"` + strings.Repeat("é", 512<<10) + `"}`
	write(t, dir+"/payload.json", payload)
	execute(t, dir, nil, "notify", "emit", "run_blocked", "--payload", "@payload.json", "--require-delivery").want(t, 0)
	if len(a.bodies) != 1 || !bytes.Contains(a.bodies[0], []byte(payload)) {
		t.Errorf("%d bodies arrived", len(a.bodies))
	}
}

// sawOne wants exactly one event to have arrived, exactly once.
func (r *receiver) sawOne(t *testing.T, name string) {
	t.Helper()
	seen := r.seen()
	if len(seen) != 1 {
		t.Errorf("%s saw %d events, want 1: %v", name, len(seen), seen)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s saw %s %d times", name, id, n)
		}
	}
}

type outcome struct {
	Name      string `json:"notification_name"`
	Delivered bool   `json:"delivered"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

func outcomesOf(t *testing.T, document string) map[string]outcome {
	t.Helper()
	var answer struct{ Targets []outcome }
	if err := json.Unmarshal([]byte(document), &answer); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	found := map[string]outcome{}
	for _, o := range answer.Targets {
		found[o.Name] = o
	}
	return found
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// endless answers 200 and goes on writing, up to a limit that nobody should
// take. body, if set, is written over and over as gzip.
func endless(written *atomic.Int64, limit int64, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if body != nil {
			w.Header().Set("Content-Encoding", "gzip")
		} else {
			body = make([]byte, 64<<10)
		}
		for sent := int64(0); sent < limit; sent += int64(len(body)) {
			n, err := w.Write(body)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// bomb is a gzip stream of 64 KiB that inflates to 64 MiB: one MiB of zeros,
// compressed, 64 times in a row, which gzip takes for one file.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(b.Bytes(), 64)
}

// hijack answers with raw bytes and closes the connection.
func hijack(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, answer) // the sender may have gone
	}
}

// reset answers with nothing but a TCP RST: closing a socket that must not
// linger sends one instead of the orderly FIN.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // without it the sender sees a FIN, and the test fails
	_ = conn.Close()                     // the sender may have gone
}

// drips answers 200 and never finishes its body.
func drips(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Content-Length", "1000000")
	_, _ = io.WriteString(w, "x") // the sender may have gone
	w.(http.Flusher).Flush()
	<-q.Context().Done()
}

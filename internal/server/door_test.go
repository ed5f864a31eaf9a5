package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

func TestHosts(t *testing.T) {
	w := start(t, func(o *Options) {
		o.Hosts = []string{"Gateway.Example.org", "fixed.example.org:8443", "2001:db8::1", "192.0.2.7", "[2001:db8::2]:8443", "bad name", ""}
	})
	for _, tt := range []struct {
		host    string
		allowed bool
	}{
		{"localhost", true},
		{"localhost:8787", true},
		{"LOCALHOST.", true},
		{"127.0.0.1", true},
		{"127.9.9.9:1", true},
		{"[::1]", true},
		{"[::1]:8787", true},
		{"[::ffff:127.0.0.1]", true},
		{"gateway.example.org", true},
		{"gateway.example.org:443", true},
		{"GATEWAY.example.org.", true},
		{"fixed.example.org:8443", true},
		{"fixed.example.org", false},
		{"fixed.example.org:443", false},
		{"[2001:db8::1]:8787", true},
		{"[2001:0db8:0::1]", true},
		{"[2001:db8::2]:8443", true},
		{"[2001:db8::2]", false},
		{"[2001:db8::1:8443]", false},
		{"192.0.2.7:80", true},
		{"192.0.2.8", false},
		{"evil.example.org", false},
		{"localhost.evil.example.org", false},
		{"127.0.0.1.evil.example.org", false},
		{"127.0.0.1@evil.example.org", false},
		{"evil.example.org#localhost", false},
		{"0.0.0.0", false},
		{"2130706433", false},
		{"0x7f.1", false},
		{"localhost:port", false},
		{"localhost:99999", false},
		{"localhost:", false},
		{"[::1", false},
		{"::1", false},
		{"[fe80::1%25lo]", false},
		{"[127.0.0.1]", false},
		{"xn--lcalhost-54a", false},
	} {
		got := w.get("/v1/notifications", hostNamed(tt.host))
		if !tt.allowed {
			// net/http refuses some of them before we see them.
			if got.status == http.StatusBadRequest && got.header.Get("Content-Type") != "application/problem+json" {
				continue
			}
			got.problem(t, http.StatusMisdirectedRequest, foreignHost)
		} else if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", tt.host, got.status, got.body)
		}
	}
	// The check comes before the key's, and covers the dashboard and the public paths.
	for _, path := range []string{"/", "/dashboard/", "/v1/health", "/openapi.yaml", "/nowhere"} {
		w.get(path, hostNamed("evil.example.org"), header("Authorization")).problem(t, http.StatusMisdirectedRequest, foreignHost)
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost:1", "[::1]:8787", "127.0.0.1", "a.b:c", "[", "]", "[]:1", ":", "localhost..", "[::ffff:7f00:1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		h, ok := splitHost(asked)
		if !ok && hostAllowed(asked, nil) {
			t.Errorf("%q is allowed", asked)
		}
		if ok && (h.name == "" || strings.ToLower(h.name) != h.name || strings.ContainsAny(h.name, "@/#?[] \x00")) {
			t.Errorf("%q gives %+v", asked, h)
		}
		if hostAllowed(asked, nil) && h.name != "localhost" {
			if addr, err := netip.ParseAddr(h.name); err != nil || !addr.IsLoopback() {
				t.Errorf("%q is allowed as %q", asked, h.name)
			}
		}
	})
}

func TestMethodsAndPaths(t *testing.T) {
	w := start(t, nil)
	w.log.records = []delivery.Record{record("01A", nil)}
	for _, tt := range []struct {
		method, path, allow string
	}{
		{http.MethodPost, "/v1/notifications", "GET, HEAD"},
		{http.MethodDelete, "/v1/notifications/01A", "GET, HEAD"},
		{http.MethodGet, "/v1/notifications/01A/retry", "POST"},
		{http.MethodPut, "/v1/events", "POST"},
		{http.MethodOptions, "/v1/events", "POST"},
		{"PROPFIND", "/metrics", "GET, HEAD"},
		{http.MethodPost, "/openapi.yaml", "GET, HEAD"},
		{http.MethodPatch, "/v1/health", "GET, HEAD"},
	} {
		got := w.do(tt.method, tt.path, "")
		got.problem(t, http.StatusMethodNotAllowed, methodNotAllowed)
		if got.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: Allow %q", tt.method, tt.path, got.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/notifications/", "/v1/notifications/a/b", "/v1/Notifications", "/dashboard/", "/favicon.ico"} {
		w.get(path).problem(t, http.StatusNotFound, notFound)
		w.do(http.MethodPost, path, "").problem(t, http.StatusNotFound, notFound)
	}
	for _, path := range []string{"/v1/notifications", "/v1/notifications/01A", "/v1/health", "/metrics", "/openapi.yaml"} {
		get, head := w.get(path), w.do(http.MethodHead, path, "")
		if head.status != 200 || head.body != "" || path != "/metrics" && head.header.Get("Content-Length") != fmt.Sprint(len(get.body)) {
			t.Errorf("HEAD %s: %d %q %v", path, head.status, head.body, head.header)
		}
	}
	if got := w.do(http.MethodHead, "/v1/notifications?limit=0", ""); got.status != 400 || got.body != "" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if got := w.get("//metrics"); got.status != http.StatusTemporaryRedirect || got.header.Get("Location") != "/metrics" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	w := start(t, nil)
	ids := map[string]bool{}
	for _, path := range []string{"/v1/notifications", "/v1/health", "/metrics", "/openapi.yaml", "/nowhere", "/v1/notifications/x"} {
		got := w.get(path)
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, got.header)
		}
		ids[got.header.Get("X-Request-Id")] = true
	}
	if len(ids) != 6 {
		t.Errorf("ids repeat: %v", ids)
	}
	if got := w.get("/v1/health", header("X-Request-Id", "trace-1.a_B")); got.header.Get("X-Request-Id") != "trace-1.a_B" {
		t.Errorf("%v", got.header)
	}
	for _, given := range [][]string{{"a b"}, {"<script>"}, {strings.Repeat("x", 65)}, {""}, {"a", "b"}, {"ä"}} {
		if got := w.get("/v1/health", header("X-Request-Id", given...)).header.Values("X-Request-Id"); len(got) != 1 || len(got[0]) < 20 || len(got[0]) > 64 || strings.Contains(got[0], "xxxx") {
			t.Errorf("%q: %q", given, got)
		}
	}
	if !strings.Contains(w.talk.String(), `"request_id":"trace-1.a_B","method":"GET","path":"/v1/health","status":200`) {
		t.Errorf("the request is not logged: %s", w.talk.String())
	}
}

// TestForeignPagesCannotAct: a browser says where a request comes from.
func TestForeignPagesCannotAct(t *testing.T) {
	w := start(t, func(o *Options) { o.Keys, o.Open = nil, true })
	w.log.records = []delivery.Record{record("01A", nil)}
	for _, from := range []with{
		header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Site", "same-site"), header("Origin", "https://evil.example.org"), header("Origin", "null"),
	} {
		w.do(http.MethodPost, "/v1/notifications/01A/retry", "", from).problem(t, http.StatusForbidden, crossOrigin)
		w.do(http.MethodPost, "/v1/events", `{"event":"on_error"}`, from).problem(t, http.StatusForbidden, crossOrigin)
	}
	if w.log.records[0].Attempts != 1 || w.log.minted != 0 {
		t.Error("a foreign page has acted")
	}
	if got := w.do(http.MethodPost, "/v1/events", `{"event":"on_error"}`, header("Sec-Fetch-Site", "same-origin")); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestDashboardIsMounted(t *testing.T) {
	w := start(t, func(o *Options) {
		o.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/dashboard/crash":
				panic("the password is hunter2")
			case "/dashboard/late":
				_, _ = io.WriteString(w, "begun")
				panic("too late")
			case "/dashboard/stream":
				// What streams needs the deadline of the real connection.
				if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
					t.Error(err)
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
			}
			_, _ = io.WriteString(w, r.Method+" "+r.URL.Path)
		})
	})
	if got := w.get("/", header("Authorization")); got.status != http.StatusFound || got.header.Get("Location") != "/dashboard/" {
		t.Errorf("%d %v", got.status, got.header)
	}
	for _, path := range []string{"/dashboard/", "/dashboard/notifications/01A", "/dashboard/stream"} {
		if got := w.get(path, header("Authorization")); got.body != "GET "+path {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	got := w.get("/dashboard/crash")
	if p := got.problem(t, http.StatusInternalServerError, internal); strings.Contains(p.Detail, "hunter2") || !strings.Contains(p.Detail, got.header.Get("X-Request-Id")) {
		t.Errorf("%+v", p)
	}
	if got := w.get("/dashboard/late"); got.status != 200 || got.body != "begun" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if talk := w.talk.String(); strings.Count(talk, "a handler panicked") != 2 || !strings.Contains(talk, "door_test.go") {
		t.Errorf("panics are not logged: %s", talk)
	}
}

// TestAbortedHandlersCutTheConnection as net/http has it.
func TestAbortedHandlersCutTheConnection(t *testing.T) {
	w := start(t, func(o *Options) {
		o.Dashboard = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/dashboard/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := w.client.Do(req); err == nil {
		t.Errorf("answered %d", res.StatusCode)
	}
	if strings.Contains(w.talk.String(), "panicked") {
		t.Error("an abort is logged as a crash")
	}
}

// raw speaks to the server byte by byte.
func (w *world) raw(request string) net.Conn {
	w.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func (w *world) answer(conn net.Conn, path string) reply {
	w.t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	got := reply{res.StatusCode, res.Header, string(body)}
	promised().check(w.t, http.MethodPost, path, got)
	return got
}

const rawHead = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + allKey +
	"\r\nContent-Type: application/json\r\n"

// TestSlowAndGreedyClients get an answer that says what is wrong, and no more
// time and memory than others.
func TestSlowAndGreedyClients(t *testing.T) {
	w := start(t, nil)
	opts := Options{Log: w.log, Overview: w.log, Desk: w.log, Keys: []Key{key(t, "all", allKey, ScopeAll)}}
	h := New(opts)
	d, ok := h.(*door)
	if !ok {
		t.Fatalf("New gives %T", h)
	}
	d.readTime = 50 * time.Millisecond
	w.serve(h)
	w.answer(w.raw(rawHead+"Content-Length: 100\r\n\r\n{"), "/v1/events").problem(t, http.StatusRequestTimeout, slowBody)

	w = start(t, nil)
	// Announced, so nothing of it is read.
	w.answer(w.raw(rawHead+"Content-Length: 8388609\r\n\r\n"), "/v1/events").problem(t, http.StatusRequestEntityTooLarge, bodyTooLarge)
	// Not announced.
	w.do(http.MethodPost, "/v1/events", "", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, maxBody+1)), -1
	}).problem(t, http.StatusRequestEntityTooLarge, bodyTooLarge)
	// Cut short.
	conn := w.raw(rawHead + "Content-Length: 100\r\n\r\n{")
	if tcp, ok := conn.(*net.TCPConn); !ok || tcp.CloseWrite() != nil {
		t.Fatal("can't end the request")
	}
	w.answer(conn, "/v1/events").problem(t, http.StatusBadRequest, malformedBody)
	// A header without end.
	conn = w.raw("GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + strings.Repeat("x", 64<<10) + "\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v %v", res, err)
	}
	if w.log.minted != 0 {
		t.Error("an event was accepted")
	}
	srv := HTTP(h, d.logger)
	if srv.ReadHeaderTimeout == 0 || srv.IdleTimeout == 0 || srv.WriteTimeout <= readTime+askTime {
		t.Errorf("a client that is slow, and a log that is, get no answer: %+v", srv)
	}
}

// zeros is a body that never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

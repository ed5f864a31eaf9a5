package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func post(t *testing.T, g *Guard, url string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.Client().Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, nil
}

// counting is a receiver that counts connections and requests.
type counting struct {
	*httptest.Server
	connections, requests atomic.Int32
}

func newCounting(t *testing.T, start func(*httptest.Server), handle http.HandlerFunc) *counting {
	t.Helper()
	c := &counting{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		handle(w, r)
	}))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(c.Server)
	t.Cleanup(c.Close)
	return c
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// On a real socket: the governed tier reaches loopback, the public one does
// not even open a connection.
func TestTiersOnLoopback(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).Start, ok)
	if status, err := post(t, New(Config{Tier: Governed}), srv.URL); status != http.StatusNoContent {
		t.Fatalf("governed: %d %v", status, err)
	}
	before := srv.connections.Load()
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		_, err := post(t, New(Config{}), "http://"+host+port)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("public, %s: %v", host, err)
		}
	}
	if n := srv.connections.Load() - before; n != 0 {
		t.Errorf("the public tier opened %d connections", n)
	}
}

func TestEveryRequestHasItsOwnConnection(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).Start, ok)
	g := New(Config{Tier: Governed})
	for range 3 {
		if _, err := post(t, g, srv.URL); err != nil {
			t.Fatal(err)
		}
	}
	if n := srv.connections.Load(); n != 3 {
		t.Errorf("%d connections for 3 requests", n)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	status, err := post(t, New(Config{Tier: Governed}), srv.URL)
	if status != http.StatusTemporaryRedirect || srv.requests.Load() != 1 {
		t.Errorf("status %d, %d requests, %v", status, srv.requests.Load(), err)
	}
}

// A name that changes its meaning between check and call is caught by the
// dialer: CheckURL allows it, a resolver answers with a good address first and
// with a bad one when the dialer asks.
func TestRebinding(t *testing.T) {
	dns := newNameServer(t, "93.184.216.34", "127.0.0.1")
	g := New(Config{})
	addrs, err := dns.resolver.LookupNetIP(t.Context(), "ip4", "rebind.example")
	if err != nil || g.judge(target{host: "rebind.example", port: 80}, addrs[0]) != nil {
		t.Fatalf("first answer: %v %v", addrs, err)
	}
	d := net.Dialer{Resolver: dns.resolver, Control: g.Control}
	conn, err := d.DialContext(t.Context(), "tcp4", "rebind.example:80")
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Addr != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("second answer: %v %v", conn, err)
	}
}

// The guard's own client asks once per call and connects to what it judged.
func TestNameIsResolvedOnce(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).Start, ok)
	dns := newNameServer(t, "127.0.0.1", "169.254.169.254")
	g := New(Config{Tier: Governed, Lookup: dns.lookup})
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	if status, err := post(t, g, "http://rebind.example"+port); status != http.StatusNoContent {
		t.Fatalf("%d %v", status, err)
	}
	if n := dns.asked.Load(); n != 1 {
		t.Errorf("the name was resolved %d times", n)
	}
	_, err := post(t, g, "http://rebind.example"+port)
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Rule, "cloud metadata") {
		t.Errorf("second answer: %v", err)
	}
	if n := srv.connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// nameServer answers A queries on a loopback socket, each with the next
// address, the last one for ever.
type nameServer struct {
	resolver *net.Resolver
	asked    atomic.Int32
}

func newNameServer(t *testing.T, answers ...string) *nameServer {
	t.Helper()
	sock, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp4", sock.LocalAddr().String())
		},
	}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := sock.ReadFrom(buf)
			if err != nil {
				return
			}
			i := min(int(s.asked.Add(1)), len(answers)) - 1
			_, _ = sock.WriteTo(answer(buf[:n], netip.MustParseAddr(answers[i])), from)
		}
	}()
	t.Cleanup(func() { sock.Close(); <-done })
	return s
}

func (s *nameServer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return s.resolver.LookupNetIP(ctx, "ip4", host)
}

// answer turns a query into an answer with one A record (RFC 1035).
func answer(query []byte, a netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	m := append([]byte(nil), query[:end]...)
	m[2], m[3] = 0x85, 0x80 // answer, authoritative, recursion
	copy(m[4:], []byte{0, 1, 0, 1, 0, 0, 0, 0})
	m = append(m, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(m, a.AsSlice()...)
}

// An address that does not answer does not keep the next one waiting for long,
// and nothing of the race is left behind.
func TestSlowAddressIsOvertaken(t *testing.T) {
	g := New(Config{Tier: Governed, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}, nil
	}})
	near, far := net.Pipe()
	defer far.Close()
	g.dial = func(ctx context.Context, _ *net.Dialer, to netip.AddrPort) (net.Conn, error) {
		if to.Addr() == netip.MustParseAddr("10.0.0.1") {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return near, nil
	}
	conn, err := g.dialTarget(t.Context(), "tcp", "slow.example:80")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestEveryAddressIsTried(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).Start, ok)
	var dialled []string
	g := New(Config{Tier: Governed, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
	}})
	dial := g.dial
	g.dial = func(ctx context.Context, d *net.Dialer, to netip.AddrPort) (net.Conn, error) {
		dialled = append(dialled, to.Addr().String())
		if !to.Addr().IsLoopback() {
			return nil, errReached
		}
		return dial(ctx, d, to)
	}
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	if status, err := post(t, g, "http://three.example"+port); status != http.StatusNoContent {
		t.Errorf("%d %v after %v", status, err, dialled)
	}
	g.lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}, nil
	}
	if _, err := post(t, g, "http://two.example"); !errors.Is(err, errReached) {
		t.Errorf("none answers: %v", err)
	}
}

// rootsOf returns a pool with the certificate of a test server.
func rootsOf(srv *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return pool
}

func TestRootsAreReadForHTTPSOnly(t *testing.T) {
	plain := newCounting(t, (*httptest.Server).Start, ok)
	secure := newCounting(t, (*httptest.Server).StartTLS, ok)
	reads := 0
	g := New(Config{Tier: Governed, Roots: func() (*x509.CertPool, error) {
		reads++
		return rootsOf(secure.Server), nil
	}})
	if _, err := post(t, g, plain.URL); err != nil || reads != 0 {
		t.Fatalf("http: %d reads, %v", reads, err)
	}
	if status, err := post(t, g, secure.URL); status != http.StatusNoContent || reads != 1 {
		t.Errorf("https: %d, %d reads, %v", status, reads, err)
	}
}

func TestRootsFailureHasAReason(t *testing.T) {
	g := New(Config{Tier: Governed, Roots: func() (*x509.CertPool, error) { return nil, errReached }})
	_, err := post(t, g, "https://127.0.0.1:1/")
	var known interface{ Reason() string }
	if !errors.As(err, &known) || known.Reason() != "tls" || !errors.Is(err, errReached) {
		t.Errorf("%v", err)
	}
}

func TestCertificateIsVerified(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).StartTLS, ok)
	_, err := post(t, New(Config{Tier: Governed, Roots: func() (*x509.CertPool, error) {
		return x509.NewCertPool(), nil
	}}), srv.URL)
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) || srv.requests.Load() != 0 {
		t.Errorf("%v, %d requests", err, srv.requests.Load())
	}
}

// proxy is a forward proxy that sends everything to one receiver.
func proxy(t *testing.T, to *counting) *counting {
	return newCounting(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		up, err := net.Dial("tcp", to.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer up.Close()
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer down.Close()
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, down) }()
		_, _ = io.Copy(down, up)
	})
}

func TestProxy(t *testing.T) {
	secure := newCounting(t, (*httptest.Server).StartTLS, ok)
	p := proxy(t, secure)
	c, err := FromEnv(environment("HTTP_PROXY="+p.URL, "HTTPS_PROXY="+p.URL))
	if err != nil {
		t.Fatal(err)
	}
	c.Tier = Governed
	c.Roots = func() (*x509.CertPool, error) { return rootsOf(secure.Server), nil }
	c.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "imds.example":
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		case "127.0.0.1":
			t.Error("a literal was looked up")
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	g := New(c)
	for url, want := range map[string]int{
		"http://relay.example/": http.StatusAccepted,
		"http://10.9.8.7/":      http.StatusAccepted,
		"https://example.com/":  http.StatusNoContent, // the name in the test certificate
	} {
		if status, err := post(t, g, url); status != want {
			t.Errorf("%s: %d, want %d (%v)", url, status, want, err)
		}
	}
	before := p.requests.Load()
	for _, url := range []string{
		"http://imds.example/", "http://169.254.169.254/", "https://[fd00:ec2::254]/",
		"http://metadata.google.internal/", "http://１６9.254.169.254.example/",
	} {
		_, err := post(t, g, url)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if n := p.requests.Load() - before; n != 0 {
		t.Errorf("the proxy saw %d refused calls", n)
	}
}

// The operator's list is about targets: it need not name the proxy, and a name
// that only the proxy can resolve must be on it.
func TestProxyAndAllow(t *testing.T) {
	p := proxy(t, nil)
	c, err := FromEnv(environment("HTTP_PROXY="+p.URL, "AGENTXCHAIN_EGRESS_ALLOW=relay.example,10.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	c.Tier = Governed
	c.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for url, want := range map[string]int{
		"http://relay.example/": http.StatusAccepted,
		"http://10.1.1.1/":      http.StatusAccepted,
		"http://other.example/": 0,
		"http://11.1.1.1/":      0,
	} {
		if status, err := post(t, New(c), url); status != want {
			t.Errorf("%s: %d, want %d (%v)", url, status, want, err)
		}
	}
}

func TestProxyRefusesConnect(t *testing.T) {
	p := newCounting(t, (*httptest.Server).Start, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "the proxy's own text")
	})
	g := guard(t, Governed, "HTTPS_PROXY="+p.URL, "SSL_CERT_FILE=")
	g.roots = nil
	_, err := post(t, g, "https://10.1.1.1/")
	var known interface{ Reason() string }
	if !errors.As(err, &known) || known.Reason() != "refused" || !strings.Contains(err.Error(), "HTTP 403") {
		t.Errorf("%v", err)
	}
}

// The public tier ignores proxies: the call goes to the target or nowhere.
func TestPublicIgnoresProxies(t *testing.T) {
	p := proxy(t, nil)
	for _, g := range []*Guard{
		guard(t, Public, "HTTP_PROXY="+p.URL),
		guard(t, Governed, "HTTP_PROXY="+p.URL, "AGENTXCHAIN_EGRESS=public"),
	} {
		reached := offline(g, map[string][]string{"pub.example": {"93.184.216.34"}})
		_, err := post(t, g, "http://pub.example/")
		if len(*reached) != 1 || (*reached)[0] != netip.MustParseAddrPort("93.184.216.34:80") {
			t.Errorf("reached %v: %v", *reached, err)
		}
	}
	if n := p.connections.Load(); n != 0 {
		t.Errorf("%d connections to the proxy", n)
	}
}

func TestAbandonedCallEnds(t *testing.T) {
	release := make(chan struct{})
	srv := newCounting(t, (*httptest.Server).Start, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Tier: Governed}).Client().Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A call that is given up while it connects leaves nothing behind, although
// net/http itself would go on.
func TestAbandonedDialEnds(t *testing.T) {
	g := New(Config{Tier: Governed})
	dialling, ended := make(chan struct{}), make(chan struct{})
	g.dial = func(ctx context.Context, _ *net.Dialer, _ netip.AddrPort) (net.Conn, error) {
		close(dialling)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-dialling; cancel() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://10.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Client().Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-ended
}

// writeCertificate writes the certificate of a test server to a file of its own folder.
func writeCertificate(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

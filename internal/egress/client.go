package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// maxHeaderBytes bounds what a receiver can make us read before its body.
const maxHeaderBytes = 64 << 10

// stagger is how long one address of a name may keep the next one waiting
// (RFC 8305 section 5).
const stagger = 250 * time.Millisecond

// Client returns a client that is held to the guard's judgement. It follows no
// redirect, keeps no connection, and never inflates an answer. It has no time
// limit of its own: the request's context must have one.
func (g *Guard) Client() *http.Client {
	return &http.Client{
		Transport: g.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Transport returns what [Guard.Client] sends with. A refused call fails with
// a [*Refusal].
func (g *Guard) Transport() http.RoundTripper { return transport{g} }

// transport makes a Guard a RoundTripper without showing RoundTrip among the
// guard's own methods.
type transport struct{ guard *Guard }

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	tr, err := t.guard.transportFor(req.Context(), req.URL)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper closes the body whatever happens
		}
		return nil, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		// net/http lets a dial go on after its request was given up, for the
		// benefit of later ones. There are none here, and nothing else to close.
		tr.CloseIdleConnections()
	}
	return resp, err
}

// route is what two requests must share to share a transport.
type route struct {
	secure  bool
	proxied bool
}

// transportFor judges u and returns the transport for it.
func (g *Guard) transportFor(ctx context.Context, u *url.URL) (*http.Transport, error) {
	t, err := g.checkURL(u)
	if err != nil {
		return nil, err
	}
	r := route{secure: u.Scheme == "https"}
	if proxy := g.proxies.forTarget(t, u.Scheme); proxy != nil {
		if err := g.judgeProxied(ctx, t); err != nil {
			return nil, err
		}
		r = route{secure: r.secure || proxy.Scheme == "https", proxied: true}
	}
	return g.transport(r)
}

// transport returns the transport of a route. Reading the roots of trust costs
// milliseconds, so it is left to the first secure one, outside the lock that
// the others would wait for.
func (g *Guard) transport(r route) (*http.Transport, error) {
	var trust *tls.Config
	if r.secure && g.roots != nil {
		pool, err := g.roots()
		if err != nil {
			return nil, &trustError{err}
		}
		trust = &tls.Config{RootCAs: pool}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if tr := g.transports[r]; tr != nil {
		return tr, nil
	}
	tr := &http.Transport{
		DialContext:            g.dialTarget,
		TLSClientConfig:        trust,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	if r.proxied {
		tr.Proxy = g.proxyOf
		tr.DialContext = g.dialProxy
		tr.OnProxyConnectResponse = checkConnect
	}
	if g.transports == nil {
		g.transports = make(map[route]*http.Transport)
	}
	g.transports[r] = tr
	return tr, nil
}

// proxyOf is the proxy function of the proxied transports. It judges again
// because it is given a request, not a target; no other URL comes here than
// the one that transportFor judged.
func (g *Guard) proxyOf(req *http.Request) (*url.URL, error) {
	t, err := g.checkURL(req.URL)
	if err != nil {
		return nil, err
	}
	return g.proxies.forTarget(t, req.URL.Scheme), nil
}

// dialTarget connects to one of the addresses of a target, all of which were
// judged.
func (g *Guard) dialTarget(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &Refusal{Rule: "not host:port"}
	}
	t, err := parseTarget(host, port, "")
	if err != nil {
		return nil, err
	}
	if err := g.checkTarget(t); err != nil {
		return nil, err
	}
	addrs, err := g.resolve(ctx, t)
	if err != nil {
		return nil, err
	}
	return g.connect(ctx, t, addrs)
}

// dialProxy connects to a proxy, which the operator named: it need not be on
// the allow list, but the rules of the tier hold for it.
func (g *Guard) dialProxy(ctx context.Context, network, address string) (net.Conn, error) {
	free := &Guard{table: g.table, lookup: g.lookup, dial: g.dial}
	return free.dialTarget(ctx, network, address)
}

// resolve returns the addresses of a target. When one of them is refused the
// target is: an answer that mixes good and bad addresses is an attack, or a
// mistake that would show up as a failure of every second call.
func (g *Guard) resolve(ctx context.Context, t target) ([]netip.Addr, error) {
	if t.addr.IsValid() {
		return []netip.Addr{t.addr}, nil // judged by checkTarget
	}
	addrs, err := g.lookup(ctx, t.name)
	if err != nil {
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
		if err := g.judge(t, addrs[i]); err != nil {
			return nil, err
		}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: t.name, IsNotFound: true}
	}
	return addrs, nil
}

// judgeProxied judges a target that a proxy will call. The proxy resolves the
// name again, so this is all that can be done: what this machine knows about
// it must be allowed. A name that only the proxy can resolve passes, unless
// the allow list says otherwise.
func (g *Guard) judgeProxied(ctx context.Context, t target) error {
	if !isASCII(t.name) {
		return &Refusal{Host: t.host, Rule: "a name for a proxy must be ASCII (xn--…)"}
	}
	_, err := g.resolve(ctx, t)
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if len(g.allow.entries) > 0 && !g.allow.admitsName(t) {
			return &Refusal{Host: t.host, Rule: notListed}
		}
		return nil
	}
	return err
}

// connect connects to the first of addrs that answers. Every socket is judged
// once more as it is made: what was judged above is a list of addresses, what
// counts is where the packets go.
func (g *Guard) connect(ctx context.Context, t target, addrs []netip.Addr) (net.Conn, error) {
	d := &net.Dialer{
		KeepAlive: -1, // a connection serves one short request
		Control: func(network, address string, _ syscall.RawConn) error {
			return g.control(t, network, address)
		},
	}
	dial := func(ctx context.Context, i int) (net.Conn, error) {
		return g.dial(ctx, d, netip.AddrPortFrom(addrs[i], t.port))
	}
	if len(addrs) == 1 {
		return dial(ctx, 0)
	}
	return race(ctx, len(addrs), dial)
}

// dialed is the end of one attempt to connect.
type dialed struct {
	conn net.Conn
	err  error
}

// race makes n attempts, n > 0, each begun when the one before it failed or
// had [stagger] for itself. The first success ends the others; when all fail
// the first error counts, which is that of the preferred address.
func race(ctx context.Context, n int, dial func(ctx context.Context, i int) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan dialed, n) // room for all: no loser blocks
	next := time.NewTimer(0)
	defer next.Stop()
	var first error
	for begun, ended := 0, 0; ended < n; {
		select {
		case <-next.C:
			if begun == n {
				continue // nothing left to begin
			}
			i := begun
			begun++
			go func() {
				conn, err := dial(ctx, i)
				results <- dialed{conn, err}
			}()
			next.Reset(stagger)
		case r := <-results:
			ended++
			if r.err == nil {
				go closeRest(results, begun-ended)
				return r.conn, nil
			}
			if first == nil {
				first = r.err
			}
			next.Reset(0)
		}
	}
	return nil, first
}

// closeRest closes what the losers of a race still bring home.
func closeRest(results <-chan dialed, pending int) {
	for range pending {
		if r := <-results; r.conn != nil {
			_ = r.conn.Close() // never used
		}
	}
}

// checkConnect turns a proxy's refusal into an error without the proxy's text.
func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{res.StatusCode}
}

// proxyError is a proxy that would not connect to the target.
type proxyError struct{ status int }

// Error names the proxy's status.
func (e *proxyError) Error() string {
	return "the proxy answered HTTP " + strconv.Itoa(e.status) + " to CONNECT"
}

// Reason returns "refused", the reason of the audit line.
func (e *proxyError) Reason() string { return "refused" }

// trustError is a set of root certificates that cannot be read.
type trustError struct{ err error }

// Error says which file cannot be used.
func (e *trustError) Error() string {
	return fmt.Sprintf("certificates of authorities: %v", e.err)
}

// Unwrap returns the cause.
func (e *trustError) Unwrap() error { return e.err }

// Reason returns "tls", the reason of the audit line.
func (e *trustError) Reason() string { return "tls" }

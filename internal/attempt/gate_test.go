package attempt

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
)

// counter is a raw TCP receiver that counts the bytes of each connection. It
// answers every request it reads with 204.
type counter struct {
	net.Listener
	conns []*counted
	added chan *counted
}

type counted struct {
	bytes atomic.Int64
	done  chan struct{}
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{Listener: l, added: make(chan *counted, 8)}
	end := make(chan struct{})
	go func() {
		defer close(end)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := &counted{done: make(chan struct{})}
			c.added <- n
			go n.serve(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-end
		for _, n := range c.conns {
			<-n.done
		}
	})
	return c
}

// conn returns the next connection that was made.
func (c *counter) conn() *counted {
	n := <-c.added
	c.conns = append(c.conns, n)
	return n
}

func (n *counted) Write(p []byte) (int, error) {
	n.bytes.Add(int64(len(p)))
	return len(p), nil
}

func (n *counted) serve(conn net.Conn) {
	defer close(n.done)
	defer conn.Close()
	r := bufio.NewReader(io.TeeReader(conn, n))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			_, _ = io.Copy(io.Discard, r)
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
	}
}

// ask makes a gate that says what answers says, in turn, and then its last
// word, and counts the questions.
func ask(answers ...bool) (gate func() bool, asked *atomic.Int32) {
	asked = new(atomic.Int32)
	return func() bool {
		n := int(asked.Add(1))
		return answers[min(n, len(answers))-1]
	}, asked
}

func gated(t *testing.T, transport http.RoundTripper, url string, gate func() bool, size, header int) delivery.Result {
	t.Helper()
	ctx := delivery.WithGate(t.Context(), gate)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(strings.NewReader(strings.Repeat("b", size))))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(size)
	req.Header.Set("X-Large", strings.Repeat("h", header))
	return Do(ctx, transport, req, time.Minute, func(a Answer) delivery.Result {
		return delivery.Result{Delivered: true, StatusCode: a.Status, Reason: delivery.ReasonDelivered}
	})
}

func wantShut(t *testing.T, res delivery.Result) {
	t.Helper()
	if res.Reason != delivery.ReasonInterrupted || res.Message != "The claim on the delivery ended before it was sent" || res.MaybeSeen() {
		t.Errorf("%+v", res)
	}
}

// What a closed gate leaves unsent is everything, whenever it closes before
// the request, on a new connection and on one that was used before, and
// however large the request is.
func TestGateKeepsEverything(t *testing.T) {
	rows := 0
	for _, size := range []int{0, 1, 1000, 1 << 20} {
		for _, header := range []int{10, 10_000} {
			for name, answers := range map[string][]bool{"closed from the start": {false}, "closed at the last moment": {true, false}, "closed and open again": {false, true}} {
				c := newCounter(t)
				url := "http://" + c.Addr().String()
				transport := &http.Transport{}
				gate, asked := ask(answers...)
				wantShut(t, gated(t, transport, url, gate, size, header))
				n := c.conn()
				<-n.done
				if got := n.bytes.Load(); got != 0 || int(asked.Load()) > len(answers) {
					t.Errorf("%s, %d bytes, new connection: %d bytes were sent, %d questions", name, size, got, asked.Load())
				}

				open, _ := ask(true)
				if res := gated(t, transport, url, open, size, header); !res.Delivered {
					t.Fatalf("%+v", res)
				}
				n = c.conn()
				before := n.bytes.Load()
				gate, _ = ask(answers...)
				wantShut(t, gated(t, transport, url, gate, size, header))
				<-n.done
				if got := n.bytes.Load() - before; got != 0 {
					t.Errorf("%s, %d bytes, kept connection: %d bytes were sent", name, size, got)
				}
				transport.CloseIdleConnections()
				_ = c.Close()
				rows += 2
			}
		}
	}
	fixtures.Ran(t, "gate closed before the first byte", rows)
}

// Over HTTP/2 the other requests of the connection do not suffer.
func TestGateHTTP2(t *testing.T) {
	var requests atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	open, _ := ask(true)
	for range 3 {
		shut, _ := ask(false)
		wantShut(t, gated(t, transport, srv.URL, shut, 1000, 10))
		if res := gated(t, transport, srv.URL, open, 1000, 10); !res.Delivered {
			t.Fatalf("%+v", res)
		}
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests arrived, want 3", n)
	}
}

// An attempt says which address it dialled, if any.
func TestAddress(t *testing.T) {
	c := newCounter(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	open, _ := ask(true)
	for range 2 { // a new connection and a kept one
		if res := gated(t, transport, "http://"+c.Addr().String(), open, 3, 3); res.Address != c.Addr().String() {
			t.Errorf("address %q, want %q", res.Address, c.Addr())
		}
	}
	c.conn()
	transport.CloseIdleConnections()
	addr := c.Addr().String()
	_ = c.Close()
	if res := gated(t, transport, "http://"+addr, open, 3, 3); res.Reason != delivery.ReasonRefused || res.Address != addr {
		t.Errorf("refused: %+v", res)
	}
	guarded := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{ControlContext: refuse}).DialContext(ctx, network, addr)
	}}
	if res := gated(t, guarded, "http://"+addr, open, 3, 3); res.Reason != delivery.ReasonBlocked || res.Address != "" {
		t.Errorf("blocked: %+v", res)
	}
}

// blocked is an error of a guard.
type blocked struct{}

func (blocked) Error() string  { return "not allowed" }
func (blocked) Reason() string { return string(delivery.ReasonBlocked) }

func refuse(context.Context, string, string, syscall.RawConn) error { return blocked{} }

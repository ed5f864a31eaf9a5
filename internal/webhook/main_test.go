package webhook

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTransport is a transport like the one that the guard makes.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext: (&net.Dialer{
			// Names are looked up on loopback, where nobody knows any.
			Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				return nameServer(), nil
			}},
		}).DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// nameServer answers every query with "no such name".
func nameServer() net.Conn {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		// A stream of DNS messages has two bytes of length before each.
		for head := make([]byte, 2); ; {
			if _, err := io.ReadFull(far, head); err != nil {
				return
			}
			m := make([]byte, int(head[0])<<8|int(head[1]))
			if _, err := io.ReadFull(far, m); err != nil {
				return
			}
			m[2], m[3] = 0x81, 0x83
			if _, err := far.Write(append(append([]byte(nil), head...), m...)); err != nil {
				return
			}
		}
	}()
	return near
}

// receiver is a listener that reads whole requests and answers as told.
type receiver struct {
	addr string
	mu   sync.Mutex
	raw  []string
}

// newReceiver starts a receiver. Serve gets every connection after its request
// was read; the connection is closed when serve returns. Done is closed at the
// end of the test.
func newReceiver(t *testing.T, serve func(c net.Conn, done <-chan struct{})) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{addr: l.Addr().String()}
	done := make(chan struct{})
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				if r.read(c) == nil {
					serve(c, done)
				}
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		l.Close()
		open.Wait()
	})
	return r
}

// read keeps one request as it came.
func (r *receiver) read(c net.Conn) error {
	var raw strings.Builder
	in := bufio.NewReader(io.TeeReader(c, &raw))
	head := textproto.NewReader(in)
	if _, err := head.ReadLine(); err != nil {
		return err
	}
	h, err := head.ReadMIMEHeader()
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(h.Get("Content-Length"))
	if _, err := io.CopyN(io.Discard, in, int64(n)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, raw.String())
	return nil
}

func (r *receiver) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.raw...)
}

// answering answers with fixed bytes.
func answering(bytes string) func(net.Conn, <-chan struct{}) {
	return func(c net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(c, bytes) }
}

func status(code int, header, body string) string {
	return "HTTP/1.1 " + strconv.Itoa(code) + " X\r\n" + header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// send makes one attempt at a webhook.
func send(t *testing.T, c Config) delivery.Result {
	t.Helper()
	return sendWith(t.Context(), Options{Transport: newTransport()}, c, `{"a":1}`)
}

func sendWith(ctx context.Context, o Options, c Config, body string) delivery.Result {
	if c.Name == "" {
		c.Name = "ops"
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if o.Version == "" {
		o.Version = "test"
	}
	o.Webhooks = []Config{c}
	return NewSender(o).Send(ctx, delivery.Delivery{
		Target:      delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: c.Name},
		ContentType: "application/json",
		Body:        []byte(body),
	})
}

func at(addr string) Config { return Config{URL: secret.New("http://" + addr + "/hook")} }

func newTLSReceiver(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// reset ends a connection with an RST.
func reset(c net.Conn, _ <-chan struct{}) {
	var tcp *net.TCPConn
	if tcp, _ = c.(*net.TCPConn); tcp == nil {
		panic(errors.New("not TCP"))
	}
	_ = tcp.SetLinger(0)
}

func hang(_ net.Conn, done <-chan struct{}) { <-done }

//go:build linux

package service

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// parcel is one delivery as the receiver knows it.
type parcel struct{ run, target string }

// receipt is one answer that a receiver gave.
type receipt struct {
	// desk is where the request came to: every worker has its own.
	desk *desk
	code int
	// at is when the request had come, answered when the answer was given.
	at, answered time.Time
}

// ledger is what the receivers of a trial were sent.
type ledger struct {
	// answer says how the nth request of a parcel is answered, counted from 1.
	answer func(p parcel, n int) (code int, retryAfter string)
	// slow is how long every answer takes.
	slow time.Duration

	mu       sync.Mutex
	receipts map[parcel][]*receipt
	events   map[parcel]string
	bodies   map[parcel][32]byte
	// wrong says what should never come.
	wrong []string
}

// desk is the receiver of one worker.
type desk struct {
	book   *ledger
	addr   string
	server *http.Server
	served chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]http.ConnState
}

// open opens a desk at addr, which may name port 0.
func (l *ledger) open(t *testing.T, addr string) *desk {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	must(t, err)
	d := &desk{book: l, addr: listener.Addr().String(), conns: map[net.Conn]http.ConnState{}, served: make(chan struct{})}
	d.server = &http.Server{Handler: d, ConnState: d.note, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(d.served)
		_ = d.server.Serve(listener) // says that it was closed
	}()
	return d
}

func (d *desk) close() {
	_ = d.server.Close() // connections of the dead can be closed already
	<-d.served
}

func (d *desk) note(c net.Conn, s http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s == http.StateClosed {
		delete(d.conns, c)
		return
	}
	d.conns[c] = s
}

// busy counts connections, or only those on which a request has begun.
func (d *desk) busy(begun bool) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, s := range d.conns {
		if s == http.StateActive || !begun {
			n++
		}
	}
	return n
}

// drain waits until all that was on its way here has been read: a request of
// our own comes after everything that waits to be let in.
func (d *desk) drain(t *testing.T, gone bool) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for range 2 {
		resp, err := client.Get("http://" + d.addr + "/")
		must(t, err)
		must(t, resp.Body.Close())
		await(t, "the receiver to have read everything", 20*time.Second, func() bool { return d.busy(!gone) == 0 })
	}
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	target := strings.TrimPrefix(r.URL.Path, "/")
	if err != nil || target == "" {
		return // its sender died in the middle, or it is the test
	}
	var sent struct {
		Run string `json:"execution_id"`
	}
	err = json.Unmarshal(body, &sent)
	got, retryAfter := d.book.take(d, parcel{sent.Run, target}, r.Header.Get("Webhook-Id"), body, err)
	if d.book.slow > 0 { // so that a fault finds some on their way
		<-time.After(d.book.slow)
	}
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	d.book.mu.Lock()
	got.answered = time.Now()
	d.book.mu.Unlock()
	w.WriteHeader(got.code)
}

// take notes a request.
func (l *ledger) take(d *desk, p parcel, event string, body []byte, err error) (got *receipt, retryAfter string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := sha256.Sum256(body)
	known := len(l.receipts[p]) > 0
	switch {
	case err != nil || p.run == "" || event == "":
		l.wrong = append(l.wrong, fmt.Sprintf("%v: event %q, body %q: %v", p, event, body, err))
	case known && (l.events[p] != event || l.bodies[p] != sum):
		l.wrong = append(l.wrong, fmt.Sprintf("%v: event %q, then %q, or other bytes", p, l.events[p], event))
	}
	l.events[p], l.bodies[p] = event, sum
	got = &receipt{desk: d, at: time.Now()}
	got.code, retryAfter = l.answer(p, len(l.receipts[p])+1)
	l.receipts[p] = append(l.receipts[p], got)
	return got, retryAfter
}

// taken are the parcels that were taken with 2xx, at one desk or, with nil, at any.
func (l *ledger) taken(at *desk) map[parcel]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[parcel]bool{}
	for p, list := range l.receipts {
		for _, r := range list {
			if r.code/100 == 2 && (at == nil || r.desk == at) {
				all[p] = true
			}
		}
	}
	return all
}

// await polls until something is so.
func await(t *testing.T, what string, patience time.Duration, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v for %s", patience, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

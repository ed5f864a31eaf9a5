package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/queue"
)

// endpoint is a real receiver, which hangs while it is dead.
type endpoint struct {
	*httptest.Server
	dead      atomic.Bool
	got, hung atomic.Int32
	end       chan struct{}
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{end: make(chan struct{})}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if e.dead.Load() {
			e.hung.Add(1)
			select {
			case <-e.end:
			case <-r.Context().Done():
			}
			return
		}
		e.got.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(func() {
		close(e.end)
		e.Close()
	})
	return e
}

// httpSender makes real requests.
type httpSender struct {
	client http.Client
	urls   map[string]string
}

// Send makes one request.
func (s *httpSender) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.urls[d.Target.Name], bytes.NewReader(d.Body))
	if err != nil {
		return delivery.Result{Reason: delivery.ReasonProtocol}
	}
	resp, err := s.client.Do(req)
	switch {
	case ctx.Err() != nil:
		return delivery.Result{Reason: delivery.ReasonInterrupted, Retry: true}
	case err != nil:
		return delivery.Result{Reason: delivery.ReasonTimeout, TimedOut: true, Retry: true}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return delivery.Result{Delivered: resp.StatusCode/100 == 2, StatusCode: resp.StatusCode, Reason: delivery.ReasonDelivered}
}

// finished counts the deliveries to each target that were made, and tells when
// those to all of the given ones are.
type finished struct {
	mu   sync.Mutex
	made map[string]int
	want map[string]int
	done chan struct{}
}

func (f *finished) attempted(a delivery.Attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[a.Delivery.Target.Name]++
	for name, n := range f.want {
		if f.made[name] < n {
			return
		}
	}
	if f.want != nil {
		f.want = nil
		close(f.done)
	}
}

// await waits until each of the names has n attempts on record.
func (f *finished) await(t *testing.T, n int, names ...string) {
	t.Helper()
	f.mu.Lock()
	f.want, f.done = map[string]int{}, make(chan struct{})
	for _, name := range names {
		if f.made[name] < n {
			f.want[name] = n
		}
	}
	done := f.done
	if len(f.want) == 0 {
		f.want = nil
		close(done)
	}
	f.mu.Unlock()
	select {
	case <-done:
	case <-time.After(time.Minute):
		f.mu.Lock()
		defer f.mu.Unlock()
		t.Fatalf("after a minute there are %v", f.made)
	}
}

// Of ten real endpoints one hangs, from the start or suddenly: the other nine
// get everything meanwhile, however many are behind the one, and a Retry gets
// through too.
func TestRunDeadEndpoint(t *testing.T) {
	for name, sudden := range map[string]bool{"from the start": false, "suddenly": true} {
		t.Run(name, func(t *testing.T) {
			const each = 60
			s := &httpSender{urls: map[string]string{}}
			s.client.Transport = &http.Transport{DisableKeepAlives: true}
			s.client.Timeout = 30 * time.Second
			var ends []*endpoint
			var names []string
			for i := range 10 {
				ends = append(ends, newEndpoint(t))
				names = append(names, fmt.Sprint("hook", i))
				s.urls[names[i]] = ends[i].URL
			}
			b, f := newBase(), &finished{made: map[string]int{}}
			c := newCrew(b, new(memory), s.Send)
			c.run.Workers, c.run.PerTarget, c.run.Attempted, c.run.Grace = 8, 4, f.attempted, time.Nanosecond
			c.Runner = queue.NewRunner(c.store, c.opts, c.run)
			ctx, stop := context.WithCancel(t.Context())
			c.stop, c.ended = stop, make(chan error, 1)
			go func() { c.ended <- c.Run(ctx) }()

			if sudden { // it has its full share of workers by then
				for i := range each {
					c.accept(t, fmt.Sprint("early", i), names...)
				}
				f.await(t, each, names...)
			}
			before := f.made[names[0]]
			ends[0].dead.Store(true)
			for i := range each {
				c.accept(t, fmt.Sprint("e", i), names...)
			}
			f.await(t, before+each, names[1:]...)
			if hung := int(ends[0].hung.Load()); hung < 1 || hung > 4 {
				t.Errorf("%d requests hang, want 1 to 4", hung)
			}
			f.mu.Lock()
			if n := f.made[names[0]]; n != before {
				t.Errorf("the dead one ended %d attempts", n-before)
			}
			f.mu.Unlock()
			for _, e := range ends[1:] {
				if got := int(e.got.Load()); got != before+each {
					t.Errorf("a living one got %d of %d", got, before+each)
				}
			}
			c.end(t)
			if n := b.count(delivery.Sending); n > 0 {
				t.Errorf("%d are still being sent", n)
			}
			fixtures.Ran(t, "delivered to nine while one hangs "+name, 9*each)
		})
	}
}

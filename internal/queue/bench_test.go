package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/pgtest"
	"agentxchain/internal/queue"
	"agentxchain/internal/secret"
	"agentxchain/internal/store"
)

// nothing is a ledger and an evidence that keep nothing but what waits.
type nothing struct {
	queue.RunLedger
	mu      sync.Mutex
	pending []delivery.Delivery
}

func (l *nothing) Add(_ context.Context, in delivery.Intent) error {
	for _, d := range in.Deliveries {
		if d.Status == delivery.Pending {
			l.mu.Lock()
			l.pending = append(l.pending, d)
			l.mu.Unlock()
		}
	}
	return nil
}

func (l *nothing) Take(_ context.Context, q queue.Quota) ([]delivery.Delivery, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(q.Max, len(l.pending))
	ds := l.pending[:n:n]
	l.pending = l.pending[n:]
	for i := range ds {
		ds[i].Status = delivery.Sending
		ds[i].Attempts++
	}
	return ds, nil
}

func (*nothing) Finish(context.Context, ...delivery.Delivery) error { return nil }

func (*nothing) Held(string) bool { return true }

func (*nothing) Orphans(context.Context) ([]delivery.Intent, error) { return nil, nil }

func (*nothing) NextDue(context.Context) (time.Time, error) { return time.Time{}, nil }

func (*nothing) Woken() <-chan struct{} { return nil }

func (*nothing) Record(context.Context, ...delivery.Attempt) error { return nil }

func (*nothing) Sync() error { return nil }

func (*nothing) Size() (int64, error) { return 0, nil }

func (*nothing) Recorded(int64, []delivery.AttemptKey) (map[delivery.AttemptKey]delivery.Reason, error) {
	return nil, nil
}

// sink is a loopback receiver that costs as little as can be.
func sink(b *testing.B) *httptest.Server {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	b.Cleanup(s.Close)
	return s
}

// benchEvent makes an event of 1 KB with one message.
func benchEvent(round, n int) (ev events.Event, ms []queue.Message) {
	ev, ms = to(fmt.Sprintf("bench_%d_%d", round, n), "hook")
	ev.Body = bytes.Repeat([]byte("x"), 1024)
	return ev, ms
}

// plain sends n deliveries with as many workers as a runner has, and nothing
// else: what there is to be had.
func plain(s *httpSender, round, n int) time.Duration {
	var next atomic.Int64
	begin := time.Now()
	inParallel(64, func() {
		for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
			ev, ms := benchEvent(round, i)
			s.Send(context.Background(), delivery.Delivery{Event: ev, Target: ms[0].Target, Body: ev.Body})
		}
	})
	return time.Since(begin)
}

// through sends n deliveries through a runner, accepted by 256 at a time, and
// waits until all are finished.
func through(b *testing.B, l queue.RunLedger, audit queue.Audit, s *httpSender, round, n int) time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	all := make(chan struct{})
	r := queue.NewRunner(l, queue.Options{Audit: audit, Sender: one(s), Policy: delivery.DefaultSchedule()}, queue.RunOptions{
		Attempted: func(a delivery.Attempt) {
			if !a.Result.Delivered {
				b.Errorf("%+v", a.Result)
			}
			if left.Add(-1) == 0 {
				close(all)
			}
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var next atomic.Int64
	begin := time.Now()
	inParallel(256, func() {
		for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
			ev, ms := benchEvent(round, i)
			if err := r.Accept(ctx, ev, ms); err != nil {
				b.Error(err)
				return
			}
		}
	})
	<-all
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	return time.Since(begin)
}

// synced is an evidence in a file whose Sync reaches the disk.
type synced struct{ evidence }

// Sync makes the file durable.
func (s *synced) Sync() error {
	f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// keeper is a ledger with an evidence.
type keeper struct {
	name   string
	ledger queue.RunLedger
	audit  queue.Audit
}

// keepers are what the benchmarks compare: a runner that keeps nothing, one
// that keeps evidence only, and those over real databases.
func keepers(b *testing.B) []keeper {
	b.Helper()
	kept := func() queue.Audit {
		return &synced{evidence: evidence{path: filepath.Join(b.TempDir(), "audit.jsonl")}}
	}
	ks := []keeper{{"nothing", new(nothing), new(nothing)}, {"evidence", new(nothing), kept()}}
	for name, url := range map[string]string{"sqlite": "sqlite:///notify.db", "postgres": pgtest.Start(b)} {
		s, err := store.Open(b.Context(), store.Options{URL: secret.New(url), Dir: b.TempDir(), Site: "bench"})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
		ks = append(ks, keeper{name, s, kept()})
	}
	return ks
}

// BenchmarkRun sends as many deliveries as it can, by nothing but the sender
// and by a runner over each keeper, in turn. It reports each one's share of the
// first, the median of the rounds.
func BenchmarkRun(b *testing.B) {
	const n = 4000
	s := &httpSender{urls: map[string]string{"hook": sink(b).URL}}
	s.client.Transport = &http.Transport{DisableKeepAlives: true}
	ks := keepers(b)
	shares := make([][]float64, len(ks))
	var rates []float64
	for round := 0; b.Loop(); round++ {
		alone := plain(s, round, n)
		rates = append(rates, n/alone.Seconds())
		for i, k := range ks {
			took := through(b, k.ledger, k.audit, s, round, n)
			shares[i] = append(shares[i], alone.Seconds()/took.Seconds())
		}
	}
	b.ReportMetric(median(rates), "deliveries/s")
	for i, k := range ks {
		b.ReportMetric(median(shares[i]), k.name+"/alone")
	}
}

// BenchmarkIdle measures how long it takes from the call of Accept to the
// request at the receiver when nothing else is going on: the median.
func BenchmarkIdle(b *testing.B) {
	for _, k := range keepers(b) {
		b.Run(k.name, func(b *testing.B) {
			arrived := make(chan time.Time, 1)
			r := queue.NewRunner(k.ledger, queue.Options{
				Audit: k.audit, Policy: delivery.DefaultSchedule(),
				Sender: one(senderFunc(func(context.Context, delivery.Delivery) delivery.Result {
					arrived <- time.Now()
					return good
				})),
			}, queue.RunOptions{})
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			var took []float64
			for n := 0; b.Loop(); n++ {
				ev, ms := benchEvent(b.N, n)
				ev.ID += "_idle"
				begin := time.Now()
				if err := r.Accept(ctx, ev, ms); err != nil {
					b.Fatal(err)
				}
				took = append(took, float64((<-arrived).Sub(begin).Microseconds())/1000)
			}
			stop()
			if err := <-ended; err != nil {
				b.Error(err)
			}
			b.ReportMetric(median(took), "ms-p50")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

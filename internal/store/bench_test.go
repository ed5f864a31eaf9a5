package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// benchIntent is one accepted event of a usual size, in its first attempt.
func benchIntent(n int64, now time.Time) delivery.Intent {
	body := fmt.Sprintf(`{"event_id":"notif_%d","event_type":"agent_run_failed","message":%q}`, n, make([]byte, 80))
	ev := events.Event{ID: fmt.Sprintf("notif_%016x", n), Type: "agent_run_failed", EmittedAt: now, RunID: "run_1", Body: []byte(body)}
	target := delivery.Target{File: "gateway.yaml", Channel: delivery.Webhook, Name: fmt.Sprintf("hook%d", n%10)}
	return delivery.Intent{Deliveries: []delivery.Delivery{{
		ID: delivery.NewID(ev, target), Event: ev, Target: target, Agent: "builder", ExecutionID: "exec_1", Label: target.Name,
		ContentType: "application/json", Body: ev.Body, Status: delivery.Sending, Attempts: 1, NextAt: now,
	}}}
}

// deliver accepts one event durably, already leased, and finishes it durably
// with its attempt.
func deliver(ctx context.Context, s *Store, n int64) error {
	now := time.Now()
	in := benchIntent(n, now)
	if err := s.Add(ctx, in); err != nil {
		return err
	}
	d := in.Deliveries[0]
	d.Status, d.NextAt, d.LastReason = delivery.Delivered, time.Time{}, delivery.ReasonDelivered
	d.Tries = []delivery.Try{{Number: 1, At: now, Result: delivery.Result{
		Delivered: true, StatusCode: 200, Duration: time.Millisecond, Reason: delivery.ReasonDelivered, Phase: delivery.PhaseRead, Address: "127.0.0.1:8080",
	}}}
	return s.Finish(ctx, d)
}

// BenchmarkStore measures deliveries a second that are accepted, already
// leased, and finished with an attempt row, each durably, for 256 goroutines
// that wait for each step; and beside it how often a second the disk syncs.
func BenchmarkStore(b *testing.B) {
	b.Run("floor", benchFloor)
	for _, e := range engines() {
		b.Run(e.name, func(b *testing.B) {
			s := openStore(b, e.fresh(b), Options{})
			var next atomic.Int64
			var running sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range 256 {
				running.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := deliver(b.Context(), s, n); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// benchFloor syncs a file after each write of 4 KiB.
func benchFloor(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// BenchmarkTake measures how fast a backlog is taken, 64 at a time.
func BenchmarkTake(b *testing.B) {
	for _, e := range engines() {
		b.Run(e.name, func(b *testing.B) {
			s := openStore(b, e.fresh(b), Options{})
			var running sync.WaitGroup
			for n := range int64(64) {
				running.Go(func() {
					for i := n; i < int64(b.N); i += 64 {
						in := benchIntent(i, time.Now())
						in.Deliveries[0].Status, in.Deliveries[0].Attempts = delivery.Pending, 0
						if err := s.Add(b.Context(), in); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
			b.ResetTimer()
			for n := 0; n < b.N && !b.Failed(); {
				ds, err := s.Take(b.Context(), delivery.Quota{Max: 64})
				if err != nil || len(ds) == 0 {
					b.Fatal(len(ds), err)
				}
				n += len(ds)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

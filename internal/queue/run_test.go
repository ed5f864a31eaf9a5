package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
)

// memory is an evidence in memory.
type memory struct {
	mu       sync.Mutex
	attempts []delivery.Attempt
	syncs    int
	// refuse and unsynced make it fail; a refused record writes the first lines
	// all the same, as many as partly says.
	refuse, unsynced error
	partly           int
}

func (m *memory) Record(_ context.Context, as ...delivery.Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		m.attempts = append(m.attempts, as[:min(m.partly, len(as))]...)
		return m.refuse
	}
	m.attempts = append(m.attempts, as...)
	return nil
}

func (m *memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncs++
	return m.unsynced
}

func (m *memory) Size() (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.attempts)), nil
}

func (m *memory) Recorded(from int64, keys []delivery.AttemptKey) (map[delivery.AttemptKey]delivery.Reason, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[delivery.AttemptKey]delivery.Reason{}
	for _, a := range m.attempts[from:] {
		if slices.Contains(keys, a.Key()) {
			known[a.Key()] = a.Result.Reason
		}
	}
	return known, nil
}

func (m *memory) set(refuse, unsynced error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse, m.unsynced = refuse, unsynced
}

func (m *memory) writePartly(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.partly = n
}

// lines are the evidence as "event target attempt reason".
func (m *memory) lines() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, a := range m.attempts {
		all = append(all, fmt.Sprintf("%s %s %d %s", a.Delivery.Event.ID, a.Delivery.Target.Name, a.Number, a.Result.Reason))
	}
	return all
}

// crew is a runner over a base in memory.
type crew struct {
	*queue.Runner
	store  *owner
	memory *memory
	opts   queue.Options
	run    queue.RunOptions
	log    *bytes.Buffer
	lost   int
	stop   context.CancelFunc
	ended  chan error
}

func newCrew(b *base, m *memory, send senderFunc) *crew {
	c := &crew{store: b.owner(30 * time.Second), memory: m, log: new(bytes.Buffer)}
	c.opts = queue.Options{
		Audit: m, Sender: one(send), Policy: delivery.DefaultSchedule(),
		Jitter: func() float64 { return 1 },
	}
	var mu sync.Mutex
	c.run = queue.RunOptions{
		Lost: func(n int) {
			mu.Lock()
			defer mu.Unlock()
			c.lost += n
		},
		Log: slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	}
	return c
}

func (c *crew) start(t *testing.T) {
	t.Helper()
	c.Runner = queue.NewRunner(c.store, c.opts, c.run)
	ctx, stop := context.WithCancel(t.Context())
	c.stop, c.ended = stop, make(chan error, 1)
	go func() { c.ended <- c.Run(ctx) }()
	synctest.Wait() // until it runs and looked into the ledger
}

// end stops the runner and wants a clean end.
func (c *crew) end(t *testing.T) {
	t.Helper()
	c.stop()
	if err := <-c.ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

// to makes an event for the named targets.
func to(id string, names ...string) (events.Event, []queue.Message) {
	ev, _ := event(id, 0)
	var ms []queue.Message
	for _, n := range names {
		ms = append(ms, queue.Message{
			Target:      delivery.Target{File: "gateway.yaml", Channel: delivery.Webhook, Name: n},
			ContentType: "application/json", ExpiresAt: ev.EmittedAt.Add(72 * time.Hour),
		})
	}
	return ev, ms
}

func (c *crew) accept(t *testing.T, id string, names ...string) []string {
	t.Helper()
	ev, ms := to(id, names...)
	must(t, c.Accept(t.Context(), ev, ms))
	var ids []string
	for _, m := range ms {
		ids = append(ids, delivery.NewID(ev, m.Target))
	}
	return ids
}

func inBubble(t *testing.T, test func(t *testing.T, b *base, m *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newBase(), new(memory)) })
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// What is accepted while there is room costs two writes, and is recorded and
// synced before it is done.
func TestRunDirect(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		c := newCrew(b, m, answer(good))
		c.start(t)
		before := b.wrote("take")
		ids := c.accept(t, "e1", "a", "b")
		synctest.Wait()
		wantLines(t, "evidence", sorted(m.lines()), "e1 a 1 delivered", "e1 b 1 delivered")
		for _, id := range ids {
			r := b.row(t, id)
			if r.d.Status != delivery.Delivered || r.d.Attempts != 1 || len(r.tries) != 1 || r.tries[0].Result.StatusCode != good.StatusCode || r.tries[0].Number != 1 {
				t.Errorf("row %+v", r)
			}
		}
		if b.wrote("add") != 1 || b.wrote("finish") > 2 || b.wrote("take") != before || m.syncs > 2 || m.syncs == 0 {
			t.Errorf("writes %v, %d syncs", b.writes, m.syncs)
		}
		c.end(t)
	})
}

// Without a running queue, what is accepted waits for one, and is not sent.
func TestAcceptOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		idle := newCrew(b, m, answer(good))
		idle.Runner = queue.NewRunner(idle.store, idle.opts, idle.run)
		id := idle.accept(t, "e1", "a")[0]
		synctest.Wait()
		if r := b.row(t, id); r.d.Status != delivery.Pending || r.d.Attempts != 0 {
			t.Errorf("row %+v", r.d)
		}
		if err := idle.Retry(t.Context(), id); !errors.Is(err, queue.ErrStopped) {
			t.Errorf("retry: %v", err)
		}
		c := newCrew(b, m, answer(good))
		c.start(t)
		synctest.Wait()
		wantLines(t, "evidence", m.lines(), "e1 a 1 delivered")
		idle.accept(t, "e2", "a") // the other process is woken
		synctest.Wait()
		wantLines(t, "evidence", m.lines(), "e1 a 1 delivered", "e2 a 1 delivered")
		c.end(t)
		if err := c.Run(t.Context()); err == nil {
			t.Error("it ran twice")
		}
	})
}

// A failed attempt waits by the schedule and keeps its bytes; a permanent
// failure is final; the end of the schedule is the age.
func TestRunSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		begin := time.Now()
		var at []time.Duration
		var bodies []string
		c := newCrew(b, m, func(_ context.Context, d delivery.Delivery) delivery.Result {
			if d.Target.Name == "gone" {
				return gone
			}
			at = append(at, time.Since(begin))
			bodies = append(bodies, string(d.Body))
			return down
		})
		c.start(t)
		ids := c.accept(t, "e1", "down", "gone")
		pass(80 * time.Hour)
		c.end(t)
		var waits []time.Duration
		for i := 1; i < len(at); i++ {
			waits = append(waits, (at[i] - at[i-1]).Round(time.Second))
		}
		want := []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour}
		if len(waits) != 17 || !slices.Equal(waits[:6], want) || waits[6] != 6*time.Hour || waits[16] != 6*time.Hour {
			t.Errorf("waits %v", waits)
		}
		if len(slices.Compact(bodies)) != 1 {
			t.Errorf("bodies %q", bodies)
		}
		r := b.row(t, ids[0])
		if r.d.Status != delivery.Failed || r.d.Attempts != 18 || len(r.tries) != 18 || r.d.LastReason != delivery.ReasonServerError || r.tries[17].Number != 18 {
			t.Errorf("row %+v, %d tries", r.d, len(r.tries))
		}
		if r := b.row(t, ids[1]); r.d.Status != delivery.Failed || r.d.Attempts != 1 || r.d.LastReason != delivery.ReasonRejected {
			t.Errorf("row %+v", r.d)
		}
		if len(m.lines()) != 19 {
			t.Errorf("evidence %q", m.lines())
		}
	})
}

// What is too old, or about a run that moved on, is not sent and says so.
func TestRunExpiredAndSuperseded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		idle := newCrew(b, m, answer(good))
		idle.Runner = queue.NewRunner(idle.store, idle.opts, idle.run)
		old := idle.accept(t, "old", "a")[0]
		pass(73 * time.Hour)
		moved := idle.accept(t, "moved", "a")[0]
		fresh := idle.accept(t, "fresh", "a")[0]
		c := newCrew(b, m, answer(good))
		c.run.Superseded = func(d delivery.Delivery) bool { return d.Event.ID == "moved" }
		c.start(t)
		synctest.Wait()
		wantLines(t, "evidence", sorted(m.lines()), "fresh a 1 delivered", "moved a 1 superseded", "old a 1 expired")
		for id, s := range map[string]delivery.Status{old: delivery.Failed, moved: delivery.Failed, fresh: delivery.Delivered} {
			if r := b.row(t, id); r.d.Status != s || r.d.Attempts != 1 || len(r.tries) != 1 {
				t.Errorf("row %+v", r.d)
			}
		}
		// An operator can send it all the same; then it is final again.
		must(t, c.Retry(t.Context(), old))
		synctest.Wait()
		if r := b.row(t, old); r.d.Status != delivery.Delivered || r.d.Attempts != 2 {
			t.Errorf("row %+v", r.d)
		}
		c.end(t)
	})
}

// A body that could not be made is asked for before each attempt, and stored
// before it is sent.
func TestRunUnmade(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var ready atomic.Bool
		c := newCrew(b, m, func(_ context.Context, d delivery.Delivery) delivery.Result {
			if d.Unmade {
				return down
			}
			if r := b.row(t, d.ID); string(r.d.Body) != "made" || string(d.Body) != "made" {
				t.Errorf("sent %q, stored %q", d.Body, r.d.Body)
			}
			return good
		})
		c.opts.Make = func(_ context.Context, d delivery.Delivery) delivery.Delivery {
			if ready.Load() {
				d.Unmade, d.Body = false, []byte("made")
			}
			return d
		}
		c.start(t)
		ev, ms := to("e1", "a")
		ms[0].Unmade = true
		must(t, c.Accept(t.Context(), ev, ms))
		pass(20 * time.Second)
		ready.Store(true)
		pass(60 * time.Second)
		c.end(t)
		wantLines(t, "evidence", m.lines(), "e1 a 1 server_error", "e1 a 2 server_error", "e1 a 3 delivered")
	})
}

// hang is a sender whose receivers never answer.
func hang(limit time.Duration) senderFunc {
	return func(ctx context.Context, _ delivery.Delivery) delivery.Result {
		select {
		case <-ctx.Done():
			return delivery.Result{Reason: delivery.ReasonInterrupted, Retry: true}
		case <-time.After(limit):
			return delivery.Result{Reason: delivery.ReasonTimeout, TimedOut: true, Retry: true}
		}
	}
}

// An operator's retry goes at once, past everything that hangs, and is the
// same record.
func TestRunRetry(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var freed atomic.Bool
		c := newCrew(b, m, func(ctx context.Context, d delivery.Delivery) delivery.Result {
			if !freed.Load() && d.Event.ID == "e0" {
				return gone
			}
			if !freed.Load() {
				return hang(10*time.Second)(ctx, d)
			}
			return good
		})
		c.run.Workers, c.run.PerTarget = 2, 1
		c.start(t)
		id := c.accept(t, "e0", "a")[0]
		synctest.Wait()
		for i := range 9 {
			c.accept(t, fmt.Sprint("e", i+1), "a", "b", "c")
		}
		busy := b.count(delivery.Sending)
		freed.Store(true)
		must(t, c.Retry(t.Context(), id))
		synctest.Wait()
		if r := b.row(t, id); r.d.Status != delivery.Delivered || r.d.Attempts != 2 || len(r.tries) != 2 || busy == 0 {
			t.Errorf("row %+v, %d busy", r.d, busy)
		}
		for want, id := range map[error]string{delivery.ErrDone: id, delivery.ErrUnknown: "x"} {
			if err := c.Retry(t.Context(), id); !errors.Is(err, want) {
				t.Errorf("retry: %v, want %v", err, want)
			}
		}
		pass(time.Minute)
		c.end(t)
		if n := b.count(delivery.Delivered); n != 28 {
			t.Errorf("%d delivered", n)
		}
	})
}

// At the end running attempts may end, are interrupted after the grace, and
// what was not begun is given back as it was.
func TestRunShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		c := newCrew(b, m, func(ctx context.Context, d delivery.Delivery) delivery.Result {
			if d.Target.Name == "slow" {
				r := hang(5*time.Second)(ctx, d)
				if r.TimedOut {
					return good
				}
				return r
			}
			return hang(time.Hour)(ctx, d)
		})
		c.start(t)
		for i := range 2 {
			c.accept(t, fmt.Sprint("e", i), "slow", "hung")
		}
		for i := range 4 {
			c.accept(t, fmt.Sprint("w", i), "slow", "hung")
		}
		synctest.Wait()
		begin := time.Now()
		c.end(t)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		wantLines(t, "evidence", sorted(m.lines()), "e0 hung 1 interrupted", "e0 slow 1 delivered", "e1 hung 1 interrupted", "e1 slow 1 delivered")
		if d, p, s := b.count(delivery.Delivered), b.count(delivery.Pending), b.count(delivery.Sending); d != 2 || p != 10 || s != 0 {
			t.Errorf("%d delivered, %d pending, %d sending", d, p, s)
		}
		for _, r := range b.rows {
			want := 0
			if strings.HasPrefix(r.d.Event.ID, "e") {
				want = 1
			}
			if r.d.Attempts != want || len(r.tries) != want || r.owner != nil {
				t.Errorf("row %s %s: %d attempts, %d tries", r.d.Event.ID, r.d.Target.Name, r.d.Attempts, len(r.tries))
			}
		}
	})
}

// A sender that never returns, evidence that never works and a ledger that
// never answers can't keep the queue from ending.
func TestRunEndsAnyway(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		end := make(chan struct{})
		defer close(end)
		c := newCrew(b, m, func(_ context.Context, d delivery.Delivery) delivery.Result {
			if d.Event.ID == "stuck" {
				<-end
			}
			return good
		})
		c.start(t)
		c.accept(t, "stuck", "a")
		synctest.Wait()
		m.set(errRefused, nil)
		c.accept(t, "e1", "b")
		synctest.Wait()
		c.stop()
		begin := time.Now()
		err := <-c.ended
		if err == nil || !strings.Contains(err.Error(), "1 deliveries are left") || time.Since(begin) > time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		if len(m.lines()) > 0 || b.count(delivery.Sending) != 2 {
			t.Errorf("evidence %q", m.lines())
		}
	})
}

// While the evidence refuses, nothing is done and nothing is begun; what ended
// is recorded once when it works again, even if the failed write left some.
func TestRunEvidenceRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var sent atomic.Int32
		c := newCrew(b, m, func(context.Context, delivery.Delivery) delivery.Result {
			sent.Add(1)
			return good
		})
		c.start(t)
		m.set(errRefused, nil)
		m.writePartly(1)
		ids := c.accept(t, "e1", "a", "b", "c")
		synctest.Wait()
		m.writePartly(0)
		later := c.accept(t, "e2", "a")[0]
		pass(3 * time.Second)
		// The first line of the first record was written, which may be all of it.
		if sent.Load() != 3 || b.count(delivery.Delivered) > 1 {
			t.Errorf("%d sent, %d delivered", sent.Load(), b.count(delivery.Delivered))
		}
		if r := b.row(t, later); r.d.Status != delivery.Pending {
			t.Errorf("row %+v", r.d)
		}
		if s := c.Stats(); s.Evidence || !s.Ledger || !s.Running {
			t.Errorf("%+v", s)
		}
		m.set(nil, nil)
		pass(6 * time.Second)
		wantLines(t, "evidence", sorted(m.lines()), "e1 a 1 delivered", "e1 b 1 delivered", "e1 c 1 delivered", "e2 a 1 delivered")
		for _, id := range append(ids, later) {
			if r := b.row(t, id); r.d.Status != delivery.Delivered || r.d.Attempts != 1 || len(r.tries) != 1 {
				t.Errorf("row %+v", r.d)
			}
		}
		if s := c.Stats(); !s.Evidence || s.Sending+s.Waiting+s.Finishing > 0 {
			t.Errorf("%+v", s)
		}
		c.end(t)
		if n := strings.Count(c.log.String(), "the evidence can't be written"); n != 2 {
			t.Errorf("said %d times:\n%s", n, c.log)
		}
	})
}

// When it refuses for longer than the claims last, the outcomes are unknown:
// that is recorded once it works, and they are sent again.
func TestRunEvidenceRefusesForLong(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		c := newCrew(b, m, answer(good))
		c.start(t)
		m.set(errRefused, nil)
		id := c.accept(t, "e1", "a")[0]
		pass(2 * time.Minute)
		m.set(nil, nil)
		pass(30 * time.Second)
		wantLines(t, "evidence", m.lines(), "e1 a 1 unknown_outcome", "e1 a 2 delivered")
		if r := b.row(t, id); r.d.Status != delivery.Delivered || r.d.Attempts != 2 || len(r.tries) != 2 || c.lost != 0 {
			t.Errorf("row %+v, %d lost", r.d, c.lost)
		}
		c.end(t)
	})
}

// What may not have reached the disk is not done: the evidence is asked again,
// and nothing is sent twice.
func TestRunUnsynced(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		c := newCrew(b, m, answer(good))
		c.start(t)
		m.set(nil, errRefused)
		id := c.accept(t, "e1", "a")[0]
		synctest.Wait()
		if r := b.row(t, id); r.d.Status != delivery.Sending {
			t.Errorf("row %+v", r.d)
		}
		m.set(nil, nil)
		c.accept(t, "e2", "b")
		pass(10 * time.Second)
		wantLines(t, "evidence", m.lines(), "e1 a 1 delivered", "e2 b 1 delivered")
		if r := b.row(t, id); r.d.Status != delivery.Delivered || r.d.Attempts != 1 || len(r.tries) != 1 {
			t.Errorf("row %+v", r.d)
		}
		if s := c.Stats(); !s.Evidence {
			t.Errorf("%+v", s)
		}
		c.end(t)
	})
}

// While the ledger refuses outcomes they are kept, and nothing is begun.
func TestRunLedgerRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var sent atomic.Int32
		c := newCrew(b, m, func(context.Context, delivery.Delivery) delivery.Result {
			sent.Add(1)
			return good
		})
		c.start(t)
		c.store.set("finish", errRefused)
		id := c.accept(t, "e1", "a")[0]
		synctest.Wait()
		c.accept(t, "e2", "a")
		pass(12 * time.Second)
		if sent.Load() != 1 || c.Stats().Ledger {
			t.Errorf("%d sent", sent.Load())
		}
		c.store.set("finish", nil)
		c.store.set("take", errRefused)
		pass(12 * time.Second)
		c.store.set("take", nil)
		pass(time.Second)
		wantLines(t, "evidence", m.lines(), "e1 a 1 delivered", "e2 a 1 delivered")
		if r := b.row(t, id); r.d.Status != delivery.Delivered || c.lost != 0 || sent.Load() != 2 {
			t.Errorf("row %+v, %d sent", r.d, sent.Load())
		}
		c.end(t)
		for _, text := range []string{"the delivery log can't be written", "the delivery log can't be read"} {
			if n := strings.Count(c.log.String(), text); n != 2 {
				t.Errorf("%q %d times:\n%s", text, n, c.log)
			}
		}
	})
}

// A claim that ends before the first byte keeps the delivery from being sent,
// and it is given back if it can be; one that ends later makes it somebody
// else's, and the evidence stays.
func TestRunLost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var asked atomic.Int32
		var c *crew
		c = newCrew(b, m, func(ctx context.Context, d delivery.Delivery) delivery.Result {
			switch d.Event.ID {
			case "before": // between the first look and the first byte
				if asked.Add(1) == 1 {
					c.store.deny(d.ID, true)
					if delivery.GateOpen(ctx) {
						t.Error("the gate is open")
					}
					c.store.deny(d.ID, false)
					return delivery.Result{Reason: delivery.ReasonInterrupted, Retry: true}
				}
			case "after":
				b.mu.Lock()
				b.rows[d.ID].owner = nil
				b.mu.Unlock()
			}
			return good
		})
		c.start(t)
		c.store.set("orphans", errRefused)
		ids := append(c.accept(t, "before", "a"), c.accept(t, "after", "b")...)
		synctest.Wait()
		wantLines(t, "evidence", m.lines(), "after b 1 delivered")
		for i, want := range []string{"pending 0 0", "sending 1 0"} {
			r := b.row(t, ids[i])
			if got := fmt.Sprint(r.d.Status, " ", r.d.Attempts, " ", len(r.tries)); got != want {
				t.Errorf("row %d: %s, want %s", i, got, want)
			}
		}
		pass(2 * time.Second)
		wantLines(t, "evidence", m.lines(), "after b 1 delivered", "before a 1 delivered")
		if c.lost != 1 || asked.Load() != 2 {
			t.Errorf("%d lost, %d asked", c.lost, asked.Load())
		}
		c.end(t)
	})
}

// An outcome that the ledger refused for so long that its claim ended, and was
// claimed anew by this very process, is not written over what became of it.
func TestRunOldOutcome(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var sent atomic.Int32
		var mu sync.Mutex
		sending := map[string]bool{}
		c := newCrew(b, m, func(ctx context.Context, d delivery.Delivery) delivery.Result {
			mu.Lock()
			if sending[d.ID] {
				t.Error("it is sent twice at once")
			}
			sending[d.ID] = true
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				delete(sending, d.ID)
			}()
			if sent.Add(1) == 1 {
				return down
			}
			return hang(20*time.Second)(ctx, d)
		})
		c.opts.Jitter = func() float64 { return 0 } // what is taken anew is sent at once
		c.start(t)
		id := c.accept(t, "e1", "a")[0]
		c.store.set("finish", errRefused)
		pass(time.Minute)
		c.store.set("finish", nil)
		pass(70 * time.Second)
		if r := b.row(t, id); r.d.Attempts < 2 || len(r.tries) < 1 {
			t.Errorf("row %+v, %d tries", r.d, len(r.tries))
		}
		c.end(t)
		numbers := map[int]int{}
		for _, try := range b.row(t, id).tries {
			if numbers[try.Number]++; numbers[try.Number] > 1 {
				t.Errorf("attempt %d is there twice", try.Number)
			}
		}
		if n := len(m.lines()); n != b.row(t, id).d.Attempts || n != len(numbers) {
			t.Errorf("evidence %q, %d attempts, %d tries", m.lines(), b.row(t, id).d.Attempts, len(numbers))
		}
	})
}

// What a dead process left is settled by what the evidence has.
func TestRunOrphans(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		dead := b.owner(10 * time.Second)
		var ids []string
		var recorded []delivery.Attempt
		for _, end := range []delivery.Result{good, down, gone, {}, unknown} {
			name := string(end.Reason)
			ev, ms := to("e-"+name, "a")
			d := delivery.Delivery{
				ID: delivery.NewID(ev, ms[0].Target), Event: ev, Target: ms[0].Target, Body: ev.Body,
				Status: delivery.Sending, Attempts: 1, NextAt: time.Now().UTC(), ExpiresAt: time.Now().Add(time.Hour),
			}
			if name == "" {
				old := d
				old.ID, old.ExpiresAt, old.Target.Name = "old", time.Now().Add(time.Second), "old"
				must(t, dead.Add(t.Context(), delivery.Intent{Deliveries: []delivery.Delivery{old}}))
			} else {
				recorded = append(recorded, delivery.Attempt{Delivery: d, Number: 1, At: d.NextAt, Result: end})
			}
			must(t, dead.Add(t.Context(), delivery.Intent{Deliveries: []delivery.Delivery{d}}))
			ids = append(ids, d.ID)
		}
		must(t, m.Record(t.Context(), recorded...))
		var mu sync.Mutex
		var all []string
		sent := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return sorted(slices.Clone(all))
		}
		c := newCrew(b, m, func(_ context.Context, d delivery.Delivery) delivery.Result {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, fmt.Sprint(d.Event.ID, " ", d.Attempts))
			return good
		})
		c.start(t)
		if len(sent()) > 0 {
			t.Errorf("sent %q while another had it", sent())
		}
		pass(13 * time.Second)
		wantLines(t, "sent soon", sent(), "e- 2", "e-unknown_outcome 2")
		pass(10 * time.Second)
		wantLines(t, "sent", sent(), "e- 2", "e-server_error 2", "e-unknown_outcome 2")
		c.end(t)
		wantLines(t, "evidence", sorted(m.lines()),
			"e- a 1 unknown_outcome", "e- a 2 delivered", "e- old 1 unknown_outcome", "e-delivered a 1 delivered",
			"e-rejected a 1 rejected", "e-server_error a 1 server_error", "e-server_error a 2 delivered",
			"e-unknown_outcome a 1 unknown_outcome", "e-unknown_outcome a 2 delivered")
		for i, want := range []string{"delivered 1 1", "delivered 2 2", "failed 1 1", "delivered 2 2", "delivered 2 2"} {
			r := b.row(t, ids[i])
			if got := fmt.Sprint(r.d.Status, " ", r.d.Attempts, " ", len(r.tries)); got != want {
				t.Errorf("%s: %s, want %s", r.d.Event.ID, got, want)
			}
		}
		if r := b.row(t, "old"); r.d.Status != delivery.Failed || len(r.tries) != 1 {
			t.Errorf("row %+v", r.d)
		}
	})
}

// unknown is an outcome that somebody recorded for a dead process and then
// died too.
var unknown = delivery.Result{Reason: delivery.ReasonUnknownOutcome}

// A key gives the first event, and no room is kept for what was not stored.
func TestAcceptOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		c := newCrew(b, m, answer(good))
		c.start(t)
		key := struct{ Key, Request [32]byte }{Key: [32]byte{1}}
		for i, want := range []string{"", "e0", "e0"} {
			ev, ms := to(fmt.Sprint("e", i), "a")
			got, err := c.AcceptOnce(t.Context(), key, ev, ms)
			if must(t, err); got != want {
				t.Errorf("event %d: existing %q, want %q", i, got, want)
			}
		}
		ev, ms := to("e0", "a")
		if err := c.Accept(t.Context(), ev, ms); !errors.Is(err, delivery.ErrExists) {
			t.Errorf("accepted again: %v", err)
		}
		synctest.Wait()
		if s := c.Stats(); s.Waiting+s.Sending+s.Finishing > 0 {
			t.Errorf("%+v", s)
		}
		wantLines(t, "evidence", m.lines(), "e0 a 1 delivered")
		c.end(t)
	})
}

// However many endpoints are dead, those that live get everything at once, and
// memory stays bounded.
func TestRunDeadTargets(t *testing.T) {
	const dead, behind, living, each = 200, 8, 9, 40
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var mu sync.Mutex
		most := 0
		var c *crew
		c = newCrew(b, m, func(ctx context.Context, d delivery.Delivery) delivery.Result {
			s := c.Stats()
			mu.Lock()
			most = max(most, s.Sending+s.Waiting+s.Finishing)
			mu.Unlock()
			if strings.HasPrefix(d.Target.Name, "dead") {
				return hang(10*time.Second)(ctx, d)
			}
			pass(5 * time.Millisecond)
			return good
		})
		c.run.Memory, c.run.AcceptWait = 400, -1
		c.start(t)
		for i := range behind {
			for n := range dead {
				c.accept(t, fmt.Sprint("e", i), fmt.Sprint("dead", n))
			}
		}
		pass(time.Minute) // the dead ones are known by now
		if n := c.Stats().Silent; n < dead/2 {
			t.Errorf("only %d are known to be dead", n)
		}
		for i := range each {
			for n := range living {
				c.accept(t, fmt.Sprint("e", i), fmt.Sprint("living", n))
			}
		}
		pass(2 * time.Second)
		if n := b.count(delivery.Delivered); n != living*each {
			t.Errorf("%d of %d are delivered while the dead ones hang %+v %v", n, living*each, c.Stats(), b.writes)
		}
		if most > 400 {
			t.Errorf("%d in memory", most)
		}
		c.end(t)
		if n := b.count(delivery.Delivered); n != living*each || b.count(delivery.Sending) > 0 {
			t.Errorf("%d of %d delivered", n, living*each)
		}
	})
}

// What waits in memory behind a receiver that stops answering is given back in
// time, and everything arrives once when it answers again.
func TestRunReceiverStops(t *testing.T) {
	inBubble(t, func(t *testing.T, b *base, m *memory) {
		var ill atomic.Bool
		var mu sync.Mutex
		sent := map[string]int{}
		c := newCrew(b, m, func(ctx context.Context, d delivery.Delivery) delivery.Result {
			pass(5 * time.Millisecond)
			if ill.Load() {
				return hang(10*time.Second)(ctx, d)
			}
			mu.Lock()
			defer mu.Unlock()
			sent[d.ID]++
			return good
		})
		c.run.Workers = 4
		c.start(t)
		for i := range 50 {
			c.accept(t, fmt.Sprint("a", i), "a")
		}
		ill.Store(true)
		for i := range 200 {
			c.accept(t, fmt.Sprint("b", i), "a")
		}
		pass(time.Minute)
		if s := c.Stats(); s.Sending > 1 || s.Waiting > 1 || s.Silent != 1 {
			t.Errorf("%+v", s)
		}
		ill.Store(false)
		pass(2 * time.Hour)
		c.end(t)
		mu.Lock()
		defer mu.Unlock()
		if n := b.count(delivery.Delivered); n != 250 || len(sent) != 250 || c.lost > 0 {
			t.Errorf("%d delivered, %d sent, %d lost", n, len(sent), c.lost)
		}
		for id, n := range sent {
			if n != 1 {
				t.Errorf("%s was sent %d times", id, n)
			}
		}
	})
}

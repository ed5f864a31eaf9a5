package delivery_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func fraction(f float64) func() float64 { return func() float64 { return f } }

func TestPolicyNext(t *testing.T) {
	p := delivery.Policy{Base: time.Second, Cap: 10 * time.Second, MaxRetryAfter: time.Minute, MaxAttempts: 8, NotAfter: now.Add(2 * time.Minute)}
	failed := delivery.Result{Retry: true}
	for _, c := range []struct {
		name    string
		attempt int
		result  delivery.Result
		jitter  float64
		want    time.Duration // -1: no further attempt
	}{
		{"delivered", 1, delivery.Result{Delivered: true, Retry: true}, 0.5, -1},
		{"permanent", 1, delivery.Result{Reason: delivery.ReasonRejected, StatusCode: 410}, 0.5, -1},
		{"zero result", 1, delivery.Result{}, 0.5, -1},
		{"first", 1, failed, 0.5, 500 * time.Millisecond},
		{"no jitter, no wait", 1, failed, 0, 0},
		{"second doubles", 2, failed, 0.5, time.Second},
		{"fourth", 4, failed, 0.5, 4 * time.Second},
		{"fifth is capped", 5, failed, 0.5, 5 * time.Second},
		{"seventh is capped", 7, failed, 0.5, 5 * time.Second},
		{"last attempt", 8, failed, 0.5, -1},
		{"after the last attempt", 9, failed, 0.5, -1},
		{"asked for more", 1, delivery.Result{Retry: true, RetryAfter: 7 * time.Second}, 0.5, 7*time.Second + 500*time.Millisecond},
		{"asked for too much", 1, delivery.Result{Retry: true, RetryAfter: 10 * 365 * 24 * time.Hour}, 0, time.Minute},
		{"asked for the past", 1, delivery.Result{Retry: true, RetryAfter: -time.Hour}, 0, 0},
		{"asking does not make it retryable", 1, delivery.Result{RetryAfter: time.Second}, 0, -1},
		{"jitter too large", 1, failed, 7, time.Second},
		{"jitter not a number", 1, failed, math.NaN(), time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, ok := p.Next(c.attempt, c.result, now, fraction(c.jitter))
			if ok != (c.want >= 0) {
				t.Fatalf("another attempt = %v", ok)
			}
			if ok && next.Sub(now) != c.want {
				t.Errorf("wait = %v, want %v", next.Sub(now), c.want)
			}
		})
	}
}

// The schedule of a process that stays, without jitter and with it.
func TestDefaultSchedule(t *testing.T) {
	p := delivery.DefaultSchedule()
	begin := now
	p.NotAfter = begin.Add(72 * time.Hour)
	var waits []time.Duration
	at := begin
	for n := 1; ; n++ {
		if next, _ := p.Next(n, delivery.Result{Retry: true}, at, fraction(0)); next.After(at) {
			t.Fatalf("attempt %d: full jitter begins at no wait, not at %v", n, next.Sub(at))
		}
		next, ok := p.Next(n, delivery.Result{Retry: true}, at, fraction(1))
		if !ok {
			break
		}
		waits = append(waits, next.Sub(at))
		at = next
	}
	want := []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour}
	if len(waits) < len(want)+2 || !slices.Equal(waits[:len(want)], want) {
		t.Fatalf("waits %v", waits)
	}
	for _, w := range waits[len(want):] {
		if w != 6*time.Hour {
			t.Errorf("wait %v, want six hours", w)
		}
	}
	if left := p.NotAfter.Sub(at); left < 0 || left >= 6*time.Hour {
		t.Errorf("the last attempt is %v before the end", left)
	}
	asked := delivery.Result{Retry: true, RetryAfter: 10 * time.Hour}
	if next, _ := p.Next(1, asked, now, fraction(1)); next.Sub(now) != time.Hour+5*time.Second {
		t.Errorf("asked for ten hours: %v", next.Sub(now))
	}
	if next, _ := p.Next(-1, asked, now, fraction(0)); next.Sub(now) != time.Hour {
		t.Errorf("an attempt before the first: %v", next.Sub(now))
	}
}

func TestPolicyNotAfter(t *testing.T) {
	p := delivery.Policy{Base: time.Second, NotAfter: now.Add(time.Second)}
	r := delivery.Result{Retry: true}
	if next, ok := p.Next(1, r, now, fraction(1)); !ok || !next.Equal(p.NotAfter) {
		t.Errorf("exactly at the limit: %v %v", next, ok)
	}
	if _, ok := p.Next(1, r, now.Add(1), fraction(1)); ok {
		t.Error("an attempt after NotAfter was planned")
	}
	p.NotAfter = time.Time{}
	if _, ok := p.Next(1000, r, now, fraction(1)); !ok {
		t.Error("a policy without limits ended")
	}
}

// The limits hold for every policy, however odd.
func TestPolicyProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.Int64Range(0, int64(1000*time.Hour))
		steps := rapid.SliceOfN(rapid.Map(length, func(n int64) time.Duration { return time.Duration(n) }), 0, 9).Draw(t, "steps")
		slices.Sort(steps)
		p := delivery.Policy{
			Base:          time.Duration(length.Draw(t, "base")),
			Cap:           time.Duration(length.Draw(t, "cap")),
			Steps:         steps,
			MaxRetryAfter: time.Duration(length.Draw(t, "max retry after")),
			MaxAttempts:   rapid.IntRange(0, 50).Draw(t, "max attempts"),
			NotAfter:      now.Add(time.Duration(length.Draw(t, "not after"))),
		}
		r := delivery.Result{
			Delivered:  rapid.Bool().Draw(t, "delivered"),
			Retry:      rapid.Bool().Draw(t, "retry"),
			RetryAfter: time.Duration(rapid.Int64().Draw(t, "retry after")),
		}
		attempt := rapid.IntRange(1, 100).Draw(t, "attempt")
		f := rapid.Float64Range(0, 1).Draw(t, "jitter")
		next, ok := p.Next(attempt, r, now, fraction(f))
		if again, _ := p.Next(attempt, r, now, fraction(f)); !again.Equal(next) {
			t.Fatal("two answers to one question")
		}
		if !ok {
			if !next.IsZero() {
				t.Fatal("a time without an attempt")
			}
			return
		}
		wait := next.Sub(now)
		switch {
		case r.Delivered || !r.Retry:
			t.Fatal("a final result is tried again")
		case p.MaxAttempts > 0 && attempt >= p.MaxAttempts:
			t.Fatal("more attempts than allowed")
		case next.After(p.NotAfter):
			t.Fatal("later than allowed")
		case wait < min(r.RetryAfter, p.MaxRetryAfter):
			t.Fatalf("wait %v is shorter than the receiver asked", wait)
		case len(steps) > 0 && wait > p.MaxRetryAfter+steps[min(attempt, len(steps))-1]:
			t.Fatalf("wait %v is over the step", wait)
		case len(steps) == 0 && wait > p.MaxRetryAfter+max(p.Base, p.Cap):
			t.Fatalf("wait %v is over the caps", wait)
		}
		if later, ok := p.Next(attempt+1, r, now, fraction(f)); ok && later.Before(next) {
			t.Fatal("a later attempt waits less for the same jitter")
		}
	})
}

func TestAttemptKey(t *testing.T) {
	a := delivery.Attempt{Number: 3, Delivery: delivery.Delivery{
		Target: delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: "ops"},
	}}
	a.Delivery.Event.ID = "notif_1"
	want := delivery.AttemptKey{EventID: "notif_1", TargetID: "agentxchain.json#webhook/ops", Attempt: 3}
	if a.Key() != want {
		t.Errorf("key = %+v", a.Key())
	}
}

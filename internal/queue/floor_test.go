package queue

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
)

// The floor's sums are those of its lanes, and its limits hold, whatever comes.
func TestFloorProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := floor{
			workers: rapid.IntRange(1, 6).Draw(t, "workers"), memory: rapid.IntRange(1, 40).Draw(t, "memory"),
			lanes: map[string]*lane{},
		}
		f.perTarget = rapid.IntRange(1, f.workers).Draw(t, "per target")
		f.prefetch = max(1, f.memory/4)
		now := time.Unix(0, 0)
		target := rapid.Custom(func(t *rapid.T) delivery.Target {
			return delivery.Target{Name: fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "target"))}
		})
		var out []*job
		var reserved []delivery.Target
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { holds(t, &f, len(out)) },
			"reserve": func(t *rapid.T) {
				to := target.Draw(t, "to")
				if ok, _ := f.reserve(to.ID()); ok {
					reserved = append(reserved, to)
				}
			},
			"store": func(t *rapid.T) {
				if len(reserved) == 0 {
					t.Skip()
				}
				to := reserved[0]
				reserved = reserved[1:]
				f.release(to.ID())
				f.add(&job{d: delivery.Delivery{Target: to}, direct: true})
			},
			"take": func(t *rapid.T) {
				q, ok := f.quota()
				if !ok {
					t.Skip()
				}
				n := 0
				for i := range 6 {
					to := delivery.Target{Name: fmt.Sprint(i)}
					room, known := q.Room[to.ID()]
					if !known {
						room = q.PerTarget
					}
					for range rapid.IntRange(0, room).Draw(t, "given") {
						if n++; n > q.Max {
							break
						}
						f.add(&job{d: delivery.Delivery{Target: to}})
					}
				}
			},
			"retry": func(t *rapid.T) {
				f.add(&job{d: delivery.Delivery{Target: target.Draw(t, "to")}, urgent: true})
			},
			"begin": func(*rapid.T) {
				if j := f.next(); j != nil {
					now = now.Add(time.Millisecond)
					j.lane.busy = now
					out = append(out, j)
				}
			},
			"end": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip()
				}
				n := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				j := out[n]
				out = append(out[:n], out[n+1:]...)
				f.end(j, rapid.SampledFrom([]news{none, good, strained, dead}).Draw(t, "news"))
			},
			"finish": func(t *rapid.T) { f.finished(rapid.IntRange(0, f.finishing).Draw(t, "finished")) },
			"suspect": func(*rapid.T) {
				now = now.Add(suspicion)
				f.suspect(now)
			},
			"pause":  func(t *rapid.T) { f.paused = rapid.Bool().Draw(t, "paused") },
			"probe":  func(*rapid.T) { f.probe = f.paused },
			"forget": func(*rapid.T) { f.forget(now.Add(time.Hour)) },
		})
		// Whatever waits gets its turn when the receivers answer.
		f.paused = false
		for range 10_000 {
			j := f.next()
			if j == nil && len(out) == 0 {
				break
			}
			if j != nil {
				out = append(out, j)
				continue
			}
			f.end(out[0], good)
			out = out[1:]
		}
		if f.waiting > 0 || f.active > 0 {
			t.Fatalf("%d wait and %d are active at the end", f.waiting, f.active)
		}
	})
}

func holds(t *rapid.T, f *floor, out int) {
	var reserved, waiting, taken, active, urgent int
	var sending, queued [trusts]int
	for id, l := range f.lanes {
		if l.limit < 1 || l.limit > f.perTarget {
			t.Fatalf("%s: limit %d", id, l.limit)
		}
		n := 0
		for _, j := range l.jobs {
			if !j.direct {
				n++
			}
			if j.urgent {
				urgent++
			}
		}
		if l.taken != n || l.reserved < 0 {
			t.Fatalf("%s: %d taken, %d counted, %d reserved", id, l.taken, n, l.reserved)
		}
		reserved, waiting, taken, active = reserved+l.reserved, waiting+len(l.jobs), taken+n, active+l.active
		sending[l.trust] += l.active
		queued[l.trust] += n
	}
	if reserved != f.reserved || waiting != f.waiting || taken != f.taken || active != f.active || active != out || sending != f.sending || queued != f.queued {
		t.Fatalf("sums %+v, counted %d %d %d %d %v %v", f, reserved, waiting, taken, active, sending, queued)
	}
	ready := map[*lane]int{}
	for _, l := range f.ready {
		if ready[l]++; ready[l] > 1 || len(l.jobs) == 0 {
			t.Fatalf("%s is ready %d times with %d jobs", l.id, ready[l], len(l.jobs))
		}
	}
	for _, l := range f.lanes {
		if len(l.jobs) > 0 && ready[l] == 0 {
			t.Fatalf("%s waits for ever", l.id)
		}
	}
	if f.active > int(trusts+1)*f.workers {
		t.Fatalf("%d are active", f.active)
	}
}

// What an attempt tells of its receiver.
func TestNews(t *testing.T) {
	for _, c := range []struct {
		r    delivery.Result
		want news
	}{
		{delivery.Result{Delivered: true, StatusCode: 204}, good},
		{delivery.Result{StatusCode: 404, Reason: delivery.ReasonRejected}, good},
		{delivery.Result{StatusCode: 302, Reason: delivery.ReasonRedirect}, good},
		{delivery.Result{StatusCode: 429, Reason: delivery.ReasonThrottled}, strained},
		{delivery.Result{StatusCode: 503, Reason: delivery.ReasonServerError}, strained},
		{delivery.Result{Reason: delivery.ReasonTimeout}, dead},
		{delivery.Result{Reason: delivery.ReasonRefused}, dead},
		{delivery.Result{Reason: delivery.ReasonDNS}, dead},
		{delivery.Result{Reason: delivery.ReasonReset}, dead},
		{delivery.Result{Reason: delivery.ReasonTLS}, dead},
		{delivery.Result{Reason: delivery.ReasonInterrupted}, none},
		{delivery.Result{Reason: delivery.ReasonTargetGone}, none},
		{delivery.Result{Reason: delivery.ReasonExpired}, none},
		{delivery.Result{Reason: delivery.ReasonBlocked}, none},
	} {
		if got := newsOf(c.r); got != c.want {
			t.Errorf("%s %d: %d, want %d", c.r.Reason, c.r.StatusCode, got, c.want)
		}
	}
}

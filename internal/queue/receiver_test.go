package queue_test

import (
	"context"
	"sync"
	"testing"

	"agentxchain/internal/delivery"
)

// receiver remembers what it was sent.
type receiver struct {
	mu   sync.Mutex
	seen map[delivery.AttemptKey]int
}

func newReceiver() *receiver { return &receiver{seen: make(map[delivery.AttemptKey]int)} }

func (r *receiver) note(k delivery.AttemptKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[k]++
}

// sender sends to r, which answers as given.
func (r *receiver) sender(answer func(delivery.Delivery) delivery.Result) senderFunc {
	return func(_ context.Context, d delivery.Delivery) delivery.Result {
		r.note(delivery.Attempt{Delivery: d, Number: d.Attempts}.Key())
		return answer(d)
	}
}

// wantEvidence wants every attempt that the receiver saw on record, and every
// attempt on record once.
func (r *receiver) wantEvidence(t *testing.T, w *world) {
	t.Helper()
	lines, err := w.evidence.read(0)
	must(t, err)
	count := make(map[delivery.AttemptKey]int)
	for _, l := range lines {
		count[l.key()]++
		if count[l.key()] == 2 {
			t.Errorf("%+v is on record twice", l.key())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.seen {
		if count[k] == 0 {
			t.Errorf("%+v was received and is not on record", k)
		}
	}
}

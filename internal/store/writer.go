package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"agentxchain/internal/delivery"
)

// groupMax is how many operations share a transaction at most.
const groupMax = 256

// op is an operation that waits for the writer. Exactly one of add, finish and
// run says what it is.
type op struct {
	ctx context.Context
	// add is an event to be stored, under a key if there is one.
	add *delivery.Intent
	key *onceKey
	// existing is what was found under the key.
	existing string
	// finish are deliveries to be given back.
	finish []delivery.Delivery
	// run is any other operation, on an engine with one writer. It can be run
	// again after the transaction failed.
	run func(ctx context.Context, t *tx) error
	// lines are the rows of add and finish, made once.
	lines []line
	// tries are the attempts of finish.
	tries []tryLine
	// at is when the operation began: its claims count from there.
	at time.Time
	// again says that an earlier try may have been committed.
	again bool
	// taken is set by whoever decides the operation's fate: the writer that
	// begins it, or the caller that no longer waits.
	taken atomic.Bool
	done  chan error
}

// flusher does a group of operations in one transaction and tells each how it
// ended.
type flusher interface {
	flush(group []*op)
}

// writer is the one goroutine that writes. Its zero value is not started.
type writer struct {
	mu      sync.RWMutex // guards closed against a send to ops
	closed  bool
	ops     chan *op
	running sync.WaitGroup
}

func (w *writer) start(f flusher) {
	w.ops = make(chan *op, groupMax)
	w.running.Go(func() {
		for first := range w.ops {
			f.flush(w.group(first))
		}
	})
}

// group takes along what waits already, and waits for nothing more.
func (w *writer) group(first *op) []*op {
	group := make([]*op, 0, groupMax)
	next, open := first, true
	for open {
		if next.taken.CompareAndSwap(false, true) {
			group = append(group, next)
		}
		if len(group) == groupMax {
			break
		}
		select {
		case next, open = <-w.ops:
		default:
			return group
		}
	}
	return group
}

// do has an operation done and returns how it ended. When ctx ends before it
// was begun, nothing of it happens.
func (w *writer) do(o *op) error {
	o.done = make(chan error, 1)
	if err := w.send(o); err != nil {
		return err
	}
	select {
	case err := <-o.done:
		return err
	case <-o.ctx.Done():
		if o.taken.CompareAndSwap(false, true) {
			return o.ctx.Err()
		}
		return <-o.done
	}
}

func (w *writer) send(o *op) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.ops <- o:
		return nil
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
}

// stop lets what waits be done, and ends the goroutine.
func (w *writer) stop() {
	w.mu.Lock()
	started := w.ops != nil && !w.closed
	w.closed = true
	if started {
		close(w.ops)
	}
	w.mu.Unlock()
	w.running.Wait()
}

// verdict reports whether an error is an answer of an operation that wrote
// nothing, or only what it should, rather than a failure of the database.
func verdict(err error) bool {
	if err == nil {
		return true
	}
	for _, known := range []error{
		delivery.ErrUnknown, delivery.ErrBusy, delivery.ErrLost, delivery.ErrExists,
		delivery.ErrDone, delivery.ErrBodyless, delivery.ErrKeyReused,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

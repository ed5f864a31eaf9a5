package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"agentxchain/internal/delivery"
)

// ending is a delivery that leaves memory.
type ending struct {
	// d is how it stands from now on.
	d delivery.Delivery
	// attempt is what was made of it, if made is true.
	attempt delivery.Attempt
	made    bool
}

const (
	// groupSize is how many deliveries are recorded and finished together.
	groupSize = 256
	// groups is how many groups are being finished at once. While one is
	// waiting for the ledger, the next is recorded.
	groups = 4

	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// finish records and finishes what ends, in groups: whatever ends while one
// group is recorded is the next. It returns when all is done after over is
// closed, or soon after ctx is done.
func (r *Runner) finish(ctx context.Context, over <-chan struct{}) {
	var writing sync.WaitGroup
	defer writing.Wait()
	slots := make(chan struct{}, groups)
	for {
		group := r.group()
		if len(group) == 0 {
			select {
			case <-r.ended:
				continue
			case <-over:
				if r.quiet() {
					return
				}
				continue
			case <-ctx.Done():
				return
			}
		}
		r.record(ctx, group)
		slots <- struct{}{}
		writing.Go(func() {
			r.write(ctx, group)
			<-slots
			r.finished(group)
		})
	}
}

// group takes the next deliveries to finish.
func (r *Runner) group() []ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.done), groupSize)
	group := r.done[:n:n]
	if r.done = r.done[n:]; len(r.done) == 0 {
		r.done = nil
	}
	return group
}

func (r *Runner) quiet() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.done) == 0
}

// finished says that deliveries left memory.
func (r *Runner) finished(group []ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor.finished(len(group))
	for _, e := range group {
		if e.d.Status == delivery.Pending {
			r.due(e.d.NextAt)
		}
	}
	r.freed()
	r.start()
}

// record brings the attempts of a group into the evidence and syncs it. It
// tries until that works or the claims are over. What has no evidence then
// stays Sending, and so does everything when the sync fails, because nobody
// knows what survives a loss of power: the ledger must not know more than the
// evidence. Whoever looks after orphans next asks the evidence.
func (r *Runner) record(ctx context.Context, group []ending) {
	made := func(e ending) bool { return e.made }
	var attempts []delivery.Attempt
	for _, e := range group {
		if e.made {
			attempts = append(attempts, e.attempt)
		}
	}
	if len(attempts) == 0 {
		return
	}
	worked := false
	from, _ := r.q.opts.Audit.Size() // without it all is read, if it comes to that
	for pause := firstPause; len(attempts) > 0; pause = min(2*pause, lastPause) {
		err := r.recordOnce(ctx, attempts)
		if worked = err == nil; worked {
			break
		}
		r.trouble(evidence, err)
		if !rest(ctx, pause) {
			orphan(group, made)
			return
		}
		orphan(group, func(e ending) bool { return e.made && !r.ledger.Held(e.d.ID) })
		attempts = r.missing(from, group, attempts)
	}
	if err := r.q.opts.Audit.Sync(); err != nil {
		r.trouble(evidence, wrap("sync the evidence", err))
		orphan(group, made)
		return
	}
	for _, e := range group {
		if e.made {
			r.o.Attempted(e.attempt)
		}
	}
	if worked { // else a failed write left all the lines, and the next may leave none
		r.trouble(evidence, nil)
	}
}

// orphan leaves what which chooses of a group in its attempt.
func orphan(group []ending, which func(ending) bool) {
	for i, e := range group {
		if which(e) {
			group[i] = ending{d: e.attempt.Delivery}
		}
	}
}

func (r *Runner) recordOnce(ctx context.Context, attempts []delivery.Attempt) error {
	ctx, cancel := context.WithTimeoutCause(ctx, recordTime, errBusy)
	defer cancel()
	return wrap("record the attempts", r.q.opts.Audit.Record(ctx, attempts...))
}

// missing are those of the attempts that are still to be recorded: their
// deliveries are in the group, and the evidence, where a failed write can have
// left some, does not have them.
func (r *Runner) missing(from int64, group []ending, attempts []delivery.Attempt) []delivery.Attempt {
	kept := make(map[string]bool, len(group)) // by id
	for _, e := range group {
		kept[e.d.ID] = e.made
	}
	var keys []delivery.AttemptKey
	for _, a := range attempts {
		keys = append(keys, a.Key())
	}
	known, err := r.q.opts.Audit.Recorded(from, keys)
	if err != nil {
		known = nil // better twice than never
	}
	var missing []delivery.Attempt
	for _, a := range attempts {
		if _, ok := known[a.Key()]; !ok && kept[a.Delivery.ID] {
			missing = append(missing, a)
		}
	}
	return missing
}

// write finishes a recorded group in the ledger. It tries until that works.
func (r *Runner) write(ctx context.Context, group []ending) {
	ds := make([]delivery.Delivery, 0, len(group))
	for _, e := range group {
		ds = append(ds, e.d)
	}
	lost, err := lostIn(r.ledger.Finish(ctx, ds...))
	if err != nil {
		lost, err = r.writeAgain(ctx, ds, err)
	}
	if err != nil {
		return
	}
	r.trouble(finishes, nil)
	if lost > 0 {
		r.o.Lost(lost)
		r.o.Log.Warn("deliveries were taken over by another process; what was sent of them is on record", "delivery_id", ds[0].ID, "and_others", len(ds)-1)
	}
}

// writeAgain finishes what the ledger refused with err. What is refused counts
// as given up, so that when its claim ends this process can claim it anew as an
// orphan. The ledger would take the old outcome even then, from the same owner;
// but nothing is begun before the last old outcome is written, and until then
// the evidence says the same of it.
func (r *Runner) writeAgain(ctx context.Context, ds []delivery.Delivery, err error) (lost int, _ error) {
	r.retry(1)
	defer r.retry(-1)
	for pause := firstPause; err != nil; pause = min(2*pause, lastPause) {
		r.trouble(finishes, wrap("finish deliveries", err))
		if !rest(ctx, pause) {
			return 0, err
		}
		lost, err = lostIn(r.ledger.Finish(ctx, ds...))
	}
	return lost, nil
}

func (r *Runner) retry(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retrying += n
}

// lostIn counts [delivery.ErrLost] in a joined error, and returns it when there
// is anything else.
func lostIn(err error) (lost int, other error) {
	if err == nil {
		return 0, nil
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			n, o := lostIn(e)
			if lost += n; o != nil {
				other = err
			}
		}
		return lost, other
	}
	if errors.Is(err, delivery.ErrLost) {
		return 1, nil
	}
	return 0, err
}

// rest waits, and reports false when ctx is done.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// trouble is something that can stop working.
type trouble string

// What can stop working.
const (
	evidence trouble = "the evidence can't be written"
	finishes trouble = "the delivery log can't be written"
	takes    trouble = "the delivery log can't be read"
	orphans  trouble = "unfinished deliveries can't be settled"
)

// trouble notes that something works, or why it does not, and says so when
// that changed. Nothing is begun whose end could not be written.
func (r *Runner) trouble(t trouble, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t == finishes && err == nil && r.retrying > 0 {
		return
	}
	was := r.troubles[t]
	r.troubles[t] = err != nil
	switch {
	case err != nil && !was:
		r.o.Log.Warn(string(t), "error", err)
	case err == nil && was:
		r.o.Log.Info(string(t) + ": over")
	}
	r.floor.paused = r.troubles[evidence] || r.troubles[finishes]
	if was && err == nil && !r.floor.paused {
		r.freed()
		r.start()
	}
}

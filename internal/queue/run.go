package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"agentxchain/internal/delivery"
)

// RunOptions configure a [Runner]. Zero values mean what the fields say.
type RunOptions struct {
	// Workers is how many deliveries are sent at once to receivers that answer;
	// as many more may go to ones that do not, to ones that were not tried yet,
	// and out because an operator asks. 0 means 64.
	Workers int
	// PerTarget is how many of them may go to one target; 0 means half of
	// Workers.
	PerTarget int
	// Memory is how many deliveries may be in memory, whatever their step; 0
	// means 1024. What is more waits in the ledger.
	Memory int
	// AcceptWait is how long Accept waits for room in memory when the receiver
	// is well, before it leaves a delivery to the backlog, where it costs a
	// write more: while more comes in than goes out, this slows who sends.
	// 0 means 100 ms, less than 0 not at all.
	AcceptWait time.Duration
	// MaxWait is how long a claimed delivery may wait in memory before its
	// attempt begins; one that waited longer is given back. The ledger's leases
	// last at least as long as that, the longest attempt and ten seconds for
	// the record together. 0 means 5 s.
	MaxWait time.Duration
	// Grace is how long running attempts may go on after the end of Run's
	// context; then they are interrupted, which is recorded. 0 means 10 s.
	Grace time.Duration
	// Sweep is how often dead processes are looked for; 0 means 2 s.
	Sweep time.Duration
	// Superseded reports that a delivery would mislead by now, such as a notice
	// about a run that moved on. It is recorded and fails without being sent.
	// nil means that none is.
	Superseded func(delivery.Delivery) bool
	// Attempted is told of every attempt once it is in the evidence.
	Attempted func(delivery.Attempt)
	// Accepted is told how many deliveries were stored.
	Accepted func(n int)
	// Lost is told when deliveries turned out to be another process's, whether
	// they had been sent (their evidence stays) or not; n is how often the
	// ledger said so.
	Lost func(n int)
	// Log is told what is wrong, once when it begins and once when it ends;
	// nil means nobody is.
	Log *slog.Logger
}

func (o RunOptions) withDefaults() RunOptions {
	o.Workers = orElse(o.Workers, 64)
	o.PerTarget = min(orElse(o.PerTarget, max(1, o.Workers/2)), o.Workers)
	o.Memory = orElse(o.Memory, 1024)
	o.AcceptWait = orElse(o.AcceptWait, 100*time.Millisecond)
	o.MaxWait = orElse(o.MaxWait, 5*time.Second)
	o.Grace = orElse(o.Grace, 10*time.Second)
	o.Sweep = orElse(o.Sweep, 2*time.Second)
	if o.Superseded == nil {
		o.Superseded = func(delivery.Delivery) bool { return false }
	}
	if o.Attempted == nil {
		o.Attempted = func(delivery.Attempt) {}
	}
	if o.Accepted == nil {
		o.Accepted = func(int) {}
	}
	if o.Lost == nil {
		o.Lost = func(int) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func orElse[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// RunLedger is the ledger of a [Runner].
type RunLedger interface {
	Ledger
	Desk
}

// ErrStopped is the error of a [Runner] that does not run.
var ErrStopped = errors.New("the queue is not running")

// Runner is the door of a process that stays: it sends what it accepts and
// what it finds in the ledger, until it is told to stop. It is safe for
// concurrent use.
//
// # Two writes for each delivery
//
// While there is room in memory, what [Runner.Accept] stores is claimed by the
// same write and sent as soon as that is durable; its end is the second write.
// Otherwise it is stored as Pending, for whichever process has room first, and
// taking it is a third.
//
// # At least once
//
// An attempt is recorded and synced before its delivery is finished. Before
// the first byte leaves, the claim is looked at. A process that dies leaves
// deliveries that are Sending; when their leases end, another compares them
// with the evidence, records as unknown_outcome what is not there, and unlike a
// command tries those again by itself.
//
// # When something can't be written
//
// While the evidence refuses lines or the ledger refuses outcomes, nothing new
// is begun. What ended waits in memory and is written again and again until it
// works or the claim is over; the ledger then has it as an orphan, and one
// delivery at a time finds out whether things are well again.
type Runner struct {
	q      *Queue
	ledger RunLedger
	o      RunOptions

	// wake makes the loop look for due deliveries, sweep the sweeper for
	// orphans, and ended the finisher for work.
	wake, sweep, ended chan struct{}
	workers            sync.WaitGroup
	// entering are the calls that will hand over deliveries.
	entering sync.WaitGroup

	mu    sync.Mutex
	state runState
	floor floor
	// sends is the context of attempts, while running.
	sends context.Context
	// done are deliveries that ended and are not yet being finished.
	done []ending
	// nextLook is when the loop looks into the ledger if nothing wakes it.
	nextLook time.Time
	// waiters are Accepts that wait for room, in order.
	waiters []*waiter
	// troubles are what does not work at the moment.
	troubles map[trouble]bool
	// retrying counts groups whose outcomes the ledger refused.
	retrying int
}

type runState int

const (
	idle runState = iota
	running
	stopping
)

// NewRunner returns a runner over a ledger, which takes the place of o.Store.
// It starts nothing.
func NewRunner(ledger RunLedger, o Options, r RunOptions) *Runner {
	o.Store = ledger
	r = r.withDefaults()
	return &Runner{
		q: New(o), ledger: ledger, o: r,
		wake: make(chan struct{}, 1), sweep: make(chan struct{}, 1), ended: make(chan struct{}, 1),
		floor: floor{
			workers: r.Workers, perTarget: r.PerTarget, memory: r.Memory, prefetch: max(1, r.Memory/4),
			lanes: make(map[string]*lane),
		},
		troubles: make(map[trouble]bool),
	}
}

// signal sets a flag that somebody waits for.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// hardTime bounds what Run does after the attempts have ended.
const hardTime = 3 * recordTime

// Run sends until ctx is done. Then it takes nothing more, gives back what it
// has not begun, lets the running attempts end within Grace, records and
// finishes them, and returns nil; whatever hangs, it returns soon after Grace,
// with an error that says how much it left to be recovered. It can run once.
func (r *Runner) Run(ctx context.Context) error {
	// What is being sent or written outlives ctx, each for its own time.
	sends, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	writes, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	if !r.begin(sends) {
		return errors.New("the queue ran already")
	}
	var crew, finisher sync.WaitGroup
	crew.Go(func() { r.look(ctx) })
	crew.Go(func() { r.sweepUp(ctx, writes) })
	crew.Go(func() { r.watch(ctx) })
	over := make(chan struct{})
	finisher.Go(func() { r.finish(writes, over) })

	<-ctx.Done()
	r.stop()
	grace := time.AfterFunc(r.o.Grace, interrupt)
	defer grace.Stop()
	hard := time.AfterFunc(r.o.Grace+hardTime, abandon)
	defer hard.Stop()
	ended := make(chan struct{})
	go func() {
		crew.Wait()
		r.entering.Wait()
		r.workers.Wait()
		close(over)
		finisher.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-writes.Done():
		r.lastMoment(ended)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := r.floor.held() - r.floor.reserved; left > 0 {
		return fmt.Errorf("%d deliveries are left as they are; they are taken up when their claims end", left)
	}
	return nil
}

// lastMoment lets what was just abandoned notice it. A sender that does not
// keep its promise to return is left behind.
func (r *Runner) lastMoment(ended <-chan struct{}) {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

func (r *Runner) begin(sends context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != idle {
		return false
	}
	r.state, r.sends = running, sends
	return true
}

// stop ends the coming in: what waits is given back.
func (r *Runner) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = stopping
	r.giveBack(r.floor.shed(func(*job) bool { return true }))
	for _, w := range r.waiters {
		close(w.granted)
	}
	r.waiters = nil
}

// look is the loop that brings the backlog into memory.
func (r *Runner) look(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.ledger.Woken():
		case <-r.wake:
		case <-timer.C:
		}
		pause := r.fill(ctx)
		r.mu.Lock()
		r.nextLook = r.q.opts.Now().Add(pause)
		r.mu.Unlock()
		timer.Reset(pause)
	}
}

// due makes the loop look at t, if it would look later. The caller holds the
// lock.
func (r *Runner) due(t time.Time) {
	if t.Before(r.nextLook) {
		signal(r.wake) // which asks the ledger when that is
	}
}

const (
	// lookAgain is the longest time without a look into the ledger.
	lookAgain = 5 * time.Second
	// lookSoon is the time to the next look when something is due that there is
	// no room for, or when the ledger can't be read.
	lookSoon = 250 * time.Millisecond
)

// fill takes what is due, as far as there is room, and returns after what time
// it is worth looking again if nothing wakes the loop before.
func (r *Runner) fill(ctx context.Context) time.Duration {
	r.mu.Lock()
	quota, ok := r.floor.quota()
	r.mu.Unlock()
	if !ok {
		return lookSoon
	}
	since := time.Now()
	// With no size a recovery reads the whole evidence, which is slow and right.
	quota.AuditOffset, _ = r.q.opts.Audit.Size()
	ds, err := r.ledger.Take(ctx, quota)
	r.take(ds, since)
	var next time.Time
	if err == nil && len(ds) < quota.Max {
		next, err = r.ledger.NextDue(ctx)
	}
	if ctx.Err() != nil {
		return lookSoon
	}
	if r.trouble(takes, err); err != nil {
		return lookSoon
	}
	left := next.Sub(r.q.opts.Now())
	full := len(ds) == quota.Max
	r.mu.Lock()
	r.floor.backlog = full || !next.IsZero() && left <= 0
	r.mu.Unlock()
	switch {
	case full:
		return 0
	case next.IsZero():
		return lookAgain
	case left <= 0:
		// It is a target that has no room, or a claim that ended.
		signal(r.sweep)
		return lookSoon
	}
	return min(left, lookAgain)
}

// take puts claimed deliveries in line.
func (r *Runner) take(ds []delivery.Delivery, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range ds {
		r.admit(&job{d: d, since: since})
	}
	r.start()
}

// admit puts a job in line, or gives it back when the queue is stopping. The
// caller holds the lock and calls start.
func (r *Runner) admit(j *job) {
	r.floor.add(j)
	j.lane.used = time.Now()
	if r.state != running {
		r.giveBack(r.floor.shed(func(other *job) bool { return other == j }))
	}
}

// start starts workers for what may be sent. The caller holds the lock.
func (r *Runner) start() {
	for r.state == running {
		j := r.floor.next()
		if j == nil {
			return
		}
		r.begun(j)
		r.workers.Go(func() { r.work(j) })
	}
}

// begun notes when the lane of j began to be busy.
func (r *Runner) begun(j *job) {
	if j.lane.active == 1 {
		j.lane.busy = time.Now()
	}
}

// work sends j, and then whatever is next, as long as there is something.
func (r *Runner) work(j *job) {
	for j != nil {
		e := r.attempt(j)
		told := none
		if e.made {
			told = newsOf(e.attempt.Result)
		}
		r.mu.Lock()
		j.lane.busy = time.Now()
		j.lane.used = j.lane.busy
		stranded := r.floor.end(j, told)
		r.done = append(r.done, e)
		r.giveBack(stranded)
		if j = nil; r.state == running {
			if j = r.floor.next(); j != nil {
				r.begun(j)
			}
			r.start()
		}
		r.mu.Unlock()
		signal(r.ended)
	}
}

// giveBack ends jobs that were not begun. The caller holds the lock.
func (r *Runner) giveBack(jobs []*job) {
	for _, j := range jobs {
		r.done = append(r.done, ending{d: unbegun(j.d)})
	}
	if len(jobs) > 0 {
		signal(r.ended)
	}
}

// unbegun is d as it stood before the attempt that was not made: due now.
func unbegun(d delivery.Delivery) delivery.Delivery {
	d.Status = delivery.Pending
	d.Attempts--
	return d
}

// attempt makes the attempt of a job, unless something is in its way.
func (r *Runner) attempt(j *job) ending {
	now := r.q.opts.Now().UTC()
	d := j.d
	if time.Since(j.since) > r.o.MaxWait {
		return ending{d: unbegun(d)}
	}
	if !r.ledger.Held(d.ID) {
		return r.unclaimed(d)
	}
	a := delivery.Attempt{Delivery: d, Number: d.Attempts, At: now}
	switch {
	case j.urgent: // an operator knows better
	case !d.ExpiresAt.IsZero() && now.After(d.ExpiresAt):
		a.Result = delivery.Result{Reason: delivery.ReasonExpired, Message: "Not sent: the delivery is older than it may be"}
		return r.end(a)
	case r.o.Superseded(d):
		a.Result = delivery.Result{Reason: delivery.ReasonSuperseded, Message: "Not sent: the run has moved on"}
		return r.end(a)
	}
	if d.Unmade && !j.direct {
		made, err := r.make(d)
		if err != nil {
			return r.unclaimed(d)
		}
		a.Delivery = made
	}
	var err error
	if a.Result, err = r.q.send(r.sends, a.Delivery, true); err != nil {
		return r.unclaimed(d)
	}
	return r.end(a)
}

// unclaimed ends a job whose claim is over, or about to be, before it was sent.
// If it still is ours, it is given back, and not at once: there is something
// wrong with time or with the ledger.
func (r *Runner) unclaimed(d delivery.Delivery) ending {
	d = unbegun(d)
	d.NextAt = r.q.opts.Now().UTC().Add(time.Second)
	return ending{d: d}
}

// make asks once more for the body of a delivery that has none, and stores it.
func (r *Runner) make(d delivery.Delivery) (delivery.Delivery, error) {
	if r.q.opts.Make == nil {
		return d, nil
	}
	made := r.q.opts.Make(r.sends, d)
	if made.Unmade {
		return d, nil
	}
	size, _ := r.q.opts.Audit.Size() // without it a recovery reads all
	return made, r.ledger.Begin(r.sends, delivery.Intent{AuditOffset: size, Deliveries: []delivery.Delivery{made}})
}

// end plans what comes after an attempt.
func (r *Runner) end(a delivery.Attempt) ending {
	d := a.Delivery
	d.Tries = append(d.Tries, delivery.Try{Number: a.Number, At: a.At, Result: a.Result})
	return ending{d: r.q.after(d, a), attempt: a, made: true}
}

// Stats is what a runner is doing.
type Stats struct {
	// Running says that Run has begun and was not told to stop.
	Running bool
	// Sending, Waiting and Finishing count deliveries in memory by their step:
	// being sent, waiting for it, and being recorded.
	Sending, Waiting, Finishing int
	// Memory is how many there may be in all.
	Memory int
	// Silent counts targets whose receivers did not answer last time.
	Silent int
	// Backlog says that something due waits in the ledger.
	Backlog bool
	// Evidence and Ledger say that the evidence and the ledger can be written.
	Evidence, Ledger bool
}

// Stats returns what the runner is doing.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{
		Running: r.state == running, Sending: r.floor.active, Waiting: r.floor.waiting + r.floor.reserved,
		Finishing: r.floor.finishing, Memory: r.floor.memory, Backlog: r.floor.backlog,
		Evidence: !r.troubles[evidence], Ledger: !r.troubles[finishes] && !r.troubles[takes],
	}
	for _, l := range r.floor.lanes {
		if l.trust == silent {
			s.Silent++
		}
	}
	return s
}

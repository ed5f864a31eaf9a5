package queue

import (
	"slices"
	"time"

	"agentxchain/internal/delivery"
)

// trust is what is known of a target's receiver.
type trust int

// What a receiver did last: nothing yet, it answered, or it did not.
const (
	untried trust = iota
	answers
	silent
	trusts // is how many there are
)

const (
	// untriedLimit is how many deliveries to a target are sent at once before it
	// answered for the first time, and how many may be in memory.
	untriedLimit = 2
	// suspicion is how long a target may keep attempts waiting before it counts
	// as one that does not answer. It may still answer within its time.
	suspicion = time.Second
)

// job is one claimed delivery in memory.
type job struct {
	d    delivery.Delivery
	lane *lane
	// since is from before its claim was asked for.
	since time.Time
	// direct says that it was accepted here and never was in the backlog.
	direct bool
	// urgent says that an operator waits for it.
	urgent bool
}

// lane is one target's share of the floor.
type lane struct {
	id    string
	trust trust
	// limit is how many of its deliveries may be sent at once.
	limit int
	// reserved are those still being stored, active those being sent.
	reserved, active int
	// jobs wait, in order; taken counts those of them that are not direct.
	jobs  []*job
	taken int
	// busy is when it last began to be sent something or ended an attempt, used
	// when anything happened to it at all.
	busy, used time.Time
}

func (l *lane) total() int { return l.reserved + len(l.jobs) + l.active }

// floor says which delivery is sent next and how many more may come into
// memory. It has no clock, no lock and no goroutine.
//
// A receiver that does not answer is sent one delivery at a time. All such
// receivers together have workers of their own, as those that have not been
// tried yet, so that neither one dead endpoint nor a hundred of them can stop
// those that answer. The limit of a target grows by one with each answer, which
// doubles it in the time that it takes to answer, and shrinks by half with each
// that says that the receiver is in trouble.
type floor struct {
	// workers bounds what is sent at once to each kind of receiver, perTarget
	// what is sent to one of them, memory what is in memory at all, and
	// prefetch what of the backlog waits there for receivers that answer.
	workers, perTarget, memory, prefetch int

	lanes map[string]*lane
	// ready are the lanes with waiting jobs, in turn.
	ready []*lane
	// reserved, waiting, taken and active are sums over the lanes; finishing
	// are jobs that ended and are not finished yet.
	reserved, waiting, taken, active, finishing int
	// sending splits active, and queued splits taken, by trust.
	sending, queued [trusts]int
	// backlog says that something due is in the ledger.
	backlog bool
	// paused says that nothing may begin, but one job when probe is set.
	paused, probe bool
}

func (f *floor) lane(id string) *lane {
	l := f.lanes[id]
	if l == nil {
		l = &lane{id: id, limit: min(untriedLimit, f.perTarget)}
		f.lanes[id] = l
	}
	return l
}

// held is how many deliveries are in memory.
func (f *floor) held() int { return f.reserved + f.waiting + f.active + f.finishing }

// room is how many more of the backlog's deliveries to a target may come into
// memory.
func (f *floor) room(l *lane) int {
	if l.trust == answers {
		return max(0, f.prefetch-l.taken)
	}
	return max(0, l.limit-l.total())
}

// reserve makes room for a delivery that is about to be stored, if there is
// any. While there is a backlog, half of the memory is left to it. soon says
// that room is going to be had soon if there is none now.
func (f *floor) reserve(target string) (ok, soon bool) {
	l := f.lane(target)
	share := f.memory
	if f.backlog {
		share /= 2
	}
	switch {
	case f.paused:
		return false, false
	case l.trust == silent && l.total() >= l.limit:
		return false, false
	case l.trust == untried && l.total() >= l.limit,
		f.held() >= f.memory, f.reserved+f.waiting-f.taken >= share, l.total()-l.taken >= max(1, share/2):
		return false, true
	}
	f.reserved++
	l.reserved++
	return true, false
}

// release gives up what [floor.reserve] made.
func (f *floor) release(target string) {
	f.reserved--
	f.lane(target).reserved--
}

// add puts a job in the line of its target.
func (f *floor) add(j *job) {
	l := f.lane(j.d.Target.ID())
	j.lane = l
	if len(l.jobs) == 0 {
		f.ready = append(f.ready, l)
	}
	if j.urgent {
		l.jobs = slices.Insert(l.jobs, 0, j)
	} else {
		l.jobs = append(l.jobs, j)
	}
	f.waiting++
	if !j.direct {
		f.count(l, 1)
	}
}

// next returns the job to send now, nil when none may be.
func (f *floor) next() *job {
	if f.paused && !f.probe || f.active >= int(trusts+1)*f.workers {
		return nil
	}
	for i, l := range f.ready {
		if !l.jobs[0].urgent && !f.mayRun(l) {
			continue
		}
		j := f.leave(l, 0)
		// The lane goes to the end of the line.
		if f.ready = slices.Delete(f.ready, i, i+1); len(l.jobs) > 0 {
			f.ready = append(f.ready, l)
		}
		f.probe = false
		f.active++
		f.sending[l.trust]++
		l.active++
		return j
	}
	return nil
}

func (f *floor) mayRun(l *lane) bool {
	return f.sending[l.trust] < f.workers && l.active < l.limit
}

// leave takes the nth job out of the line of a lane. The lane stays in ready.
func (f *floor) leave(l *lane, n int) *job {
	j := l.jobs[n]
	l.jobs = slices.Delete(l.jobs, n, n+1)
	f.waiting--
	if !j.direct {
		f.count(l, -1)
	}
	return j
}

// count counts n more jobs of the backlog that wait in a lane.
func (f *floor) count(l *lane, n int) {
	f.taken += n
	l.taken += n
	f.queued[l.trust] += n
}

// end ends a job that next gave out: it is finishing now. answered says what
// the attempt told of the receiver. It returns the jobs that can't be sent soon
// any more; they are finishing too.
func (f *floor) end(j *job, told news) []*job {
	l := j.lane
	f.active--
	f.sending[l.trust]--
	l.active--
	f.finishing++
	switch told {
	case good:
		l.limit = min(l.limit+1, f.perTarget)
		f.believe(l, answers)
	case strained:
		l.limit = max(1, l.limit/2)
		f.believe(l, answers)
	case dead:
		l.limit = 1
		f.believe(l, silent)
		return f.shed(func(j *job) bool { return j.lane == l && !j.urgent })
	}
	return nil
}

func (f *floor) believe(l *lane, t trust) {
	f.sending[l.trust] -= l.active
	f.queued[l.trust] -= l.taken
	l.trust = t
	f.sending[t] += l.active
	f.queued[t] += l.taken
}

// suspect counts receivers that keep attempts waiting among those that do not
// answer, until they do: what hangs there must not keep workers from others,
// nor an Accept waiting for room.
func (f *floor) suspect(now time.Time) {
	for _, l := range f.lanes {
		if l.trust != silent && l.active > 0 && now.Sub(l.busy) > suspicion {
			f.believe(l, silent)
		}
	}
}

// shed takes the waiting jobs that which chooses out of line; they are
// finishing.
func (f *floor) shed(which func(*job) bool) []*job {
	var out []*job
	for _, l := range f.ready {
		for n := 0; n < len(l.jobs); {
			if which(l.jobs[n]) {
				out = append(out, f.leave(l, n))
			} else {
				n++
			}
		}
	}
	f.ready = slices.DeleteFunc(f.ready, func(l *lane) bool { return len(l.jobs) == 0 })
	f.finishing += len(out)
	return out
}

// finished says that n jobs are finished and out of memory.
func (f *floor) finished(n int) { f.finishing -= n }

// low reports whether more of the backlog should come into memory.
func (f *floor) low() bool { return f.queued[answers] <= f.prefetch/2 && f.held() < f.memory }

// quota is what may come into memory. Of the receivers that do not answer, or
// were not tried, no more than workers can be sent to.
func (f *floor) quota() (q Quota, ok bool) {
	if f.paused && !f.probe || !f.low() {
		return q, false
	}
	var left [trusts]int
	for t := range left {
		left[t] = max(0, f.workers-f.sending[t]-f.queued[t])
	}
	q = Quota{Max: min(f.prefetch-f.queued[answers], f.memory-f.held()), PerTarget: untriedLimit, Room: make(map[string]int, len(f.lanes))}
	for id, l := range f.lanes {
		n := f.room(l)
		if l.trust != answers {
			n = min(n, left[l.trust])
			left[l.trust] -= n
		}
		q.Room[id] = n
	}
	if f.paused {
		q.Max = 1
	}
	if left[untried] == 0 {
		q.PerTarget = 1 // there is no word for none
	}
	return q, true
}

// forget drops the lanes that nothing happened to since t. A target that is
// gone from the configuration must not stay for ever.
func (f *floor) forget(t time.Time) {
	for id, l := range f.lanes {
		if l.total() == 0 && l.used.Before(t) {
			delete(f.lanes, id)
		}
	}
}

// news is what an attempt tells of the receiver.
type news int

// The news: none, the receiver answers, it answers that it has trouble, or it
// does not answer.
const (
	none news = iota
	good
	strained
	dead
)

// newsOf reads the outcome of an attempt.
func newsOf(r delivery.Result) news {
	switch {
	case r.Delivered:
		return good
	case r.Reason == delivery.ReasonThrottled || r.Reason == delivery.ReasonServerError:
		return strained
	case r.StatusCode > 0:
		return good
	}
	switch r.Reason {
	case delivery.ReasonTimeout, delivery.ReasonDNS, delivery.ReasonRefused, delivery.ReasonReset, delivery.ReasonTLS:
		return dead
	}
	return none
}

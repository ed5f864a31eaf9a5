package delivery

import "time"

// Policy is the rule for trying again. It is a value without a clock: every
// attempt of every store and command is judged by [Policy.Next].
type Policy struct {
	// Base bounds the wait after the first attempt; it doubles with each
	// further one. Zero means no wait beyond what the receiver asked for.
	Base time.Duration
	// Cap bounds the doubled wait; zero means Base never doubles.
	Cap time.Duration
	// Steps bound the waits after the first, second, … attempt one by one; the
	// last one repeats. Where there are any, Base and Cap mean nothing. They
	// are not changed after the policy is in use.
	Steps []time.Duration
	// MaxRetryAfter bounds what a receiver may ask for; more is treated as
	// this much. Zero ignores the receiver.
	MaxRetryAfter time.Duration
	// MaxAttempts ends a delivery after so many attempts in its whole life;
	// zero means no limit.
	MaxAttempts int
	// NotAfter is the last moment at which an attempt may begin; zero means
	// any time.
	NotAfter time.Time
}

// DefaultPolicy is the rule where nothing else is configured: 1 s, 2 s, 4 s
// and so on up to five minutes, a receiver may ask for an hour, and twenty
// attempts are enough. The caller sets NotAfter.
func DefaultPolicy() Policy {
	return Policy{Base: time.Second, Cap: 5 * time.Minute, MaxRetryAfter: time.Hour, MaxAttempts: 20}
}

// DefaultSchedule is the rule of a process that stays: 5 s, 30 s, 2 min,
// 10 min, 1 h, 3 h and then every 6 h, a receiver may ask for an hour. Nothing
// but age ends it: the caller sets NotAfter.
func DefaultSchedule() Policy {
	return Policy{
		Steps: []time.Duration{
			5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
			time.Hour, 3 * time.Hour, 6 * time.Hour,
		},
		MaxRetryAfter: time.Hour,
	}
}

// Next says when the attempt after the given one (counted from 1) may begin,
// and whether there is one at all: not after a success, a permanent failure,
// the last attempt or NotAfter. jitter returns a number in [0, 1).
//
// The wait is back-off with full jitter, so that senders which failed together
// do not come back together: anything from nothing to the bound, each as likely,
// which spreads them evenly where a least wait would bring them all back after
// it. What the receiver asked for is added in front of it for the same reason,
// and never shortened below it.
func (p Policy) Next(attempt int, r Result, now time.Time, jitter func() float64) (time.Time, bool) {
	if r.Delivered || !r.Retry || p.MaxAttempts > 0 && attempt >= p.MaxAttempts {
		return time.Time{}, false
	}
	asked := max(0, min(r.RetryAfter, p.MaxRetryAfter))
	next := now.Add(asked + spread(p.ceiling(attempt), jitter()))
	if !p.NotAfter.IsZero() && next.After(p.NotAfter) {
		return time.Time{}, false
	}
	return next, true
}

// ceiling is the longest wait after an attempt: its step, or Base doubled for
// each earlier one. Doubling stops at half of Cap, which is also what keeps it
// from overflowing.
func (p Policy) ceiling(attempt int) time.Duration {
	if n := len(p.Steps); n > 0 {
		return max(0, p.Steps[min(max(attempt, 1), n)-1])
	}
	c := max(0, p.Base)
	for n := 1; n < attempt && c > 0 && c < p.Cap; n++ {
		if c > p.Cap/2 {
			return p.Cap
		}
		c *= 2
	}
	return c
}

// spread takes the fraction f of d. A fraction outside [0, 1], NaN included,
// counts as the whole: too late is safer than too early.
func spread(d time.Duration, f float64) time.Duration {
	if f >= 0 && f <= 1 {
		return time.Duration(f * float64(d))
	}
	return d
}

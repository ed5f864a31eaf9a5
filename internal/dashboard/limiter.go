package dashboard

import (
	"net/netip"
	"sync"
	"time"
)

// How many failed logins are let through: by one address in a window, and by
// all of them together in a shorter one, so that a crowd can slow the login
// down but not close it for long.
const (
	addressFailures = 10
	addressWindow   = 15 * time.Minute
	globalFailures  = 60
	globalWindow    = time.Minute
	maxAddresses    = 10_000
)

// limiter counts failed logins.
type limiter struct {
	now func() time.Time

	mu        sync.Mutex
	global    tally
	addresses map[netip.Addr]*tally
}

// tally counts since a moment.
type tally struct {
	since time.Time
	n     int
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, addresses: map[netip.Addr]*tally{}}
}

// take counts one login as failed and returns 0, or returns how long to wait
// when there were too many.
func (l *limiter) take(remote string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	t := l.of(address(remote), now)
	if wait := t.wait(now, addressWindow, addressFailures); wait > 0 {
		return wait
	}
	if wait := l.global.wait(now, globalWindow, globalFailures); wait > 0 {
		return wait
	}
	t.n++
	l.global.n++
	return 0
}

// giveBack takes back the count of a login that succeeded. Failures before it
// still count: else somebody with an account could guess at another's for ever
// by logging in between.
func (l *limiter) giveBack(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.global.n = max(0, l.global.n-1)
	if t := l.addresses[address(remote)]; t != nil {
		t.n = max(0, t.n-1)
	}
}

// wait begins a new window when the last one is over.
func (t *tally) wait(now time.Time, window time.Duration, most int) time.Duration {
	if age := now.Sub(t.since); age >= window || age < 0 {
		*t = tally{since: now}
	}
	if t.n < most {
		return 0
	}
	return t.since.Add(window).Sub(now)
}

// of returns the tally of an address. When too many are known, those whose
// window is over are dropped; when none is, all newcomers share one.
func (l *limiter) of(a netip.Addr, now time.Time) *tally {
	if t := l.addresses[a]; t != nil {
		return t
	}
	if len(l.addresses) >= maxAddresses {
		for k, t := range l.addresses {
			if now.Sub(t.since) >= addressWindow {
				delete(l.addresses, k)
			}
		}
		if len(l.addresses) >= maxAddresses {
			a = netip.Addr{}
			if t := l.addresses[a]; t != nil {
				return t
			}
		}
	}
	t := &tally{since: now}
	l.addresses[a] = t
	return t
}

// address is who is counted: an IPv4 address, or the 64 bits of IPv6 that one
// customer gets.
func address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

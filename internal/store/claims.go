package store

import (
	"sync"
	"time"
)

// claims are the rows that this owner has, from memory.
type claims struct {
	lease time.Duration
	now   func() time.Time

	mu   sync.Mutex
	held map[string]time.Time // when the claim was asked for, by id
}

func (c *claims) init(lease time.Duration, now func() time.Time) {
	c.lease, c.now, c.held = lease, now, make(map[string]time.Time)
}

// hold enters claims that were asked for at a moment.
func (c *claims) hold(at time.Time, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.held[id] = at
	}
}

// drop forgets claims.
func (c *claims) drop(ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		delete(c.held, id)
	}
}

// has reports whether a delivery is in the hands of this process, however old
// the claim.
func (c *claims) has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.held[id]
	return ok
}

func (c *claims) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held) > 0
}

// margin is how long before its end a claim counts as ended for its owner.
func (c *claims) margin() time.Duration { return min(c.lease/5, time.Second) }

// stands reports whether a claim stands until the margin before its end, by
// the monotonic clock, which nobody can move, and by the wall clock, which goes
// on while the machine sleeps. One from so far in the future that others see
// that the clock was moved back does not stand: they may have taken it.
func (c *claims) stands(id string) bool {
	c.mu.Lock()
	at, ok := c.held[id]
	c.mu.Unlock()
	limit := c.lease - c.margin()
	return ok && c.age(at) < limit && c.ahead(at) < limit
}

// age is how old a claim is by the clock that went further. A wall clock that
// was moved back does not make it younger.
func (c *claims) age(at time.Time) time.Duration {
	now := c.now()
	return max(now.Sub(at), now.Round(0).Sub(at.Round(0)))
}

// ahead is how far in the future a claim was made by the wall clock, which was
// moved back since if that is much.
func (c *claims) ahead(at time.Time) time.Duration { return at.Round(0).Sub(c.now().Round(0)) }

// old lists claims that another owner could see as ended soon, or already. Ours
// are in somebody's hands all the same.
func (c *claims) old() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id, at := range c.held {
		if c.age(at) > c.lease/2 || c.ahead(at) > c.lease/2 {
			ids = append(ids, id)
		}
	}
	return ids
}

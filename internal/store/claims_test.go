package store

import (
	"slices"
	"testing"
	"time"
)

// A claim stands as long as nobody else can see it as ended, whatever is done
// to the clock, and this process never takes for an orphan what it holds.
func TestClaimsWhenTheClockMoves(t *testing.T) {
	const lease = 10 * time.Second
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, move := range []struct {
		by          time.Duration
		stands, old bool
	}{
		{0, true, false},
		{4 * time.Second, true, false},
		{6 * time.Second, true, true},
		{lease - time.Second, false, true},
		{time.Hour, false, true},
		{-4 * time.Second, true, false},
		{-6 * time.Second, true, true},
		{-lease, false, true}, // others see it end after more than two leases
		{-time.Hour, false, true},
	} {
		var c claims
		now := at
		c.init(lease, func() time.Time { return now })
		c.hold(at, "a")
		now = at.Add(move.by)
		if got := c.stands("a"); got != move.stands {
			t.Errorf("moved by %v, the claim stands: %v", move.by, got)
		}
		if got := slices.Contains(c.old(), "a"); got != move.old {
			t.Errorf("moved by %v, the claim is old: %v", move.by, got)
		}
	}
}

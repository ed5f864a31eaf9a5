package queue

import (
	"context"
	"time"

	"agentxchain/internal/delivery"
)

// Quota says how much [Taker.Take] may give out.
type Quota struct {
	// Max is how many deliveries at most.
	Max int
	// PerTarget is how many at most of one target; 0 means no limit.
	PerTarget int
	// Room overrides PerTarget for some targets, by Target.ID(); 0 means none.
	Room map[string]int
}

// Taker gives out what is due, whichever process accepted it.
type Taker interface {
	// Take claims deliveries that are Pending and due, the longest due first,
	// and begins their next attempt in the same step: they come back Sending,
	// with Attempts counted on. Those that are Bound come from this store's
	// own project only.
	Take(ctx context.Context, q Quota) ([]delivery.Delivery, error)
	// NextDue returns when the next delivery becomes due or the next foreign
	// claim ends; zero when nothing waits.
	NextDue(ctx context.Context) (time.Time, error)
	// Woken receives when another process may have stored something. It never
	// blocks the sender; a receive stands for any number of changes.
	Woken() <-chan struct{}
}

// Ledger is a [Store] that many processes share: a database. What a process
// claims is leased to it for a time; when it dies, others find it with
// [Backlog.Orphans] after that.
type Ledger interface {
	Store
	Taker
}

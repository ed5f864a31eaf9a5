package queue

import (
	"context"
	"time"

	"agentxchain/internal/delivery"
)

// Quota says how much [Taker.Take] may give out.
type Quota = delivery.Quota

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

// Desk serves single requests from outside.
type Desk interface {
	// AddOnce is [Keeper.Add] under an idempotency key, in the same step: a key
	// that is known with the same request gives the id of the event that was
	// stored under it, and nothing is added; with another request the error is
	// [delivery.ErrKeyReused]. Both are SHA-256 digests.
	AddOnce(ctx context.Context, key struct{ Key, Request [32]byte }, in delivery.Intent) (existing string, err error)
	// Retry claims one delivery that failed or waits, and begins its next
	// attempt in the same step. The error is [delivery.ErrUnknown],
	// [delivery.ErrBusy], [delivery.ErrDone] or [delivery.ErrBodyless].
	Retry(ctx context.Context, id string) (delivery.Delivery, error)
}

// Ledger is a [Store] that many processes share: a database. What a process
// claims is leased to it for a time; when it dies, others find it with
// [Backlog.Orphans] after that.
type Ledger interface {
	Store
	Taker
}

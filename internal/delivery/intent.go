package delivery

import "errors"

// Intent is what a store keeps of one event before a byte of it leaves: the
// deliveries, and where in the evidence to look for what became of them.
type Intent struct {
	// AuditOffset is the size of the evidence in bytes before the first of the
	// attempts now Sending began. A process that finds the intent after a
	// crash needs to read the evidence from there only.
	AuditOffset int64
	// Deliveries are of one event, in the order of their targets. A delivery
	// that is Sending has its attempt number in Attempts and the time the
	// attempt began in NextAt.
	Deliveries []Delivery
}

// The errors of a store that its callers tell apart.
var (
	// ErrUnknown: the store has no undelivered entry of that event.
	ErrUnknown = errors.New("no undelivered event has this id")
	// ErrBusy: another process is sending the event.
	ErrBusy = errors.New("another process is sending it")
	// ErrLost: the delivery is not, or no longer, claimed by this store.
	ErrLost = errors.New("the delivery is not claimed by this process")
	// ErrExists: the store already has the event.
	ErrExists = errors.New("the event is already stored")
	// ErrDone: the delivery was delivered or discarded, so nothing is left to try.
	ErrDone = errors.New("the delivery is done")
	// ErrBodyless: what was sent is not known here, so it can't be sent again.
	ErrBodyless = errors.New("the bytes that were sent are not known here")
	// ErrKeyReused: an idempotency key came with another request than before.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
)

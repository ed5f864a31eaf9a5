package delivery

import (
	"crypto/sha256"

	"github.com/oklog/ulid/v2"

	"agentxchain/internal/events"
)

// NewID returns the id of the delivery of an event to a target: a ULID
// (github.com/ulid/spec) of the event's time whose random part is a hash of
// both. An event goes to a target once, so whoever records the delivery, and
// however often, means the same record.
func NewID(e events.Event, t Target) string {
	var id ulid.ULID
	ms := max(0, e.EmittedAt.UnixMilli())
	// The only error is a time after the year 10889, which Event does not have.
	if err := id.SetTime(uint64(ms)); err != nil {
		_ = id.SetTime(ulid.MaxTime())
	}
	sum := sha256.Sum256([]byte(e.ID + "\x00" + t.ID()))
	_ = id.SetEntropy(sum[:10]) // fails for other lengths only
	return id.String()
}

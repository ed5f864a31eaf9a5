package events

import (
	"math"
	"time"

	"agentxchain/internal/ecmajson"
)

// Reminder is what an approval_sla_reminder tells of (contract, section 5).
// What is not known is written as null.
type Reminder struct {
	// Approval is the state's key of what waits: [PendingPhaseTransition] or
	// [PendingRunCompletion].
	Approval string
	// Pending is the value of that key.
	Pending *ecmajson.Value
	// Elapsed is how long it has waited, whole seconds; nil when not known.
	Elapsed *int64
	// Threshold is the waiting time that passed, in seconds, Index its place
	// among the configured ones, from 1; 0 when none has passed.
	Threshold int64
	Index     int
	// Total is how many waiting times are configured.
	Total int
	// FirstSeen is since when Elapsed counts where Pending does not say when
	// it was requested; else zero.
	FirstSeen time.Time
}

// The state's keys of approvals, in the order in which they are looked at.
const (
	PendingPhaseTransition = "pending_phase_transition"
	PendingRunCompletion   = "pending_run_completion"
)

// Payload returns the event's payload, keys in the contract's order.
func (r Reminder) Payload() *ecmajson.Value {
	f := filler{payload: ecmajson.NewObject()}
	f.reminder(r)
	return f.payload
}

func (f *filler) reminder(r Reminder) {
	var approval, elapsed, threshold, index *ecmajson.Value
	if r.Approval != "" {
		approval = ecmajson.NewString(r.Approval)
	}
	if r.Elapsed != nil {
		elapsed = ecmajson.NewInt(*r.Elapsed)
	}
	if r.Index > 0 {
		threshold, index = ecmajson.NewInt(r.Threshold), ecmajson.NewInt(int64(r.Index))
	}
	f.put("approval_type", approval)
	f.copy(r.Pending, "requested_at")
	f.put("elapsed_seconds", elapsed)
	f.put("threshold_seconds", threshold)
	f.put("reminder_index", index)
	f.put("total_thresholds", ecmajson.NewInt(int64(r.Total)))
	f.payload.Set("from_phase", r.Pending.Get("from"))
	f.payload.Set("to_phase", r.Pending.Get("to"))
	f.payload.Set("gate", r.Pending.Get("gate"))
	if !r.FirstSeen.IsZero() {
		f.payload.Set("first_seen_at", ecmajson.NewString(r.FirstSeen.UTC().Format(timeLayout)))
	}
}

// RequestedAt returns when an approval was requested; false when the state
// does not say so, or not as RFC 3339.
func RequestedAt(pending *ecmajson.Value) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, pending.Get("requested_at").Str())
	return at, err == nil
}

// Elapsed returns the whole seconds from a time to another, rounded down, as
// the Node CLI counts them: in milliseconds.
func Elapsed(from, to time.Time) int64 {
	return int64(math.Floor(float64(to.UnixMilli()-from.UnixMilli()) / 1000))
}

// approvalReminder tells how long an approval has been waiting, and which of
// the configured thresholds was the last to pass.
func (f *filler) approvalReminder() {
	thresholds := f.thresholds()
	r := Reminder{Total: len(thresholds)}
	r.Approval, r.Pending = f.waitingApproval()
	if at, ok := RequestedAt(r.Pending); ok {
		elapsed := Elapsed(at, f.query.Now)
		r.Elapsed = &elapsed
	}
	for r.Elapsed != nil && r.Index < len(thresholds) && thresholds[r.Index] <= *r.Elapsed {
		r.Threshold = thresholds[r.Index]
		r.Index++
	}
	f.reminder(r)
}

// waitingApproval returns the approval that the run waits for, and its key.
func (f *filler) waitingApproval() (key string, pending *ecmajson.Value) {
	for _, key := range []string{PendingPhaseTransition, PendingRunCompletion} {
		if v := f.state.Get(key); v.Is(ecmajson.Object) {
			return key, v
		}
	}
	return "", nil
}

// thresholds returns the seconds after which reminders are due, ascending.
func (f *filler) thresholds() []int64 {
	var list []int64
	sla := f.query.Config.Get("notifications").Get("approval_sla")
	for _, v := range sla.Get("reminder_after_seconds").Items() {
		if v.Is(ecmajson.Number) {
			list = append(list, int64(v.Num()))
		}
	}
	return list
}

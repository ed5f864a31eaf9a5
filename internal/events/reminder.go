package events

import (
	"math"
	"time"

	"agentxchain/internal/ecmajson"
)

// approvalReminder tells how long an approval has been waiting, and which of
// the configured thresholds was the last to pass.
func (f *filler) approvalReminder() {
	approval, pending := f.waitingApproval()
	elapsed := f.elapsedSeconds(pending.Get("requested_at"))
	thresholds := f.thresholds()
	passed := 0
	for elapsed != nil && passed < len(thresholds) && thresholds[passed] <= elapsed.Num() {
		passed++
	}
	var threshold, index *ecmajson.Value
	if passed > 0 {
		threshold, index = ecmajson.NewNumber(thresholds[passed-1]), ecmajson.NewInt(int64(passed))
	}
	f.put("approval_type", approval)
	f.copy(pending, "requested_at")
	f.put("elapsed_seconds", elapsed)
	f.put("threshold_seconds", threshold)
	f.put("reminder_index", index)
	f.put("total_thresholds", ecmajson.NewInt(int64(len(thresholds))))
	f.payload.Set("from_phase", pending.Get("from"))
	f.payload.Set("to_phase", pending.Get("to"))
	f.payload.Set("gate", pending.Get("gate"))
}

// waitingApproval returns the approval that the run waits for, and its name.
func (f *filler) waitingApproval() (name, pending *ecmajson.Value) {
	for _, key := range []string{"pending_phase_transition", "pending_run_completion"} {
		if v := f.state.Get(key); v.Is(ecmajson.Object) {
			return ecmajson.NewString(key), v
		}
	}
	return nil, nil
}

// elapsedSeconds counts the whole seconds since a time; nil when it is none.
func (f *filler) elapsedSeconds(since *ecmajson.Value) *ecmajson.Value {
	at, err := time.Parse(time.RFC3339, since.Str())
	if err != nil {
		return nil
	}
	ms := float64(f.query.Now.UnixMilli() - at.UnixMilli())
	return ecmajson.NewNumber(math.Floor(ms / 1000))
}

// thresholds returns the seconds after which reminders are due, ascending.
func (f *filler) thresholds() []float64 {
	var list []float64
	sla := f.query.Config.Get("notifications").Get("approval_sla")
	for _, v := range sla.Get("reminder_after_seconds").Items() {
		if v.Is(ecmajson.Number) {
			list = append(list, v.Num())
		}
	}
	return list
}

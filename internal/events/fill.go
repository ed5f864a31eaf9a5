package events

import (
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
)

// unknownWay is what the contract puts where it is not known how an
// escalation was resolved.
const unknownWay = "unknown"

// filler builds the payload of one event, keys in the contract's order.
type filler struct {
	state   *ecmajson.Value
	run     Run
	query   Query
	payload *ecmajson.Value
	unknown []string
}

// put sets a key that should be known: null means that it is not.
func (f *filler) put(key string, v *ecmajson.Value) {
	if v == nil || v.Is(ecmajson.Null) {
		f.unknown = append(f.unknown, key)
	}
	f.known(key, v)
}

// known sets a key for which null is an answer.
func (f *filler) known(key string, v *ecmajson.Value) {
	if v == nil {
		v = ecmajson.NewNull()
	}
	f.payload.Set(key, v)
}

// copy puts the values that src has under the same keys.
func (f *filler) copy(src *ecmajson.Value, keys ...string) {
	for _, key := range keys {
		f.put(key, src.Get(key))
	}
}

func (f *filler) fill(t Type) {
	switch t {
	case RunBlocked:
		f.runBlocked()
	case HumanEscalationRaised:
		f.humanEscalation(f.raisedRecord())
	case OperatorEscalationRaised:
		f.operatorEscalation()
	case HumanEscalationResolved:
		f.humanEscalationResolved()
	case EscalationResolved:
		f.escalationResolved()
	case PhaseTransitionPending:
		f.copy(f.state.Get("pending_phase_transition"), "from", "to", "gate", "requested_by_turn")
	case RunCompletionPending:
		f.copy(f.state.Get("pending_run_completion"), "gate", "requested_by_turn", "requested_at")
	case RunCompleted:
		f.runCompleted()
	case ApprovalSLAReminder:
		f.approvalReminder()
	}
}

// runBlocked takes the wording from the escalation record where there is one:
// it was written when the run stopped, while every read of the state by its
// own program may reword the recovery.
func (f *filler) runBlocked() {
	reason := f.state.Get("blocked_reason")
	recovery := reason.Get("recovery")
	record := f.blockingRecord()
	wording := recovery
	if record != nil {
		wording = record
	}
	f.copy(reason, "category")
	f.copy(f.state, "blocked_on")
	f.copy(wording, "typed_reason")
	if recovery.Is(ecmajson.Object) {
		// Some reasons have no owner (contract, section 3.3).
		f.known("owner", recovery.Get("owner"))
	} else {
		f.put("owner", nil)
	}
	f.copy(wording, "recovery_action", "detail")
	f.humanEscalationOf(record, recovery)
}

// humanEscalationOf sets the key human_escalation, which is null by right when
// no human owns the recovery.
func (f *filler) humanEscalationOf(record, recovery *ecmajson.Value) {
	const key = "human_escalation"
	switch {
	case record != nil:
		inner := filler{payload: ecmajson.NewObject()}
		inner.humanEscalation(record)
		f.known(key, inner.payload)
	case recovery.Is(ecmajson.Object) && recovery.Get("owner").Str() != "human":
		f.known(key, nil)
	default:
		f.put(key, nil)
	}
}

func (f *filler) humanEscalation(record *ecmajson.Value) {
	f.copy(record, "escalation_id", "type")
	f.service(record)
	f.copy(record, "action", "resolution_command")
}

// service is null in a record when none was recognised.
func (f *filler) service(record *ecmajson.Value) {
	if record == nil {
		f.put("service", nil)
		return
	}
	f.known("service", record.Get("service"))
}

func (f *filler) operatorEscalation() {
	escalation := f.state.Get("escalation")
	f.copy(escalation, "source")
	f.copy(f.state, "blocked_on")
	f.copy(escalation, "reason", "detail", "recovery_action")
}

func (f *filler) humanEscalationResolved() {
	raised, resolved := f.resolvedRecord("")
	f.copy(raised, "escalation_id", "type")
	f.service(raised)
	f.resolvedVia(resolved)
}

// escalationResolved reads the state as it was before the escalation was
// cleared, if it still stands there, else the newest resolved record.
func (f *filler) escalationResolved() {
	const prefix = "escalation:"
	blockedOn := f.state.Get("blocked_on")
	var resolved *ecmajson.Value
	if !strings.HasPrefix(blockedOn.Str(), prefix) {
		var raised *ecmajson.Value
		raised, resolved = f.resolvedRecord(prefix)
		blockedOn = raised.Get("blocked_on")
	}
	f.put("blocked_on", blockedOn)
	f.resolvedVia(resolved)
	f.put("previous_escalation", f.state.Get("escalation"))
}

func (f *filler) resolvedVia(record *ecmajson.Value) {
	via := record.Get("resolved_via")
	if !via.Is(ecmajson.String) {
		f.unknown = append(f.unknown, "resolved_via")
		via = ecmajson.NewString(unknownWay)
	}
	f.known("resolved_via", via)
}

// runCompleted tells a held run from one that completed when its last turn was
// accepted: only the former has been given the key pending_run_completion, and
// only its payload has a gate.
func (f *filler) runCompleted() {
	held := f.state.Has("pending_run_completion")
	f.copy(f.state, "completed_at")
	f.put("completed_via", f.completedVia(held))
	if held {
		f.put("gate", f.completionGate())
	}
	turn := f.state.Get("pending_run_completion").Get("requested_by_turn")
	if turn == nil && f.completed() {
		turn = f.state.Get("last_completed_turn_id")
	}
	f.put("requested_by_turn", turn)
}

func (f *filler) completed() bool { return f.state.Get("completed_at").Is(ecmajson.String) }

func (f *filler) completedVia(held bool) *ecmajson.Value {
	policy := f.passedByPolicy()
	switch {
	case !f.completed():
		return nil
	case held && policy:
		return ecmajson.NewString("approval_policy_reconciled_before_dispatch")
	case held:
		return ecmajson.NewString("approve_run_completion")
	case policy:
		return ecmajson.NewString("accept_turn_direct")
	}
	return ecmajson.NewString("accept_turn")
}

// passedByPolicy reports whether the decision ledger says that an approval
// policy completed this run. The times, all of one form, compare as text.
func (f *filler) passedByPolicy() bool {
	from, to := f.state.Get("created_at").Str(), f.state.Get("completed_at").Str()
	return slices.ContainsFunc(f.query.Decisions, func(d *ecmajson.Value) bool {
		at := d.Get("timestamp").Str()
		return d.Get("type").Str() == "approval_policy" && d.Get("gate_type").Str() == "run_completion" &&
			d.Get("action").Str() == "auto_approve" && at >= from && at <= to
	})
}

// completionGate is the gate that holds the run, or that held it: the exit
// gate of the phase in which the run completed.
func (f *filler) completionGate() *ecmajson.Value {
	if gate := f.state.Get("pending_run_completion").Get("gate"); gate != nil {
		return gate
	}
	if !f.completed() {
		return nil
	}
	return f.query.Config.Get("routing").Get(f.run.Phase).Get("exit_gate")
}

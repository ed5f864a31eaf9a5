package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/ecmajson"
)

// TurnSelector says which turn an event is about: "" leaves it to the state,
// [NoTurn] means none, anything else is a turn's identity.
type TurnSelector string

// NoTurn makes an event be about no single turn.
const NoTurn TurnSelector = "none"

// Query asks what a project's state says about an event. Type is required.
type Query struct {
	Type Type
	Turn TurnSelector
	// Run replaces the state's fields by those of its own that are not empty.
	Run Run
	// Now is the time up to which a waiting approval has waited.
	Now time.Time
	// Config is agentxchain.json: it knows the gates and the reminders'
	// thresholds. It may be nil.
	Config *ecmajson.Value
	// Escalations are the records of .agentxchain/human-escalations.jsonl and
	// Decisions those of .agentxchain/decision-ledger.jsonl, oldest first.
	// Both may be nil, and what only they know is then not known.
	Escalations, Decisions []*ecmajson.Value
}

// Facts is what is known about the run, the turn and the matter of an event.
type Facts struct {
	Run Run
	// Turn is nil when the event is about no single turn.
	Turn *Turn
	// Payload is an object; nil counts as an empty one.
	Payload *ecmajson.Value
	// Unknown names the keys of Payload that the state should have filled and
	// could not. [Mint] warns about those that nobody has set since.
	Unknown []string
}

// UnknownTurnError says that a turn is neither active nor retained.
type UnknownTurnError struct {
	// ID is the turn that was asked for.
	ID string
	// Known are the active turns, then the retained ones.
	Known []string
}

// Error lists the turns that could have been meant.
func (e *UnknownTurnError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("unknown turn %q: the state has no active and no retained turn", e.ID)
	}
	quoted := make([]string, len(e.Known))
	for i, id := range e.Known {
		quoted[i] = strconv.Quote(id)
	}
	return fmt.Sprintf("unknown turn %q; the state has %s", e.ID, strings.Join(quoted, ", "))
}

// FromState reads run, turn and payload of a governed event out of a project's
// state.json, which may be nil and is never changed. The payload has every
// known key of the event (contract/agentxchain.md, section 3.2), null where
// nothing is known. Unless q.Turn says otherwise, the turn is the one that the
// state connects with the event, if it is active or retained, else the only
// active one, else the only retained one, else none; an approval reminder and
// a failed gate action never have one. A turn that the state names and no
// longer has gives a warning.
// The error is an [*UnknownTurnError].
func FromState(state *ecmajson.Value, q Query) (Facts, []Warning, error) {
	facts := Facts{Run: Run{
		ID:     state.Get("run_id").Str(),
		Status: state.Get("status").Str(),
		Phase:  state.Get("phase").Str(),
	}.override(q.Run)}
	turn, warnings, err := selectTurn(state, q)
	if err != nil {
		return Facts{}, nil, err
	}
	facts.Turn = turn
	f := filler{state: state, run: facts.Run, query: q, payload: ecmajson.NewObject()}
	f.fill(q.Type)
	facts.Payload, facts.Unknown = f.payload, f.unknown
	return facts, warnings, nil
}

func selectTurn(state *ecmajson.Value, q Query) (*Turn, []Warning, error) {
	switch q.Turn {
	case NoTurn:
		return nil, nil, nil
	case "":
		turn, warnings := turnOf(state, q.Type)
		return turn, warnings, nil
	}
	if t := findTurn(state, string(q.Turn)); t != nil {
		return t, nil, nil
	}
	unknown := &UnknownTurnError{ID: string(q.Turn)}
	for _, m := range slices.Concat(state.Get("active_turns").Members(), state.Get("retained_turns").Members()) {
		unknown.Known = append(unknown.Known, m.Key)
	}
	return nil, nil, unknown
}

// turnOf picks the turn that an event is about.
func turnOf(state *ecmajson.Value, t Type) (*Turn, []Warning) {
	if ofRunOnly(state, t) {
		return nil, nil
	}
	named := namedTurn(state, t)
	if turn := findTurn(state, named); turn != nil {
		return turn, nil
	}
	turn := onlyTurn(state.Get("active_turns"))
	if turn == nil {
		turn = onlyTurn(state.Get("retained_turns"))
	}
	if named == "" {
		return turn, nil
	}
	instead := "it is null"
	if turn != nil {
		instead = fmt.Sprintf("it is the only one left, %q", turn.ID)
	}
	return turn, []Warning{{
		Field:   "turn",
		Message: fmt.Sprintf("the state names %q, which is neither active nor retained; %s", named, instead),
	}}
}

// ofRunOnly reports whether an event never has a turn.
func ofRunOnly(state *ecmajson.Value, t Type) bool {
	switch t {
	case ApprovalSLAReminder:
		return true
	case RunBlocked, HumanEscalationRaised:
		return state.Get("blocked_reason").Get("category").Str() == "gate_action_failed"
	}
	return false
}

// namedTurn returns the turn that the state connects with an event, or "".
func namedTurn(state *ecmajson.Value, t Type) string {
	switch t {
	case RunBlocked, HumanEscalationRaised:
		return state.Get("blocked_reason").Get("turn_id").Str()
	case OperatorEscalationRaised, EscalationResolved:
		return state.Get("escalation").Get("from_turn_id").Str()
	case PhaseTransitionPending:
		return state.Get("pending_phase_transition").Get("requested_by_turn").Str()
	case RunCompletionPending, RunCompleted:
		return state.Get("pending_run_completion").Get("requested_by_turn").Str()
	}
	return ""
}

// findTurn looks a turn up among the active, then among the retained ones.
func findTurn(state *ecmajson.Value, id string) *Turn {
	for _, set := range []string{"active_turns", "retained_turns"} {
		if v := state.Get(set).Get(id); v != nil {
			return newTurn(id, v)
		}
	}
	return nil
}

// onlyTurn returns the turn of a set that has just one.
func onlyTurn(set *ecmajson.Value) *Turn {
	if members := set.Members(); len(members) == 1 {
		return newTurn(members[0].Key, members[0].Value)
	}
	return nil
}

func newTurn(id string, v *ecmajson.Value) *Turn {
	role := v.Get("assigned_role").Str()
	if role == "" {
		role = v.Get("role_id").Str()
	}
	return &Turn{ID: id, Role: role, Attempt: integer(v.Get("attempt")), Sequence: integer(v.Get("assigned_sequence"))}
}

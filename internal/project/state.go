package project

import (
	"errors"
	"fmt"
	"io/fs"

	"agentxchain/internal/ecmajson"
)

const (
	stateName = "state.json"
	// maxState is the size up to which a state is read, in bytes.
	maxState = 16 << 20
)

// State is .agentxchain/state.json as it stands on disk (contract, section
// 1.3). Unlike the Node CLI, reading it never rewrites it.
type State struct {
	// Exists reports whether there is a state; everything else is zero when not.
	Exists bool
	// Value is the whole document, an object.
	Value *ecmajson.Value

	// RunID, Status, Phase and BlockedOn are empty when absent or null.
	RunID, Status, Phase, BlockedOn string
	// ActiveTurns and RetainedTurns are objects keyed by turn id; the rest are
	// the objects of that name. Each is nil when absent or null.
	ActiveTurns, RetainedTurns                   *ecmajson.Value
	BlockedReason, Escalation                    *ecmajson.Value
	PendingPhaseTransition, PendingRunCompletion *ecmajson.Value
}

// ReadState reads the state of a project. An absent file gives the zero State.
// The error of a malformed one says FILE:LINE:COLUMN; when only fields have
// wrong types, Value is there and the fields of right types are filled in.
func ReadState(root Root) (State, error) {
	src, err := readState(root)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	doc, err := ecmajson.Parse(src, ecmajson.Options{})
	if err != nil {
		return State{}, syntaxError(root.StateFile(), src, err)
	}
	r := stateReader{file: root.StateFile(), src: src, doc: doc}
	if !doc.Is(ecmajson.Object) {
		r.wrong("the state", doc, "an object")
		return State{}, r.err
	}
	return r.state(), r.err
}

func readState(root Root) ([]byte, error) {
	return root.readFile(governedDir+"/"+stateName, maxState)
}

// stateReader takes the fields out of a state and keeps every complaint.
type stateReader struct {
	file string
	src  []byte
	doc  *ecmajson.Value
	err  error
}

func (r *stateReader) state() State {
	return State{
		Exists:                 true,
		Value:                  r.doc,
		RunID:                  r.text("run_id"),
		Status:                 r.text("status"),
		Phase:                  r.text("phase"),
		BlockedOn:              r.text("blocked_on"),
		ActiveTurns:            r.object("active_turns"),
		RetainedTurns:          r.object("retained_turns"),
		BlockedReason:          r.object("blocked_reason"),
		Escalation:             r.object("escalation"),
		PendingPhaseTransition: r.object("pending_phase_transition"),
		PendingRunCompletion:   r.object("pending_run_completion"),
	}
}

func (r *stateReader) text(key string) string {
	v := r.doc.Get(key)
	if v != nil && !v.Is(ecmajson.String) && !v.Is(ecmajson.Null) {
		r.wrong(key, v, "a string or null")
	}
	return v.Str()
}

func (r *stateReader) object(key string) *ecmajson.Value {
	switch v := r.doc.Get(key); v.Kind() {
	case ecmajson.Object:
		return v
	case ecmajson.Invalid, ecmajson.Null:
		return nil
	default:
		r.wrong(key, v, "an object or null")
		return nil
	}
}

func (r *stateReader) wrong(key string, v *ecmajson.Value, want string) {
	line, column := ecmajson.Position(r.src, v.Offset())
	r.err = errors.Join(r.err, fmt.Errorf("%s:%d:%d: %s must be %s, not %s", r.file, line, column, key, want, v.Kind()))
}

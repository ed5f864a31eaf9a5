package events

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// InputError says what is wrong with a document and where.
type InputError struct {
	// Name is what the document is called, such as a file's name.
	Name string
	// Line and Column count from 1; a column is one character.
	Line, Column int
	// Message is lower-case.
	Message string
}

// Error returns name:line:column: message.
func (e *InputError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Message)
}

func newInputError(name string, src []byte, offset int, message string) *InputError {
	line, column := ecmajson.Position(src, offset)
	return &InputError{Name: name, Line: line, Column: column, Message: message}
}

// parseStrict reads a document of our own format: unique keys, valid UTF-8,
// bounded depth.
func parseStrict(name string, src []byte, depth int) (*ecmajson.Value, error) {
	v, err := ecmajson.Parse(src, ecmajson.Options{MaxDepth: depth, UniqueKeys: true, ValidUTF8: true})
	var syntax *ecmajson.SyntaxError
	if errors.As(err, &syntax) {
		return nil, newInputError(name, src, syntax.Offset, syntax.Message)
	}
	return v, err
}

// ParsePayload reads a payload: one JSON object of at most [MaxBytes] bytes,
// nested at most [MaxDepth] levels deep, in valid UTF-8, every key of every
// object unique. Its numbers keep their literals and its keys their order.
// name is what the error calls the source, such as "--payload" or a file's
// name. The error is a [*SizeError] or an [*InputError].
func ParsePayload(name string, src []byte) (*ecmajson.Value, error) {
	if len(src) > MaxBytes {
		return nil, &SizeError{What: "payload", Size: len(src)}
	}
	v, err := parseStrict(name, src, MaxDepth)
	if err != nil {
		return nil, err
	}
	if !v.Is(ecmajson.Object) {
		return nil, newInputError(name, src, v.Offset(), "the payload must be an object, not "+v.Kind().String())
	}
	return v, nil
}

// SetPayload applies one assignment KEY=VALUE to a payload, an object, in
// place: a key that is there keeps its place, a new one comes last. The key
// ends at the first '=' and is taken as it is, dots included. The value is
// JSON if it parses, else text; JSON is held to the rules of [ParsePayload],
// so that a duplicate key is an error and not text.
func SetPayload(payload *ecmajson.Value, assignment string) error {
	key, text, found := strings.Cut(assignment, "=")
	if !found || key == "" {
		return fmt.Errorf("%q is no assignment; write KEY=VALUE", assignment)
	}
	if !utf8.ValidString(assignment) {
		return fmt.Errorf("the assignment %q is not UTF-8", assignment)
	}
	value, err := assigned(key, text)
	if err != nil {
		return err
	}
	payload.Set(key, value)
	return nil
}

// assigned reads the value of an assignment.
func assigned(key, text string) (*ecmajson.Value, error) {
	src := []byte(text)
	value, err := parseStrict("value of "+strconv.Quote(key), src, MaxDepth-1)
	if err == nil {
		return value, nil
	}
	// What is JSON but breaks our rules was hardly meant as text.
	if _, lenient := ecmajson.Parse(src, ecmajson.Options{}); lenient == nil {
		return nil, err
	}
	return ecmajson.NewString(text), nil
}

// field describes one known key of a payload. Null is always allowed: it says
// that the value is not known.
type field struct {
	name string
	// kind is the type of the value; every known number is an integer.
	kind ecmajson.Kind
	// optional fields may be absent.
	optional bool
	// fields are the known keys of an object; none means that any will do.
	fields []field
}

// payloadFields returns the known keys of a governed event's payload in the
// contract's order. schemas/event-*.schema.json say the same.
func payloadFields(t Type) []field {
	switch t {
	case RunBlocked:
		return append(texts("category", "blocked_on", "typed_reason", "owner", "recovery_action", "detail"),
			field{name: "human_escalation", kind: ecmajson.Object, fields: escalationFields()})
	case HumanEscalationRaised:
		return escalationFields()
	case OperatorEscalationRaised:
		return texts("source", "blocked_on", "reason", "detail", "recovery_action")
	case HumanEscalationResolved:
		return texts("escalation_id", "type", "service", "resolved_via")
	case EscalationResolved:
		return append(texts("blocked_on", "resolved_via"), field{name: "previous_escalation", kind: ecmajson.Object})
	case PhaseTransitionPending:
		return texts("from", "to", "gate", "requested_by_turn")
	case RunCompletionPending:
		return texts("gate", "requested_by_turn", "requested_at")
	case RunCompleted:
		return []field{
			{name: "completed_at", kind: ecmajson.String},
			{name: "completed_via", kind: ecmajson.String},
			{name: "gate", kind: ecmajson.String, optional: true},
			{name: "requested_by_turn", kind: ecmajson.String},
		}
	case ApprovalSLAReminder:
		return reminderFields()
	}
	return nil
}

func escalationFields() []field {
	return texts("escalation_id", "type", "service", "action", "resolution_command")
}

func reminderFields() []field {
	return []field{
		{name: "approval_type", kind: ecmajson.String},
		{name: "requested_at", kind: ecmajson.String},
		{name: "elapsed_seconds", kind: ecmajson.Number},
		{name: "threshold_seconds", kind: ecmajson.Number},
		{name: "reminder_index", kind: ecmajson.Number},
		{name: "total_thresholds", kind: ecmajson.Number},
		{name: "from_phase", kind: ecmajson.String, optional: true},
		{name: "to_phase", kind: ecmajson.String, optional: true},
		{name: "gate", kind: ecmajson.String, optional: true},
		{name: "first_seen_at", kind: ecmajson.String, optional: true},
	}
}

func texts(names ...string) []field {
	list := make([]field, len(names), len(names)+1)
	for i, name := range names {
		list[i] = field{name: name, kind: ecmajson.String}
	}
	return list
}

// checkPayload warns about known keys that are missing or of another type
// than usual, and about values that [FromState] could not fill in. Unknown
// keys are nobody's fault.
func (in Input) checkPayload() []Warning {
	warnings := checkFields(nil, "payload.", payloadFields(in.Type), in.Payload)
	for _, key := range in.Unknown {
		if v := in.Payload.Get(key); v.Is(ecmajson.Null) || v.Str() == unknownWay {
			warnings = append(warnings, Warning{
				Field:   "payload." + key,
				Message: "not known from the project's state; it is " + string(ecmajson.Append(nil, v)),
			})
		}
	}
	return warnings
}

func checkFields(warnings []Warning, path string, fields []field, v *ecmajson.Value) []Warning {
	for _, f := range fields {
		value := v.Get(f.name)
		switch {
		case value == nil && f.optional, value.Is(ecmajson.Null):
		case value == nil:
			warnings = append(warnings, Warning{Field: path + f.name, Message: "is missing"})
		case !f.accepts(value):
			warnings = append(warnings, Warning{
				Field:   path + f.name,
				Message: "is " + value.Kind().String() + ", usually " + f.describe(),
			})
		case f.fields != nil:
			warnings = checkFields(warnings, path+f.name+".", f.fields, value)
		}
	}
	return warnings
}

func (f field) accepts(v *ecmajson.Value) bool {
	return v.Is(f.kind) && (f.kind != ecmajson.Number || v.Num() == math.Trunc(v.Num()))
}

func (f field) describe() string {
	if f.kind == ecmajson.Number {
		return "an integer"
	}
	return f.kind.String()
}

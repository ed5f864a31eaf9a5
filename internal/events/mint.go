package events

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"

	"agentxchain/internal/ecmajson"
)

// idPrefix begins the identity of every event.
const idPrefix = "notif_"

// Input is what an event is made of.
type Input struct {
	// Type is required.
	Type Type
	// Now is when the event is emitted; its milliseconds count. Required.
	Now time.Time
	// Entropy gives ten bytes for the event's identity; nil means the
	// operating system's random numbers.
	Entropy io.Reader
	// Project is written into the envelope of a governed event.
	Project Project
	// Facts holds run, turn and payload, usually from [FromState]. An
	// agent-run event uses only the run's identity.
	Facts
	// Agent is required for agent-run events and must be nil for governed ones.
	Agent *AgentRun
}

// Warning is something about an event that receivers may stumble over. It
// never stops the event.
type Warning struct {
	// Field is the path of the value, such as "payload.detail".
	Field string
	// Message says what is odd about it.
	Message string
}

// SizeError says that something is longer than [MaxBytes].
type SizeError struct {
	// What is too long, such as "envelope".
	What string
	// Size is its length in bytes.
	Size int
}

// Error names the size and the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("the %s is %d bytes long; at most %d are allowed", e.What, e.Size, MaxBytes)
}

// Mint makes an event: it checks the payload, gives the event its identity and
// fixes its bytes. Faults of the payload's content are warnings. The error is
// a [*SizeError], or says that the input contradicts itself, that the payload
// is no object or too deep, or that the time or the entropy gives no identity.
func Mint(in Input) (Event, []Warning, error) {
	if err := in.check(); err != nil {
		return Event{}, nil, err
	}
	at := in.Now.UTC().Truncate(time.Millisecond)
	id, err := newID(at, in.Entropy)
	if err != nil {
		return Event{}, nil, fmt.Errorf("no event identity: %w", err)
	}
	e := Event{ID: id, Type: string(in.Type), EmittedAt: at, RunID: in.Run.ID, Agent: in.Agent}
	what, warnings := "envelope", []Warning(nil)
	if in.Agent != nil {
		what, warnings = "agent run", in.Agent.check()
		e.Body = in.Agent.append(make([]byte, 0, bodyCapacity), e)
	} else {
		warnings = in.checkPayload()
		e.Body = in.envelope(id, at).Append(make([]byte, 0, bodyCapacity))
	}
	if len(e.Body) > MaxBytes {
		return Event{}, nil, &SizeError{What: what, Size: len(e.Body)}
	}
	return e, warnings, nil
}

// bodyCapacity holds all but unusual bodies without growing.
const bodyCapacity = 1024

func (in Input) envelope(id string, at time.Time) Envelope {
	return Envelope{
		ID: id, Type: in.Type, EmittedAt: at,
		Project: in.Project, Run: in.Run, Turn: in.Turn, Payload: in.Payload,
	}
}

func (in Input) check() error {
	switch in.Type.Family() {
	case Agent:
		if in.Agent == nil {
			return fmt.Errorf("%s needs the fields of an agent run", in.Type)
		}
		return nil
	case Governed:
		if in.Agent != nil {
			return fmt.Errorf("%s is a governed event and has no fields of an agent run", in.Type)
		}
	default:
		return &UnknownTypeError{Name: string(in.Type), Nearest: nearest(string(in.Type))}
	}
	if in.Payload != nil && !in.Payload.Is(ecmajson.Object) {
		return fmt.Errorf("the payload must be an object, not %s", in.Payload.Kind())
	}
	if deeper(in.Payload, MaxDepth) {
		return fmt.Errorf("the payload is nested more than %d levels deep", MaxDepth)
	}
	return nil
}

// newID returns "notif_" and a ULID of the given time.
func newID(at time.Time, entropy io.Reader) (string, error) {
	if entropy == nil {
		entropy = rand.Reader
	}
	// The format of emitted_at has four digits for the year.
	if at.Year() > 9999 {
		return "", errors.New("the year has more than four digits")
	}
	id, err := ulid.New(ulid.Timestamp(at), entropy)
	if err != nil {
		return "", err
	}
	text := make([]byte, len(idPrefix)+ulid.EncodedSize)
	copy(text, idPrefix)
	if err := id.MarshalTextTo(text[len(idPrefix):]); err != nil {
		return "", err
	}
	return string(text), nil
}

// deeper reports whether v is nested more than levels deep.
func deeper(v *ecmajson.Value, levels int) bool {
	if !v.Is(ecmajson.Array) && !v.Is(ecmajson.Object) {
		return false
	}
	if levels == 0 {
		return true
	}
	for _, item := range v.Items() {
		if deeper(item, levels-1) {
			return true
		}
	}
	for _, m := range v.Members() {
		if deeper(m.Value, levels-1) {
			return true
		}
	}
	return false
}

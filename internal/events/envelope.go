package events

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/ecmajson"
)

const (
	// SchemaVersion is the version of the envelope format.
	SchemaVersion = "0.1"
	// MaxBytes is how long an envelope may be, and how long a payload may be
	// before it is read.
	MaxBytes = 8 << 20
	// MaxDepth is how deeply a payload may be nested, the payload itself
	// counting as one level.
	MaxDepth = 512
)

// timeLayout is what Date.prototype.toISOString writes.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Envelope is a governed event as receivers see it.
type Envelope struct {
	// ID is unique for each event.
	ID string
	// Type is a governed event.
	Type Type
	// EmittedAt is in UTC, whole milliseconds, years 0000 to 9999.
	EmittedAt time.Time
	Project   Project
	Run       Run
	// Turn is nil when the event is about no single turn.
	Turn *Turn
	// Payload is an object; nil is written as an empty one.
	Payload *ecmajson.Value
}

// Project says which governed project an event comes from.
type Project struct {
	// ID and Name come from agentxchain.json; empty ones are written as
	// "unknown" and "Unknown".
	ID, Name string
	// Root is the project's absolute path; empty is written as null.
	Root string
}

// Run is the governed run an event is about, as it stands after what the
// event tells. Empty fields are written as null.
type Run struct {
	ID, Status, Phase string
}

// override returns r with the non-empty fields of other in place of its own.
func (r Run) override(other Run) Run {
	if other.ID != "" {
		r.ID = other.ID
	}
	if other.Status != "" {
		r.Status = other.Status
	}
	if other.Phase != "" {
		r.Phase = other.Phase
	}
	return r
}

// Turn is one turn of a run. Empty and nil fields are written as null.
type Turn struct {
	ID, Role string
	// Attempt counts the tries at this turn.
	Attempt *int64
	// Sequence is the turn's number within the run.
	Sequence *int64
}

// Append writes the envelope as compact JSON, keys in the contract's order.
func (e Envelope) Append(dst []byte) []byte {
	dst = append(dst, `{"schema_version":"`+SchemaVersion+`","event_id":`...)
	dst = ecmajson.AppendString(dst, e.ID)
	dst = append(dst, `,"event_type":`...)
	dst = ecmajson.AppendString(dst, string(e.Type))
	dst = append(dst, `,"emitted_at":"`...)
	dst = e.EmittedAt.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, `","project":`...)
	dst = e.Project.append(dst)
	dst = append(dst, `,"run":`...)
	dst = e.Run.append(dst)
	dst = append(dst, `,"turn":`...)
	dst = e.Turn.append(dst)
	dst = append(dst, `,"payload":`...)
	if e.Payload == nil {
		return append(dst, `{}}`...)
	}
	return append(ecmajson.Append(dst, e.Payload), '}')
}

func (p Project) append(dst []byte) []byte {
	if p.ID == "" {
		p.ID = "unknown"
	}
	if p.Name == "" {
		p.Name = "Unknown"
	}
	dst = appendText(append(dst, `{"id":`...), p.ID)
	dst = appendText(append(dst, `,"name":`...), p.Name)
	dst = appendText(append(dst, `,"root":`...), p.Root)
	return append(dst, '}')
}

func (r Run) append(dst []byte) []byte {
	dst = appendText(append(dst, `{"run_id":`...), r.ID)
	dst = appendText(append(dst, `,"status":`...), r.Status)
	dst = appendText(append(dst, `,"phase":`...), r.Phase)
	return append(dst, '}')
}

func (t *Turn) append(dst []byte) []byte {
	if t == nil {
		return append(dst, "null"...)
	}
	dst = appendText(append(dst, `{"turn_id":`...), t.ID)
	dst = appendText(append(dst, `,"role_id":`...), t.Role)
	dst = appendInteger(append(dst, `,"attempt":`...), t.Attempt)
	dst = appendInteger(append(dst, `,"assigned_sequence":`...), t.Sequence)
	return append(dst, '}')
}

// appendText writes a string, or null for the empty one.
func appendText(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return ecmajson.AppendString(dst, s)
}

func appendInteger(dst []byte, n *int64) []byte {
	if n == nil {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, *n, 10)
}

// Parse reads an envelope strictly: exactly the contract's keys, in any order
// and with any white space, each once and of its type; no empty strings, no
// bytes that are not UTF-8, nothing after the object. Parse and
// [Envelope.Append] undo each other. The error is a [*SizeError] or an [*InputError].
//
// Nothing that sends calls it: it is for those who receive envelopes or keep
// them, `listen` and the stores of `serve`.
func Parse(body []byte) (Envelope, error) {
	const name = "envelope"
	if len(body) > MaxBytes {
		return Envelope{}, &SizeError{What: name, Size: len(body)}
	}
	root, err := parseStrict(name, body, MaxDepth+1)
	if err != nil {
		return Envelope{}, err
	}
	r := envelopeReader{body: body}
	e := r.envelope(root)
	if r.err != nil {
		return Envelope{}, r.err
	}
	return e, nil
}

// envelopeReader converts values and keeps the first fault.
type envelopeReader struct {
	body []byte
	err  error
}

func (r *envelopeReader) fail(v *ecmajson.Value, message string) {
	if r.err == nil {
		r.err = newInputError("envelope", r.body, v.Offset(), message)
	}
}

func (r *envelopeReader) envelope(v *ecmajson.Value) Envelope {
	r.keys(v, "the envelope", "schema_version", "event_id", "event_type", "emitted_at", "project", "run", "turn", "payload")
	if version := v.Get("schema_version"); version.Str() != SchemaVersion {
		r.fail(version, `schema_version must be "`+SchemaVersion+`"`)
	}
	e := Envelope{
		ID:        r.eventID(v.Get("event_id")),
		Type:      r.eventType(v.Get("event_type")),
		EmittedAt: r.time(v.Get("emitted_at")),
		Project:   r.project(v.Get("project")),
		Run:       r.run(v.Get("run")),
		Turn:      r.turn(v.Get("turn")),
		Payload:   v.Get("payload"),
	}
	if !e.Payload.Is(ecmajson.Object) {
		r.fail(e.Payload, "payload must be an object")
	}
	return e
}

func (r *envelopeReader) project(v *ecmajson.Value) Project {
	r.keys(v, "project", "id", "name", "root")
	return Project{ID: r.text(v, "id"), Name: r.text(v, "name"), Root: r.textOrNull(v, "root")}
}

func (r *envelopeReader) run(v *ecmajson.Value) Run {
	r.keys(v, "run", "run_id", "status", "phase")
	return Run{ID: r.textOrNull(v, "run_id"), Status: r.textOrNull(v, "status"), Phase: r.textOrNull(v, "phase")}
}

func (r *envelopeReader) turn(v *ecmajson.Value) *Turn {
	if v.Is(ecmajson.Null) {
		return nil
	}
	r.keys(v, "turn", "turn_id", "role_id", "attempt", "assigned_sequence")
	return &Turn{
		ID:       r.textOrNull(v, "turn_id"),
		Role:     r.textOrNull(v, "role_id"),
		Attempt:  r.integerOrNull(v, "attempt"),
		Sequence: r.integerOrNull(v, "assigned_sequence"),
	}
}

// keys checks that v is an object with exactly the given keys.
func (r *envelopeReader) keys(v *ecmajson.Value, what string, keys ...string) {
	if !v.Is(ecmajson.Object) {
		r.fail(v, what+" must be an object, not "+v.Kind().String())
		return
	}
	for _, key := range keys {
		if !v.Has(key) {
			r.fail(v, what+" lacks the key "+strconv.Quote(key))
		}
	}
	for _, m := range v.Members() {
		if !slices.Contains(keys, m.Key) {
			r.fail(m.Value, what+" has the unknown key "+strconv.Quote(m.Key))
		}
	}
}

func (r *envelopeReader) text(v *ecmajson.Value, key string) string {
	s := v.Get(key)
	if s.Str() == "" {
		r.fail(s, key+" must be a string that is not empty")
	}
	return s.Str()
}

func (r *envelopeReader) textOrNull(v *ecmajson.Value, key string) string {
	if v.Get(key).Is(ecmajson.Null) {
		return ""
	}
	return r.text(v, key)
}

func (r *envelopeReader) integerOrNull(v *ecmajson.Value, key string) *int64 {
	number := v.Get(key)
	if number.Is(ecmajson.Null) {
		return nil
	}
	n := integer(number)
	if n == nil || strconv.FormatInt(*n, 10) != number.Literal() {
		r.fail(number, key+" must be an integer or null")
	}
	return n
}

func (r *envelopeReader) eventID(v *ecmajson.Value) string {
	id, found := strings.CutPrefix(v.Str(), idPrefix)
	if !found || id == "" || strings.ContainsFunc(id, notAlphanumeric) {
		r.fail(v, `event_id must be "`+idPrefix+`" followed by letters and digits`)
	}
	return v.Str()
}

func notAlphanumeric(c rune) bool {
	return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

func (r *envelopeReader) eventType(v *ecmajson.Value) Type {
	t := Type(v.Str())
	if t.Family() != Governed {
		r.fail(v, "event_type must be a governed event")
	}
	return t
}

func (r *envelopeReader) time(v *ecmajson.Value) time.Time {
	at, err := time.Parse(timeLayout, v.Str())
	// Formatting again refuses what time.Parse is lenient about.
	if err != nil || at.Format(timeLayout) != v.Str() {
		r.fail(v, "emitted_at must be a UTC time with milliseconds, such as 2026-04-04T02:00:00.000Z")
	}
	return at
}

// integer returns a number's value when it is an integer that a double holds
// exactly, else nil.
func integer(v *ecmajson.Value) *int64 {
	f := v.Num()
	if !v.Is(ecmajson.Number) || f != math.Trunc(f) || math.Abs(f) > 1<<53-1 {
		return nil
	}
	n := int64(f)
	return &n
}

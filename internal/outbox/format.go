package outbox

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"agentxchain/internal/delivery"
)

// Format is the version of the entries written by this program. A reader
// leaves entries of a newer one alone.
const Format = 1

const (
	// maxHeader bounds the first line of an entry, in bytes.
	maxHeader = 1 << 20
	// maxEntry bounds a whole entry, in bytes: an envelope of 8 MiB and
	// fifteen different bodies of that size.
	maxEntry = 1 << 27
)

// header is the first line of an entry. The bytes that are sent follow it as
// they are: the envelope, then each body that differs from it.
type header struct {
	Format      int       `json:"format"`
	EventID     text      `json:"event_id"`
	EventType   text      `json:"event_type"`
	EmittedAt   time.Time `json:"emitted_at"`
	RunID       text      `json:"run_id,omitempty"`
	ExpiresAt   time.Time `json:"expires_at"`
	AuditOffset int64     `json:"audit_offset"`
	Envelope    int       `json:"envelope_bytes"`
	Deliveries  []line    `json:"deliveries"`
}

// line is one delivery of the header.
type line struct {
	ID          text      `json:"id"`
	File        text      `json:"file"`
	Channel     text      `json:"channel"`
	Name        text      `json:"name"`
	Agent       text      `json:"agent,omitempty"`
	ExecutionID text      `json:"execution_id,omitempty"`
	Label       text      `json:"label,omitempty"`
	ContentType text      `json:"content_type"`
	Attempt     int       `json:"attempt"`
	State       text      `json:"state"`
	NextAt      time.Time `json:"next_at,omitzero"`
	RetryUntil  time.Time `json:"retry_until,omitzero"`
	Reason      text      `json:"reason,omitempty"`
	Message     text      `json:"message,omitempty"`
	// Body is the length of the body, absent when the body is the envelope.
	Body *int `json:"body_bytes,omitempty"`
	// Fallback says that the body is the built-in one in place of a template's.
	Fallback bool `json:"fallback_body,omitempty"`
	// Unmade says that no body is made yet.
	Unmade bool `json:"unmade,omitempty"`
}

// text is a string that survives JSON byte for byte. Names come from files
// that may hold anything, and JSON strings hold only Unicode: a string that
// is not UTF-8 is written as {"base64":"…"}.
type text string

type encodedText struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements [json.Marshaler].
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(encodedText{[]byte(t)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var e encodedText
		err := json.Unmarshal(b, &e)
		*t = text(e.Base64)
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

// intent is an entry in memory: what the file says, nothing of where it is.
type intent struct {
	expiresAt time.Time
	delivery.Intent
}

// encode gives the bytes of an entry. All deliveries are of one event.
func encode(in intent) ([]byte, error) {
	event := in.Deliveries[0].Event
	h := header{
		Format: Format, EventID: text(event.ID), EventType: text(event.Type), EmittedAt: event.EmittedAt.UTC(),
		RunID: text(event.RunID), ExpiresAt: in.expiresAt.UTC(), AuditOffset: in.AuditOffset, Envelope: len(event.Body),
	}
	size := len(event.Body)
	for _, d := range in.Deliveries {
		e := line{
			ID: text(d.ID), File: text(d.Target.File), Channel: text(d.Target.Channel), Name: text(d.Target.Name),
			Agent: text(d.Agent), ExecutionID: text(d.ExecutionID),
			ContentType: text(d.ContentType), Attempt: d.Attempts, State: text(d.Status),
			NextAt: utc(d.NextAt), RetryUntil: utc(d.ExpiresAt), Reason: text(d.LastReason), Message: text(d.LastMessage),
			Fallback: d.FallbackBody, Unmade: d.Unmade,
		}
		if d.Label != d.Target.Name {
			e.Label = text(d.Label)
		}
		if !bytes.Equal(d.Body, event.Body) {
			n := len(d.Body)
			e.Body, size = &n, size+n
		}
		h.Deliveries = append(h.Deliveries, e)
	}
	first, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(first) >= maxHeader || len(first)+size >= maxEntry {
		return nil, fmt.Errorf("event %q is too large to keep", event.ID)
	}
	out := make([]byte, 0, len(first)+1+size)
	out = append(append(out, first...), '\n')
	out = append(out, event.Body...)
	for i, d := range in.Deliveries {
		if h.Deliveries[i].Body != nil {
			out = append(out, d.Body...)
		}
	}
	return out, nil
}

// utc keeps the zero time zero, which omitzero looks for.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// decode reads a whole entry. Anything that encode would not have written is
// an error: sizes that do not add up, several events, unknown keys.
func decode(r io.Reader) (intent, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxEntry+1))
	if err != nil {
		return intent{}, err
	}
	if len(b) > maxEntry {
		return intent{}, errors.New("entry is too large")
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return intent{}, errors.New("entry has no complete first line")
	}
	h, err := decodeHeader(b[:end])
	if err != nil {
		return intent{}, err
	}
	in := h.intent()
	return in, fill(&in, h, b[end+1:])
}

// decodeHeader reads the first line of an entry, without its end.
func decodeHeader(first []byte) (header, error) {
	var v struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(first, &v); err != nil {
		return header{}, fmt.Errorf("first line: %w", err)
	}
	if v.Format == nil || *v.Format < 1 {
		return header{}, errors.New("first line: no format version")
	}
	if *v.Format > Format {
		return header{}, fmt.Errorf("format version %d is newer than this program's (%d)", *v.Format, Format)
	}
	var h header
	d := json.NewDecoder(bytes.NewReader(first))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return header{}, fmt.Errorf("first line: %w", err)
	}
	return h, h.check()
}

func (h header) check() error {
	switch {
	case h.EventID == "":
		return errors.New("first line: no event id")
	case h.AuditOffset < 0:
		return errors.New("first line: negative audit offset")
	case h.Envelope < 0 || h.Envelope > maxEntry:
		return errors.New("first line: bad envelope size")
	case len(h.Deliveries) == 0:
		return errors.New("first line: no deliveries")
	}
	seen := make(map[text]bool, len(h.Deliveries))
	for _, d := range h.Deliveries {
		if d.ID == "" || seen[d.ID] {
			return fmt.Errorf("first line: missing or repeated delivery id %q", string(d.ID))
		}
		seen[d.ID] = true
		if err := d.check(); err != nil {
			return fmt.Errorf("first line: delivery %q: %w", string(d.ID), err)
		}
	}
	return nil
}

func (d line) check() error {
	if d.Body != nil && (*d.Body < 0 || *d.Body > maxEntry) {
		return errors.New("bad body size")
	}
	switch delivery.Status(d.State) {
	case delivery.Pending, delivery.Failed:
		if d.Attempt >= 0 {
			return nil
		}
	case delivery.Sending:
		if d.Attempt > 0 {
			return nil
		}
	default:
		return fmt.Errorf("unexpected state %q", string(d.State))
	}
	return fmt.Errorf("attempt %d in state %q", d.Attempt, string(d.State))
}

// intent gives what the header says, without the bytes that follow it.
func (h header) intent() intent {
	in := intent{expiresAt: h.ExpiresAt}
	in.AuditOffset = h.AuditOffset
	for _, e := range h.Deliveries {
		d := delivery.Delivery{
			ID:           string(e.ID),
			Target:       delivery.Target{File: string(e.File), Channel: delivery.Channel(e.Channel), Name: string(e.Name)},
			Agent:        string(e.Agent),
			ExecutionID:  string(e.ExecutionID),
			Label:        cmp.Or(string(e.Label), string(e.Name)),
			ContentType:  string(e.ContentType),
			Status:       delivery.Status(e.State),
			Attempts:     e.Attempt,
			NextAt:       e.NextAt,
			ExpiresAt:    e.RetryUntil,
			LastReason:   delivery.Reason(e.Reason),
			LastMessage:  string(e.Message),
			FallbackBody: e.Fallback, Unmade: e.Unmade,
		}
		d.Event.ID, d.Event.Type = string(h.EventID), string(h.EventType)
		d.Event.EmittedAt, d.Event.RunID = h.EmittedAt, string(h.RunID)
		in.Deliveries = append(in.Deliveries, d)
	}
	return in
}

// fill cuts rest into the envelope and the bodies of in.
func fill(in *intent, h header, rest []byte) error {
	envelope, rest, err := cut(rest, h.Envelope)
	if err != nil {
		return err
	}
	for i := range in.Deliveries {
		d, size := &in.Deliveries[i], h.Deliveries[i].Body
		d.Event.Body, d.Body = envelope, envelope
		if size == nil {
			continue
		}
		if d.Body, rest, err = cut(rest, *size); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return errors.New("entry is longer than its first line says: " + strconv.Itoa(len(rest)) + " bytes")
	}
	return nil
}

// cut takes n bytes from the front of b. The front can't grow into the rest.
func cut(b []byte, n int) (front, rest []byte, err error) {
	if n > len(b) {
		return nil, nil, errors.New("entry is shorter than its first line says")
	}
	return b[:n:n], b[n:], nil
}

// readHeader reads the first line of an entry and little more.
func readHeader(r io.Reader) (header, error) {
	first, err := bufio.NewReader(io.LimitReader(r, maxHeader)).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return header{}, errors.New("entry has no complete first line")
	}
	if err != nil {
		return header{}, err
	}
	return decodeHeader(first)
}

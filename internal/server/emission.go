package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/suggest"
)

const (
	// maxBody is how long the body of an event may be, in bytes.
	maxBody = events.MaxBytes
	// maxValues is how many JSON values it may hold: each costs a hundred times
	// its two bytes once it is read.
	maxValues = 200_000
	// maxName is how long an agent's name or an id may be, in bytes; those are
	// columns that the log is searched by.
	maxName = 255
	// maxStatus is how long the word for how a run ended may be, in bytes.
	maxStatus = 64
	// maxKey is how long an Idempotency-Key may be, in bytes.
	maxKey = 255
)

// Emission is one agent-run event that somebody asks for.
type Emission struct {
	// Event is an agent-run event.
	Event events.Type
	// Run is how the run ended. Its texts that are columns of the log are UTF-8
	// without control characters; DurationMS is not negative.
	Run events.AgentRun
	// Key is the digest of the Idempotency-Key and of who sent it; zero means
	// that there is none.
	Key [sha256.Size]byte
	// Request is the digest of what was asked for, the same however it was
	// spaced, so that a key that comes again with something else is noticed.
	Request [sha256.Size]byte
}

// Accepted says what became of an emission.
type Accepted struct {
	// EventID and EmittedAt are what the event was minted with.
	EventID   string
	EmittedAt time.Time
	// EventType is the event in the guide's spelling.
	EventType events.Type
	// Deliveries are in the order of the targets; there may be none.
	Deliveries []AcceptedDelivery
	// Replayed says that the emission came before with the same key, and that
	// nothing was accepted this time.
	Replayed bool
}

// AcceptedDelivery is one delivery of an accepted event.
type AcceptedDelivery struct {
	// ID is the delivery's id in the log.
	ID string
	// Channel and Target say where it goes; Target is free of secrets.
	Channel delivery.Channel
	Target  string
	// Status is its state, [delivery.Pending] as a rule.
	Status delivery.Status
}

// InvalidError says that an event can't be accepted as it is.
type InvalidError struct {
	// Pointer is the place in the request (RFC 6901), such as "/output"; ""
	// is the whole of it.
	Pointer string
	// Detail is one line for people.
	Detail string
}

// Error names the place.
func (e *InvalidError) Error() string {
	return strings.TrimSpace(strings.TrimPrefix(e.Pointer, "/") + " " + e.Detail)
}

// mistakes lists the place, when there is one.
func (e *InvalidError) mistakes() []mistake {
	if e.Pointer == "" {
		return nil
	}
	return []mistake{{Pointer: e.Pointer, Detail: e.Detail}}
}

// accepted is the answer of POST /v1/events.
type accepted struct {
	EventID    string             `json:"event_id"`
	EventType  string             `json:"event_type"`
	EmittedAt  string             `json:"emitted_at"`
	Deliveries []acceptedDelivery `json:"deliveries"`
}

type acceptedDelivery struct {
	ID      string `json:"id"`
	Channel string `json:"channel"`
	Target  string `json:"target"`
	Status  string `json:"status"`
}

// emit answers POST /v1/events.
func (a *api) emit(w http.ResponseWriter, r *http.Request) error {
	if err := a.kept(); err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header.Values("Idempotency-Key"))
	if err != nil {
		return newProblem(invalidKey, err.Error())
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	e, err := readEmission(body)
	if err != nil {
		return err
	}
	if key != "" {
		e.Key = sha256.Sum256([]byte(a.client(r) + "\x00" + key))
	}
	done, err := a.Desk.Accept(r.Context(), e)
	if err != nil {
		return acceptProblem(err)
	}
	a.Logger.LogAttrs(r.Context(), slog.LevelInfo, "an event was accepted", slog.String("request_id", w.Header().Get(requestIDHeader)),
		slog.String("client", a.client(r)), slog.String("event_id", done.EventID), slog.Int("deliveries", len(done.Deliveries)),
		slog.Bool("replayed", done.Replayed))
	if done.Replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	answer := accepted{
		EventID: done.EventID, EventType: string(done.EventType), EmittedAt: timeText(done.EmittedAt),
		Deliveries: []acceptedDelivery{},
	}
	for _, d := range done.Deliveries {
		answer.Deliveries = append(answer.Deliveries, acceptedDelivery{
			ID: d.ID, Channel: string(d.Channel), Target: d.Target, Status: statusWord(d.Status),
		})
	}
	writeJSON(w, http.StatusAccepted, "application/json", answer)
	return nil
}

// acceptProblem is what the desk's refusal means for the client.
func acceptProblem(err error) error {
	var invalid *InvalidError
	switch {
	case errors.Is(err, delivery.ErrKeyReused):
		return newProblem(keyReused, "The key came with another event before. Use a new key for each event.")
	case errors.Is(err, delivery.ErrBusy):
		return newProblem(keyInProgress, "The first request with this key has not been answered yet. Ask again in a moment.")
	case errors.As(err, &invalid):
		return newProblem(invalidEvent, sentence(invalid.Error()), invalid.mistakes()...)
	}
	return err
}

// idempotencyKey reads the values of the header: at most one, a string of
// visible ASCII, as it is or between quotes, as the draft of the IETF has it
// (draft-ietf-httpapi-idempotency-key-header).
func idempotencyKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(values) > 1 {
		return "", errors.New("there is more than one Idempotency-Key")
	}
	if len(key) > 1 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if !visible(key) || strings.ContainsAny(key, `"\`) || len(key) > maxKey {
		return "", fmt.Errorf("an Idempotency-Key is one word of 1 to %d visible ASCII characters without quotes and backslashes", maxKey)
	}
	return key, nil
}

// readBody returns the body of a request that says it is JSON.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, has := params["charset"]
	if err != nil || kind != "application/json" || has && !strings.EqualFold(charset, "utf-8") {
		return nil, newProblem(unsupportedType, "Send the event as application/json in UTF-8.")
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, newProblem(unsupportedType, "Send the event without a Content-Encoding.")
	}
	tooLarge := newProblem(bodyTooLarge, fmt.Sprintf("An event may have %d bytes.", maxBody))
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, newProblem(slowBody, fmt.Sprintf("The body did not come within %d seconds.", int(readTime.Seconds())))
	case err != nil:
		return nil, newProblem(malformedBody, "The body ended before its announced length.")
	}
	return body, nil
}

// readEmission reads the body of an event, strictly: what is not known, or
// comes twice, is a mistake. The error is a [*problem].
func readEmission(body []byte) (Emission, error) {
	if countValues(body) > maxValues {
		return Emission{}, newProblem(bodyTooLarge, fmt.Sprintf("An event may have %d values.", maxValues))
	}
	root, err := ecmajson.Parse(body, ecmajson.Options{MaxDepth: events.MaxDepth + 1, UniqueKeys: true, ValidUTF8: true})
	if err != nil {
		text := err.Error()
		var syntax *ecmajson.SyntaxError
		if errors.As(err, &syntax) {
			line, column := ecmajson.Position(body, syntax.Offset)
			text = fmt.Sprintf("line %d, column %d: %s", line, column, syntax.Message)
		}
		return Emission{}, newProblem(malformedBody, text+".")
	}
	if !root.Is(ecmajson.Object) {
		return Emission{}, newProblem(invalidEvent, "The event is "+root.Kind().String()+", not an object.")
	}
	f := fields{root: root}
	e := f.emission()
	if f.governed {
		return Emission{}, newProblem(governedEvent, fmt.Sprintf("%q comes from a governed project and is emitted there, "+
			"with `agentxchain notify emit`. Here are on_complete, on_error and on_timeout.", root.Get("event").Str()))
	}
	if len(f.mistakes) > 0 {
		parts := make([]string, len(f.mistakes))
		for i, m := range f.mistakes {
			parts[i] = strings.TrimPrefix(m.Pointer, "/") + " " + m.Detail
		}
		return Emission{}, newProblem(invalidEvent, sentence(strings.Join(parts, "; ")), f.mistakes...)
	}
	e.Request = requestDigest(e)
	return e, nil
}

// countValues is at least the number of JSON values in body: each of them but
// the first follows one of these bytes outside of strings.
func countValues(body []byte) int {
	n, inString := 1, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inString = !inString
		case c == '\\' && inString:
			i++ // what follows ends no string
		case !inString && (c == ',' || c == '[' || c == ':'):
			n++
		}
	}
	return n
}

// fields reads the members of an event and gathers what is wrong with them.
type fields struct {
	root     *ecmajson.Value
	mistakes []mistake
	governed bool
}

// emissionKeys are the members an event may have.
func emissionKeys() []string {
	return []string{"event", "agent", "execution_id", "session_id", "status", "message", "output", "error", "duration_ms"}
}

func (f *fields) emission() Emission {
	known := emissionKeys()
	for _, m := range f.root.Members() {
		if !slices.Contains(known, m.Key) {
			f.wrong(m.Key, unknownMember(m.Key, known))
		}
	}
	e := Emission{Event: f.event(), Run: events.AgentRun{
		Name:        f.word("agent", maxName),
		ExecutionID: f.word("execution_id", maxName),
		SessionID:   f.word("session_id", maxName),
		Status:      f.word("status", maxStatus),
		Message:     f.text("message"),
		Error:       f.text("error"),
		DurationMS:  f.duration(),
	}}
	if output := f.root.Get("output"); !output.Is(ecmajson.Null) {
		e.Run.Output = output
	}
	return e
}

func unknownMember(key string, known []string) string {
	if near := suggest.Nearest(key, known); near != "" {
		return fmt.Sprintf("is no member of an event; did you mean %q?", near)
	}
	return "is no member of an event; there are " + strings.Join(known, ", ")
}

func (f *fields) wrong(key, detail string) {
	if len(f.mistakes) < maxMistakes {
		pointer := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(shorten(key))
		f.mistakes = append(f.mistakes, mistake{Pointer: pointer, Detail: detail})
	}
}

func (f *fields) event() events.Type {
	v := f.root.Get("event")
	if !v.Is(ecmajson.String) {
		f.wrong("event", "is needed: on_complete, on_error or on_timeout")
		return ""
	}
	t, err := events.ParseType(v.Str())
	switch {
	case err != nil:
		var names []string
		for _, t := range events.Types(events.Agent) {
			names = append(names, string(t), t.ExecutionName())
		}
		f.wrong("event", oneOf(v.Str(), names))
	case t.Family() == events.Governed:
		f.governed = true
	}
	return t
}

// text reads a string; null is as good as none.
func (f *fields) text(key string) string {
	v := f.root.Get(key)
	if v != nil && !v.Is(ecmajson.String) && !v.Is(ecmajson.Null) {
		f.wrong(key, "is "+v.Kind().String()+", not a string")
	}
	return v.Str()
}

// word reads a string of one line.
func (f *fields) word(key string, longest int) string {
	s := f.text(key)
	switch {
	case len(s) > longest:
		f.wrong(key, fmt.Sprintf("is longer than %d bytes", longest))
	case !plain(s):
		f.wrong(key, "holds a control character or half of a surrogate pair")
	}
	return s
}

// duration reads whole milliseconds.
func (f *fields) duration() int64 {
	v := f.root.Get("duration_ms")
	if v == nil || v.Is(ecmajson.Null) {
		return 0
	}
	const most = 1 << 53 // beyond it doubles skip integers
	if n := v.Num(); v.Is(ecmajson.Number) && n >= 0 && n < most && n == math.Trunc(n) {
		return int64(n)
	}
	f.wrong("duration_ms", "must be whole milliseconds, 0 or more")
	return 0
}

// requestDigest is the same for requests that ask for the same.
func requestDigest(e Emission) [sha256.Size]byte {
	dst := append([]byte(nil), '[')
	for _, s := range []string{
		string(e.Event), e.Run.Name, e.Run.ExecutionID, e.Run.SessionID, e.Run.Status, e.Run.Message, e.Run.Error,
	} {
		dst = append(ecmajson.AppendString(dst, s), ',')
	}
	dst = append(strconv.AppendInt(dst, e.Run.DurationMS, 10), ',')
	return sha256.Sum256(append(ecmajson.Append(dst, e.Run.Output), ']'))
}

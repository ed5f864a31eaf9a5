package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"agentxchain/internal/delivery"
)

// item is a delivery as lists show it: the keys of the guide, in its order.
type item struct {
	ID          string  `json:"id"`
	ExecutionID string  `json:"execution_id"`
	AgentID     string  `json:"agent_id"`
	EventType   string  `json:"event_type"`
	Channel     string  `json:"channel"`
	Target      string  `json:"target"`
	Status      string  `json:"status"`
	Attempts    int     `json:"attempts"`
	LastError   *string `json:"last_error"`
	CreatedAt   string  `json:"created_at"`
	DeliveredAt *string `json:"delivered_at"`
}

func newItem(r delivery.Record) item {
	it := item{
		ID: r.ID, ExecutionID: r.ExecutionID, AgentID: r.Agent, EventType: r.Event.Type, Channel: string(r.Target.Channel),
		Target: r.LabelOrName(), Status: statusWord(r.Status), Attempts: r.Attempts,
		CreatedAt: timeText(r.CreatedAt), DeliveredAt: timeOrNull(r.DeliveredAt),
	}
	if r.Status != delivery.Delivered {
		it.LastError = textOrNull(r.LastMessage)
	}
	return it
}

// statusWord is the guide's word for a state.
func statusWord(s delivery.Status) string {
	switch s {
	case delivery.Sending:
		return string(delivery.Pending)
	case delivery.Discarded:
		return string(delivery.Failed)
	}
	return string(s)
}

// timeText writes a time as the guide's example does: RFC 3339 in UTC, with
// milliseconds only where there are any.
func timeText(t time.Time) string {
	t = t.UTC().Truncate(time.Millisecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := timeText(t)
	return &s
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// list is a page of the log.
type list struct {
	Items  []item `json:"items"`
	Total  int64  `json:"total"`
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
}

// list answers GET /v1/notifications.
func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	q, mistakes := readQuery(r.URL.RawQuery, a.Now())
	if err := wrongParameters(mistakes); err != nil {
		return err
	}
	answer := list{Items: []item{}, Limit: q.page.Limit, Offset: q.page.Offset}
	if a.Unkept == "" {
		records, err := a.Log.Page(r.Context(), q.filter, q.page)
		if err != nil {
			return err
		}
		if answer.Total, err = a.Log.Total(r.Context(), q.filter); err != nil {
			return err
		}
		for _, record := range records {
			answer.Items = append(answer.Items, newItem(record))
		}
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
	return nil
}

// try is one attempt of a delivery.
type try struct {
	Number         int     `json:"number"`
	StartedAt      string  `json:"started_at"`
	DurationMS     float64 `json:"duration_ms"`
	Delivered      bool    `json:"delivered"`
	ResponseStatus *int    `json:"response_status"`
	TimedOut       bool    `json:"timed_out"`
	Reason         *string `json:"reason"`
	Phase          *string `json:"phase"`
	Address        *string `json:"address"`
	Error          *string `json:"error"`
}

func newTry(t delivery.Try) try {
	out := try{
		Number: t.Number, StartedAt: timeText(t.At),
		DurationMS: float64(t.Result.Duration.Microseconds()) / 1000,
		Delivered:  t.Result.Delivered, ResponseStatus: numberOrNull(t.Result.StatusCode), TimedOut: t.Result.TimedOut,
		Reason: textOrNull(string(t.Result.Reason)), Phase: textOrNull(string(t.Result.Phase)), Address: textOrNull(t.Result.Address),
	}
	if !t.Result.Delivered {
		out.Error = textOrNull(t.Result.Message)
	}
	return out
}

func numberOrNull(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// details is a delivery with everything that is known about it.
type details struct {
	item
	State           string  `json:"state"`
	Reason          *string `json:"reason"`
	ResponseStatus  *int    `json:"response_status"`
	EventID         string  `json:"event_id"`
	RunID           *string `json:"run_id"`
	EmittedAt       *string `json:"emitted_at"`
	NextAttemptAt   *string `json:"next_attempt_at"`
	ExpiresAt       *string `json:"expires_at"`
	Retryable       bool    `json:"retryable"`
	Imported        bool    `json:"imported"`
	FallbackBody    bool    `json:"fallback_body"`
	ContentType     *string `json:"content_type"`
	PayloadEncoding *string `json:"payload_encoding"`
	Payload         *string `json:"payload"`
	PayloadSHA256   *string `json:"payload_sha256"`
	Tries           []try   `json:"tries"`
}

func newDetails(r delivery.Record) details {
	d := details{
		item: newItem(r), State: string(r.Status), Reason: textOrNull(string(r.LastReason)),
		ResponseStatus: numberOrNull(r.StatusCode), EventID: r.Event.ID, RunID: textOrNull(r.Event.RunID),
		EmittedAt: timeOrNull(r.Event.EmittedAt), ExpiresAt: timeOrNull(r.ExpiresAt),
		Retryable: retryable(r), Imported: r.Imported, FallbackBody: r.FallbackBody, Tries: []try{},
	}
	if r.Status == delivery.Pending {
		d.NextAttemptAt = timeOrNull(r.NextAt)
	}
	if !r.Imported && !r.Unmade {
		d.setPayload(r)
	}
	for _, t := range r.Tries {
		d.Tries = append(d.Tries, newTry(t))
	}
	return d
}

// setPayload shows the exact bytes that are sent. Those that are no text are
// shown in base64, so that none of them is changed on the way.
func (d *details) setPayload(r delivery.Record) {
	encoding, text := "text", string(r.Body)
	if !utf8.Valid(r.Body) {
		encoding, text = "base64", base64.StdEncoding.EncodeToString(r.Body)
	}
	sum := sha256.Sum256(r.Body)
	hash := hex.EncodeToString(sum[:])
	d.ContentType, d.PayloadEncoding, d.Payload, d.PayloadSHA256 = textOrNull(r.ContentType), &encoding, &text, &hash
}

// retryable reports whether a retry would be taken: it waits or failed, and
// its bytes are known or can be made.
func retryable(r delivery.Record) bool {
	return (r.Status == delivery.Failed || r.Status == delivery.Pending) && !r.Imported
}

// show answers GET /v1/notifications/{id}.
func (a *api) show(w http.ResponseWriter, r *http.Request) error {
	record, err := a.find(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", newDetails(record))
	return nil
}

// find returns the record that the path names. What can't be an id is not
// looked up.
func (a *api) find(r *http.Request) (delivery.Record, error) {
	id := r.PathValue("id")
	if a.Unkept != "" {
		return delivery.Record{}, newProblem(unknownDelivery, a.Unkept)
	}
	if !validID(id) {
		return delivery.Record{}, delivery.ErrUnknown
	}
	return a.Log.Record(r.Context(), id)
}

// validID reports whether s can be the id of a delivery: a word of up to 64
// bytes. Ours have 26, but those of other makers may be in the log.
func validID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return !isWord(r) })
}

// retry answers POST /v1/notifications/{id}/retry.
func (a *api) retry(w http.ResponseWriter, r *http.Request) error {
	if err := a.kept(); err != nil {
		return err
	}
	id := r.PathValue("id")
	if !validID(id) {
		return delivery.ErrUnknown
	}
	err := a.Desk.Retry(r.Context(), id)
	switch {
	case errors.Is(err, delivery.ErrBusy):
		return newProblem(beingSent, "An attempt is in progress. Look at the delivery again when it has ended.")
	case errors.Is(err, delivery.ErrBodyless):
		return newProblem(bytesUnknown, "The delivery was read from the evidence of another program, which keeps no bodies, so it can't be sent again.")
	case errors.Is(err, delivery.ErrDone):
		return a.done(r)
	case err != nil:
		return err
	}
	a.Logger.LogAttrs(r.Context(), slog.LevelInfo, "a retry was asked for", slog.String("request_id", w.Header().Get(requestIDHeader)),
		slog.String("client", a.client(r)), slog.String("delivery_id", id))
	record, err := a.find(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, "application/json", newItem(record))
	return nil
}

// done is the problem of a delivery with nothing left to try.
func (a *api) done(r *http.Request) error {
	record, err := a.find(r)
	if err != nil {
		return err
	}
	if record.Status == delivery.Discarded {
		return newProblem(discarded, "The delivery was given up by an operator. Emit the event again if it is needed after all.")
	}
	return newProblem(alreadyDelivered, "The receiver has taken the delivery, so it is not sent again.")
}

package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"agentxchain/internal/delivery"
)

// maxShown is how much of a body a page shows, in bytes; all of it can be
// downloaded.
const maxShown = 64 << 10

// detailsView is the page of one delivery.
type detailsView struct {
	page
	rowView
	Summary string
	Facts   []fact
	Tries   []tryView
	// Untold counts attempts that have no entry.
	Untold int
	Body   *bodyView
	// NoBody says why there is none.
	NoBody string
	Back   string
}

// fact is a line of the list beside the title.
type fact struct {
	Name, Text string
	// URL leads to records that share it; Time is set for times.
	URL  string
	Time *moment
	Mono bool
}

// tryView is one attempt.
type tryView struct {
	Number    int
	Time      moment
	Gap       string
	Duration  string
	Delivered bool
	Reason    explanation
	Status    int
	Seen      string
	Address   string
	Message   string
	After     string
	// Bar is the duration as a share of the longest, of 100.
	Bar float64
}

// bodyView is what was sent.
type bodyView struct {
	Type, Size, Hash string
	// Raw are the bytes, or their beginning when Cut; Pretty is an aid, empty
	// when the body is not JSON.
	Raw, Pretty string
	Cut         bool
	// Text says that the bytes are UTF-8, so that Raw shows them as they are.
	Text     bool
	Download string
	Fallback bool
	Unmade   bool
}

// details shows one delivery, or the part of its page that changes.
func (h *handler) details(w http.ResponseWriter, r *http.Request, v viewer) {
	record, ok := h.record(w, r, v)
	if !ok {
		return
	}
	now := h.now().UTC()
	view := detailsView{
		page: h.page(r, v, record.Event.Type+" to "+record.LabelOrName()), rowView: newRow(record, v.Admin, now),
		Summary: summary(record, now), Facts: facts(record, now), Tries: tries(record.Tries), Back: back(r),
	}
	view.Live = true
	view.Flash = h.takeFlash(w, r)
	view.Untold = max(0, record.Attempts-len(record.Tries))
	if record.Status == delivery.Sending {
		view.Untold = max(0, view.Untold-1)
	}
	if record.Imported {
		view.NoBody = "This delivery was made by another program. Its evidence says what happened, not what was sent, so it can't be sent again from here."
	} else {
		view.Body = newBody(record)
	}
	if fromScript(r) {
		h.render(w, http.StatusOK, "details-live", view)
		return
	}
	h.render(w, http.StatusOK, "details", view)
}

// back is the list that one came from, with its filters.
func back(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || u.Path != home {
		return home
	}
	return ownPath(u.RequestURI())
}

// record looks up the record of the path, and answers when there is none.
func (h *handler) record(w http.ResponseWriter, r *http.Request, v viewer) (delivery.Record, bool) {
	if h.options.Unkept != "" {
		h.problem(w, r, v, http.StatusNotFound, "Nothing is kept", h.options.Unkept)
		return delivery.Record{}, false
	}
	id := r.PathValue("id")
	err := delivery.ErrUnknown
	var record delivery.Record
	if len(id) <= 128 && utf8.ValidString(id) && !strings.ContainsRune(id, 0) {
		record, err = h.options.Log.Record(r.Context(), id)
	}
	switch {
	case errors.Is(err, delivery.ErrUnknown):
		h.problem(w, r, v, http.StatusNotFound, "No such delivery", "There is no delivery with this id. It may have been removed when it grew older than the log keeps.")
		return record, false
	case err != nil:
		h.unreadable(w, r, v, err)
		return record, false
	}
	return record, true
}

// facts list what identifies a delivery.
func facts(r delivery.Record, now time.Time) []fact {
	list := []fact{
		{Name: "Target", Text: r.LabelOrName(), URL: only("target", r.LabelOrName()), Mono: true},
		{Name: "Channel", Text: string(r.Target.Channel), URL: only("channel", string(r.Target.Channel))},
		{Name: "Defined in", Text: r.Target.File, Mono: true},
	}
	add := func(name, value, key string) {
		if value != "" {
			list = append(list, fact{Name: name, Text: value, URL: only(key, value), Mono: true})
		}
	}
	add("Agent", r.Agent, "agent_id")
	add("Execution", r.ExecutionID, "execution_id")
	add("Run", r.Event.RunID, "run_id")
	add("Event id", r.Event.ID, "event_id")
	list = append(list, fact{Name: "Delivery id", Text: r.ID, Mono: true})
	addTime := func(name string, t time.Time) {
		if !t.IsZero() {
			m := toSecond(t)
			list = append(list, fact{Name: name, Time: &m})
		}
	}
	addTime("Accepted", r.CreatedAt)
	addTime("Delivered", r.DeliveredAt)
	if r.Status == delivery.Pending {
		addTime("Next attempt", r.NextAt)
		if r.ExpiresAt.After(now) {
			addTime("Tried until", r.ExpiresAt)
		}
	}
	if r.StatusCode != 0 {
		list = append(list, fact{Name: "Last answer", Text: "HTTP " + strconv.Itoa(r.StatusCode)})
	}
	return list
}

// tries arranges the attempts.
func tries(all []delivery.Try) []tryView {
	longest := time.Millisecond
	for _, t := range all {
		longest = max(longest, t.Result.Duration)
	}
	var list []tryView
	for i, t := range all {
		view := tryView{
			Number: t.Number, Time: toSecond(t.At), Duration: span(t.Result.Duration), Delivered: t.Result.Delivered,
			Reason: explain(t.Result.Reason), Status: t.Result.StatusCode, Seen: seen(t.Result), Address: t.Result.Address,
			Message: t.Result.Message, Bar: max(1, float64(t.Result.Duration)/float64(longest)*100),
		}
		if i > 0 {
			if gap := t.At.Sub(all[i-1].At); gap > 0 {
				view.Gap = "+" + span(gap)
			}
		}
		if t.Result.RetryAfter > 0 {
			view.After = span(t.Result.RetryAfter)
		}
		list = append(list, view)
	}
	return list
}

// newBody arranges what was, or would be, sent.
func newBody(r delivery.Record) *bodyView {
	sum := sha256.Sum256(r.Body)
	b := &bodyView{
		Type: r.ContentType, Size: size(len(r.Body)), Hash: hex.EncodeToString(sum[:]), Text: utf8.Valid(r.Body),
		Download: home + "/" + url.PathEscape(r.ID) + "/body", Fallback: r.FallbackBody, Unmade: r.Unmade,
	}
	shown := r.Body
	if len(shown) > maxShown {
		b.Cut, shown = true, shown[:maxShown]
		for b.Text && len(shown) > 0 && !utf8.Valid(shown) {
			shown = shown[:len(shown)-1] // a character cut in two
		}
	}
	b.Raw = strings.ToValidUTF8(string(shown), "�")
	var pretty bytes.Buffer
	if !b.Cut && json.Indent(&pretty, shown, "", "  ") == nil && pretty.Len() <= 4*maxShown {
		b.Pretty = strings.ToValidUTF8(pretty.String(), "�")
	}
	return b
}

// body hands out the exact bytes, as a file that no browser runs.
func (h *handler) body(w http.ResponseWriter, r *http.Request, v viewer) {
	record, ok := h.record(w, r, v)
	if !ok {
		return
	}
	if record.Imported || record.Unmade {
		h.problem(w, r, v, http.StatusNotFound, "No body", "What was sent is not known here.")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="body.bin"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(record.Body)))
	_, _ = w.Write(record.Body) // the reader may have left
}

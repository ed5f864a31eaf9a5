package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"

	"agentxchain/internal/delivery"
)

// flashName is the cookie that carries the answer to a form over the redirect
// to the page that shows it. It holds a word of a closed list, nothing else.
const flashName = "agw_dashboard_flash"

// flash is that answer.
type flash struct {
	// OK chooses the colour.
	OK   bool
	Text string
}

// answers are the outcomes of a retry.
type outcome struct {
	code   string
	status int
	flash  flash
}

func outcomes() []outcome {
	return []outcome{
		{"retried", http.StatusOK, flash{true, "Sent again: the same bytes, now. The row shows how it ends."}},
		{"busy", http.StatusConflict, flash{false, "It is being sent already. Wait for that attempt to end."}},
		{"done", http.StatusConflict, flash{false, "Nothing is left to retry: it was delivered or given up."}},
		{"bodyless", http.StatusConflict, flash{false, "It can't be sent again: the bytes that were sent are not known here."}},
		{"unknown", http.StatusNotFound, flash{false, "There is no such delivery any more."}},
		{"denied", http.StatusForbidden, flash{false, "Only administrators may retry."}},
		{"error", http.StatusServiceUnavailable, flash{false, "It could not be sent again. The server's log says why."}},
	}
}

func outcomeOf(code string) (outcome, bool) {
	for _, o := range outcomes() {
		if o.code == code {
			return o, true
		}
	}
	return outcome{}, false
}

// retryCode names what became of a retry.
func retryCode(err error) string {
	switch {
	case err == nil:
		return "retried"
	case errors.Is(err, delivery.ErrBusy):
		return "busy"
	case errors.Is(err, delivery.ErrDone):
		return "done"
	case errors.Is(err, delivery.ErrBodyless):
		return "bodyless"
	case errors.Is(err, delivery.ErrUnknown):
		return "unknown"
	}
	return "error"
}

// retry has a delivery sent again and leads back to where the button was.
func (h *handler) retry(w http.ResponseWriter, r *http.Request, v viewer) {
	if !v.Admin {
		o, _ := outcomeOf("denied")
		h.problem(w, r, v, http.StatusForbidden, "Not allowed", o.flash.Text)
		return
	}
	if h.options.Unkept != "" {
		h.problem(w, r, v, http.StatusServiceUnavailable, "Nothing is kept", h.options.Unkept)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.badForm(w, r, err)
		return
	}
	id := r.PathValue("id")
	err := h.options.Desk.Retry(r.Context(), id)
	o, _ := outcomeOf(retryCode(err))
	if o.code == "error" {
		h.log.Error("dashboard: a retry failed", "delivery", short(id, 64), "error", err)
	} else {
		h.log.Info("dashboard: retry", "delivery", short(id, 64), "account", v.Name, "outcome", o.code)
	}
	if fromScript(r) {
		h.answer(w, o.status, o.flash.OK, o.flash.Text)
		return
	}
	h.sessions.setCookie(w, r, flashName, o.code, 30)
	http.Redirect(w, r, ownPath(r.PostForm.Get("back")), http.StatusSeeOther)
}

// takeFlash returns the answer that a redirect carried, once.
func (h *handler) takeFlash(w http.ResponseWriter, r *http.Request) *flash {
	cookie, err := r.Cookie(flashName)
	if err != nil || fromScript(r) {
		return nil
	}
	h.sessions.setCookie(w, r, flashName, "", -1)
	if o, ok := outcomeOf(cookie.Value); ok {
		return &o.flash
	}
	return nil
}

// answer is what the script gets: {"ok": …, "message": …}.
func (h *handler) answer(w http.ResponseWriter, status int, ok bool, message string) {
	body, err := json.Marshal(struct {
		OK      bool   `json:"ok"`
		Message string `json:"message"`
	}{ok, message})
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the reader may have left
}

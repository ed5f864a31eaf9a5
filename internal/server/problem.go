package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"agentxchain/internal/delivery"
)

// code names a kind of problem. It is part of the API: programs tell problems
// apart by it, people by the words beside it.
type code string

// The codes; the first two are Agent Gateway's own words
// (contract/agent-gateway.md, section 1.7).
const (
	authRequired       code = "auth_required"
	invalidCredentials code = "invalid_credentials" //nolint:gosec // the name of a problem
	insufficientScope  code = "insufficient_scope"
	crossOrigin        code = "cross_origin"
	foreignHost        code = "foreign_host"
	notFound           code = "not_found"
	unknownDelivery    code = "unknown_delivery"
	methodNotAllowed   code = "method_not_allowed"
	invalidParameters  code = "invalid_parameters"
	invalidKey         code = "invalid_idempotency_key"
	keyReused          code = "idempotency_key_reused"
	keyInProgress      code = "idempotency_key_in_progress"
	malformedBody      code = "malformed_body"
	slowBody           code = "slow_body"
	bodyTooLarge       code = "body_too_large"
	unsupportedType    code = "unsupported_media_type"
	invalidEvent       code = "invalid_event"
	governedEvent      code = "governed_event"
	beingSent          code = "being_sent"
	alreadyDelivered   code = "already_delivered"
	discarded          code = "discarded"
	bytesUnknown       code = "bytes_unknown"
	notKept            code = "not_kept"
	unavailable        code = "log_unavailable"
	internal           code = "internal_error"
)

// problemType begins the type of every problem; the code ends it. Schemas are
// named in the same scheme.
const problemType = "agentxchain:problem/"

// kind is what all problems of one code have in common.
type kind struct {
	code   code
	status int
	title  string
}

// kinds are all problems there are.
var kinds = [...]kind{
	{authRequired, http.StatusUnauthorized, "A key is needed"},
	{invalidCredentials, http.StatusUnauthorized, "The key is not known"},
	{insufficientScope, http.StatusForbidden, "The key may not do this"},
	{crossOrigin, http.StatusForbidden, "Sent by a page of another site"},
	{foreignHost, http.StatusMisdirectedRequest, "The host is not served here"},
	{notFound, http.StatusNotFound, "There is no such path"},
	{unknownDelivery, http.StatusNotFound, "There is no such delivery"},
	{methodNotAllowed, http.StatusMethodNotAllowed, "The path has no such method"},
	{invalidParameters, http.StatusBadRequest, "Parameters are wrong"},
	{invalidKey, http.StatusBadRequest, "The Idempotency-Key is wrong"},
	{keyReused, http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request"},
	{keyInProgress, http.StatusConflict, "The first request with this Idempotency-Key is in progress"},
	{malformedBody, http.StatusBadRequest, "The body is not JSON"},
	{slowBody, http.StatusRequestTimeout, "The body came too slowly"},
	{bodyTooLarge, http.StatusRequestEntityTooLarge, "The body is too large"},
	{unsupportedType, http.StatusUnsupportedMediaType, "The body is of another type"},
	{invalidEvent, http.StatusUnprocessableEntity, "The event is wrong"},
	{governedEvent, http.StatusUnprocessableEntity, "Governed events are emitted in their project"},
	{beingSent, http.StatusConflict, "The delivery is being sent"},
	{alreadyDelivered, http.StatusConflict, "The delivery was delivered"},
	{discarded, http.StatusConflict, "The delivery was given up"},
	{bytesUnknown, http.StatusConflict, "What was sent is not known here"},
	{notKept, http.StatusServiceUnavailable, "Deliveries are not kept"},
	{unavailable, http.StatusServiceUnavailable, "The delivery log does not answer"},
	{internal, http.StatusInternalServerError, "Something went wrong here"},
}

// mistake is one thing that is wrong with a request.
type mistake struct {
	// Parameter names a query parameter, Pointer a place in the body (RFC 6901);
	// a mistake has one of them.
	Parameter string `json:"parameter,omitempty"`
	Pointer   string `json:"pointer,omitempty"`
	// Detail says what was given and what is allowed.
	Detail string `json:"detail"`
}

// problem is an answer that says why there is no other (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is one or two sentences for people.
	Detail string `json:"detail"`
	// Code is the end of Type.
	Code code `json:"code"`
	// Errors are all mistakes of the request, where there can be several.
	Errors []mistake `json:"errors,omitempty"`
}

// Error makes problems errors, so that handlers can return them.
func (p *problem) Error() string { return string(p.Code) + ": " + p.Detail }

func newProblem(c code, detail string, errs ...mistake) *problem {
	for _, k := range kinds {
		if k.code == c {
			return &problem{
				Type: problemType + string(c), Title: k.title, Status: k.status,
				Detail: detail, Code: c, Errors: errs,
			}
		}
	}
	// A test holds codes and kinds together.
	return &problem{Type: "about:blank", Title: string(c), Status: http.StatusInternalServerError, Detail: detail, Code: c}
}

// retryAfter is what a client waits, in seconds, before it asks again for what
// can't be had right now.
const retryAfter = 5

func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

// refuse answers with what went wrong. What is no problem yet comes from the
// delivery log.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, delivery.ErrUnknown):
		p = newProblem(unknownDelivery, "The delivery log has no delivery of this id.")
	default:
		level := slog.LevelError
		if r.Context().Err() != nil {
			level = slog.LevelDebug // the client went away
		}
		detail := "The delivery log can't be asked right now. Nothing is known to be lost; try again."
		if r.Method == http.MethodPost {
			detail = "The delivery log does not answer, so it is not known whether this was done. " +
				"Try again; an event that carries an Idempotency-Key is accepted once."
		}
		a.Logger.LogAttrs(r.Context(), level, "the delivery log does not answer",
			slog.String("request_id", w.Header().Get(requestIDHeader)), slog.String("error", err.Error()))
		p = newProblem(unavailable, detail)
	}
	p.write(w)
}

// writeJSON writes one document and a line end. The document is one of ours,
// and all of those can be encoded.
func writeJSON(w http.ResponseWriter, status int, contentType string, document any) {
	body, err := encode(document)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte("{}\n")
	}
	writeBody(w, status, contentType, body)
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// encode is [json.Marshal] without the escapes that only HTML needs.
func encode(document any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(document)
	return b.Bytes(), err
}

// Package attempt makes one HTTP request and says truthfully how it ended. It
// is what the senders of notifications have in common.
//
// A request is sent once: no redirect is followed and nothing is repeated. Of
// an answer's body no more is read than the sender needs. The messages of failures
// are put together from fixed texts, from errors of the operating system and
// from what the dialer's guard says, so that neither a URL, a credential nor
// anything that the receiver wrote can get into them.
package attempt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"agentxchain/internal/delivery"
)

// MaxAnswerBytes is how much of an answer's body [Do] reads. A longer body is
// cut, which is not a failure of the connection.
const MaxAnswerBytes = 64 << 10

// Answer is what a receiver said.
type Answer struct {
	// Status is the final status, 200 or above.
	Status int
	// Header is the answer's.
	Header http.Header
	// Body is the beginning of the body. It is whole or cut where the status is
	// 200 to 299, and may have broken off anywhere where it is not.
	Body []byte
	// Cut is true when Body is all that was to be read and more may follow.
	Cut bool
}

// errTimeout is the cause of a context that the attempt's own limit ended.
var errTimeout = errors.New("timeout")

// Do sends req through transport, reads the answer within limit and returns
// what judge says of it, with the phase and the duration filled in; the
// failures before there is an answer are its own. An error of the transport
// that has a method Reason() string ends the attempt with that reason and the
// error's text, which must be free of secrets.
//
// The clock starts when the transport begins to connect, so that one-time work
// before it, such as reading the certificates of authorities, is not charged
// to the receiver; that work has the same limit once more. The end of ctx is
// an interruption, never a timeout.
func Do(ctx context.Context, transport http.RoundTripper, req *http.Request, limit time.Duration, judge func(Answer) delivery.Result) delivery.Result {
	return DoUpTo(ctx, MaxAnswerBytes, transport, req, limit, judge)
}

// DoUpTo is [Do] for answers whose end matters: of the body at most so many
// bytes are read.
func DoUpTo(ctx context.Context, bytes int64, transport http.RoundTripper, req *http.Request, limit time.Duration, judge func(Answer) delivery.Result) delivery.Result {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	timer := time.AfterFunc(limit, func() { cancel(errTimeout) })
	defer timer.Stop()
	var at progress
	trace := at.trace()
	trace.GetConn = func(string) {
		start = time.Now()
		timer.Reset(limit)
	}
	res, err := exchange(bytes, transport, req.WithContext(httptrace.WithClientTrace(ctx, trace)), judge)
	if err != nil {
		res = failed(context.Cause(ctx), err, limit, at.phase())
	}
	res.Phase = at.phase()
	res.Duration = time.Since(start)
	return res
}

// exchange sends the request and has the answer judged. A body that breaks off
// is an error only where the status would have delivered; a body that does not
// end in time always is one.
func exchange(bytes int64, transport http.RoundTripper, req *http.Request, judge func(Answer) delivery.Result) (delivery.Result, error) {
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return delivery.Result{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		// 101 makes the body a two-way connection, which has no end.
		return Failure(delivery.ReasonProtocol, "The receiver gave no final answer"), nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bytes))
	if err != nil && (resp.StatusCode <= 299 || req.Context().Err() != nil) {
		return delivery.Result{}, err
	}
	return judge(Answer{resp.StatusCode, resp.Header, body, int64(len(body)) == bytes}), nil
}

// failed judges an attempt without an answer: cause is why its context ended,
// if it did.
func failed(cause, err error, limit time.Duration, phase delivery.Phase) delivery.Result {
	switch {
	case errors.Is(cause, errTimeout):
		res := Failure(delivery.ReasonTimeout, fmt.Sprintf("Timed out after %dms", limit.Milliseconds()))
		res.TimedOut = true
		return res
	case cause != nil:
		return Failure(delivery.ReasonInterrupted, interruption(cause))
	}
	return networkFailure(err, phase)
}

// interruption words the end of the caller's context.
func interruption(cause error) string {
	if errors.Is(cause, context.DeadlineExceeded) {
		return "Interrupted: the time for the whole command was over"
	}
	return "Interrupted before the attempt ended"
}

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
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
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

var (
	// errTimeout is the cause of a context that the attempt's own limit ended.
	errTimeout = errors.New("timeout")
	// errGate is the cause of a context that the gate ended.
	errGate = errors.New("the gate is closed")
)

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
//
// The gate of ctx ([delivery.WithGate]) is asked before the first byte of the
// request. When it is closed nothing of it is written, and the attempt ends as
// an interruption in a phase before [delivery.PhaseWrite].
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
	guard(trace, func() bool { return delivery.GateOpen(ctx) }, func() { cancel(errGate) })
	res, err := exchange(bytes, transport, req.WithContext(httptrace.WithClientTrace(ctx, trace)), judge)
	if err != nil {
		res = failed(context.Cause(ctx), err, limit, at.phase())
	}
	res.Phase, res.Address = at.phase(), at.addressOf(res)
	if errors.Is(context.Cause(ctx), errGate) {
		res.Phase = delivery.PhaseConnect // nothing was written
	}
	res.Duration = time.Since(start)
	return res
}

// guard has the gate asked before anything of the request is written. open
// asks it, stop ends the attempt.
//
// The hooks of net/http tell two moments. GotConn comes before the request is
// handed to the connection: HTTP/2 looks at the context once more after it,
// before its first frame. HTTP/1 does not, but it reports its first header
// field from the goroutine that writes, while the beginning of the request is
// still in the connection's buffer of 4 KB; closing the connection there leaves
// nothing to flush it to. The body is no such place: before a reader that it
// does not know, net/http sends the header first.
func guard(trace *httptrace.ClientTrace, open func() bool, stop func()) {
	// The hooks of one connection are called one after the other.
	var conn net.Conn // whose first header field is still to come
	shut := false
	ask := func() bool {
		if shut = shut || !open(); shut {
			stop()
		}
		return !shut
	}
	gotConn := trace.GotConn
	trace.GotConn = func(info httptrace.GotConnInfo) {
		gotConn(info)
		if ask(); !multiplexed(info.Conn) {
			conn = info.Conn
		}
	}
	trace.WroteHeaderField = func(string, []string) {
		if conn == nil {
			return
		}
		if !ask() {
			_ = conn.Close() // how it ends does not matter any more
		}
		conn = nil
	}
}

// multiplexed reports whether other requests use the connection too.
func multiplexed(conn net.Conn) bool {
	c, ok := conn.(*tls.Conn)
	return ok && c.ConnectionState().NegotiatedProtocol == "h2"
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
	case errors.Is(cause, errGate):
		return Failure(delivery.ReasonInterrupted, "The claim on the delivery ended before it was sent")
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

// Package webhook makes one HTTP attempt to deliver an event to one webhook
// and says truthfully how it ended.
//
// The request is a POST of the delivery's exact bytes on a connection of its
// own. Only a final status of 200 to 299 delivers; a redirect is an answer
// like any other and is never followed. Of the answer's body at most
// [MaxAnswerBytes] are read and none is kept. Whatever a [Result]'s message
// says was put together from fixed texts, the receiver's status and the
// address: no path, query, credential or header value can get into it, and
// nothing that the receiver wrote.
//
// [Result]: delivery.Result
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

// MaxAnswerBytes is how much of an answer's body is read. A longer body is
// cut, which is not a failure.
const MaxAnswerBytes = 64 << 10

// Config is one entry of notifications.webhooks, checked.
type Config struct {
	// Name is the target's name: lower-case letters, digits, "_" and "-".
	Name string
	// URL is where events go. It may hold a token in its path or query.
	URL secret.Text
	// Events are the event types that go there; routing reads them.
	Events []string
	// Timeout limits one attempt, from connect to the end of the answer's
	// body: 100 ms to 30 s.
	Timeout time.Duration
	// Headers are sent with every request, in order. Their values may hold
	// placeholders, see [Config.ExpandHeaders].
	Headers []Header
	// Env holds values for placeholders. They are never given to any process.
	Env map[string]secret.Text
}

// Header is one configured header.
type Header struct {
	Name  string
	Value secret.Text
}

// Options are what a [Sender] is made of.
type Options struct {
	// Webhooks are the targets that can be sent to.
	Webhooks []Config
	// Transport carries the requests; required. It decides which addresses
	// may be called: an error of its dialer that has a method
	// Reason() string ends the attempt with that reason and with the error's
	// text, which must be free of secrets. It must not keep connections.
	Transport http.RoundTripper
	// LookupEnv returns the value of a variable for the placeholders of
	// headers; nil means that there are none beside Config.Env.
	LookupEnv func(name string) (value string, ok bool)
	// Version is the version in the User-Agent.
	Version string
	// Now returns the current time; nil means time.Now. Only a Retry-After
	// that names a date is measured with it.
	Now func() time.Time
}

// Sender delivers to the webhooks of one configuration file. It is safe for
// concurrent use.
type Sender struct {
	hooks     map[string]Config
	transport http.RoundTripper
	lookup    func(string) (string, bool)
	agent     string
	now       func() time.Time
}

// NewSender returns a sender. It does no work that could fail: what is wrong
// with one webhook fails the deliveries to that one.
func NewSender(o Options) *Sender {
	s := &Sender{
		hooks:     make(map[string]Config, len(o.Webhooks)),
		transport: o.Transport,
		lookup:    o.LookupEnv,
		agent:     "agentxchain/" + o.Version,
		now:       o.Now,
	}
	for _, h := range o.Webhooks {
		s.hooks[h.Name] = h
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Send makes one attempt at a delivery, to the webhook that its target names.
// It ends when the answer has been read, when the webhook's time is over, or
// when ctx is done, which is recorded as an interruption.
func (s *Sender) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	hook, ok := s.hooks[d.Target.Name]
	if !ok {
		return failure(delivery.ReasonTargetGone, "The webhook is no longer in the configuration")
	}
	req, p := s.request(hook, d)
	if p != nil {
		return failure(p.reason, p.message)
	}
	return s.attempt(ctx, req, hook.Timeout)
}

// problem is why a request cannot even be made. Its message holds no secret.
type problem struct {
	reason  delivery.Reason
	message string
}

func failure(reason delivery.Reason, message string) delivery.Result {
	return delivery.Result{Reason: reason, Message: oneLine(message), Retry: retryable(reason)}
}

func (s *Sender) request(hook Config, d delivery.Delivery) (*http.Request, *problem) {
	u, p := parseURL(hook.URL.Reveal())
	if p != nil {
		return nil, p
	}
	headers, missing := hook.ExpandHeaders(s.lookup)
	if len(missing) > 0 {
		return nil, unresolved(missing)
	}
	h, p := requestHeader(headers, d.ContentType, s.agent)
	if p != nil {
		return nil, p
	}
	// No GetBody: a transport must not send the event a second time.
	return &http.Request{
		Method:        http.MethodPost,
		URL:           u,
		Header:        h,
		Body:          io.NopCloser(bytes.NewReader(d.Body)),
		ContentLength: int64(len(d.Body)),
	}, nil
}

// errTimeout is the cause of a context that the webhook's own limit ended.
var errTimeout = errors.New("timeout")

// attempt sends req and reads the answer within limit. The clock starts when
// the transport begins to connect, so that one-time work before it, such as
// reading the certificates of authorities, is not charged to the receiver;
// that work has the same limit once more.
func (s *Sender) attempt(ctx context.Context, req *http.Request, limit time.Duration) delivery.Result {
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
	res, err := s.exchange(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		phase := at.phase()
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, errTimeout):
			res = failure(delivery.ReasonTimeout, fmt.Sprintf("Timed out after %dms", limit.Milliseconds()))
			res.TimedOut = true
		case cause != nil:
			res = failure(delivery.ReasonInterrupted, interruption(cause))
		default:
			res = networkFailure(err, phase)
		}
	}
	res.Phase = at.phase()
	res.Duration = time.Since(start)
	return res
}

// exchange sends the request and judges the answer by its status. A body that
// breaks off is an error only where the status would have delivered; a body
// that does not end in time always is one.
func (s *Sender) exchange(req *http.Request) (delivery.Result, error) {
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return delivery.Result{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		// 101 makes the body a two-way connection, which has no end.
		return failure(delivery.ReasonProtocol, "The receiver gave no final answer"), nil
	}
	res := statusResult(resp.StatusCode, resp.Header.Get("Retry-After"), s.now())
	_, err = io.CopyN(io.Discard, resp.Body, MaxAnswerBytes)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return res, nil
	case res.Delivered || req.Context().Err() != nil:
		return delivery.Result{}, err
	}
	return res, nil
}

// interruption words the end of the caller's context.
func interruption(cause error) string {
	if errors.Is(cause, context.DeadlineExceeded) {
		return "Interrupted: the time for the whole command was over"
	}
	return "Interrupted before the attempt ended"
}

// Package webhook makes one HTTP attempt to deliver an event to one webhook
// and says truthfully how it ended.
//
// The request is a POST of the delivery's exact bytes on a connection of its
// own. Only a final status of 200 to 299 delivers; a redirect is an answer
// like any other and is never followed. Of the answer's body at most
// [attempt.MaxAnswerBytes] are read and none is kept. Whatever a [Result]'s
// message says was put together from fixed texts, the receiver's status and
// the address: no path, query, credential or header value can get into it, and
// nothing that the receiver wrote.
//
// A webhook of gateway.yaml is signed with each of its secrets (see [Sign] and
// [Verify]); [Body] is what it receives unless a template makes it.
//
// [Result]: delivery.Result
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/attempt"
	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

// GatewayTimeout limits one attempt at a webhook of gateway.yaml, which has no
// setting for it. Agent Gateway allows as much for each phase of a request
// (contract/agent-gateway.md, section 4.2), here it holds for all of them.
const GatewayTimeout = 10 * time.Second

// Config is one entry of notifications.webhooks, checked.
type Config struct {
	// Name is the target's name: in agentxchain.json lower-case letters,
	// digits, "_" and "-", in gateway.yaml any text.
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
	// Secrets sign the body, each of them, the one that most receivers hold
	// first; none means unsigned. One that is empty or refused by [CheckSecret]
	// fails every delivery. Only webhooks of gateway.yaml have them.
	Secrets []secret.Text
	// Signature is how a signature is written.
	Signature SignatureFormat
	// PayloadTemplate is the Jinja2 source that makes the body, read by
	// render; empty means the channel's own body.
	PayloadTemplate string
	// PayloadTemplateLine is the line of the file on which PayloadTemplate
	// begins, from 1, for messages; 0 when it is in no file.
	PayloadTemplateLine int
	// Missing names the environment variables that the entry needs and that
	// are not set. While there are any, every delivery fails.
	Missing []string
}

// SignatureFormat is how X-AgentGateway-Signature is written.
type SignatureFormat string

// The formats of a signature.
const (
	// SignaturePrefixed is "sha256=" and the hexadecimal digest, which is what
	// Agent Gateway sends. The empty format means it too.
	SignaturePrefixed SignatureFormat = "sha256"
	// SignatureHex is the bare digest, which the verify function of Agent
	// Gateway's guide compares.
	SignatureHex SignatureFormat = "hex"
)

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
	// EventID adds the event's id to every request, as the header webhook-id
	// of Standard Webhooks, by which receivers can drop repeated deliveries. It
	// is for the webhooks of gateway.yaml: those of agentxchain.json get no
	// header that they were not configured with.
	EventID bool
	// Now returns the current time; nil means time.Now. It dates signatures,
	// and a Retry-After that names a date is measured with it.
	Now func() time.Time
}

// Sender delivers to the webhooks of one configuration file. It is safe for
// concurrent use.
type Sender struct {
	hooks     map[string]Config
	transport http.RoundTripper
	lookup    func(string) (string, bool)
	agent     string
	eventID   bool
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
		eventID:   o.EventID,
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
		return attempt.Failure(delivery.ReasonTargetGone, "The webhook is no longer in the configuration")
	}
	return s.SendTo(ctx, hook, d)
}

// SendTo is [Sender.Send] to a webhook that need not be among Options.Webhooks,
// such as the URL in a rule of an agent.
func (s *Sender) SendTo(ctx context.Context, hook Config, d delivery.Delivery) delivery.Result {
	req, p := s.request(hook, d)
	if p != nil {
		return attempt.Failure(p.reason, p.message)
	}
	return attempt.Do(ctx, s.transport, req, hook.Timeout, s.judge)
}

// judge takes an answer by its status alone.
func (s *Sender) judge(a attempt.Answer) delivery.Result {
	return attempt.Status("Webhook", a.Status, a.Header.Get("Retry-After"), s.now())
}

// problem is why a request cannot even be made. Its message holds no secret.
type problem struct {
	reason  delivery.Reason
	message string
}

func (s *Sender) request(hook Config, d delivery.Delivery) (*http.Request, *problem) {
	if len(hook.Missing) > 0 {
		return nil, undefined(hook.Missing)
	}
	u, p := parseURL(hook.URL.Reveal())
	if p != nil {
		return nil, p
	}
	headers, missing := hook.ExpandHeaders(s.lookup)
	if len(missing) > 0 {
		return nil, unresolved(missing)
	}
	own, p := s.ownHeader(hook, d)
	if p != nil {
		return nil, p
	}
	h, p := requestHeader(headers, own, s.agent)
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

// ownHeader returns the headers that no configuration can replace. Signatures
// are made here, at each attempt, because they are good for minutes only.
func (s *Sender) ownHeader(hook Config, d delivery.Delivery) (http.Header, *problem) {
	timestamp := strconv.FormatInt(s.now().Unix(), 10)
	h, err := signatures(hook.Secrets, hook.Signature, d.Event.ID, timestamp, d.Body)
	if err != nil {
		return nil, &problem{delivery.ReasonProtocol, "The request cannot be signed: a secret is empty, or begins with whsec_ and is not base64"}
	}
	if h == nil {
		h = make(http.Header, 2)
	}
	if s.eventID {
		h[standardIDHeader] = []string{d.Event.ID}
	}
	h["Content-Type"] = []string{cmp.Or(d.ContentType, "application/json")}
	return h, nil
}

// undefined is Agent Gateway's text for variables that are not set.
func undefined(names []string) *problem {
	if len(names) == 1 {
		return &problem{
			delivery.ReasonHeaderEnv,
			"Environment variable '${" + names[0] + "}' is not defined. Set it or remove the reference from gateway.yaml.",
		}
	}
	return &problem{
		delivery.ReasonHeaderEnv,
		"Environment variables '${" + strings.Join(names, "}', '${") + "}' are not defined. Set them or remove the references from gateway.yaml.",
	}
}

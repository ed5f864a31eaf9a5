package slack

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"agentxchain/internal/attempt"
	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

const (
	// DefaultBaseURL is where Slack's methods are.
	DefaultBaseURL = "https://slack.com/api/"
	// DefaultTimeout limits one attempt where nothing else is said.
	DefaultTimeout = 10 * time.Second
	// ContentType is the type of every body. Without the charset Slack warns.
	ContentType = "application/json; charset=utf-8"
)

// maxAnswer is how much of an answer is read, in bytes. Slack repeats the
// message in it, whose blocks can be long once they are escaped.
const maxAnswer = 1 << 20

// method is the one that is called, relative to the base URL.
const method = "chat.postMessage"

// Options are what a [Sender] is made of.
type Options struct {
	// Config is the section notifications.slack; its token authenticates.
	Config Config
	// BaseURL is where Slack's methods are, with or without the last slash;
	// empty means DefaultBaseURL. It comes from SLACK_API_URL.
	BaseURL string
	// Transport carries the requests; required. It decides which addresses may
	// be called, see [attempt.Do], and must not keep connections.
	Transport http.RoundTripper
	// Timeout limits one attempt, from connect to the end of the answer's
	// body; zero means DefaultTimeout.
	Timeout time.Duration
	// Version is the version in the User-Agent.
	Version string
	// Now returns the current time; nil means time.Now. Only a Retry-After
	// that names a date is measured with it.
	Now func() time.Time
	// Threads learns which message began the thread of a run; nil means that
	// nothing is remembered.
	Threads *Threads
}

// Sender posts messages with one bot's token. It is safe for concurrent use.
type Sender struct {
	opts Options
}

// NewSender returns a sender. It does no work that could fail: what is wrong
// with the configuration fails each delivery.
func NewSender(o Options) *Sender {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sender{opts: o}
}

// Send makes one attempt to post the delivery's body, exactly as it is. The
// body says which channel; the target's name is not looked at. Send ends when
// the answer has been read, when the time limit is over, or when ctx is done,
// which is recorded as an interruption.
func (s *Sender) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	req, p := s.request(d.Body)
	if p != nil {
		return attempt.Failure(p.reason, p.message)
	}
	var said answer
	res := attempt.DoUpTo(ctx, maxAnswer, s.opts.Transport, req, s.opts.Timeout, func(a attempt.Answer) delivery.Result {
		if said = readAnswer(a.Body, s.opts.Config.BotToken); !said.complete && a.Cut {
			said = beginning(a.Body)
		}
		return said.judge(a.Status, a.Header.Get("Retry-After"), s.opts.Now())
	})
	if err := s.learn(d, said, res); err != nil {
		res.Message += "; its thread was not remembered: " + withoutPath(err).Error()
	}
	return res
}

// problem is why a request cannot even be made. Its message holds no secret.
type problem struct {
	reason  delivery.Reason
	message string
}

func (s *Sender) request(body []byte) (*http.Request, *problem) {
	token, p := s.token()
	if p != nil {
		return nil, p
	}
	u, ok := methodURL(s.opts.BaseURL)
	if !ok {
		return nil, &problem{delivery.ReasonProtocol, "SLACK_API_URL cannot be used: it must be an http or https URL without credentials, query or fragment"}
	}
	// No GetBody: a transport must not post the message a second time.
	return &http.Request{
		Method: http.MethodPost,
		URL:    u,
		Header: http.Header{
			"Accept":        {"application/json"},
			"Authorization": {"Bearer " + token.Reveal()},
			"Content-Type":  {ContentType},
			"User-Agent":    {"agentxchain/" + s.opts.Version},
		},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}, nil
}

// token returns the bot's token as it goes on the wire, or why there is none.
// An empty one gets the word that Slack has for it, unasked.
func (s *Sender) token() (secret.Text, *problem) {
	c := s.opts.Config
	token := strings.TrimSpace(c.BotToken.Reveal())
	switch {
	case !c.Enabled:
		return secret.Text{}, &problem{delivery.ReasonTargetGone, "Slack is no longer enabled in the configuration"}
	case len(c.Missing) > 0:
		return secret.Text{}, &problem{delivery.ReasonHeaderEnv, "Unresolved variables: " + strings.Join(c.Missing, ", ")}
	case token == "":
		return secret.Text{}, &problem{delivery.ReasonRejected, "not_authed"}
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return secret.Text{}, &problem{delivery.ReasonProtocol, "bot_token holds characters that no token has"}
	}
	return secret.New(token), nil
}

// methodURL returns the URL of the method under a base such as
// "https://slack.com/api", with or without a slash at its end.
func methodURL(base string) (*url.URL, bool) {
	u, err := url.Parse(strings.TrimSpace(base))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, false
	}
	return u.JoinPath(method), true
}

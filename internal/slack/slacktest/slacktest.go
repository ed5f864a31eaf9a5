// Package slacktest is a double of Slack for tests: an HTTP handler for the
// one method chat.postMessage that checks requests as Slack's documentation
// says, and keeps the messages. Only tests import it.
//
// It knows nothing of package slack and is written from the pages
// "chat.postMessage", "Using the Slack Web API", "Rate limits", "Formatting
// message text" and those of the Block Kit reference, so that a message which
// passes here is one that Slack's own documentation allows. Where it is
// stricter than Slack, a comment says so.
package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
)

// Channel is a conversation of the workspace.
type Channel struct {
	// ID is such as "C0123456789", Name such as "alerts".
	ID, Name string
	// Archived refuses messages with is_archived.
	Archived bool
	// Closed refuses messages with not_in_channel: the bot was not invited.
	Closed bool
}

// Message is what was posted.
type Message struct {
	// Channel is the channel's id, TS the message's own.
	Channel, TS string
	// Text and ThreadTS are those of the request.
	Text, ThreadTS string
	// Blocks are the request's blocks as they came; nil when it had none.
	Blocks json.RawMessage
	// Body is the whole request.
	Body []byte
}

// Slack is a workspace with one bot. It is safe for concurrent use.
type Slack struct {
	token    string
	channels []Channel

	mu       sync.Mutex
	messages []Message
	requests int
	throttle int
	wait     int
	words    []string
}

// New returns a workspace whose bot has the given token.
func New(token string, channels ...Channel) *Slack {
	return &Slack{token: token, channels: channels}
}

// Throttle answers the next n requests 429, with Retry-After in seconds.
func (s *Slack) Throttle(n, seconds int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttle, s.wait = n, seconds
}

// Refuse answers one of the next requests with each of the words.
func (s *Slack) Refuse(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = append(s.words, words...)
}

// Messages returns what was posted, in order.
func (s *Slack) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Requests returns how many requests came, the refused ones included.
func (s *Slack) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// answer is the JSON of Slack's answers.
type answer struct {
	OK       bool      `json:"ok"`
	Error    string    `json:"error,omitempty"`
	Warning  string    `json:"warning,omitempty"`
	Channel  string    `json:"channel,omitempty"`
	TS       string    `json:"ts,omitempty"`
	Metadata *metadata `json:"response_metadata,omitempty"`
}

type metadata struct {
	Messages []string `json:"messages,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// ServeHTTP answers one request.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if s.throttle > 0 { // "Rate limits"
		s.throttle--
		w.Header().Set("Retry-After", strconv.Itoa(s.wait))
		w.WriteHeader(http.StatusTooManyRequests)
		_ = json.NewEncoder(w).Encode(answer{Error: "ratelimited"})
		return
	}
	_ = json.NewEncoder(w).Encode(s.answer(r, body))
}

// answer checks in the order of "Using the Slack Web API": the call, who
// calls, what is asked for.
func (s *Slack) answer(r *http.Request, body []byte) answer {
	if len(s.words) > 0 {
		word := s.words[0]
		s.words = s.words[1:]
		return answer{Error: word}
	}
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/chat.postMessage") {
		return answer{Error: "unknown_method"}
	}
	warning, word := checkType(r.Header.Get("Content-Type"))
	if word == "" {
		word = s.checkToken(r.Header.Get("Authorization"))
	}
	if word != "" {
		return answer{Error: word}
	}
	a := s.post(body)
	if warning != "" {
		a.Warning, a.Metadata = warning, &metadata{Warnings: []string{warning}}
	}
	return a
}

// checkType: "POST bodies", and the errors invalid_post_type,
// missing_post_type and invalid_charset of every method.
func checkType(header string) (warning, word string) {
	if header == "" {
		return "", "missing_post_type"
	}
	kind, params, err := mime.ParseMediaType(header)
	switch {
	case err != nil || kind != "application/json":
		return "", "invalid_post_type" // forms are legal and not what we send
	case params["charset"] == "":
		return "missing_charset", ""
	case !strings.EqualFold(params["charset"], "utf-8"):
		return "", "invalid_charset"
	}
	return "", ""
}

func (s *Slack) checkToken(header string) string {
	token, ok := strings.CutPrefix(header, "Bearer ")
	switch {
	case !ok || token == "":
		return "not_authed"
	case token != s.token:
		return "invalid_auth"
	}
	return ""
}

// post checks the arguments of chat.postMessage and keeps the message.
func (s *Slack) post(body []byte) answer {
	var args struct {
		Channel  string          `json:"channel"`
		Text     string          `json:"text"`
		Blocks   json.RawMessage `json:"blocks"`
		ThreadTS string          `json:"thread_ts"`
	}
	if err := json.Unmarshal(body, &args); err != nil {
		return answer{Error: "invalid_json", Metadata: &metadata{Messages: []string{err.Error()}}}
	}
	c, word := s.channel(args.Channel)
	if word != "" {
		return answer{Error: word}
	}
	if problems := Check(args.Text, args.Blocks); len(problems) > 0 {
		return answer{Error: problems[0].Word, Metadata: &metadata{Messages: messages(problems)}}
	}
	if args.ThreadTS != "" && !s.hasThread(c.ID, args.ThreadTS) {
		return answer{Error: "thread_not_found"} // stricter than Slack, which often posts all the same
	}
	ts := fmt.Sprintf("%d.%06d", 1_760_000_000+len(s.messages), 100*len(s.messages)+100)
	s.messages = append(s.messages, Message{c.ID, ts, args.Text, args.ThreadTS, args.Blocks, body})
	return answer{OK: true, Channel: c.ID, TS: ts}
}

// channel finds a conversation by its id or its name, with or without "#".
func (s *Slack) channel(asked string) (Channel, string) {
	for _, c := range s.channels {
		if asked == "" || asked != c.ID && strings.TrimPrefix(asked, "#") != c.Name {
			continue
		}
		switch {
		case c.Archived:
			return Channel{}, "is_archived"
		case c.Closed:
			return Channel{}, "not_in_channel"
		}
		return c, ""
	}
	return Channel{}, "channel_not_found"
}

// hasThread reports whether a message can be continued: one that is no reply.
func (s *Slack) hasThread(channel, ts string) bool {
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts && m.ThreadTS == "" {
			return true
		}
	}
	return false
}

// length counts UTF-16 units, the largest of the counts that "characters" in
// the documentation could mean.
func length(s string) int { return len(utf16.Encode([]rune(s))) }

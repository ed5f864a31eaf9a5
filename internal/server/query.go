package server

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/suggest"
)

const (
	// defaultLimit and maxLimit are the guide's page size and the package's
	// bound (contract/agent-gateway.md, section 7.1).
	defaultLimit = 50
	maxLimit     = 200
	// maxOffset bounds how many records a list passes over.
	maxOffset = math.MaxInt32
	// maxWord is how long a value of a parameter may be, in bytes.
	maxWord = 1024
	// maxMistakes bounds how many mistakes one answer lists.
	maxMistakes = 20
)

// parameter is a query parameter of the list: its name, and what reads its
// value into the query. What it returns says what is wrong, or nothing.
type parameter struct {
	name string
	read func(q *listQuery, value string) string
}

// listQuery is what a list was asked for.
type listQuery struct {
	filter delivery.Filter
	page   delivery.Page
	now    time.Time
}

// listParameters are all parameters of the list, the guide's first.
func listParameters() []parameter {
	return []parameter{
		{"status", (*listQuery).readStatus},
		{"agent_id", func(q *listQuery, v string) string { return readWord(&q.filter.Agent, v) }},
		{"channel", (*listQuery).readChannel},
		{"execution_id", func(q *listQuery, v string) string { return readWord(&q.filter.ExecutionID, v) }},
		{"limit", func(q *listQuery, v string) string { return readNumber(&q.page.Limit, v, 1, maxLimit) }},
		{"offset", func(q *listQuery, v string) string { return readNumber(&q.page.Offset, v, 0, maxOffset) }},
		{"event_type", (*listQuery).readEventType},
		{"target", func(q *listQuery, v string) string { return readWord(&q.filter.Target, v) }},
		{"since", (*listQuery).readSince},
	}
}

// readQuery reads the query of a list. Every parameter may come once; a name
// or value that is not known is a mistake, because a filter that silently
// matches everything, or nothing, misleads.
func readQuery(raw string, now time.Time) (listQuery, []mistake) {
	q := listQuery{page: delivery.Page{Limit: defaultLimit}, now: now}
	known := listParameters()
	names := make([]string, len(known))
	for i, p := range known {
		names[i] = p.name
	}
	var mistakes []mistake
	seen := map[string]bool{}
	for name, value := range pairs(raw) {
		i := slices.Index(names, name)
		var wrong string
		switch {
		case i < 0:
			wrong = unknownParameter(name, names)
		case seen[name]:
			wrong = "is given more than once"
		case value == nil:
			wrong = "has a value with a broken percent-encoding"
		default:
			wrong = known[i].read(&q, *value)
		}
		seen[name] = true
		if wrong != "" && len(mistakes) < maxMistakes {
			mistakes = append(mistakes, mistake{Parameter: shown(name), Detail: wrong})
		}
	}
	return q, mistakes
}

// noParameters returns the problem of a query where none is known.
func noParameters(raw string) error {
	var mistakes []mistake
	for name := range pairs(raw) {
		if len(mistakes) < maxMistakes {
			mistakes = append(mistakes, mistake{Parameter: shown(name), Detail: "is not a parameter; this path has none"})
		}
	}
	return wrongParameters(mistakes)
}

// wrongParameters is the problem of a query with mistakes, nil without any.
func wrongParameters(mistakes []mistake) error {
	if len(mistakes) == 0 {
		return nil
	}
	parts := make([]string, len(mistakes))
	for i, m := range mistakes {
		parts[i] = m.Parameter + " " + m.Detail
	}
	return newProblem(invalidParameters, sentence(strings.Join(parts, "; ")), mistakes...)
}

// pairs yields the names of a query with their values, in order; nil stands
// for a value that can't be decoded. A name that can't be is given as it came.
func pairs(raw string) func(yield func(string, *string) bool) {
	return func(yield func(string, *string) bool) {
		for pair := range strings.SplitSeq(raw, "&") {
			if pair == "" {
				continue
			}
			name, value, _ := strings.Cut(pair, "=")
			if decoded, err := url.QueryUnescape(name); err == nil {
				name = decoded
			}
			var text *string
			if decoded, err := url.QueryUnescape(value); err == nil {
				text = &decoded
			}
			if !yield(name, text) {
				return
			}
		}
	}
}

func unknownParameter(name string, known []string) string {
	hint := "there are " + strings.Join(known, ", ")
	if near := suggest.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near) + hint
	}
	return "is not a parameter; " + hint
}

// readStatus takes the guide's words, of which two stand for two states each.
func (q *listQuery) readStatus(value string) string {
	words := []string{"delivered", "failed", "pending"}
	switch value {
	case "delivered":
		q.filter.Statuses = []delivery.Status{delivery.Delivered}
	case "failed":
		q.filter.Statuses = []delivery.Status{delivery.Failed, delivery.Discarded}
	case "pending":
		q.filter.Statuses = []delivery.Status{delivery.Pending, delivery.Sending}
	default:
		return oneOf(value, words)
	}
	return ""
}

func (q *listQuery) readChannel(value string) string {
	switch c := delivery.Channel(value); c {
	case delivery.Slack, delivery.Webhook:
		q.filter.Channel = c
		return ""
	}
	return oneOf(value, []string{string(delivery.Slack), string(delivery.Webhook)})
}

// readEventType takes both spellings of agent-run events.
func (q *listQuery) readEventType(value string) string {
	t, err := events.ParseType(value)
	if err != nil {
		var names []string
		for _, t := range append(events.Types(events.Agent), events.Types(events.Governed)...) {
			names = append(names, string(t))
		}
		return oneOf(value, names)
	}
	q.filter.EventType = string(t)
	return ""
}

// readSince takes a time, or how long ago it was.
func (q *listQuery) readSince(value string) string {
	if ago, err := time.ParseDuration(value); err == nil {
		if ago <= 0 {
			return fmt.Sprintf("is %q; a duration must be more than zero", shorten(value))
		}
		q.filter.Since = q.now.Add(-ago).UTC()
		return ""
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		hint := ""
		if strings.Contains(value, " ") {
			hint = "; a plus sign is written %2B in a query"
		}
		return fmt.Sprintf("is %q; it must be a time such as 2026-01-31T12:00:00Z or a duration such as 24h%s", shorten(value), hint)
	}
	q.filter.Since = at.UTC()
	return ""
}

// readWord takes a value that is compared as it is.
func readWord(field *string, value string) string {
	switch {
	case value == "":
		return "is empty; leave it out to choose all"
	case len(value) > maxWord:
		return fmt.Sprintf("is longer than %d bytes", maxWord)
	case !plain(value):
		return "holds a control character or is not UTF-8"
	}
	*field = value
	return ""
}

// plain reports whether s is UTF-8 without control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// readNumber takes decimal digits and nothing else.
func readNumber(field *int, value string, least, most int) string {
	n, err := strconv.Atoi(value)
	digits := value != "" && strings.Trim(value, "0123456789") == ""
	if err != nil || !digits || n < least || n > most {
		return fmt.Sprintf("is %q; it must be a whole number from %d to %d", shorten(value), least, most)
	}
	*field = n
	return ""
}

// sentence ends a text like one.
func sentence(text string) string {
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// oneOf says that a value is none of the words, and which was probably meant.
func oneOf(value string, words []string) string {
	text := fmt.Sprintf("is %q; it must be one of %s", shorten(value), strings.Join(words, ", "))
	if near := suggest.Nearest(value, words); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return text
}

// shown is the name of a parameter for an answer, which names every one.
func shown(name string) string {
	if name == "" {
		return `""`
	}
	return shorten(name)
}

// shorten keeps messages readable whatever was sent.
func shorten(s string) string {
	const longest = 64
	if len(s) <= longest {
		return s
	}
	end := longest
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

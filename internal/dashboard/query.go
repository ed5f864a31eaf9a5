package dashboard

import (
	"fmt"
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
	// pageSize is the contract's (section 8.1).
	pageSize = 20
	// maxValue bounds one value of the filter, in bytes.
	maxValue = 512
	// maxOffset is far beyond any log.
	maxOffset = 1_000_000_000
)

// query is the filter form as it was sent, checked.
type query struct {
	// Status, Agent, Channel, Event, Target, Execution, Run, EventID and Since
	// are the values as typed.
	Status, Agent, Channel, Event, Target, Execution, Run, EventID, Since string
	// Offset is how many records are passed over.
	Offset int
	// Problems say what can't be followed; with one, nothing is looked up.
	Problems []string

	eventType events.Type
}

// field is one key of the query and where its value goes.
type field struct {
	key   string
	value *string
}

func (q *query) fields() []field {
	return []field{
		{"status", &q.Status},
		{"agent_id", &q.Agent},
		{"channel", &q.Channel},
		{"event_type", &q.Event},
		{"target", &q.Target},
		{"execution_id", &q.Execution},
		{"run_id", &q.Run},
		{"event_id", &q.EventID},
		{"since", &q.Since},
	}
}

// parseQuery reads a list's query. Nothing is silently ignored: a filter that
// does nothing shows records that were not asked for.
func parseQuery(raw string) query {
	var q query
	values, err := url.ParseQuery(raw)
	if err != nil {
		q.problem("The address can't be read: a %% sign or semicolon in it is out of place.")
	}
	known := []string{"offset"}
	for _, f := range q.fields() {
		known = append(known, f.key)
		*f.value = strings.TrimSpace(q.single(values, f.key))
	}
	for key := range values {
		if !slices.Contains(known, key) {
			q.unknown(key, known)
		}
	}
	slices.Sort(q.Problems)
	q.readOffset(q.single(values, "offset"))
	q.check()
	return q
}

func (q *query) problem(format string, args ...any) {
	q.Problems = append(q.Problems, fmt.Sprintf(format, args...))
}

func (q *query) unknown(key string, known []string) {
	hint := ""
	if near := suggest.Nearest(key, known); near != "" {
		hint = fmt.Sprintf(" Did you mean “%s”?", near)
	}
	q.problem("There is no filter “%s”.%s", short(key, 40), hint)
}

// single returns the one value of a key.
func (q *query) single(values url.Values, key string) string {
	list := values[key]
	switch {
	case len(list) == 0:
		return ""
	case len(list) > 1:
		q.problem("“%s” is given %d times; give it once.", key, len(list))
		return ""
	case len(list[0]) > maxValue:
		q.problem("“%s” is longer than %d characters.", key, maxValue)
		return ""
	case !utf8.ValidString(list[0]) || strings.ContainsFunc(list[0], unicode.IsControl):
		q.problem("“%s” has characters that no record has.", key)
		return ""
	}
	return list[0]
}

func (q *query) readOffset(text string) {
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxOffset || strings.HasPrefix(text, "+") {
		q.problem("“offset” is “%s”; it counts the records passed over, from 0 up.", short(text, 20))
		return
	}
	q.Offset = n
}

// check holds the values with a closed list to it.
func (q *query) check() {
	q.oneOf("status", q.Status, []string{"delivered", "failed", "pending"})
	q.oneOf("channel", q.Channel, []string{string(delivery.Webhook), string(delivery.Slack)})
	q.oneOf("since", q.Since, []string{"1h", "24h", "7d", "all"})
	if q.Event == "" {
		return
	}
	t, err := events.ParseType(q.Event)
	if err != nil {
		hint := ""
		var names []string
		for _, family := range []events.Family{events.Governed, events.Agent} {
			for _, known := range events.Types(family) {
				names = append(names, string(known))
			}
		}
		if near := suggest.Nearest(q.Event, names); near != "" {
			hint = fmt.Sprintf(" Did you mean “%s”?", near)
		}
		q.problem("There is no event type “%s”.%s", short(q.Event, 40), hint)
	}
	q.eventType = t
}

func (q *query) oneOf(key, value string, allowed []string) {
	if value != "" && !slices.Contains(allowed, value) {
		q.problem("“%s” is “%s”; it may be %s.", key, short(value, 40), strings.Join(allowed, ", "))
	}
}

// filter is the query as the log understands it. The seed's words stand for
// several states: pending also for what is being sent, failed also for what
// was given up.
func (q *query) filter(now time.Time) delivery.Filter {
	f := delivery.Filter{
		Agent: q.Agent, ExecutionID: q.Execution, RunID: q.Run, EventID: q.EventID, Target: q.Target,
		Channel: delivery.Channel(q.Channel), EventType: string(q.eventType),
	}
	switch q.Status {
	case "delivered":
		f.Statuses = []delivery.Status{delivery.Delivered}
	case "failed":
		f.Statuses = []delivery.Status{delivery.Failed, delivery.Discarded}
	case "pending":
		f.Statuses = []delivery.Status{delivery.Pending, delivery.Sending}
	}
	if d := sinceSpan(q.Since); d > 0 {
		// Whole minutes, so that a log which keeps totals until something changes
		// is asked for the same one again.
		f.Since = now.UTC().Add(-d).Truncate(time.Minute)
	}
	return f
}

// sinceSpan is how far back a value of "since" reaches; 0 is without end.
func sinceSpan(since string) time.Duration {
	switch since {
	case "1h":
		return time.Hour
	case "24h":
		return 24 * time.Hour
	case "7d":
		return 7 * 24 * time.Hour
	}
	return 0
}

// Active reports whether anything is filtered.
func (q query) Active() bool {
	for _, f := range q.fields() {
		if *f.value != "" && (f.key != "since" || *f.value != "all") {
			return true
		}
	}
	return false
}

// at is the address of the list with this filter at another offset.
func (q *query) at(offset int) string {
	values := url.Values{}
	for _, f := range q.fields() {
		if *f.value != "" {
			values.Set(f.key, *f.value)
		}
	}
	if offset > 0 {
		values.Set("offset", strconv.Itoa(offset))
	}
	return link(values)
}

// with is the address of the list's first page with one value changed.
func (q *query) with(key, value string) string {
	changed := *q
	for _, f := range changed.fields() {
		if f.key == key {
			*f.value = value
		}
	}
	return changed.at(0)
}

func link(values url.Values) string {
	if len(values) == 0 {
		return home
	}
	return home + "?" + values.Encode()
}

// only is the address of the list filtered by one value.
func only(key, value string) string { return link(url.Values{key: {value}}) }

// short cuts a text for a message.
func short(s string, most int) string {
	r := []rune(strings.ToValidUTF8(s, "�"))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most-1]) + "…"
}

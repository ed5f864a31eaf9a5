package config

import (
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

const (
	maxWebhooks = 8
	// minTimeout and maxTimeout are milliseconds.
	minTimeout, maxTimeout = 100, 30_000

	reminderEvent = string(events.ApprovalSLAReminder)
)

// notificationFields are the keys of notifications. "local" is allowed and
// never read.
func notificationFields() []string { return []string{"webhooks", "approval_sla", "local"} }

// governedEvents are the names that a webhook may subscribe to, in the order
// in which messages list them.
func governedEvents() []string {
	var names []string
	for _, t := range events.Types(events.Governed) {
		names = append(names, string(t))
	}
	return names
}

// notifications applies the rules of contract section 2 in their order; the
// numbers below are the rows of its table.
func (c *checker) notifications(v *ecmajson.Value) {
	const pointer = "/notifications"
	if !v.Is(ecmajson.Object) { // 1
		c.fail(at(v, pointer), "notifications must be an object", `write "notifications": {"webhooks": [ … ]}`)
		return
	}
	for _, m := range ownMembers(v) {
		if !slices.Contains(notificationFields(), m.Key) { // 2
			c.fail(key(m, pointer), fmt.Sprintf(`notifications contains unknown field "%s"`, m.Key), c.suggest(m.Key, notificationFields()))
		}
	}
	if !v.Has("webhooks") { // 3
		return
	}
	webhooks := v.Get("webhooks")
	if !webhooks.Is(ecmajson.Array) { // 4
		c.fail(at(webhooks, pointer+"/webhooks"), "notifications.webhooks must be an array", `write "webhooks": [ … ]`)
		return
	}
	if webhooks.Len() > maxWebhooks { // 5
		c.fail(at(webhooks.Items()[maxWebhooks], index(pointer+"/webhooks", maxWebhooks)),
			fmt.Sprintf("notifications.webhooks: maximum %d webhooks", maxWebhooks), "let one receiver fan out to the others")
	}
	used := map[string]bool{}
	for i, w := range webhooks.Items() {
		c.webhook(w, i, used)
	}
	if v.Has("approval_sla") {
		c.approvalSLA(v.Get("approval_sla"), webhooks)
	}
}

// entry is one webhook while it is checked.
type entry struct {
	*checker
	v *ecmajson.Value
	// name and pointer are the entry's place, for people and for programs.
	name, pointer string
}

func newEntry(c *checker, v *ecmajson.Value, i int) entry {
	return entry{c, v, fmt.Sprintf("notifications.webhooks[%d]", i), index("/notifications/webhooks", i)}
}

// wrong records a fault of one of the entry's keys.
func (e entry) wrong(name, message, hint string) {
	e.fail(child(e.v, e.pointer, name), e.name+": "+message, hint)
}

func (c *checker) webhook(v *ecmajson.Value, i int, used map[string]bool) {
	e := newEntry(c, v, i)
	if !v.Is(ecmajson.Object) { // 6
		c.fail(at(v, e.pointer), e.name+" must be an object", "a webhook has name, url, events and timeout_ms")
		return
	}
	e.checkName(used)
	e.checkURL()
	e.checkEvents()
	e.checkTimeout()
	if v.Has("headers") {
		e.checkHeaders()
	}
	if v.Has("env") {
		e.checkEnv()
	}
}

func (e entry) checkName(used map[string]bool) {
	v := e.v.Get("name")
	switch name := v.Str(); {
	case isBlank(v): // 7
		e.wrong("name", "name must be a non-empty string", `evidence names the webhook by it, for example "ops"`)
	case !isName(name): // 8
		e.wrong("name", "name must match ^[a-z0-9_-]+$", "use lower-case letters, digits, _ and -")
	case used[name]: // 9
		e.wrong("name", fmt.Sprintf(`duplicate webhook name "%s"`, name), "give each webhook a name of its own")
	default:
		used[name] = true
	}
}

func (e entry) checkURL() {
	v := e.v.Get("url")
	switch {
	case isBlank(v): // 10
		e.wrong("url", "url must be a non-empty string", `for example "https://ops.example.com/events"`)
	case !isHTTP(v.Str()): // 11
		e.wrong("url", "url must be a valid HTTP or HTTPS URL", "it begins with http:// or https://, in lower case")
	}
}

// isHTTP is ^https?:\/\/.+ where "." is no line end.
func isHTTP(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	if !ok || rest == "" {
		return false
	}
	for _, end := range []string{"\n", "\r", "\u2028", "\u2029"} {
		if strings.HasPrefix(rest, end) {
			return false
		}
	}
	return true
}

func (e entry) checkEvents() {
	v := e.v.Get("events")
	if !v.Is(ecmajson.Array) || v.Len() == 0 { // 12
		e.wrong("events", "events must be a non-empty array", "list the events that it is to receive")
		return
	}
	valid := governedEvents()
	for i, event := range v.Items() {
		if oneOf(event, valid) {
			continue
		}
		e.fail(at(event, index(e.pointer+"/events", i)), // 13
			fmt.Sprintf(`%s: events contains unknown event "%s". Valid events: %s`, e.name, toString(event), strings.Join(valid, ", ")),
			e.eventHint(event))
	}
}

// eventHint says what was probably meant.
func (c *checker) eventHint(v *ecmajson.Value) string {
	if !v.Is(ecmajson.String) {
		return "an event is named by a string, not " + v.Kind().String()
	}
	switch name := v.Str(); name {
	case "run_failed":
		return `there is no governed event "run_failed": a run that cannot go on raises "run_blocked"`
	case "on_complete", "on_error", "on_timeout", "execution.completed", "execution.failed", "execution.timeout":
		return "events of agent runs go to the webhooks of gateway.yaml"
	case "*", "all":
		return "there is no wildcard: list the events"
	default:
		return c.near(name, governedEvents()) // The message lists them all.
	}
}

func (e entry) checkTimeout() {
	v := e.v.Get("timeout_ms")
	if !isInteger(v) || v.Num() < minTimeout || v.Num() > maxTimeout { // 14
		e.wrong("timeout_ms", fmt.Sprintf("timeout_ms must be an integer between %d and %d", minTimeout, maxTimeout),
			"the time one request may take, in milliseconds, for example 5000")
	}
}

func (e entry) checkHeaders() {
	headers := e.v.Get("headers")
	if !headers.Is(ecmajson.Object) { // 15
		e.wrong("headers", "headers must be an object", `for example {"Authorization": "Bearer ${OPS_TOKEN}"}`)
		return
	}
	members := ownMembers(headers)
	for _, m := range members {
		if !m.Value.Is(ecmajson.String) { // 16
			e.fail(at(m.Value, e.pointer+"/headers/"+escape(m.Key)), fmt.Sprintf("%s: headers.%s must be a string", e.name, m.Key), "put the value in quotes")
		}
	}
	e.checkVariables(members)
}

// checkVariables looks for placeholders without a value. Values of other types
// are searched too, after conversion to strings.
func (e entry) checkVariables(headers []ecmajson.Member) {
	var missing, names []string
	first, seen, resolves := -1, map[string]bool{}, e.resolver(e.v.Get("env"))
	for i, m := range headers {
		for _, name := range placeholders(toString(m.Value)) {
			if resolves(name) {
				continue
			}
			if first < 0 {
				first = i
			}
			missing = append(missing, m.Key+":"+name)
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	if first < 0 {
		return
	}
	where := at(headers[first].Value, e.pointer+"/headers/"+escape(headers[first].Key))
	message := e.name + ": unresolved header env vars " + strings.Join(missing, ", ") // 17
	hint := fmt.Sprintf("set %s in the environment, or in .env beside agentxchain.json", strings.Join(names, ", "))
	if e.opts.RequireEnv {
		e.fail(where, message, hint)
		return
	}
	e.warn(where, message, fmt.Sprintf("%s; until then every delivery to %q fails (header_env)", hint, e.v.Get("name").Str()))
}

func (e entry) checkEnv() {
	env := e.v.Get("env")
	if !env.Is(ecmajson.Object) { // 18
		e.wrong("env", "env must be an object", `for example {"TEAM": "blue"}`)
		return
	}
	for _, m := range ownMembers(env) {
		if !m.Value.Is(ecmajson.String) { // 19
			e.fail(at(m.Value, e.pointer+"/env/"+escape(m.Key)), fmt.Sprintf("%s: env.%s must be a string", e.name, m.Key), "put the value in quotes")
		}
	}
}

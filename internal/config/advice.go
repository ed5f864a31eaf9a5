package config

import (
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/suggest"
	"agentxchain/internal/webhook"
)

// advise adds what the Node CLI does not look for: mistakes that load well and
// fail later, or never tell anyone.
func (c *checker) advise() {
	if c.doc == nil {
		return
	}
	c.encoding()
	c.duplicates()
	c.misplaced()
	notifications := c.doc.Get("notifications")
	if notifications.Has("approval_sla") && !notifications.Has("webhooks") {
		c.advice(child(notifications, "/notifications", "approval_sla"),
			"notifications.approval_sla is ignored, and not even checked, without notifications.webhooks", `add "webhooks"`)
	}
	for i, v := range notifications.Get("webhooks").Items() {
		if v.Is(ecmajson.Object) {
			newEntry(c, v, i).adviseWebhook()
		}
	}
}

// misplaced looks for a notifications section under another name. Unknown
// keys are accepted at the top, so nobody else would tell.
func (c *checker) misplaced() {
	for _, m := range c.doc.Members() {
		switch {
		case m.Key == "webhooks" || m.Key == "approval_sla":
			c.advice(key(m, ""), fmt.Sprintf("%q has no effect at the top of the file", m.Key), `move it into "notifications"`)
		case !c.doc.Has("notifications") && suggest.Nearest(m.Key, []string{"notifications"}) != "":
			c.advice(key(m, ""), fmt.Sprintf("%q has no effect", m.Key), `did you mean "notifications"?`)
		}
	}
}

// adviseWebhook looks at one webhook.
func (e entry) adviseWebhook() {
	known := []string{"name", "url", "events", "timeout_ms", "headers", "env"}
	for _, m := range e.v.Members() {
		if !slices.Contains(known, m.Key) {
			e.advice(key(m, e.pointer), fmt.Sprintf(`%s contains unknown field "%s", which has no effect`, e.name, m.Key), e.suggest(m.Key, known))
		}
	}
	e.adviseURL()
	e.adviseEvents()
	for _, m := range e.v.Get("headers").Members() {
		e.adviseHeader(m)
	}
	e.adviseEnv()
}

// adviseURL never shows the URL: its path may be a secret.
func (e entry) adviseURL() {
	v := e.v.Get("url")
	if isBlank(v) || !isHTTP(v.Str()) {
		return
	}
	where, fails := at(v, e.pointer+"/url"), ", so every delivery to it will fail"
	user, host, port := authority(v.Str())
	switch {
	case user:
		e.advice(where, e.name+": url holds a user name or password"+fails, `move it to a header, for example "Authorization": "Basic ${OPS_BASIC}"`)
	case host == "":
		e.advice(where, e.name+": url names no host"+fails, "")
	case strings.Trim(port, "0123456789") != "":
		e.advice(where, e.name+": the port in url is not a number"+fails, "")
	default:
		if why := webhook.CheckURL(v.Str()); why != "" {
			e.advice(where, e.name+": url: "+why+fails, "")
		}
	}
}

// authority takes apart what stands between the slashes of a URL that isHTTP,
// as the WHATWG standard does.
func authority(raw string) (user bool, host, port string) {
	_, rest, _ := strings.Cut(raw, "://")
	rest = strings.TrimLeft(rest, `/\`)
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = strings.Trim(rest[:i], ":") != "", rest[i+1:]
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		rest, port = rest[:i], rest[i+1:]
	}
	return user, ecmajson.Trim(rest), ecmajson.Trim(port)
}

func (e entry) adviseEvents() {
	seen := map[string]bool{}
	for i, v := range e.v.Get("events").Items() {
		if name := v.Str(); seen[name] {
			e.advice(at(v, index(e.pointer+"/events", i)), fmt.Sprintf("%s: events lists %q twice", e.name, name), "it is sent once all the same; remove one")
		} else if v.Is(ecmajson.String) {
			seen[name] = true
		}
	}
}

func (e entry) adviseHeader(m ecmajson.Member) {
	value, where := m.Value.Str(), at(m.Value, e.pointer+"/headers/"+escape(m.Key))
	name := e.name + ": headers." + m.Key
	if !isToken(m.Key) {
		e.advice(key(m, e.pointer+"/headers"), name+" is no valid header name, so every delivery to this webhook will fail", "use letters, digits and -")
	}
	if !sendable(value) {
		e.advice(where, name+" holds a character that no header can carry, so every delivery to this webhook will fail",
			"line ends, control characters and characters beyond U+00FF cannot be sent")
	}
	if isToken(m.Key) && sendable(value) {
		carried := value
		if len(placeholders(value)) > 0 {
			carried = "" // what the variables hold is not the file's fault
		}
		if why := webhook.CheckHeader(m.Key, carried); why != "" {
			e.advice(where, e.name+": "+why+", so every delivery to this webhook will fail", "remove it: the connection sets it")
		}
	}
	for _, bare := range bareVariables(value) {
		e.advice(where, fmt.Sprintf("%s holds %q, which is sent as it stands", name, bare),
			fmt.Sprintf("only ${NAME} is replaced: write ${%s}", strings.Trim(bare, "$<>")))
	}
	for _, variable := range placeholders(value) {
		if v, ok := e.lookup(variable); ok && v == "" && !e.v.Get("env").Has(variable) {
			e.advice(where, fmt.Sprintf("%s uses %s, which is set but empty", name, variable), "give it a value")
		}
	}
	if value != "" && looksSecret(m.Key) && len(placeholders(value)) == 0 && len(bareVariables(value)) == 0 {
		e.advice(where, name+" looks like a secret written into the file", e.secretHint(m.Key))
	}
}

// adviseEnv looks at variables of the webhook's own: they are as public as
// the file, and only headers see them.
func (e entry) adviseEnv() {
	env := e.v.Get("env")
	used := map[string]bool{}
	for _, m := range e.v.Get("headers").Members() {
		for _, name := range placeholders(toString(m.Value)) {
			used[name] = true
		}
	}
	for _, m := range env.Members() {
		name := e.name + ": env." + m.Key
		switch {
		case !used[m.Key]:
			e.advice(key(m, e.pointer+"/env"), name+" is used by no header, so it has no effect", "env only feeds ${NAME} in the headers of the same webhook")
		case m.Value.Str() != "" && looksSecret(m.Key):
			e.advice(at(m.Value, e.pointer+"/env/"+escape(m.Key)), name+" looks like a secret written into the file",
				fmt.Sprintf("remove it from env and set %s in the environment: every export carries this file as it is", m.Key))
		}
	}
}

// secretHint proposes a variable for a header of this webhook.
func (e entry) secretHint(header string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, e.v.Get("name").Str()+"_"+header)
	return fmt.Sprintf("write ${%s} and set it in the environment: every export carries this file as it is", name)
}

// looksSecret judges by the name of a header or variable.
func looksSecret(name string) bool {
	name = strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(strings.ToLower(name))
	return slices.ContainsFunc([]string{"authorization", "cookie", "token", "secret", "password", "passwd", "api_key", "apikey", "credential", "private_key", "access_key"},
		func(part string) bool { return strings.Contains(name, part) })
}

// sendable reports whether the text of a header value, whatever its variables
// hold, can be sent (Fetch standard, "header value").
func sendable(value string) bool {
	var b strings.Builder
	for _, p := range split(value) {
		if p.name != "" {
			p.text = "x"
		}
		b.WriteString(p.text)
	}
	return !strings.ContainsFunc(strings.Trim(b.String(), " \t\r\n"), func(r rune) bool {
		return r > 0xff || r < ' ' && r != '\t' || r == 0x7f
	})
}

// isToken reports whether s is a field name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isWord(c) && !strings.ContainsRune("!#$%&'*+-.^`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

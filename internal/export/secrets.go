package export

import (
	"fmt"
	"net/url"
	"strings"

	"agentxchain/internal/ecmajson"
)

// literalSecrets warns about values of agentxchain.json that look like secrets
// and stand there in clear, because the file is part of the bundle and whoever
// gets the bundle gets them. The value itself is never shown.
func literalSecrets(config *ecmajson.Value) []string {
	var warnings []string
	warn := func(pointer, what, remedy string) {
		warnings = append(warnings, fmt.Sprintf("%s#%s: %s stands in clear and becomes part of the bundle; %s", configPath, pointer, what, remedy))
	}
	for i, hook := range config.Get("notifications").Get("webhooks").Items() {
		at := fmt.Sprintf("/notifications/webhooks/%d", i)
		for _, m := range hook.Get("headers").Members() {
			if namesCredential(m.Key) && isLiteral(m.Value.Str()) {
				warn(at+"/headers/"+pointerToken(m.Key), "a credential", "keep it in the environment and write ${NAME} here")
			}
		}
		for _, m := range hook.Get("env").Members() {
			// Values of env are what placeholders stand for, so none is
			// expanded here and the remedy is to have no entry.
			if namesCredential(m.Key) && strings.TrimSpace(m.Value.Str()) != "" {
				warn(at+"/env/"+pointerToken(m.Key), "a credential", "remove it here and set it in the environment, where ${"+m.Key+"} finds it")
			}
		}
		if what := secretInURL(hook.Get("url").Str()); what != "" {
			// Nothing is expanded in a URL.
			warn(at+"/url", what, "send it in a header whose value is ${NAME}, if the receiver can take it there")
		}
	}
	return warnings
}

// isLiteral reports whether a value is there and holds no ${…} placeholder.
func isLiteral(value string) bool {
	_, after, found := strings.Cut(value, "${")
	return strings.TrimSpace(value) != "" && !(found && strings.IndexByte(after, '}') > 0)
}

// namesCredential recognises names of headers and variables that carry
// credentials: Authorization, Cookie, X-Api-Key, OPS_TOKEN, …
func namesCredential(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	for _, w := range words {
		switch {
		case w == "authorization", w == "cookie", w == "auth", w == "key", w == "credential", w == "credentials", w == "signature":
			return true
		case strings.HasSuffix(w, "apikey"), strings.HasSuffix(w, "token"), strings.HasSuffix(w, "secret"), strings.HasPrefix(w, "passw"):
			return true
		}
	}
	return false
}

// secretInURL says what in a URL is secret, or nothing.
func secretInURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if _, has := u.User.Password(); has || u.User.Username() != "" {
		return "the user information of the URL"
	}
	for name := range u.Query() {
		if namesCredential(name) {
			return "a credential in the query of the URL"
		}
	}
	if carriesToken(u.Hostname(), u.Path) {
		return "the token in the path of the URL"
	}
	return ""
}

// carriesToken knows the services whose webhook addresses are themselves the
// credential.
func carriesToken(host, path string) bool {
	for _, known := range [][2]string{
		{"hooks.slack.com", "/services/"},
		{"discord.com", "/api/webhooks/"},
		{"discordapp.com", "/api/webhooks/"},
		{"webhook.office.com", "/webhookb2/"},
		{"chat.googleapis.com", "/v1/spaces/"},
		{"api.telegram.org", "/bot"},
		{"hooks.zapier.com", "/hooks/"},
	} {
		if (host == known[0] || strings.HasSuffix(host, "."+known[0])) && strings.HasPrefix(path, known[1]) {
			return true
		}
	}
	return false
}

// pointerToken escapes a key for a JSON pointer (RFC 6901).
func pointerToken(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

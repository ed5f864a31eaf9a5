package config

import (
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"
)

// placeholders returns the names of the ${NAME} in a header value, in order,
// repeats kept. A name is everything up to the next "}", at least one
// character; "${}" is text (contract, section 2.1).
func placeholders(s string) []string {
	var names []string
	for _, p := range split(s) {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// part is a stretch of a header value: a placeholder's name, or else text.
type part struct{ text, name string }

// split cuts a header value into text and placeholders.
func split(s string) []part {
	var parts []part
	start, from := 0, 0
	for {
		i := strings.Index(s[from:], "${")
		if i < 0 {
			break
		}
		i += from
		n := strings.IndexByte(s[i+2:], '}')
		if n < 0 {
			break
		}
		if n == 0 {
			from = i + 2
			continue
		}
		if i > start {
			parts = append(parts, part{text: s[start:i]})
		}
		parts = append(parts, part{name: s[i+2 : i+2+n]})
		start = i + 2 + n + 1
		from = start
	}
	if start < len(s) {
		parts = append(parts, part{text: s[start:]})
	}
	return parts
}

// resolver returns a function that reports whether a placeholder has a value:
// a string in the webhook's own env, or a variable of the environment, empty
// or not. An env of the wrong type counts by its elements or characters, as it
// does for the Node CLI, which rejects it only afterwards.
func (c *checker) resolver(env *ecmajson.Value) func(name string) bool {
	length := env.Len()
	if env.Is(ecmajson.String) {
		length = ecmajson.UTF16Len(env.Str())
	}
	return func(name string) bool {
		if env.Get(name).Is(ecmajson.String) {
			return true
		}
		if i, ok := position(name, length); ok && !env.Is(ecmajson.Object) {
			if env.Is(ecmajson.String) || env.Items()[i].Is(ecmajson.String) {
				return true
			}
		}
		_, ok := c.lookup(name)
		return ok
	}
}

// position reads an index below n as ECMAScript writes one.
func position(name string, n int) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && i < n && strconv.Itoa(i) == name
}

// bareVariables returns what looks like a variable but is sent as it stands:
// $<NAME>, and $NAME in capitals standing on its own, so that no part of a
// password is mistaken for one and printed.
func bareVariables(s string) []string {
	var found []string
	for _, p := range split(s) {
		text := p.text
		for i := range len(text) {
			if text[i] != '$' {
				continue
			}
			rest := text[i+1:]
			if bracketed, ok := strings.CutPrefix(rest, "<"); ok {
				if name := word(bracketed); name != "" && strings.HasPrefix(bracketed[len(name):], ">") {
					found = append(found, "$<"+name+">")
				}
				continue
			}
			if name := word(rest); isVariable(name) && (i == 0 || !isWord(text[i-1])) {
				found = append(found, "$"+name)
			}
		}
	}
	return found
}

// word returns the letters, digits and underscores that s begins with.
func word(s string) string {
	end := 0
	for end < len(s) && isWord(s[end]) {
		end++
	}
	return s[:end]
}

// isVariable is ^[A-Z_][A-Z0-9_]+$.
func isVariable(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) || s[i] >= 'a' && s[i] <= 'z' {
			return false
		}
	}
	return len(s) > 1 && (s[0] < '0' || s[0] > '9')
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

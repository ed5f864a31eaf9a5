package render

import (
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/jinja"
)

// escaper follows the JSON that is being written into one output buffer and
// escapes what is printed inside a string literal. The author's text opens and
// closes literals; a value does not, whatever it holds. Else a quotation mark in
// one value would decide how the next is written.
type escaper struct {
	// inString is true between the quotes of a literal.
	inString bool
	// escaping is true after the backslash that begins an escape.
	escaping bool
}

func newEscaper() jinja.Escaper { return &escaper{} }

// Literal takes note of text that is written as it is.
func (e *escaper) Literal(text string) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case e.escaping:
			e.escaping = false
		case c == '"':
			e.inString = !e.inString
		case c == '\\':
			e.escaping = e.inString
		}
	}
}

// Value returns what is written for a printed value. Inside a literal that is
// text which decodes to the value and leaves the literal open.
func (e *escaper) Value(text string, raw bool) string {
	if raw {
		e.Literal(text)
		return text
	}
	if !e.inString {
		return text
	}
	text = escapeText(text)
	if e.escaping {
		// Left alone, the backslash would escape the first character of the
		// value, and with it the value's own escape.
		e.escaping = false
		return `\` + text
	}
	return text
}

// escapeText returns text as it stands between the quotes of a JSON string.
func escapeText(text string) string {
	if strings.IndexFunc(text, needsEscape) < 0 {
		return text
	}
	quoted := ecmajson.AppendString(make([]byte, 0, len(text)+len(text)/8+16), text)
	return string(quoted[1 : len(quoted)-1])
}

// needsEscape reports whether r may not stand in a literal. U+FFFD is what a
// lone surrogate and bytes that are not UTF-8 decode to.
func needsEscape(r rune) bool {
	return r < 0x20 || r == '"' || r == '\\' || r == '\uFFFD'
}

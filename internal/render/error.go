package render

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error says why a template gives nothing that can be sent. Its text holds no
// value of a variable: what Python's messages quote is kept only where the
// template itself says it.
type Error struct {
	// File is what the template is called: the path of a file in the templates
	// folder, or the Name of a [Source].
	File string
	// Line and Column count from 1, in characters; both are 0 when the error is
	// about the file as a whole.
	Line, Column int
	// Message is lower-case, or the text of the exception that Jinja2 raises.
	Message string
	// Always is true when it is so for every event: the template does not
	// compile, its file cannot be read or lies outside of the folder.
	Always bool
}

// Error returns FILE:LINE:COLUMN: MESSAGE.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column) + ": " + e.Message
}

// vocabulary is text whose parts may be repeated in a message: the sources of
// the templates.
type vocabulary []string

// hidden stands for what a message does not repeat.
const hidden = "…"

// scrub takes out of a message of the engine what may be the value of a
// variable. Python quotes values, or has them after a colon; numbers are values
// as well.
func (known vocabulary) scrub(message string) string {
	first, last := strings.IndexFunc(message, isQuote), strings.LastIndexFunc(message, isQuote)
	if first < 0 {
		return known.scrubPlain(message)
	}
	return known.scrubPlain(message[:first]) + known.scrubQuotes(message[first:last+1]) + known.scrubPlain(message[last+1:])
}

// scrubQuotes keeps what lies between the first and the last quotation mark
// only where the templates or the language have it. Which of the marks open and
// which close cannot be told, as values hold some too.
func (known vocabulary) scrubQuotes(message string) string {
	first, last := strings.IndexFunc(message, isQuote), strings.LastIndexFunc(message, isQuote)
	if first == last {
		return message
	}
	var b strings.Builder
	b.WriteString(message[:first])
	for part := range strings.FieldsFuncSeq(message[first:last], isQuote) {
		if !known.has(part) {
			part = hidden
		}
		b.WriteByte('\'')
		b.WriteString(part)
	}
	b.WriteByte('\'')
	b.WriteString(message[last+1:])
	return b.String()
}

// scrubPlain hides what follows a colon, and numbers of more than two digits.
func (known vocabulary) scrubPlain(text string) string {
	if before, after, found := strings.Cut(text, ": "); found && !known.has(after) {
		text = before + ": " + hidden
	}
	for number := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsDigit(r) }) {
		if len(number) > 2 && !known.has(number) {
			text = strings.Replace(text, number, hidden, 1)
		}
	}
	return text
}

func isQuote(r rune) bool { return r == '\'' || r == '"' }

// has reports whether the templates hold the text, or messages of the language
// have it at that place.
func (known vocabulary) has(text string) bool {
	if len(text) <= 1 || isMessageText(strings.TrimSuffix(text, " object")) {
		return true
	}
	return slices.ContainsFunc(known, func(source string) bool { return strings.Contains(source, text) })
}

// isMessageText lists names of types, and what stands between quotation marks
// in messages.
func isMessageText(text string) bool {
	switch text {
	case "str", "int", "float", "bool", "list", "tuple", "dict", "set", "bytes", "range", "None", "NoneType",
		"dict_keys", "dict_values", "dict_items", "Markup", "generator", "Undefined", "builtin_function_or_method", "method", "function", "Macro", "Namespace",
		eventType, targetType,
		" has no attribute ", " object has no attribute ", " has no element ", " is undefined", " object is not ",
		" not supported between instances of ", " and ", " or ", ", ", ": ", ", found ":
		return true
	}
	return false
}

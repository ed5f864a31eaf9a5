package pyvalue

import (
	"html"
	"strings"
)

// markupMethod are the methods that Markup has besides those of str.
func markupMethod(name string) (method, bool) {
	switch name {
	case "escape":
		return method{arity: one, run: func(b *bound) (Value, error) { return Escape(b.m, b.args[0]) }}, true
	case "striptags":
		return method{run: func(b *bound) (Value, error) {
			s, err := StripTags(b.m, b.text())
			return Str{s: s}, err
		}}, true
	case "unescape":
		return method{run: func(b *bound) (Value, error) {
			s := b.text()
			return Str{s: html.UnescapeString(s)}, orStep(b.m.Alloc(len(s)), b.m, len(s)/16)
		}}, true
	}
	return method{}, false
}

// StripTags is Markup(s).striptags(): without comments and tags, whitespace as
// single blanks, references as the characters they stand for. The error is a
// *BudgetError.
func StripTags(m *Meter, s string) (string, error) {
	s, err := stripComments(m, s)
	if err != nil {
		return "", err
	}
	if err := orStep(m.Alloc(len(s)), m, 1+len(s)/16); err != nil {
		return "", err
	}
	var out strings.Builder
	for {
		text, tag, opened := strings.Cut(s, "<")
		_, rest, closed := strings.Cut(tag, ">")
		if !opened || !closed {
			out.WriteString(s)
			break
		}
		out.WriteString(text)
		s = rest
	}
	words, err := (&splitter{m: m, limit: -1}).spaces(out.String())
	return html.UnescapeString(strings.Join(words, " ")), err
}

// stripComments takes comments out one by one, for two halves of a comment's mark
// may meet when one between them is gone.
func stripComments(m *Meter, s string) (string, error) {
	for from := 0; ; {
		start := strings.Index(s[from:], "<!--")
		if start < 0 {
			return s, nil
		}
		start += from
		length := strings.Index(s[start:], "-->")
		if length < 0 {
			return s, nil
		}
		if err := m.Step(1 + len(s)/textStep); err != nil {
			return "", err
		}
		s = s[:start] + s[start+length+len("-->"):]
		from = max(start-len("<!-"), 0)
	}
}

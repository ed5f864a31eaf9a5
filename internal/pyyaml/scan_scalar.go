package pyyaml

import (
	"strconv"
	"strings"
)

// plain scans a scalar without quotes, over several lines if they are indented
// deeply enough. Spaces between its parts count only if a part follows.
func (s *scanner) plain() (token, error) {
	t := token{kind: tokScalar, plain: true}
	indent := s.indent + 1
	var b strings.Builder
	spaces := ""
	for s.peek() != '#' {
		n := s.plainEnd()
		if n == 0 {
			break
		}
		s.mayKey = false
		b.WriteString(spaces)
		b.WriteString(s.take(n))
		t.end = s.mark()
		spaces = s.plainSpaces()
		if spaces == "" || !s.flow() && s.column < indent {
			break
		}
	}
	t.text = b.String()
	return t, nil
}

// plainEnd returns how many bytes ahead a part of a plain scalar ends.
func (s *scanner) plainEnd() int {
	n := s.pos
	for n < len(s.src) {
		r := s.peekAt(n - s.pos)
		if isSpace(r) {
			break
		}
		if r == ':' {
			after := s.peekAt(n - s.pos + 1)
			if isSpace(after) || s.flow() && strings.ContainsRune(",[]{}", after) {
				break
			}
		}
		if s.flow() && strings.ContainsRune(",?[]{}", r) {
			break
		}
		n += len(string(r))
	}
	return n - s.pos
}

// plainSpaces passes what may separate two parts of a plain scalar and returns
// what it means: spaces as they are, one line end as a space, several as line
// ends. It returns "" where a scalar cannot go on: at a tab, and where a
// document ends.
func (s *scanner) plainSpaces() string {
	n := 0
	for s.peekAt(n) == ' ' {
		n++
	}
	spaces := s.take(n)
	first := s.lineBreak()
	if first == "" {
		return spaces
	}
	s.mayKey = true
	var rest strings.Builder
	for {
		if s.column == 0 && s.separator() {
			return ""
		}
		s.skipSpaces()
		br := s.lineBreak()
		if br == "" {
			return fold(first, rest.String())
		}
		rest.WriteString(br)
	}
}

// fold returns what a line end and the empty lines after it mean between two
// lines of text: one line end is a space, n+1 of them are n. The Unicode
// separators are never folded.
func fold(first, rest string) string {
	switch {
	case first != "\n":
		return first + rest
	case rest == "":
		return " "
	}
	return rest
}

// quoted scans a scalar in single or double quotes.
func (s *scanner) quoted() (token, error) {
	quote, start := s.peek(), s.mark()
	s.forward()
	var b strings.Builder
	for {
		if err := s.quotedText(&b, quote); err != nil {
			return token{}, err
		}
		if s.skip(quote) {
			return token{kind: tokScalar, text: b.String(), end: s.mark()}, nil
		}
		if err := s.quotedSpaces(&b, start); err != nil {
			return token{}, err
		}
	}
}

// quotedText scans up to the closing quote or the next space.
func (s *scanner) quotedText(b *strings.Builder, quote rune) error {
	for {
		switch r := s.peek(); {
		case isSpace(r):
			return nil
		case r == quote:
			if quote == '"' || s.peekAt(1) != '\'' {
				return nil
			}
			s.take(2)
			b.WriteByte('\'')
		case r == '\\' && quote == '"':
			if err := s.escape(b); err != nil {
				return err
			}
		default:
			s.forward()
			b.WriteRune(r)
		}
	}
}

// quotedSpaces scans spaces and line ends inside quotes; start is where the
// scalar begins.
func (s *scanner) quotedSpaces(b *strings.Builder, start mark) error {
	n := 0
	for s.peekAt(n) == ' ' || s.peekAt(n) == '\t' {
		n++
	}
	spaces := s.take(n)
	if s.peek() == 0 {
		return failf(s.mark(), "the quote that begins at %d:%d is never closed", start.line+1, start.column+1)
	}
	first := s.lineBreak()
	if first == "" {
		b.WriteString(spaces)
		return nil
	}
	rest, err := s.quotedBreaks(start)
	b.WriteString(fold(first, rest))
	return err
}

// quotedBreaks passes empty lines and the indentation of the next one.
func (s *scanner) quotedBreaks(start mark) (string, error) {
	var b strings.Builder
	for {
		if s.separator() {
			return "", failf(s.mark(), "the document ends inside the quote that begins at %d:%d", start.line+1, start.column+1)
		}
		for s.peek() == ' ' || s.peek() == '\t' {
			s.forward()
		}
		br := s.lineBreak()
		if br == "" {
			return b.String(), nil
		}
		b.WriteString(br)
	}
}

// escape scans what a backslash begins in double quotes.
func (s *scanner) escape(b *strings.Builder) error {
	start := s.mark()
	s.forward()
	r := s.peek()
	if isBreak(r) {
		s.lineBreak()
		rest, err := s.quotedBreaks(start)
		b.WriteString(rest)
		return err
	}
	if n := escapeDigits(r); n > 0 {
		s.forward()
		return s.codePoint(b, n)
	}
	text, ok := escaped(r)
	if !ok {
		return failf(s.mark(), "unknown escape %s after a backslash: use single quotes, or write two backslashes", describe(r))
	}
	s.forward()
	b.WriteString(text)
	return nil
}

// codePoint scans n hexadecimal digits.
func (s *scanner) codePoint(b *strings.Builder, n int) error {
	if s.hexEnd(n) != n {
		return failf(s.mark(), "expected %d hexadecimal digits after a backslash", n)
	}
	start := s.mark()
	code, err := strconv.ParseUint(s.take(n), 16, 32)
	if err != nil || code > 0x10ffff || code >= 0xd800 && code < 0xe000 {
		return failf(start, "the escaped number is no character")
	}
	b.WriteRune(rune(code))
	return nil
}

// escapeDigits returns how many hexadecimal digits follow an escape letter.
func escapeDigits(r rune) int {
	switch r {
	case 'x':
		return 2
	case 'u':
		return 4
	case 'U':
		return 8
	}
	return 0
}

// escaped returns what a character means after a backslash.
func escaped(r rune) (string, bool) {
	const letters, meanings = "0abt\tnvfre \"\\/N_LP", "\x00\a\b\t\t\n\v\f\r\x1b \"\\/\u0085\u00a0\u2028\u2029"
	i := strings.IndexRune(letters, r)
	if r == 0 || i < 0 {
		return "", false
	}
	return string([]rune(meanings)[i]), true
}

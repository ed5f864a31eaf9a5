package pyyaml

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func (s *scanner) alias() (token, error)  { return s.name(tokAlias) }
func (s *scanner) anchor() (token, error) { return s.name(tokAnchor) }

// name scans "*name" or "&name".
func (s *scanner) name(k tokenKind) (token, error) {
	s.forward()
	n := s.wordEnd(0)
	if n == 0 {
		return token{}, failf(s.mark(), "expected the name of %s, found %s; a text that begins so needs quotes", k, describe(s.peek()))
	}
	t := token{kind: k, text: s.take(n)}
	if r := s.peek(); !isSpace(r) && !strings.ContainsRune("?:,]}%@`", r) {
		return token{}, failf(s.mark(), "the name of %s cannot hold %s; a text that begins so needs quotes", k, describe(r))
	}
	t.end = s.mark()
	return t, nil
}

// tag scans "!suffix", "!!suffix", "!handle!suffix", "!<tag>" or "!".
func (s *scanner) tag() (token, error) {
	t := token{kind: tokTag}
	var err error
	switch r := s.peekAt(1); {
	case r == '<':
		s.take(2)
		if t.text, err = s.uri(); err == nil && !s.skip('>') {
			err = failf(s.mark(), `expected ">" after a tag, found %s`, describe(s.peek()))
		}
	case isSpace(r):
		s.forward()
		t.text = "!"
	default:
		if t.handle, err = s.tagHandle(); err == nil {
			t.text, err = s.uri()
		}
	}
	if err != nil {
		return t, err
	}
	if r := s.peek(); r == '\t' || !isSpace(r) {
		return t, failf(s.mark(), "expected a space after a tag, found %s", describe(r))
	}
	t.end = s.mark()
	return t, nil
}

// tagHandle scans "!", or "!word!" when the tag has a second "!".
func (s *scanner) tagHandle() (string, error) {
	n := 1
	for r := s.peekAt(n); r != '!'; r = s.peekAt(n) {
		if isSpace(r) && r != '\t' {
			return s.take(1), nil
		}
		n += utf8.RuneLen(r)
	}
	return s.fullHandle()
}

func (s *scanner) fullHandle() (string, error) {
	if s.peek() != '!' {
		return "", failf(s.mark(), `expected "!", found %s`, describe(s.peek()))
	}
	n := 1
	if s.peekAt(1) != ' ' {
		n = s.wordEnd(1)
		if s.peekAt(n) != '!' {
			s.take(n)
			return "", failf(s.mark(), `expected "!", found %s`, describe(s.peek()))
		}
		n++
	}
	return s.take(n), nil
}

func (s *scanner) tagDirective(t *token) error {
	var err error
	if t.handle, err = s.fullHandle(); err != nil {
		return err
	}
	if s.peek() != ' ' {
		return failf(s.mark(), "expected a space, found %s", describe(s.peek()))
	}
	s.skipSpaces()
	if t.prefix, err = s.uri(); err != nil {
		return err
	}
	if r := s.peek(); r == '\t' || !isSpace(r) {
		return failf(s.mark(), "expected a space, found %s", describe(r))
	}
	return nil
}

// uri scans what a tag consists of, escapes resolved.
func (s *scanner) uri() (string, error) {
	var b strings.Builder
	for {
		r := s.peek()
		if !isAlphanumeric(r) && (r == 0 || !strings.ContainsRune("-;/?:@&=+$,_.!~*'()[]%", r)) {
			break
		}
		if r != '%' {
			b.WriteString(s.take(1))
			continue
		}
		text, err := s.uriEscapes()
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if b.Len() == 0 {
		return "", failf(s.mark(), "expected a tag, found %s", describe(s.peek()))
	}
	return b.String(), nil
}

// uriEscapes scans "%XX" one or more times.
func (s *scanner) uriEscapes() (string, error) {
	start := s.mark()
	var octets []byte
	for s.skip('%') {
		n, err := strconv.ParseUint(string(s.src[s.pos:min(s.pos+2, len(s.src))]), 16, 8)
		if err != nil || s.hexEnd(2) != 2 {
			return "", failf(s.mark(), `expected two hexadecimal digits after "%%"`)
		}
		s.take(2)
		octets = append(octets, byte(n))
	}
	if !utf8.Valid(octets) {
		return "", failf(start, "the escaped bytes are not UTF-8")
	}
	return string(octets), nil
}

// hexEnd returns how many of the next bytes, limit at most, are hexadecimal digits.
func (s *scanner) hexEnd(limit int) int {
	n := 0
	for n < limit {
		r := s.peekAt(n)
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F') {
			break
		}
		n++
	}
	return n
}

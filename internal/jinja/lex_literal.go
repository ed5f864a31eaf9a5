package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"agentxchain/internal/pyvalue"
)

// number reads an integer or a float. Underscores may stand between digits.
func (l *lexer) number() token {
	s, at := l.rest(), l.place
	// A digit behind a dot is an index, as in "a.0.1": never part of a float.
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		if n := floatLength(s); n > 0 {
			return token{kind: tokFloat, place: at, text: strings.ReplaceAll(l.advance(n), "_", "")}
		}
	}
	text := l.advance(integerLength(s))
	return token{kind: tokInteger, place: at, text: strings.ReplaceAll(text, "_", "")}
}

// floatLength measures a float at the beginning of s; 0 if there is none.
func floatLength(s string) int {
	whole := digits(s, 0)
	end := whole
	if whole < len(s) && s[whole] == '.' {
		if e := digits(s, whole+1); e > whole+1 {
			end = e
		}
	}
	if e := exponent(s, end); e > end {
		return e
	}
	if end > whole {
		return end
	}
	return 0
}

// exponent returns the end of an exponent that begins at i, or i.
func exponent(s string, i int) int {
	if i == len(s) || s[i]|0x20 != 'e' {
		return i
	}
	start := i + 1
	if start < len(s) && (s[start] == '+' || s[start] == '-') {
		start++
	}
	if e := digits(s, start); e > start {
		return e
	}
	return i
}

// digits returns the end of the decimal digits that begin at i, or i.
func digits(s string, i int) int { return digitsOf(s, i, "0123456789") }

// digitsOf is digits for another set. Single underscores may join digits.
func digitsOf(s string, start int, set string) int {
	in := func(i int) bool { return i < len(s) && strings.IndexByte(set, s[i]) >= 0 }
	i := start
	for in(i) || i > start && i < len(s) && s[i] == '_' && in(i+1) {
		i++
	}
	return i
}

// integerLength measures an integer at the beginning of s, which is a digit.
func integerLength(s string) int {
	if s[0] != '0' {
		return digits(s, 0)
	}
	if len(s) > 2 {
		if set := digitSet(s[1]); set != "" {
			start := 2
			if s[2] == '_' {
				start = 3
			}
			if e := digitsOf(s, start, set); e > start {
				return e
			}
		}
	}
	return digitsOf(s, 0, "0")
}

// digitSet is the set of digits behind the prefix "0b", "0o" or "0x".
func digitSet(c byte) string {
	switch c | 0x20 {
	case 'b':
		return "01"
	case 'o':
		return "01234567"
	case 'x':
		return "0123456789abcdefABCDEF"
	}
	return ""
}

// stringLength measures a string literal with its quotes; 0 if it does not end.
func stringLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}

// str reads a string literal of n bytes.
func (l *lexer) str(n int) token {
	at := l.place
	text := l.advance(n)
	text = text[1 : n-1]
	if strings.IndexByte(text, '\\') >= 0 {
		value, problem := unescape(text)
		if problem != "" {
			l.fail(at, "%s", problem)
		}
		text = value
	}
	return token{kind: tokString, place: at, text: text}
}

// unescape resolves the escapes of a string literal as Jinja2 does. It encodes
// the text as ASCII first, other characters as escapes of their own, and only
// then reads escapes: hence a backslash before such a character is itself
// escaped by the one that was put there.
func unescape(s string) (value, problem string) {
	var b []byte
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b = append(b, s...)
			break
		}
		b = append(b, s[:i]...)
		s = s[i+1:]
		var n int
		if b, n, problem = appendEscape(b, s); problem != "" {
			return "", problem
		}
		s = s[n:]
	}
	// Halves of a surrogate pair stay apart, as in Python.
	return string(b), ""
}

// appendEscape appends what the escape means whose backslash stands before s,
// and returns how much of s it takes.
func appendEscape(b []byte, s string) (value []byte, n int, problem string) {
	c := s[0]
	if i := strings.IndexByte(`\'"abfnrtv`, c); i >= 0 {
		return append(b, "\\'\"\a\b\f\n\r\t\v"[i]), 1, ""
	}
	switch {
	case c == '\n':
		return b, 1, ""
	case '0' <= c && c <= '7':
		n := 1
		for n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
			n++
		}
		return appendCode(b, s[:n], 8), n, ""
	case c == 'x':
		return appendHex(b, s, 2, `\xXX`)
	case c == 'u':
		return appendHex(b, s, 4, `\uXXXX`)
	case c == 'U':
		return appendHex(b, s, 8, `\UXXXXXXXX`)
	case c == 'N':
		return nil, 0, namedEscape(s)
	case c >= utf8.RuneSelf:
		r, n := utf8.DecodeRuneInString(s)
		return append(b, backslashed(r)...), n, ""
	}
	return append(b, '\\', c), 1, ""
}

// appendHex appends what \x, \u or \U with width digits means.
func appendHex(b []byte, s string, width int, shape string) (value []byte, n int, problem string) {
	if len(s) <= width || !isHex(s[1:1+width]) {
		return nil, 0, "truncated " + shape + " escape"
	}
	b = appendCode(b, s[1:1+width], 16)
	if b == nil {
		return nil, 0, "illegal Unicode character"
	}
	return b, 1 + width, ""
}

// isHex reports whether s is hexadecimal digits.
func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// appendCode appends the code point with the given digits; nil if there is no
// such code point.
func appendCode(b []byte, number string, base int) []byte {
	code, err := strconv.ParseUint(number, base, 32)
	if err != nil || code > utf8.MaxRune {
		return nil
	}
	return append(b, pyvalue.FromRunes([]rune{rune(code)})...)
}

// namedEscape refuses \N{NAME}: the names of characters are not in the binary.
func namedEscape(s string) (problem string) {
	if end := strings.IndexByte(s, '}'); !strings.HasPrefix(s, "N{") || end < 3 {
		return `malformed \N character escape`
	}
	return "unknown Unicode character name"
}

// backslashed is the escape of r that errors="backslashreplace" writes.
func backslashed(r rune) string {
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

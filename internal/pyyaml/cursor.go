package pyyaml

import (
	"fmt"
	"unicode/utf8"
)

const bom = "\uFEFF"

// mark is a place in the source; line and column count from 0.
type mark struct{ offset, line, column int }

// cursor walks over a source that [checkSource] has accepted. Beyond the end
// it finds 0, a character that no such source has.
type cursor struct {
	src               []byte
	pos, line, column int
}

func (c *cursor) mark() mark { return mark{c.pos, c.line, c.column} }

// peek returns the next character.
func (c *cursor) peek() rune { return c.peekAt(0) }

// peekAt returns the character that many bytes ahead.
func (c *cursor) peekAt(n int) rune {
	if c.pos+n >= len(c.src) {
		return 0
	}
	if b := c.src[c.pos+n]; b < utf8.RuneSelf {
		return rune(b)
	}
	r, _ := utf8.DecodeRune(c.src[c.pos+n:])
	return r
}

// forward passes one character. A byte order mark takes no column.
func (c *cursor) forward() {
	r, n := utf8.DecodeRune(c.src[c.pos:])
	c.pos += n
	switch {
	case r == '\r' && c.peek() == '\n':
		c.column++
	case isBreak(r):
		c.line, c.column = c.line+1, 0
	case r != '\uFEFF':
		c.column++
	}
}

// take passes n bytes, none of them a line break, and returns them.
func (c *cursor) take(n int) string {
	end := min(c.pos+n, len(c.src))
	text := string(c.src[c.pos:end])
	for c.pos < end {
		c.forward()
	}
	return text
}

// skip passes the character when it comes next.
func (c *cursor) skip(r rune) bool {
	if c.peek() != r {
		return false
	}
	c.forward()
	return true
}

func (c *cursor) skipSpaces() {
	for c.peek() == ' ' {
		c.forward()
	}
}

// skipComment passes a comment, up to the end of its line.
func (c *cursor) skipComment() {
	if c.peek() != '#' {
		return
	}
	for r := c.peek(); r != 0 && !isBreak(r); r = c.peek() {
		c.forward()
	}
}

// lineBreak passes a line break and returns what it means in a scalar: the
// Unicode separators stand for themselves, all others for "\n". It returns ""
// when no line ends here.
func (c *cursor) lineBreak() string {
	switch r := c.peek(); r {
	case '\r':
		if c.forward(); c.peek() == '\n' {
			c.forward()
		}
		return "\n"
	case '\n', '\u0085':
		c.forward()
		return "\n"
	case '\u2028', '\u2029':
		c.forward()
		return string(r)
	}
	return ""
}

// separator reports whether a document begins or ends at the next character,
// taking for granted that a line does.
func (c *cursor) separator() bool {
	return (c.follows("---") || c.follows("...")) && isSpace(c.peekAt(3))
}

func (c *cursor) follows(text string) bool {
	return len(c.src)-c.pos >= len(text) && string(c.src[c.pos:c.pos+len(text)]) == text
}

// wordEnd returns how many bytes ahead the letters, digits, "-" and "_" end
// that begin n bytes ahead.
func (c *cursor) wordEnd(n int) int {
	for {
		r := c.peekAt(n)
		if !isAlphanumeric(r) && r != '-' && r != '_' {
			return n
		}
		n++
	}
}

// isBreak reports whether r ends a line.
func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// isSpace reports whether r separates tokens; the end of the source does.
func isSpace(r rune) bool { return r == 0 || r == ' ' || r == '\t' || isBreak(r) }

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// describe names a character for a message.
func describe(r rune) string {
	switch {
	case r == 0:
		return "the end of the file"
	case r == '\t':
		return "a tab"
	case isBreak(r):
		return "the end of the line"
	}
	return fmt.Sprintf("%q", r)
}

// checkSource refuses what no YAML document may hold (PyYAML's reader).
func checkSource(src []byte, limit int) error {
	if len(src) > limit {
		return failf(mark{}, "the file is larger than %d bytes", limit)
	}
	c := cursor{src: src}
	for c.pos < len(src) {
		r, n := utf8.DecodeRune(src[c.pos:])
		if r == utf8.RuneError && n == 1 {
			return failf(c.mark(), "byte 0x%02x is not UTF-8", src[c.pos])
		}
		if !isPrintable(r) {
			return failf(c.mark(), "character U+%04X is not allowed in YAML", r)
		}
		c.forward()
	}
	return nil
}

func isPrintable(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r == '\u0085':
		return true
	case r < ' ' || r > '~' && r < '\u00a0':
		return false
	}
	return r != '\ufffe' && r != '\uffff'
}

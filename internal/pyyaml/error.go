package pyyaml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with a source and where. It shows none of the
// source's values: names of keys, anchors and tags at most.
type Error struct {
	// Line and Column count from 1, a column being one character.
	Line, Column int
	// Offset is the same place in bytes.
	Offset int
	// Message is lower-case and says what was expected.
	Message string
}

// Error returns LINE:COLUMN: MESSAGE.
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// failf makes an error at a place.
func failf(at mark, format string, args ...any) error {
	return &Error{Line: at.line + 1, Column: at.column + 1, Offset: at.offset, Message: fmt.Sprintf(format, args...)}
}

// maxExcerpt is how many characters of a line an excerpt shows.
const maxExcerpt = 120

// Excerpt returns the error's line of src and below it a caret under the
// column, without a final line end. Letters and digits are shown as "x" except
// in the key that the line begins with, because a value may be a secret.
func (e *Error) Excerpt(src []byte) string {
	line := []rune(conceal(lineAt(src, e.Line)))
	column := min(e.Column, len(line)+1)
	if column > maxExcerpt {
		cut := column - maxExcerpt
		line, column = line[cut:], column-cut
	}
	line = line[:min(len(line), maxExcerpt)]
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(line[:min(column-1, len(line))]))
	return string(line) + "\n" + pad + "^"
}

// lineAt returns a line without its end. The number counts from 1.
func lineAt(src []byte, number int) string {
	c := cursor{src: bytes.TrimPrefix(src, []byte(bom))}
	for c.line < number-1 && c.pos < len(c.src) {
		c.forward()
	}
	end := c.pos
	for end < len(c.src) {
		r, n := utf8.DecodeRune(c.src[end:])
		if isBreak(r) {
			break
		}
		end += n
	}
	return string(c.src[c.pos:end])
}

// conceal replaces what could be part of a value by "x", one for one, so that
// columns stay where they are. Only what looks like a key is shown.
func conceal(line string) string {
	shown := len(line) - len(afterKey(line))
	b := []rune(line[:shown])
	for _, r := range line[shown:] {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			r = 'x'
		}
		b = append(b, r)
	}
	for i, r := range b {
		if r != '\t' && !unicode.IsPrint(r) {
			b[i] = '?'
		}
	}
	return string(b)
}

// maxKey is how long what looks like a key may be.
const maxKey = 40

// afterKey returns what follows the key that a line begins with, or the line
// itself when it begins with none.
func afterKey(line string) string {
	text := strings.TrimLeft(line, " \t-?{[")
	n := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' })
	if n <= 0 || n > maxKey {
		return line
	}
	rest := strings.TrimLeft(text[n:], " ")
	if value, ok := strings.CutPrefix(rest, ":"); ok && (value == "" || value[0] == ' ') {
		return value
	}
	return line
}

package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer cuts a source into tokens, one at a time: what stands behind the place
// of a syntax error is never looked at. It fails by panicking with *Error, as
// the parser does.
type lexer struct {
	name string
	src  string // line ends are \n
	pos  int    // offset of what comes next
	place
	mode    kind   // tokData in text, else the token that began the tag
	opened  []byte // the closers that the open brackets of the tag wait for
	pending token  // what follows a piece of text; tokEOF if nothing does
}

// newLexer returns a lexer at the beginning of source.
func newLexer(name, source string) *lexer {
	return &lexer{name: name, src: normalize(source), place: place{1, 1}, mode: tokData}
}

// normalize makes \n of each line end and drops the last one: Jinja2's defaults
// newline_sequence and keep_trailing_newline.
func normalize(source string) string {
	if strings.Contains(source, "\r") {
		source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	}
	return strings.TrimSuffix(source, "\n")
}

// fail ends lexing with a TemplateSyntaxError.
func (l *lexer) fail(at place, format string, args ...any) {
	panic(errorAt(l.name, at, "TemplateSyntaxError", format, args...))
}

// next returns the next token, tokEOF again and again at the end.
func (l *lexer) next() token {
	for {
		if t := l.pending; t.kind != tokEOF {
			l.pending = token{}
			return t
		}
		if l.pos == len(l.src) {
			return token{kind: tokEOF, place: l.place}
		}
		if t := l.scan(); t.kind != tokEOF {
			return t
		}
	}
}

// scan returns a token, or tokEOF if what it read makes none.
func (l *lexer) scan() token {
	if l.mode == tokData {
		return l.text()
	}
	return l.tag()
}

// advance goes n bytes on and returns them.
func (l *lexer) advance(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.pos += n
	if lines := strings.Count(s, "\n"); lines > 0 {
		l.line += lines
		l.column = 1 + utf8.RuneCountInString(s[strings.LastIndexByte(s, '\n')+1:])
	} else {
		l.column += utf8.RuneCountInString(s)
	}
	return s
}

// rest is what has not been read.
func (l *lexer) rest() string { return l.src[l.pos:] }

// text reads up to the next tag and its beginning. What the tag begins with is
// left in pending.
func (l *lexer) text() token {
	start := l.place
	n := opener(l.rest())
	data := l.advance(n)
	if l.pos < len(l.src) && l.begin() == '-' {
		data = strings.TrimRightFunc(data, isSpace)
	}
	if data == "" {
		return token{}
	}
	return token{kind: tokData, place: start, text: data}
}

// opener is the offset of the next "{%", "{{" or "{#", or the length of s.
func opener(s string) int {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '{')
		if i < 0 || from+i+1 == len(s) {
			return len(s)
		}
		from += i + 1
		if strings.IndexByte("%{#", s[from]) >= 0 {
			return from - 1
		}
	}
}

// begin reads the beginning of a tag and returns its whitespace sign: '-', '+'
// or 0. Comments and raw blocks it reads whole.
func (l *lexer) begin() byte {
	at := l.place
	if n, sign := rawBegin(l.rest()); n > 0 {
		l.advance(n)
		l.raw()
		return sign
	}
	opened := l.advance(2)
	sign := l.sign()
	switch opened {
	case "{#":
		l.comment()
	case "{%":
		l.mode = tokBlockBegin
		l.pending = token{kind: tokBlockBegin, place: at}
	default:
		l.mode = tokVariableBegin
		l.pending = token{kind: tokVariableBegin, place: at}
	}
	return sign
}

// sign reads an optional whitespace sign.
func (l *lexer) sign() byte {
	s := l.rest()
	if s == "" || s[0] != '-' && s[0] != '+' {
		return 0
	}
	return l.advance(1)[0]
}

// comment reads a comment from behind its beginning. One that begins at the very
// end of the source need not end.
func (l *lexer) comment() {
	s := l.rest()
	if s == "" {
		return
	}
	n := strings.Index(s, "#}")
	if n < 0 {
		l.fail(l.place, "Missing end of comment tag")
	}
	strip := n > 0 && s[n-1] == '-'
	l.advance(n + 2)
	if strip {
		l.skipSpace()
	}
}

// rawBegin measures "{% raw %}" at the beginning of s; 0 if it is not there.
func rawBegin(s string) (length int, sign byte) {
	tail, sign, ok := tagWord(s, "raw")
	if !ok {
		return 0, 0
	}
	switch {
	case strings.HasPrefix(tail, "-%}"):
		tail = strings.TrimLeftFunc(tail[3:], isSpace)
	case strings.HasPrefix(tail, "%}"):
		tail = tail[2:]
	default:
		return 0, 0
	}
	return len(s) - len(tail), sign
}

// tagWord reads "{%", a sign, and a word with space around it.
func tagWord(s, word string) (tail string, sign byte, ok bool) {
	s, ok = strings.CutPrefix(s, "{%")
	if !ok {
		return "", 0, false
	}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s, sign = s[1:], s[0]
	}
	s, ok = strings.CutPrefix(strings.TrimLeftFunc(s, isSpace), word)
	return strings.TrimLeftFunc(s, isSpace), sign, ok
}

// raw reads a raw block from behind its beginning and leaves its text pending.
// One that begins at the very end of the source need not end.
func (l *lexer) raw() {
	s, start := l.rest(), l.place
	if s == "" {
		return
	}
	for from := 0; ; {
		i := strings.Index(s[from:], "{%")
		if i < 0 {
			l.fail(start, "Missing end of raw directive")
		}
		from += i
		if n, sign := rawEnd(s[from:]); n > 0 {
			l.advance(from + n)
			l.rawText(s[:from], sign, start)
			return
		}
		from += 2
	}
}

// rawText leaves the text of a raw block pending; sign is that of its end tag.
func (l *lexer) rawText(text string, sign byte, start place) {
	if sign == '-' {
		text = strings.TrimRightFunc(text, isSpace)
	}
	if text != "" {
		l.pending = token{kind: tokData, place: start, text: text}
	}
}

// rawEnd measures "{% endraw %}" at the beginning of s; 0 if it is not there.
func rawEnd(s string) (length int, sign byte) {
	tail, sign, ok := tagWord(s, "endraw")
	if !ok {
		return 0, 0
	}
	n := closer(tail, "%}", true)
	if n == 0 {
		return 0, 0
	}
	return len(s) - len(tail) + n, sign
}

// closer measures the end of a tag at the beginning of s, with its sign and the
// space that "-" takes away; 0 if it is not there.
func closer(s, end string, plus bool) int {
	switch {
	case strings.HasPrefix(s, end):
		return len(end)
	case s == "" || !strings.HasPrefix(s[1:], end):
		return 0
	case s[0] == '-':
		tail := s[1+len(end):]
		return len(s) - len(strings.TrimLeftFunc(tail, isSpace))
	case s[0] == '+' && plus:
		return 1 + len(end)
	}
	return 0
}

// tag reads one token inside a tag.
func (l *lexer) tag() token {
	if len(l.opened) == 0 {
		if t := l.end(); t.kind != tokEOF {
			return t
		}
	}
	if l.skipSpace() {
		return token{}
	}
	s := l.rest()
	switch c := s[0]; {
	case '0' <= c && c <= '9':
		return l.number()
	case c == '"' || c == '\'':
		if n := stringLength(s); n > 0 {
			return l.str(n)
		}
	default:
		if n := nameLength(s); n > 0 {
			return l.word(n)
		}
	}
	return l.operator()
}

// end reads the end of the tag if it stands here.
func (l *lexer) end() token {
	k, text, plus := tokBlockEnd, "%}", true
	if l.mode == tokVariableBegin {
		k, text, plus = tokVariableEnd, "}}", false
	}
	n := closer(l.rest(), text, plus)
	if n == 0 {
		return token{}
	}
	t := token{kind: k, place: l.place}
	l.advance(n)
	l.mode = tokData
	return t
}

// skipSpace reports whether there was any.
func (l *lexer) skipSpace() bool {
	s := l.rest()
	n := len(s) - len(strings.TrimLeftFunc(s, isSpace))
	l.advance(n)
	return n > 0
}

// operator reads an operator and keeps count of brackets.
func (l *lexer) operator() token {
	s, at := l.rest(), l.place
	if len(s) > 1 {
		if i := strings.Index(longOperators, s[:2]); i >= 0 && i%3 == 0 {
			l.advance(2)
			return token{kind: tokFloorDiv + kind(i/3), place: at}
		}
	}
	i := strings.IndexByte(shortOperators, s[0])
	if i < 0 {
		r, _ := utf8.DecodeRuneInString(s)
		l.fail(at, "unexpected char %s at %d", quoted(string(r)), utf8.RuneCountInString(l.src[:l.pos]))
	}
	l.balance(s[0])
	l.advance(1)
	return token{kind: tokAdd + kind(i), place: at}
}

// balance counts brackets: the end of a tag is only looked for outside of them.
func (l *lexer) balance(c byte) {
	switch c {
	case '(':
		l.opened = append(l.opened, ')')
	case '[', '{':
		l.opened = append(l.opened, c+2)
	case ')', ']', '}':
		last := len(l.opened) - 1
		if last < 0 {
			l.fail(l.place, "unexpected '%c'", c)
		}
		if want := l.opened[last]; want != c {
			l.fail(l.place, "unexpected '%c', expected '%c'", c, want)
		}
		l.opened = l.opened[:last]
	}
}

// word reads a name of n bytes.
func (l *lexer) word(n int) token {
	at := l.place
	text := l.advance(n)
	if !isIdentifier(text) {
		l.fail(at, "Invalid character in identifier")
	}
	return token{kind: tokName, place: at, text: text}
}

// nameLength measures what looks like a name, well formed or not.
func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && !isLetter(r) && !unicode.IsNumber(r) && !continues(r) {
			return i
		}
	}
	return len(s)
}

// isIdentifier is str.isidentifier of Python.
func isIdentifier(s string) bool {
	for i, r := range s {
		first := r == '_' || isLetter(r) || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.Other_ID_Start, r)
		if !first && (i == 0 || !continues(r)) {
			return false
		}
	}
	return s != ""
}

// isLetter is str.isalpha of Python for one character.
func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r)
}

// continues reports whether r, which is no letter, may stand inside a name.
func continues(r rune) bool {
	if r < utf8.RuneSelf {
		return '0' <= r && r <= '9'
	}
	return unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}

// isSpace is str.isspace of Python for one character.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

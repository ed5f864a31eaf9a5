package export

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// maxDepth is how deeply a bundle may be nested at all. The jsonCursor needs one
// byte per level; the Node CLI has no limit where nothing looks inside.
const maxDepth = 1 << 20

// jsonCursor checks JSON text (RFC 8259) as it passes by, without keeping it.
// Bytes that are not UTF-8 are allowed inside strings, where they mean U+FFFD.
// Its errors are [*ecmajson.SyntaxError], [*depthError] and those of the stream.
type jsonCursor struct {
	cursor
	// open holds the closing bracket of every container that is open.
	open []byte
	// deepest is the largest len(open) seen since it was last set.
	deepest int
	// hopeless is the offset before which quick does not try.
	hopeless int64
	// items is how many elements or members the last value had.
	items int
	// unique, if set, watches for repeated keys.
	unique *keyWatch
}

// depthError is a document that is nested more than maxDepth levels deep.
type depthError struct{ offset int64 }

func (e *depthError) Error() string {
	return fmt.Sprintf("nested more than %d levels deep at byte %d", maxDepth, e.offset)
}

// fail returns a syntax error, unless the stream itself is at fault.
func (s *jsonCursor) fail(offset int64, message string) error {
	if err := s.fault(); err != nil {
		return err
	}
	return &ecmajson.SyntaxError{Offset: int(offset), Message: message}
}

// unexpected is fail for the next byte; what says what was expected, if anything.
func (s *jsonCursor) unexpected(what string) error {
	return s.fail(s.offset(), what+s.here())
}

// here describes what comes next.
func (s *jsonCursor) here() string {
	s.need(utf8.UTFMax)
	if s.pos >= len(s.window) {
		return "end of input"
	}
	r, _ := ecmajson.DecodeRune(s.window[s.pos:])
	if r == utf8.RuneError {
		return fmt.Sprintf("byte 0x%02x", s.window[s.pos])
	}
	return strconv.QuoteRune(r)
}

// space moves past white space.
func (s *jsonCursor) space() {
	for {
		switch s.peek() {
		case ' ', '\n', '\t', '\r':
			s.pos++
		default:
			return
		}
	}
}

// end checks that nothing but white space follows.
func (s *jsonCursor) end() error {
	s.space()
	if s.peek() >= 0 {
		return s.fail(s.offset(), "unexpected "+s.here()+" after the end of the document")
	}
	return s.fault()
}

// value checks one value, which comes next, and moves past it. It does not
// recurse. The time of verification is spent here and in the hash.
func (s *jsonCursor) value() error {
	outer := len(s.open)
	s.items = 0
	for {
		var err error
		switch c := s.peek(); {
		case (c != '[' || len(s.open) > outer) && s.quick():
			// The elements of the outermost array are counted, so it is entered.
		case c == '"':
			err = s.str()
		case c == '{' || c == '[':
			var empty bool
			if empty, err = s.enter(byte(c)); err == nil && !empty {
				if len(s.open) == outer+1 {
					s.items = 1
				}
				continue
			}
		case c == '-' || c >= '0' && c <= '9':
			err = s.number()
		default:
			err = s.literal(c)
		}
		if err != nil {
			return err
		}
		if done, err := s.after(outer); done || err != nil {
			return err
		}
	}
}

// quick moves past the value that comes next if quickEnd can tell its end. A
// value that does not fit into the window is not tried again, nor is what it
// contains, until the window has moved on.
func (s *jsonCursor) quick() bool {
	if s.unique != nil || s.offset() < s.hopeless {
		return false
	}
	end, depth := quickEnd(s.window, s.pos, 0)
	if end < 0 {
		s.hopeless = s.base + int64(len(s.window))
		return false
	}
	s.deepest = max(s.deepest, len(s.open)+depth)
	s.pos = end
	return true
}

// enter consumes an opening bracket and what stands before the first value
// inside, or the closing bracket when the container is empty.
func (s *jsonCursor) enter(c byte) (empty bool, err error) {
	if err := s.push(c); err != nil {
		return false, err
	}
	s.space()
	if s.peek() == int(s.open[len(s.open)-1]) {
		s.pop()
		return true, nil
	}
	if c == '{' {
		return false, s.key()
	}
	return false, nil
}

// push consumes an opening bracket.
func (s *jsonCursor) push(c byte) error {
	if len(s.open) >= maxDepth {
		return &depthError{offset: s.offset()}
	}
	s.pos++
	s.open = append(s.open, c+2) // '{' and '}', '[' and ']' are two apart in ASCII
	s.deepest = max(s.deepest, len(s.open))
	if s.unique != nil {
		s.unique.enter()
	}
	return nil
}

// pop consumes a closing bracket.
func (s *jsonCursor) pop() {
	s.pos++
	s.open = s.open[:len(s.open)-1]
	if s.unique != nil {
		s.unique.leave()
	}
}

// after consumes what follows a value up to the next value of the same or of
// an enclosing container. It is done when the containers opened since outer
// are closed.
func (s *jsonCursor) after(outer int) (done bool, err error) {
	for len(s.open) > outer {
		s.space()
		closing := s.open[len(s.open)-1]
		switch s.peek() {
		case int(closing):
			s.pop()
		case ',':
			if len(s.open) == outer+1 {
				s.items++
			}
			return false, s.comma(closing)
		default:
			return false, s.unexpected(fmt.Sprintf("expected ',' or '%c', found ", closing))
		}
	}
	return true, nil
}

// comma consumes a comma and, in an object, the key after it.
func (s *jsonCursor) comma(closing byte) error {
	s.pos++
	s.space()
	if s.peek() == int(closing) {
		return s.fail(s.offset(), fmt.Sprintf("trailing comma before '%c'", closing))
	}
	if closing == '}' {
		return s.key()
	}
	return nil
}

// key checks a key and the colon and space after it.
func (s *jsonCursor) key() error {
	if s.unique != nil {
		return s.watchedKey()
	}
	if s.peek() != '"' {
		return s.unexpected("expected a key in double quotes, found ")
	}
	if err := s.str(); err != nil {
		return err
	}
	return s.colon()
}

func (s *jsonCursor) colon() error {
	s.space()
	if s.peek() != ':' {
		return s.unexpected("expected ':' after a key, found ")
	}
	s.pos++
	s.space()
	return nil
}

// str checks a string, whose opening quote comes next.
func (s *jsonCursor) str() error {
	start := s.offset()
	s.pos++
	for {
		s.pos += plainPrefix(s.window[s.pos:])
		switch c := s.peek(); {
		case c == '"':
			s.pos++
			return nil
		case c == '\\':
			if err := s.escape(start); err != nil {
				return err
			}
		case c < 0:
			return s.fail(start, "string without a closing quote")
		case c < 0x20:
			return s.fail(s.offset(), fmt.Sprintf("control character 0x%02x in a string", c))
		}
	}
}

// escape checks one escape sequence of the string that begins at start.
func (s *jsonCursor) escape(start int64) error {
	if !s.need(2) {
		return s.fail(start, "string without a closing quote")
	}
	switch s.window[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		if s.need(6) && isHexQuad(s.window[s.pos+2:s.pos+6]) {
			s.pos += 6
			return nil
		}
		return s.fail(s.offset(), "invalid \\u escape in a string")
	}
	return s.fail(s.offset(), "invalid escape in a string")
}

// number checks a number.
func (s *jsonCursor) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.unexpected("expected a digit, found ")
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return s.unexpected("expected a digit after the decimal point, found ")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.unexpected("expected a digit in the exponent, found ")
		}
	}
	return nil
}

// digits moves past digits and reports whether there were any.
func (s *jsonCursor) digits() bool {
	found := false
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
		found = true
	}
	return found
}

// literal checks true, false or null; c is the next byte, or negative.
func (s *jsonCursor) literal(c int) error {
	word := ""
	switch c {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	}
	if word == "" || !s.need(len(word)) || string(s.window[s.pos:s.pos+len(word)]) != word {
		return s.unexpected("unexpected ")
	}
	s.pos += len(word)
	return nil
}

// kind returns the kind of the value that comes next.
func (s *jsonCursor) kind() ecmajson.Kind {
	switch s.peek() {
	case '{':
		return ecmajson.Object
	case '[':
		return ecmajson.Array
	case '"':
		return ecmajson.String
	case 't', 'f':
		return ecmajson.Bool
	case 'n':
		return ecmajson.Null
	}
	return ecmajson.Number
}

// raw checks the value that comes next and returns its bytes, which are valid
// until the jsonCursor moves on.
func (s *jsonCursor) raw() ([]byte, error) {
	s.mark = s.pos
	err := s.value()
	if err == nil {
		// A number may end with the window: what is marked is what there is.
		return s.taken(), nil
	}
	s.mark = -1
	return nil, err
}

// taken returns the bytes since the mark and removes the mark.
func (s *jsonCursor) taken() []byte {
	b := s.window[s.mark:s.pos]
	s.mark = -1
	return b
}

// name is key for callers that want to know it; at is where it begins.
func (s *jsonCursor) name() (key string, at int64, err error) {
	at = s.offset()
	if s.peek() != '"' {
		return "", at, s.unexpected("expected a key in double quotes, found ")
	}
	s.mark = s.pos
	if err := s.str(); err != nil {
		s.mark = -1
		return "", at, err
	}
	key, err = unquote(s.taken())
	if err != nil {
		return "", at, err
	}
	return key, at, s.colon()
}

// unquote returns the meaning of a valid string literal.
func unquote(literal []byte) (string, error) {
	if inner := literal[1 : len(literal)-1]; isPlain(inner) {
		return string(inner), nil
	}
	v, err := ecmajson.Parse(literal, ecmajson.Options{})
	if err != nil {
		return "", err
	}
	return v.Str(), nil
}

// isPlain reports whether b is ASCII without escapes.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

// object checks an object, which comes next; visit is called with the jsonCursor
// at the value of each member and has to move past it.
func (s *jsonCursor) object(visit func(key string, at int64) error) error {
	if err := s.push('{'); err != nil {
		return err
	}
	s.space()
	for first := true; s.peek() != '}'; first = false {
		if err := s.separator(first, '}'); err != nil {
			return err
		}
		key, at, err := s.name()
		if err != nil {
			return err
		}
		if s.unique != nil {
			s.unique.key(key, at)
		}
		if err := visit(key, at); err != nil {
			return err
		}
		s.space()
	}
	s.pop()
	return nil
}

// separator consumes the comma before every element but the first.
func (s *jsonCursor) separator(first bool, closing byte) error {
	if first {
		return nil
	}
	if s.peek() != ',' {
		return s.unexpected(fmt.Sprintf("expected ',' or '%c', found ", closing))
	}
	s.pos++
	s.space()
	if s.peek() == int(closing) {
		return s.fail(s.offset(), fmt.Sprintf("trailing comma before '%c'", closing))
	}
	return nil
}

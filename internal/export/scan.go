package export

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"agentxchain/internal/ecmajson"
)

// validator checks that a document is JSON without building anything, at several
// times the speed of a parser. It accepts exactly what [ecmajson.Parse]
// accepts with its default options, and takes the document in pieces of any
// size. The zero value is ready; reset makes a used one ready again.
type validator struct {
	state scanState
	// key says that the string being read is the key of a member.
	key bool
	// hex counts the digits still missing from a \u escape.
	hex int
	// word is the rest of a literal such as true.
	word  string
	depth int
	// objects has one bit per open container, set for an object.
	objects []uint64
}

type scanState uint8

const (
	scanValue     scanState = iota // a value must come
	scanFirstItem                  // a value or ]
	scanFirstKey                   // a key or }
	scanKey                        // a key must come
	scanColon                      // a colon must come
	scanAfter                      // a comma or a closing bracket must come
	scanDone                       // the document is complete
	scanString                     // inside a string
	scanEscape                     // after a backslash
	scanHex                        // inside a \u escape
	scanWord                       // inside true, false or null
	scanMinus                      // after -
	scanZero                       // after a leading 0
	scanInteger                    // inside the integer part
	scanPoint                      // after the decimal point
	scanFraction                   // inside the fraction
	scanExponent                   // after e
	scanSign                       // after the sign of the exponent
	scanPower                      // inside the exponent
	scanFailed                     // this is not JSON
)

func (s *validator) reset() { *s = validator{objects: s.objects[:0]} }

// valid reports whether b is one complete document.
func (s *validator) valid(b []byte) bool {
	// Nearly all lines are such that the verifier's shortcut can tell.
	if end, _ := quickEnd(b, quickSpace(b, 0), 0); end >= 0 {
		return quickSpace(b, end) == len(b)
	}
	s.reset()
	s.feed(b)
	return s.complete()
}

// feed takes the next piece of the document.
func (s *validator) feed(b []byte) {
	for i := 0; i < len(b) && s.state != scanFailed; i++ {
		if s.state == scanString {
			i += plainPrefix(b[i:])
			if i == len(b) {
				return
			}
			s.inString(b[i])
			continue
		}
		switch c := b[i]; {
		case s.state >= scanEscape:
			s.inToken(c)
		case c != ' ' && c != '\n' && c != '\t' && c != '\r':
			s.structure(c)
		}
	}
}

// complete reports whether what was fed is one whole document.
func (s *validator) complete() bool {
	switch s.state {
	case scanDone:
		return true
	case scanZero, scanInteger, scanFraction, scanPower:
		return s.depth == 0 // a number has no closing delimiter
	}
	return false
}

// structure takes a byte between tokens that is not white space.
func (s *validator) structure(c byte) {
	switch s.state {
	case scanValue:
		s.value(c)
	case scanFirstItem:
		if c == ']' {
			s.close(false)
		} else {
			s.value(c)
		}
	case scanFirstKey, scanKey:
		switch {
		case c == '"':
			s.state, s.key = scanString, true
		case c == '}' && s.state == scanFirstKey:
			s.close(true)
		default:
			s.state = scanFailed
		}
	case scanColon:
		s.expect(c == ':', scanValue)
	case scanAfter:
		s.after(c)
	default:
		s.state = scanFailed
	}
}

func (s *validator) expect(ok bool, next scanState) {
	if !ok {
		next = scanFailed
	}
	s.state = next
}

// value takes the first byte of a value.
func (s *validator) value(c byte) {
	switch {
	case c == '"':
		s.state, s.key = scanString, false
	case c == '{':
		s.open(true)
	case c == '[':
		s.open(false)
	case c == '-':
		s.state = scanMinus
	case c == '0':
		s.state = scanZero
	case c >= '1' && c <= '9':
		s.state = scanInteger
	case c == 't':
		s.state, s.word = scanWord, "rue"
	case c == 'f':
		s.state, s.word = scanWord, "alse"
	case c == 'n':
		s.state, s.word = scanWord, "ull"
	default:
		s.state = scanFailed
	}
}

func (s *validator) open(object bool) {
	if s.depth == ecmajson.MaxDepth {
		s.state = scanFailed
		return
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	if word == len(s.objects) {
		s.objects = append(s.objects, 0)
	}
	s.depth++
	if object {
		s.objects[word] |= bit
		s.state = scanFirstKey
		return
	}
	s.objects[word] &^= bit
	s.state = scanFirstItem
}

// inObject reports whether the innermost open container is an object.
func (s *validator) inObject() bool {
	at := s.depth - 1
	return s.objects[at/64]>>(at%64)&1 == 1
}

func (s *validator) close(object bool) {
	if s.inObject() != object {
		s.state = scanFailed
		return
	}
	s.depth--
	s.endValue()
}

// endValue goes on behind a complete value.
func (s *validator) endValue() {
	s.state = scanAfter
	if s.depth == 0 {
		s.state = scanDone
	}
}

// after takes what follows a value inside a container.
func (s *validator) after(c byte) {
	switch c {
	case ',':
		s.state = scanValue
		if s.inObject() {
			s.state = scanKey
		}
	case '}':
		s.close(true)
	case ']':
		s.close(false)
	default:
		s.state = scanFailed
	}
}

// inString takes a byte of a string that is not plain.
func (s *validator) inString(c byte) {
	switch {
	case c == '\\':
		s.state = scanEscape
	case c != '"':
		s.state = scanFailed
	case s.key:
		s.state = scanColon
	default:
		s.endValue()
	}
}

// inToken takes a byte inside an escape, a literal or a number.
func (s *validator) inToken(c byte) {
	switch s.state {
	case scanEscape:
		if c == 'u' {
			s.state, s.hex = scanHex, 4
			return
		}
		s.expect(bytes.IndexByte([]byte(`"\/bfnrt`), c) >= 0, scanString)
	case scanHex:
		s.hex--
		next := scanHex
		if s.hex == 0 {
			next = scanString
		}
		s.expect(isHexDigit(c), next)
	case scanWord:
		if s.expect(c == s.word[0], scanWord); s.state == scanFailed {
			return
		}
		if s.word = s.word[1:]; s.word == "" {
			s.endValue()
		}
	default:
		s.inNumber(c)
	}
}

// needsDigit reports whether a part of a number has begun that has no digit yet.
func (s *validator) needsDigit() bool {
	return s.state == scanMinus || s.state == scanPoint || s.state == scanExponent || s.state == scanSign
}

// afterDigit is the state after the first digit c of a part.
func (s *validator) afterDigit(c byte) scanState {
	switch {
	case s.state == scanPoint:
		return scanFraction
	case s.state != scanMinus:
		return scanPower
	case c == '0':
		return scanZero
	}
	return scanInteger
}

// inNumber takes a byte inside or right behind a number.
func (s *validator) inNumber(c byte) {
	digit := c >= '0' && c <= '9'
	switch {
	case s.state == scanExponent && (c == '+' || c == '-'):
		s.state = scanSign
	case s.needsDigit():
		s.expect(digit, s.afterDigit(c))
	case digit:
		s.expect(s.state != scanZero, s.state)
	case c == '.' && (s.state == scanZero || s.state == scanInteger):
		s.state = scanPoint
	case c|0x20 == 'e' && s.state != scanPower:
		s.state = scanExponent
	default:
		s.endValue()
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			s.structure(c)
		}
	}
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// plainPrefix returns how many bytes at the start of b may stand in a JSON
// string as they are: all but the quote, the backslash and control characters.
// Eight bytes are looked at together.
func plainPrefix(b []byte) int {
	const (
		low  = 0x0101010101010101
		high = 0x8080808080808080
	)
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, backslash := w^low*'"', w^low*'\\'
		// Each term sets the high bit of a byte that is wanted; a borrow can
		// set it too, but only above a byte that is.
		found := ((w - low*0x20) &^ w) | ((quote - low) &^ quote) | ((backslash - low) &^ backslash)
		if found &= high; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(b) && b[n] >= 0x20 && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

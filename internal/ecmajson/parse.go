package ecmajson

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// MaxDepth is how deeply values may be nested when [Options] does not say.
// The parser recurses; the limit keeps a hostile document from exhausting the stack.
const MaxDepth = 20_000

// Options tightens what [Parse] accepts.
type Options struct {
	// MaxDepth limits the nesting of arrays and objects; 0 means [MaxDepth].
	MaxDepth int
	// UniqueKeys makes a repeated key of one object an error.
	UniqueKeys bool
	// ValidUTF8 makes a byte that is not UTF-8 an error.
	ValidUTF8 bool
}

// SyntaxError says what is wrong with a document and where.
type SyntaxError struct {
	// Offset is the byte at which the document stops making sense.
	Offset int
	// Message is lower-case and names what was found.
	Message string
}

// Error returns the message with its offset.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Message, e.Offset)
}

// Position converts a byte offset of src to a line and a column, both counted
// from 1; a column is one character, not one byte.
func Position(src []byte, offset int) (line, column int) {
	line, start := 1, 0
	offset = min(offset, len(src))
	for i, c := range src[:offset] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return line, utf8.RuneCount(src[start:offset]) + 1
}

// Parse reads one JSON document. The error is a [*SyntaxError].
func Parse(src []byte, opts Options) (*Value, error) {
	if opts.MaxDepth == 0 {
		opts.MaxDepth = MaxDepth
	}
	p := parser{src: src, opts: opts}
	p.space()
	v := p.value(0)
	if p.err == nil {
		p.space()
		if p.pos < len(src) {
			p.fail(p.pos, "unexpected "+p.here()+" after the end of the document")
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	return v, nil
}

type parser struct {
	src  []byte
	pos  int
	opts Options
	err  *SyntaxError
}

// fail keeps the first error; parsing unwinds by itself after it.
func (p *parser) fail(offset int, message string) *Value {
	if p.err == nil {
		p.err = &SyntaxError{Offset: offset, Message: message}
	}
	return nil
}

// here describes the byte at the current position.
func (p *parser) here() string {
	if p.pos >= len(p.src) {
		return "end of input"
	}
	r, n := DecodeRune(p.src[p.pos:])
	if r == utf8.RuneError && n <= 1 {
		return fmt.Sprintf("byte 0x%02x", p.src[p.pos])
	}
	return strconv.QuoteRune(r)
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) *Value {
	if p.pos >= len(p.src) {
		return p.fail(p.pos, "unexpected end of input")
	}
	switch c := p.src[p.pos]; {
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case c == '"':
		start := p.pos
		s, ok := p.str()
		if !ok {
			return nil
		}
		return &Value{kind: String, text: s, offset: start, end: p.pos}
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.literal("true", Value{kind: Bool, truth: true})
	case c == 'f':
		return p.literal("false", Value{kind: Bool})
	case c == 'n':
		return p.literal("null", Value{kind: Null})
	}
	return p.fail(p.pos, "unexpected "+p.here())
}

func (p *parser) literal(word string, v Value) *Value {
	if len(p.src)-p.pos < len(word) || string(p.src[p.pos:p.pos+len(word)]) != word {
		return p.fail(p.pos, "unexpected "+p.here())
	}
	v.offset = p.pos
	p.pos += len(word)
	v.end = p.pos
	return &v
}

func (p *parser) tooDeep(depth int) bool {
	if depth <= p.opts.MaxDepth {
		return false
	}
	p.fail(p.pos, fmt.Sprintf("nested more than %d levels deep", p.opts.MaxDepth))
	return true
}

func (p *parser) array(depth int) *Value {
	if p.tooDeep(depth) {
		return nil
	}
	v := &Value{kind: Array, offset: p.pos}
	p.pos++
	for p.space(); !p.take(']'); p.space() {
		if len(v.items) > 0 && !p.separator(']') {
			return nil
		}
		item := p.value(depth)
		if item == nil {
			return nil
		}
		v.items = append(v.items, item)
	}
	v.end = p.pos
	return v
}

func (p *parser) object(depth int) *Value {
	if p.tooDeep(depth) {
		return nil
	}
	v := &Value{kind: Object, offset: p.pos}
	p.pos++
	for p.space(); !p.take('}'); p.space() {
		if len(v.members) > 0 && !p.separator('}') {
			return nil
		}
		if !p.member(v, depth) {
			return nil
		}
	}
	v.end = p.pos
	return v
}

func (p *parser) member(v *Value, depth int) bool {
	at := p.pos
	if p.pos >= len(p.src) || p.src[p.pos] != '"' {
		p.fail(p.pos, "expected a key in double quotes, found "+p.here())
		return false
	}
	key, ok := p.str()
	if !ok {
		return false
	}
	p.space()
	if !p.take(':') {
		p.fail(p.pos, "expected ':' after a key, found "+p.here())
		return false
	}
	p.space()
	value := p.value(depth)
	if value == nil {
		return false
	}
	if v.set(Member{Key: key, KeyOffset: at, Value: value}) && p.opts.UniqueKeys {
		p.fail(at, "duplicate key "+strconv.Quote(key))
		return false
	}
	return true
}

// take consumes c when it comes next.
func (p *parser) take(c byte) bool {
	if p.pos < len(p.src) && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// separator consumes the comma between two elements and the space after it.
func (p *parser) separator(closing byte) bool {
	if !p.take(',') {
		p.fail(p.pos, fmt.Sprintf("expected ',' or '%c', found %s", closing, p.here()))
		return false
	}
	p.space()
	if p.pos < len(p.src) && p.src[p.pos] == closing {
		p.fail(p.pos, fmt.Sprintf("trailing comma before '%c'", closing))
		return false
	}
	return true
}

func (p *parser) number() *Value {
	start := p.pos
	p.take('-')
	if !p.take('0') && !p.digits() {
		return p.fail(p.pos, "expected a digit, found "+p.here())
	}
	if p.take('.') && !p.digits() {
		return p.fail(p.pos, "expected a digit after the decimal point, found "+p.here())
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return p.fail(p.pos, "expected a digit in the exponent, found "+p.here())
		}
	}
	text := string(p.src[start:p.pos])
	// The only possible error is a range error, whose value (0 or Infinity)
	// is what ECMAScript gives too.
	f, _ := strconv.ParseFloat(text, 64)
	return &Value{kind: Number, number: f, text: text, offset: start, end: p.pos}
}

// digits consumes one or more digits.
func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

// str consumes a string, whose opening quote comes next.
func (p *parser) str() (string, bool) {
	start := p.pos
	p.pos++
	for i := p.pos; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '"':
			s := string(p.src[p.pos:i])
			p.pos = i + 1
			return s, true
		case c == '\\' || c < 0x20 || c >= utf8.RuneSelf:
			return p.strSlow(start)
		}
	}
	p.fail(start, "string without a closing quote")
	return "", false
}

// strSlow is str for strings with escapes, other alphabets or faults.
func (p *parser) strSlow(start int) (string, bool) {
	var buf []byte
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(buf), true
		case c < 0x20:
			p.fail(p.pos, fmt.Sprintf("control character 0x%02x in a string", c))
			return "", false
		case c == '\\':
			var ok bool
			if buf, ok = p.escape(buf); !ok {
				return "", false
			}
		case c < utf8.RuneSelf:
			buf = append(buf, c)
			p.pos++
		default:
			r, n := DecodeRune(p.src[p.pos:])
			if p.opts.ValidUTF8 && r == utf8.RuneError && !isReplacement(p.src[p.pos:]) {
				p.fail(p.pos, fmt.Sprintf("byte 0x%02x is not UTF-8", c))
				return "", false
			}
			buf = utf8.AppendRune(buf, r)
			p.pos += n
		}
	}
	p.fail(start, "string without a closing quote")
	return "", false
}

// isReplacement reports whether b begins with a real U+FFFD.
func isReplacement(b []byte) bool {
	return len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBF && b[2] == 0xBD
}

// escape consumes one escape sequence, the backslash included.
func (p *parser) escape(buf []byte) ([]byte, bool) {
	at := p.pos
	if p.pos+1 >= len(p.src) {
		p.fail(at, "string without a closing quote")
		return nil, false
	}
	c := p.src[p.pos+1]
	if c == 'u' {
		return p.unicodeEscape(buf)
	}
	plain, ok := plainEscape(c)
	if !ok {
		p.fail(at, "invalid escape in a string")
		return nil, false
	}
	p.pos += 2
	return append(buf, plain), true
}

func plainEscape(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

// unicodeEscape consumes \uXXXX, and the second half of a surrogate pair.
func (p *parser) unicodeEscape(buf []byte) ([]byte, bool) {
	r, ok := hex4(p.src[p.pos+2:])
	if !ok {
		p.fail(p.pos, "invalid \\u escape in a string")
		return nil, false
	}
	p.pos += 6
	if isLow(r) && endsInHigh(buf) {
		high := rune(0xD000) | rune(buf[len(buf)-2]&0x3F)<<6 | rune(buf[len(buf)-1]&0x3F)
		return utf8.AppendRune(buf[:len(buf)-3], 0x10000+(high-0xD800)<<10+(r-0xDC00)), true
	}
	return appendWTF8(buf, r), true
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n := rune(0)
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// sameNumber is Object.is for two doubles.
func sameNumber(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b)
}

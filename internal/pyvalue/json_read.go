package pyvalue

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONLimits bound what FromJSON reads. Zero fields: texts of any length, 1000
// arrays and objects in each other.
type JSONLimits struct {
	Bytes int
	Depth int
}

// FromJSON is json.loads of the str src: order kept, the last of duplicate keys
// wins at the place of the first, ints of any size up to 4300 digits, NaN and
// Infinity accepted, lone surrogates kept. Errors are JSONDecodeError, whose
// positions count code points, ValueError, UnicodeDecodeError, RecursionError, and
// a *BudgetError for a src that is too long.
func FromJSON(src []byte, l JSONLimits) (Value, error) {
	if l.Bytes > 0 && len(src) > l.Bytes {
		return nil, &BudgetError{What: "string", Limit: int64(l.Bytes)}
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	r := jsonReader{s: string(src), depth: l.Depth}
	if strings.HasPrefix(r.s, "\ufeff") {
		return nil, r.fail("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0)
	}
	r.space()
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(r.s) {
		return nil, r.fail("Extra data", r.at)
	}
	return v, nil
}

// jsonReader reads s from at.
type jsonReader struct {
	s     string
	at    int
	depth int // how many more may be nested
}

// fail makes the error of something at a byte offset.
func (r *jsonReader) fail(what string, at int) error {
	before := r.s[:min(at, len(r.s))]
	char := RuneLen(before)
	line := strings.Count(before, "\n") + 1
	column := RuneLen(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return Errorf("JSONDecodeError", "%s: line %d column %d (char %d)", what, line, column, char)
}

func (r *jsonReader) space() {
	for r.at < len(r.s) {
		switch r.s[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end.
func (r *jsonReader) peek() byte {
	if r.at < len(r.s) {
		return r.s[r.at]
	}
	return 0
}

func (r *jsonReader) value() (Value, error) {
	switch r.peek() {
	case '"':
		s, err := r.text()
		return Str{s: s}, err
	case '{':
		return r.nested("object", r.object)
	case '[':
		return r.nested("array", r.array)
	}
	if v := r.word(); v != nil {
		return v, nil
	}
	return r.number()
}

func (r *jsonReader) nested(what string, read func() (Value, error)) (Value, error) {
	if r.depth == 0 {
		return nil, Errorf("RecursionError",
			"maximum recursion depth exceeded while decoding a JSON %s from a unicode string", what)
	}
	r.depth--
	r.at++
	v, err := read()
	r.depth++
	return v, err
}

// word reads one of the six words, or returns nil.
func (r *jsonReader) word() Value {
	rest := r.s[r.at:]
	var word string
	var v Value
	switch r.peek() {
	case 'n':
		word, v = "null", None{}
	case 't':
		word, v = "true", Bool(true)
	case 'f':
		word, v = "false", Bool(false)
	case 'N':
		word, v = "NaN", Float(math.NaN())
	case 'I':
		word, v = "Infinity", Float(math.Inf(1))
	case '-':
		word, v = "-Infinity", Float(math.Inf(-1))
	}
	if word == "" || !strings.HasPrefix(rest, word) {
		return nil
	}
	r.at += len(word)
	return v
}

func (r *jsonReader) array() (Value, error) {
	out := &List{}
	if r.space(); r.peek() == ']' {
		r.at++
		return out, nil
	}
	for {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
		if r.space(); r.peek() == ']' {
			r.at++
			return out, nil
		}
		if err := r.expect(',', "Expecting ',' delimiter"); err != nil {
			return nil, err
		}
	}
}

// expect reads a mark and the blanks behind it.
func (r *jsonReader) expect(mark byte, what string) error {
	if r.peek() != mark {
		return r.fail(what, r.at)
	}
	r.at++
	r.space()
	return nil
}

func (r *jsonReader) object() (Value, error) {
	out := &Dict{}
	if r.space(); r.peek() == '}' {
		r.at++
		return out, nil
	}
	for {
		if err := r.member(out); err != nil {
			return nil, err
		}
		if r.space(); r.peek() == '}' {
			r.at++
			return out, nil
		}
		if err := r.expect(',', "Expecting ',' delimiter"); err != nil {
			return nil, err
		}
	}
}

func (r *jsonReader) member(d *Dict) error {
	if r.peek() != '"' {
		return r.fail("Expecting property name enclosed in double quotes", r.at)
	}
	key, err := r.text()
	if err != nil {
		return err
	}
	r.space()
	if err := r.expect(':', "Expecting ':' delimiter"); err != nil {
		return err
	}
	v, err := r.value()
	if err != nil {
		return err
	}
	return d.Set(nil, Str{s: key}, v)
}

// number reads as much as is a number: of "01" the zero, of "1.e" the one.
func (r *jsonReader) number() (Value, error) {
	start, end := r.at, r.at
	if r.peek() == '-' {
		end++
	}
	whole := skipDigits(r.s, end)
	switch {
	case whole == end:
		return nil, r.fail("Expecting value", start)
	case r.s[end] == '0':
		whole = end + 1
	}
	end = r.fractionEnd(whole)
	r.at = end
	literal := r.s[start:end]
	if end == whole {
		return parseInt(nil, None{}, literal, 10)
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, r.fail("Expecting value", start)
	}
	return Float(f), nil
}

func skipDigits(s string, at int) int {
	for at < len(s) && s[at] >= '0' && s[at] <= '9' {
		at++
	}
	return at
}

// fractionEnd is where the fraction and exponent end that may begin at at.
func (r *jsonReader) fractionEnd(at int) int {
	end := at
	if end < len(r.s) && r.s[end] == '.' {
		if after := skipDigits(r.s, end+1); after > end+1 {
			end = after
		}
	}
	if end >= len(r.s) || r.s[end]|0x20 != 'e' {
		return end
	}
	digits := end + 1
	if digits < len(r.s) && (r.s[digits] == '+' || r.s[digits] == '-') {
		digits++
	}
	if after := skipDigits(r.s, digits); after > digits {
		return after
	}
	return end
}

// text reads a string.
func (r *jsonReader) text() (string, error) {
	begin := r.at
	r.at++
	if end := plainEnd(r.s, r.at); end < len(r.s) && r.s[end] == '"' {
		s := r.s[r.at:end]
		r.at = end + 1
		return s, nil
	}
	var out []byte
	for r.at < len(r.s) {
		c := r.s[r.at]
		switch {
		case c == '"':
			r.at++
			return string(out), nil
		case c == '\\':
			var err error
			if out, err = r.escape(out, begin); err != nil {
				return "", err
			}
			continue
		case c < ' ':
			return "", r.fail("Invalid control character at", r.at)
		}
		char, size := decodeRune(r.s[r.at:])
		if char == utf8.RuneError && size == 1 {
			return "", undecodable("utf-8", c, r.at)
		}
		out = append(out, r.s[r.at:r.at+size]...)
		r.at += size
	}
	return "", r.fail("Unterminated string starting at", begin)
}

// plainEnd is the index of the first byte that is not printable ASCII, or is a
// quote or backslash.
func plainEnd(s string, at int) int {
	for at < len(s) && s[at] >= ' ' && s[at] < utf8.RuneSelf && s[at] != '"' && s[at] != '\\' {
		at++
	}
	return at
}

func (r *jsonReader) escape(dst []byte, begin int) ([]byte, error) {
	if r.at+1 >= len(r.s) {
		return nil, r.fail("Unterminated string starting at", begin)
	}
	c := r.s[r.at+1]
	if c == 'u' {
		return r.unicodeEscape(dst)
	}
	plain := strings.IndexByte(`"\/bfnrt`, c)
	if plain < 0 {
		return nil, r.fail(`Invalid \escape`, r.at)
	}
	r.at += 2
	return append(dst, "\"\\/\b\f\n\r\t"[plain]), nil
}

func (r *jsonReader) unicodeEscape(dst []byte) ([]byte, error) {
	char, ok := r.hex(r.at + 2)
	if !ok {
		return nil, r.fail(`Invalid \uXXXX escape`, r.at+1)
	}
	r.at += 6
	if char < 0xd800 || char > 0xdbff || !strings.HasPrefix(r.s[r.at:], `\u`) || r.at+6 >= len(r.s) {
		return appendRune(dst, char), nil
	}
	low, ok := r.hex(r.at + 2)
	switch {
	case !ok:
		return nil, r.fail(`Invalid \uXXXX escape`, r.at+1)
	case low < 0xdc00 || low > 0xdfff:
		return appendRune(dst, char), nil
	}
	r.at += 6
	return utf8.AppendRune(dst, (char-0xd800)<<10|(low-0xdc00)+0x10000), nil
}

// hex reads four digits, after which the text must go on.
func (r *jsonReader) hex(at int) (rune, bool) {
	if at+4 >= len(r.s) {
		return 0, false
	}
	var n rune
	for _, c := range []byte(r.s[at : at+4]) {
		digit := strings.IndexByte(hexDigits, c|0x20)
		if digit < 0 || c < '0' || c > '9' && c < 'A' {
			return 0, false
		}
		n = n<<4 | rune(digit)
	}
	return n, true
}

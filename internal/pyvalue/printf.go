package pyvalue

import (
	"math"
	"strings"
)

// printf is format % args: str.__mod__, or Markup's, which escapes what it fills
// in.
func printf(m *Meter, format, args Value) (Value, error) {
	text, _ := AsStr(format)
	if err := m.Step(len(text) / textStep); err != nil {
		return nil, err
	}
	_, escape := format.(Markup)
	p := newPrintf(m, text, args, escape)
	for !p.done() {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if p.unused() {
		return nil, typeError("not all arguments converted during string formatting")
	}
	if escape {
		return Markup(p.dst), nil
	}
	return Str{s: string(p.dst)}, nil
}

// printfState goes through a format with "%" conversions.
type printfState struct {
	m      *Meter
	s      string
	at     int
	dst    []byte
	escape bool

	args    []Value // what is not converted yet
	mapping Value   // what "%(key)s" looks into, or nil
	single  bool    // args came as one value, no tuple
}

func newPrintf(m *Meter, s string, args Value, escape bool) *printfState {
	p := &printfState{m: m, s: s, escape: escape, args: []Value{args}, single: true}
	switch a := args.(type) {
	case *Tuple:
		p.args, p.single = a.Items, false
	case *Dict, *List, *Bytes, *Range, *Undefined:
		p.mapping = args
	}
	return p
}

func (p *printfState) done() bool { return p.at >= len(p.s) }

func (p *printfState) unused() bool { return len(p.args) > 0 && p.mapping == nil }

// write appends text that the meter has been told of.
func (p *printfState) write(s string) error {
	if err := p.m.extend(len(p.dst), len(s)); err != nil {
		return err
	}
	p.dst = append(p.dst, s...)
	return nil
}

// next writes the text up to a conversion, and the conversion.
func (p *printfState) next() error {
	rest := p.s[p.at:]
	percent := strings.IndexByte(rest, '%')
	if percent < 0 {
		p.at = len(p.s)
		return p.write(rest)
	}
	p.at += percent + 1
	if err := p.write(rest[:percent]); err != nil {
		return err
	}
	if strings.HasPrefix(p.s[p.at:], "%") {
		p.at++
		return p.write("%")
	}
	c, err := p.conversion()
	if err != nil {
		return err
	}
	return p.convert(c)
}

// conversion is what stands between "%" and its letter.
type conversion struct {
	left, plus, blank, alt, zero bool
	width, precision             int // precision -1: none
	kind                         rune
	at                           int // index of kind, in bytes
}

func (p *printfState) conversion() (conversion, error) {
	c := conversion{precision: -1}
	if err := p.key(); err != nil {
		return c, err
	}
	p.flags(&c)
	if err := p.measures(&c); err != nil {
		return c, err
	}
	if !p.done() && strings.IndexByte("hlL", p.s[p.at]) >= 0 {
		p.at++
	}
	if p.done() {
		return c, valueError("incomplete format")
	}
	kind, size := decodeRune(p.s[p.at:])
	c.kind, c.at = kind, p.at
	p.at += size
	return c, nil
}

// key reads "(key)", which makes the item of that key the argument.
func (p *printfState) key() error {
	if p.done() || p.s[p.at] != '(' {
		return nil
	}
	if p.mapping == nil {
		return typeError("format requires a mapping")
	}
	start := p.at + 1
	for depth := 0; ; p.at++ {
		if p.done() {
			return valueError("incomplete format key")
		}
		switch p.s[p.at] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	p.at++
	v, err := GetItem(p.m, p.mapping, Str{s: p.s[start : p.at-1]})
	if err != nil {
		return err
	}
	p.args, p.single = []Value{v}, true
	return nil
}

func (p *printfState) flags(c *conversion) {
	for ; !p.done(); p.at++ {
		switch p.s[p.at] {
		case '-':
			c.left = true
		case '+':
			c.plus = true
		case ' ':
			c.blank = true
		case '#':
			c.alt = true
		case '0':
			c.zero = true
		default:
			return
		}
	}
}

func (p *printfState) measures(c *conversion) error {
	width, err := p.measure(math.MaxInt, "width too big")
	if err != nil {
		return err
	}
	if width < 0 {
		c.left, width = true, -width
	}
	c.width = width
	if p.done() || p.s[p.at] != '.' {
		return nil
	}
	p.at++
	precision, err := p.measure(math.MaxInt32, "precision too big")
	c.precision = max(precision, 0)
	return err
}

// measure reads a number up to limit or "*", which takes an argument.
func (p *printfState) measure(limit int64, tooBig string) (int, error) {
	if !p.done() && p.s[p.at] == '*' {
		p.at++
		return p.starred(limit, tooBig)
	}
	n := int64(0)
	for ; !p.done() && p.s[p.at] >= '0' && p.s[p.at] <= '9'; p.at++ {
		digit := int64(p.s[p.at] - '0')
		if n > (limit-digit)/10 {
			return 0, valueError("%s", tooBig)
		}
		n = n*10 + digit
	}
	return int(n), nil
}

func (p *printfState) starred(limit int64, tooBig string) (int, error) {
	v, err := p.argument()
	if err != nil {
		return 0, err
	}
	n, ok := AsInt(v)
	switch {
	case !isInt(v) || p.escape: // MarkupSafe's helper around an int is none
		return 0, typeError("* wants int")
	case !ok || n < -limit || n > limit:
		return 0, Errorf("OverflowError", "%s", tooBig)
	}
	return int(n), nil
}

func (p *printfState) argument() (Value, error) {
	if len(p.args) == 0 {
		return nil, typeError("not enough arguments for format string")
	}
	v := p.args[0]
	p.args = p.args[1:]
	return v, nil
}

func (p *printfState) convert(c conversion) error {
	v, err := p.argument()
	if err != nil {
		return err
	}
	switch c.kind {
	case 's', 'r', 'a':
		s, err := p.text(c, v)
		if err != nil {
			return err
		}
		return p.padded(c, s)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return p.integer(c, v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return p.float(c, v)
	case 'c':
		s, err := p.character(v)
		if err != nil {
			return err
		}
		c.precision = -1
		return p.padded(c, s)
	}
	shown := c.kind
	if shown < 31 || shown >= 126 {
		shown = '?'
	}
	return valueError("unsupported format character '%c' (0x%x) at index %d", shown, c.kind, RuneLen(p.s[:c.at]))
}

// text is the value as %s, %r and %a print it, escaped for Markup.
func (p *printfState) text(c conversion, v Value) (string, error) {
	if c.kind == 's' && p.escape {
		s, err := Escape(p.m, v)
		return string(s), err
	}
	write := Text
	switch c.kind {
	case 'r':
		write = Repr
	case 'a':
		write = ASCII
	}
	s, err := write(p.m, v)
	if err != nil || !p.escape {
		return s, err
	}
	safe, err := escapeText(p.m, s)
	return string(safe), err
}

func (p *printfState) padded(c conversion, s string) error {
	if c.precision >= 0 {
		if err := p.m.Step(len(s) / textStep); err != nil {
			return err
		}
		s = substring(s, 0, c.precision)
	}
	f := spec{fill: " ", align: '>', width: c.width}
	if c.left {
		f.align = '<'
	}
	s, err := f.pad(p.m, "", s)
	if err != nil {
		return err
	}
	return p.write(s)
}

// number pads a number: zeros come after its sign and base.
func (p *printfState) number(c conversion, prefix, digits string) error {
	if !strings.HasPrefix(prefix, "-") {
		switch {
		case c.plus:
			prefix = "+" + prefix
		case c.blank:
			prefix = " " + prefix
		}
	}
	f := spec{fill: " ", align: '>', width: c.width}
	switch {
	case c.left:
		f.align = '<'
	case c.zero:
		f.fill, f.align = "0", '='
	}
	s, err := f.pad(p.m, prefix, digits)
	if err != nil {
		return err
	}
	return p.write(s)
}

func (p *printfState) integer(c conversion, v Value) error {
	n, err := p.toInt(c, v)
	if err != nil {
		return err
	}
	prefix, digits, err := intDigits(p.m, n, c.kind, c.alt)
	if err != nil {
		return err
	}
	if missing := c.precision - len(digits); missing > 0 {
		zeros, err := repeatText(p.m, "0", int64(missing))
		if err != nil {
			return err
		}
		digits = zeros + digits
	}
	return p.number(c, prefix, digits)
}

func (p *printfState) toInt(c conversion, v Value) (Value, error) {
	based := strings.ContainsRune("oxX", c.kind)
	switch {
	case based && p.escape: // MarkupSafe's helper around an int is none
		return nil, typeError("%%%c format: an integer is required, not _MarkupEscapeHelper", c.kind)
	case isInt(v):
		return v, nil
	case based:
		return nil, typeError("%%%c format: an integer is required, not %s", c.kind, v.TypeName())
	case p.escape:
		return IntFrom(p.m, v, 10) // the helper converts texts too
	}
	if err := undefinedOf(v); err != nil {
		return nil, err
	}
	if _, ok := v.(Float); !ok {
		return nil, typeError("%%%c format: a real number is required, not %s", c.kind, v.TypeName())
	}
	return IntFrom(p.m, v, 10)
}

func (p *printfState) float(c conversion, v Value) error {
	f, err := p.toFloat(v)
	if err != nil {
		return err
	}
	precision := c.precision
	if precision < 0 {
		precision = 6
	}
	if err := p.m.Alloc(precision + 320); err != nil {
		return err
	}
	prefix := ""
	if negative(f) {
		prefix = "-"
	}
	return p.number(c, prefix, floatDigits(f, byte(c.kind), precision, c.alt))
}

func (p *printfState) toFloat(v Value) (float64, error) {
	switch {
	case IsNumber(v):
		return toFloat(v)
	case p.escape:
		f, err := FloatFrom(p.m, v)
		return float64(f), err
	}
	if err := undefinedOf(v); err != nil {
		return 0, err
	}
	return 0, typeError("must be real number, not %s", v.TypeName())
}

// character is the argument of %c: an int, or a string of one character.
func (p *printfState) character(v Value) (string, error) {
	if s, ok := AsStr(v); ok && !p.escape && RuneLen(s) == 1 {
		return s, nil
	}
	if !isInt(v) || p.escape {
		return "", typeError("%%c requires int or char")
	}
	if _, ok := AsInt(v); !ok {
		return "", notCharacter()
	}
	return character(v)
}

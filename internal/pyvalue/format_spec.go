package pyvalue

import (
	"math"
	"unicode/utf8"
)

// spec is a format specification (Python's "Format Specification Mini-Language"):
//
//	[[fill]align][sign]["z"]["#"]["0"][width][grouping]["." precision][type]
type spec struct {
	fill      string
	align     byte // '<', '>', '=', '^'
	sign      byte // '+', '-', ' ', or 0
	noNegZero bool // "z"
	alt       bool // "#"
	width     int  // -1: none
	grouping  byte // ',', '_', or 0
	precision int  // -1: none
	kind      rune // 0: none
}

// specReader reads a spec from what is left of its text.
type specReader struct {
	s    string
	spec spec
}

// parseSpec reads text for a value of the given type. align is the default of
// that type. Errors are ValueErrors.
func parseSpec(text, typeName string, align byte) (spec, error) {
	r := specReader{s: text, spec: spec{fill: " ", align: align, width: -1, precision: -1}}
	r.flags(align)
	if err := r.numbers(); err != nil {
		return r.spec, err
	}
	if r.s == "" {
		return r.spec, checkGrouping(r.spec)
	}
	kind, size := decodeRune(r.s)
	if size < len(r.s) {
		return r.spec, valueError("Invalid format specifier '%s' for object of type '%s'", text, typeName)
	}
	if kind == 0 && typeName != "float" { // whose default type is NUL
		return r.spec, unknownCode(kind, typeName)
	}
	r.spec.kind = kind
	return r.spec, checkGrouping(r.spec)
}

func isAlign(s string) bool {
	return s != "" && (s[0] == '<' || s[0] == '>' || s[0] == '=' || s[0] == '^')
}

// flags reads everything before the width.
func (r *specReader) flags(defaultAlign byte) {
	filled := r.alignment()
	aligned := filled || isAlign(r.s)
	if !filled && aligned {
		r.spec.align = r.next()
	}
	if r.s != "" && (r.s[0] == '+' || r.s[0] == '-' || r.s[0] == ' ') {
		r.spec.sign = r.next()
	}
	r.spec.noNegZero = r.take('z')
	r.spec.alt = r.take('#')
	if !filled && r.take('0') {
		r.spec.fill = "0"
		if !aligned && defaultAlign == '>' {
			r.spec.align = '='
		}
	}
}

// alignment reads a fill character with its alignment, if both are there.
func (r *specReader) alignment() bool {
	if r.s == "" {
		return false
	}
	_, size := decodeRune(r.s)
	if !isAlign(r.s[size:]) {
		return false
	}
	r.spec.fill, r.s = r.s[:size], r.s[size:]
	r.spec.align = r.next()
	return true
}

func (r *specReader) next() byte {
	c := r.s[0]
	r.s = r.s[1:]
	return c
}

func (r *specReader) take(c byte) bool {
	if r.s == "" || r.s[0] != c {
		return false
	}
	r.s = r.s[1:]
	return true
}

// numbers reads width, grouping and precision.
func (r *specReader) numbers() error {
	var err error
	if r.spec.width, err = r.integer(); err != nil {
		return err
	}
	if r.take(',') {
		r.spec.grouping = ','
	}
	if r.take('_') {
		if r.spec.grouping != 0 {
			return bothGroupings()
		}
		r.spec.grouping = '_'
	}
	if r.spec.grouping == '_' && r.take(',') {
		return bothGroupings()
	}
	if !r.take('.') {
		return nil
	}
	if r.spec.precision, err = r.integer(); err == nil && r.spec.precision < 0 {
		return valueError("Format specifier missing precision")
	}
	return err
}

func bothGroupings() error { return valueError("Cannot specify both ',' and '_'.") }

// integer reads decimal digits, of any script; -1 if there are none.
func (r *specReader) integer() (int, error) {
	n := -1
	for r.s != "" {
		c, size := decodeRune(r.s)
		if !isDecimal(c) {
			break
		}
		n = max(n, 0)
		if n > (math.MaxInt-decimalValue(c))/10 {
			return 0, tooManyFormatDigits()
		}
		n = n*10 + decimalValue(c)
		r.s = r.s[size:]
	}
	return n, nil
}

func tooManyFormatDigits() error { return valueError("Too many decimal digits in format string") }

// checkGrouping refuses grouping where the type has none.
func checkGrouping(s spec) error {
	if s.grouping == 0 {
		return nil
	}
	switch s.kind {
	case 'd', 'e', 'f', 'g', 'E', 'G', 'F', '%', 0:
		return nil
	case 'b', 'o', 'x', 'X':
		if s.grouping == '_' {
			return nil
		}
	}
	if s.kind > ' ' && s.kind < utf8.RuneSelf {
		return valueError("Cannot specify '%c' with '%c'.", s.grouping, s.kind)
	}
	return valueError("Cannot specify '%c' with '\\x%x'.", s.grouping, s.kind)
}

func unknownCode(kind rune, typeName string) error {
	if kind > ' ' && kind < utf8.RuneSelf {
		return valueError("Unknown format code '%c' for object of type '%s'", kind, typeName)
	}
	return valueError("Unknown format code '\\x%x' for object of type '%s'", kind, typeName)
}

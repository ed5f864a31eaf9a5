package pyvalue

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Format is format(v, spec). Errors are ValueError for a specification that is
// wrong, TypeError for a kind of value that has none, and *BudgetError.
func Format(m *Meter, v Value, spec string) (string, error) {
	if spec == "" {
		return Text(m, v)
	}
	if s, ok := AsStr(v); ok {
		return formatText(m, s, spec, v.TypeName())
	}
	switch {
	case isInt(v):
		return formatInt(m, v, spec)
	case IsNumber(v):
		return formatFloatValue(m, v, spec)
	}
	return "", typeError("unsupported format string passed to %s.__format__", v.TypeName())
}

func formatText(m *Meter, s, text, typeName string) (string, error) {
	f, err := parseSpec(text, typeName, '<')
	if err != nil {
		return "", err
	}
	switch {
	case f.kind != 0 && f.kind != 's':
		return "", unknownCode(f.kind, typeName)
	case f.grouping != 0: // without a type: with "s" it was refused before
		return "", valueError("Cannot specify '%c' with 's'.", f.grouping)
	case f.sign == ' ':
		return "", valueError("Space not allowed in string format specifier")
	case f.sign != 0:
		return "", valueError("Sign not allowed in string format specifier")
	case f.noNegZero:
		return "", valueError("Negative zero coercion (z) not allowed in string format specifier")
	case f.alt:
		return "", valueError("Alternate form (#) not allowed in string format specifier")
	case f.align == '=':
		return "", valueError("'=' alignment not allowed in string format specifier")
	}
	if f.precision >= 0 {
		if err := m.Step(len(s) / textStep); err != nil {
			return "", err
		}
		s = substring(s, 0, f.precision)
	}
	return f.pad(m, "", s)
}

// pad fills prefix and s, which are one, up to the width; '=' fills between them.
func (f spec) pad(m *Meter, prefix, s string) (string, error) {
	missing := max(f.width-RuneLen(prefix)-RuneLen(s), 0)
	size, err := product(m, len(f.fill), int64(missing))
	if err != nil {
		return "", err
	}
	if err := m.Alloc(len(prefix) + len(s) + size); err != nil {
		return "", err
	}
	fill := func(n int) string { return strings.Repeat(f.fill, n) }
	switch f.align {
	case '<':
		return prefix + s + fill(missing), nil
	case '^':
		return fill(missing/2) + prefix + s + fill(missing-missing/2), nil
	case '=':
		return prefix + fill(missing) + s, nil
	}
	return fill(missing) + prefix + s, nil
}

func formatInt(m *Meter, v Value, text string) (string, error) {
	name := v.TypeName()
	f, err := parseSpec(text, name, '>')
	if err != nil {
		return "", err
	}
	switch f.kind {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return formatFloat(m, v, f)
	case 0, 'b', 'c', 'd', 'o', 'x', 'X', 'n':
	default:
		return "", unknownCode(f.kind, name)
	}
	if err := checkIntSpec(f); err != nil {
		return "", err
	}
	if f.kind == 'c' {
		c, err := character(v)
		if err != nil {
			return "", err
		}
		return f.pad(m, "", c)
	}
	prefix, digits, err := intDigits(m, v, f.kind, f.alt)
	if err != nil {
		return "", err
	}
	return f.number(m, strings.HasPrefix(prefix, "-"), strings.TrimPrefix(prefix, "-"), digits, "")
}

func checkIntSpec(f spec) error {
	switch {
	case f.precision >= 0:
		return valueError("Precision not allowed in integer format specifier")
	case f.noNegZero:
		return valueError("Negative zero coercion (z) not allowed in integer format specifier")
	case f.kind == 'c' && f.sign != 0:
		return valueError("Sign not allowed with integer format specifier 'c'")
	case f.kind == 'c' && f.alt:
		return valueError("Alternate form (#) not allowed with integer format specifier 'c'")
	}
	return nil
}

// character is chr(v) for the type c of formats.
func character(v Value) (string, error) {
	n, ok := AsInt(v)
	switch {
	case !ok:
		return "", Errorf("OverflowError", "Python int too large to convert to C long")
	case n < 0 || n > utf8.MaxRune:
		return "", notCharacter()
	}
	return FromRunes([]rune{rune(n)}), nil
}

func notCharacter() error { return Errorf("OverflowError", "%%c arg not in range(0x110000)") }

// intDigits returns sign and base prefix of an int, and its digits.
func intDigits(m *Meter, v Value, kind rune, alt bool) (prefix, digits string, err error) {
	n, _ := asBig(v)
	if n.Sign() < 0 {
		prefix = "-"
	}
	base := 10
	switch kind {
	case 'b':
		base = 2
	case 'o':
		base = 8
	case 'x', 'X':
		base = 16
	}
	if base == 10 {
		dst, err := appendBig(nil, n)
		return prefix, strings.TrimPrefix(string(dst), "-"), err
	}
	if err := m.Alloc(n.BitLen()); err != nil {
		return "", "", err
	}
	digits = strings.TrimPrefix(n.Text(base), "-")
	if alt {
		prefix += "0" + strings.ToLower(string(kind))
	}
	if kind == 'X' {
		return strings.ToUpper(prefix), strings.ToUpper(digits), nil
	}
	return prefix, digits, nil
}

func formatFloatValue(m *Meter, v Value, text string) (string, error) {
	f, err := parseSpec(text, "float", '>')
	if err != nil {
		return "", err
	}
	switch f.kind {
	case 0, 'e', 'E', 'f', 'F', 'g', 'G', '%', 'n':
		return formatFloat(m, v, f)
	}
	return "", unknownCode(f.kind, "float")
}

func formatFloat(m *Meter, v Value, f spec) (string, error) {
	x, err := toFloat(v)
	if err != nil {
		return "", err
	}
	if f.precision > math.MaxInt32 {
		return "", valueError("precision too big")
	}
	if err := m.Alloc(max(f.precision, 0) + 320); err != nil {
		return "", err
	}
	digits, suffix := f.floatText(x)
	minus := negative(x)
	if f.noNegZero && strings.Trim(digits, "0.e+-") == "" {
		minus = false
	}
	whole := 0
	for whole < len(digits) && digits[whole] >= '0' && digits[whole] <= '9' {
		whole++
	}
	return f.number(m, minus, "", digits[:whole], digits[whole:]+suffix)
}

// floatText returns the digits of x in the type of f, and what follows them.
func (f spec) floatText(x float64) (digits, suffix string) {
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	switch {
	case f.kind == '%':
		return floatDigits(x*100, 'f', precision, f.alt), "%"
	case f.kind == 'n':
		return floatDigits(x, 'g', precision, f.alt), ""
	case f.kind != 0:
		return floatDigits(x, byte(f.kind), precision, f.alt), ""
	case f.precision < 0:
		return floatDigits(x, 'r', 0, f.alt), ""
	}
	return floatDigits(x, 0, precision, f.alt), ""
}

// number puts a number together: sign, prefix, grouped digits, and the rest.
func (f spec) number(m *Meter, minus bool, prefix, digits, rest string) (string, error) {
	switch {
	case minus:
		prefix = "-" + prefix
	case f.sign == '+' || f.sign == ' ':
		prefix = string(f.sign) + prefix
	}
	if f.grouping == 0 || digits == "" {
		return f.pad(m, prefix, digits+rest)
	}
	size := 3
	switch f.kind {
	case 'b', 'o', 'x', 'X':
		size = 4
	}
	least := 0
	if f.fill == "0" && f.align == '=' {
		least = f.width - len(prefix) - len(rest)
	}
	if err := m.Alloc(2 * max(least, len(digits))); err != nil {
		return "", err
	}
	return f.pad(m, prefix, group(digits, f.grouping, size, least)+rest)
}

// group puts separators between groups of size digits, and zeros before them up to
// a length of least.
func group(digits string, separator byte, size, least int) string {
	var reversed []byte
	for i := 0; i < len(digits) || len(reversed) < least; i++ {
		if i > 0 && i%size == 0 {
			reversed = append(reversed, separator)
		}
		if i < len(digits) {
			reversed = append(reversed, digits[len(digits)-1-i])
		} else {
			reversed = append(reversed, '0')
		}
	}
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return string(reversed)
}

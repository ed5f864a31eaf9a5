package pyvalue

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// IntFrom is int(v) if base is 10, and int(v, base) otherwise, which takes
// strings only. Bases are 2 to 36, and 0 for what a literal says. Errors are
// ValueError, TypeError, OverflowError, UndefinedError, *BudgetError.
func IntFrom(m *Meter, v Value, base int) (Value, error) {
	if s, ok := AsStr(v); ok {
		return parseInt(m, v, s, base)
	}
	switch {
	case base != 10:
		return nil, typeError("int() can't convert non-string with explicit base")
	case isInt(v):
		return Index(v)
	}
	switch v := v.(type) {
	case Float:
		return floatToInt(float64(v))
	case *Undefined:
		return nil, v.Err()
	}
	return nil, typeError("int() argument must be a string, a bytes-like object or a real number, not '%s'", v.TypeName())
}

// floatToInt cuts f towards zero.
func floatToInt(f float64) (Value, error) {
	switch {
	case math.IsNaN(f):
		return nil, valueError("cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		return nil, Errorf("OverflowError", "cannot convert float infinity to integer")
	case math.Abs(f) < 1<<62:
		return Int(f), nil
	}
	n, _ := big.NewFloat(f).Int(nil)
	return NewInt(n), nil
}

// asciiNumber is s with decimals of all scripts as ASCII digits, and without the
// blanks around it; other characters that are not ASCII become "?".
func asciiNumber(s string) string {
	if !isASCII(s) {
		s = mapRunes(s, appendASCII)
	}
	return strings.Trim(s, " \t\n\v\f\r") // not all that str.isspace knows
}

func appendASCII(dst []byte, r rune) []byte {
	switch {
	case r < 0x80:
		return append(dst, byte(r))
	case isSpace(r):
		return append(dst, ' ')
	case isDecimal(r):
		return append(dst, byte('0'+decimalValue(r)))
	}
	return append(dst, '?')
}

// parseInt reads s, the text of v, which messages show.
func parseInt(m *Meter, v Value, s string, base int) (Value, error) {
	if base != 0 && base < 2 || base > 36 {
		return nil, valueError("int() base must be >= 2 and <= 36, or 0")
	}
	if err := m.Step(1 + len(s)/textStep); err != nil {
		return nil, err
	}
	invalid := func() error {
		return valueError("invalid literal for int() with base %d: %s", base, shownText(v, s))
	}
	digits, minus := cutSign(asciiNumber(s))
	radix, digits := cutBase(digits, base)
	digits, ok := withoutUnderscores(digits)
	if !ok || base == 0 && radix == 10 && strings.Trim(digits, "0") != "" && digits[0] == '0' {
		return nil, invalid()
	}
	if radix&(radix-1) != 0 && len(digits) > maxIntDigits {
		return nil, valueError("Exceeds the limit (%d digits) for integer string conversion: value has %d digits;"+
			" use sys.set_int_max_str_digits() to increase the limit", maxIntDigits, len(digits))
	}
	words := len(digits) / 16 // package math/big reads digits in quadratic time
	if err := m.Step(words * words / textStep); err != nil {
		return nil, err
	}
	return digitsToInt(digits, minus, radix, invalid)
}

func digitsToInt(digits string, minus bool, radix int, invalid func() error) (Value, error) {
	sign := ""
	if minus {
		sign = "-"
	}
	if len(digits) <= 12 {
		n, err := strconv.ParseInt(sign+digits, radix, 64)
		if err != nil {
			return nil, invalid()
		}
		return Int(n), nil
	}
	n, ok := new(big.Int).SetString(sign+digits, radix)
	if !ok {
		return nil, invalid()
	}
	return NewInt(n), nil
}

// shownText is repr(v) of a string whose text is s, cut as messages cut it.
func shownText(v Value, s string) string {
	shown := quoted(substring(s, 0, 200))
	if _, safe := v.(Markup); safe {
		shown = "Markup(" + shown + ")"
	}
	return substring(shown, 0, 200)
}

func cutSign(s string) (rest string, minus bool) {
	switch {
	case strings.HasPrefix(s, "-"):
		return s[1:], true
	case strings.HasPrefix(s, "+"):
		return s[1:], false
	}
	return s, false
}

// cutBase takes "0x" and the like off; base 0 is told by it.
func cutBase(s string, base int) (radix int, rest string) {
	prefix := 0
	if len(s) > 2 && s[0] == '0' {
		switch s[1] | 0x20 {
		case 'b':
			prefix = 2
		case 'o':
			prefix = 8
		case 'x':
			prefix = 16
		}
	}
	if prefix != 0 && (base == prefix || base == 0) {
		return prefix, strings.TrimPrefix(s[2:], "_")
	}
	if base == 0 {
		base = 10
	}
	return base, s
}

// withoutUnderscores drops single underscores between digits; false if there are
// others, another sign, or no digits.
func withoutUnderscores(s string) (string, bool) {
	if s == "" || s[0] == '_' || s[0] == '+' || s[0] == '-' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return "", false
	}
	return strings.ReplaceAll(s, "_", ""), true
}

// FloatFrom is float(v). Errors are ValueError, TypeError, OverflowError,
// UndefinedError.
func FloatFrom(m *Meter, v Value) (Float, error) {
	if IsNumber(v) {
		f, err := toFloat(v)
		return Float(f), err
	}
	if u, ok := v.(*Undefined); ok {
		return 0, u.Err()
	}
	s, ok := AsStr(v)
	if !ok {
		return 0, typeError("float() argument must be a string or a real number, not '%s'", v.TypeName())
	}
	if err := m.Step(1 + len(s)/textStep); err != nil {
		return 0, err
	}
	f, ok := parseFloat(asciiNumber(s))
	if !ok {
		return 0, valueError("could not convert string to float: %s", shownText(v, s))
	}
	return Float(f), nil
}

func parseFloat(s string) (float64, bool) {
	switch word, minus := cutSign(strings.ToLower(s)); word {
	case "inf", "infinity":
		if minus {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case "nan":
		return math.NaN(), true
	}
	s, ok := floatDigitsOnly(s)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

// floatDigitsOnly drops underscores between digits; false if one is elsewhere, or
// if there is a character that no decimal float has.
func floatDigitsOnly(s string) (string, bool) {
	if strings.Trim(s, "0123456789+-.eE_") != "" || strings.ContainsAny(s, "xXpPnNiIaA?") {
		return "", false
	}
	if !strings.Contains(s, "_") {
		return s, true
	}
	digit := func(i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }
	for i := range len(s) {
		if s[i] == '_' && (!digit(i-1) || !digit(i+1)) {
			return "", false
		}
	}
	return strings.ReplaceAll(s, "_", ""), true
}

// Round is round(v, digits): to the nearest, half to even, of the value that the
// double has. A nil digits, and None, make an int of a float. Errors are
// TypeError, ValueError, OverflowError, *BudgetError.
func Round(m *Meter, v, digits Value) (Value, error) {
	f, isFloat := v.(Float)
	if !isFloat && !isInt(v) {
		return nil, typeError("type %s doesn't define __round__ method", v.TypeName())
	}
	if _, none := digits.(None); none || digits == nil {
		if isFloat {
			return floatToInt(math.RoundToEven(float64(f)))
		}
		return Index(v)
	}
	n, err := Index(digits)
	if err != nil {
		return nil, err
	}
	places := clampDigits(n)
	if isFloat {
		r, err := roundFloat(float64(f), places)
		return Float(r), err
	}
	return roundInt(m, v, places)
}

// clampDigits is n as a number of decimal places; beyond the range of doubles and
// of ints that can be had, one number is like another.
func clampDigits(n Value) int {
	i, ok := n.(Int)
	if !ok {
		i = math.MaxInt32
		if n.(*BigInt).n.Sign() < 0 { //nolint:errcheck // Index returns no third kind
			i = -i
		}
	}
	return int(max(min(i, math.MaxInt32), -math.MaxInt32))
}

// roundFloat rounds f to places after the point (before it, if negative).
func roundFloat(f float64, places int) (float64, error) {
	if f == 0 || math.IsNaN(f) || math.IsInf(f, 0) || places > 400 {
		return f, nil
	}
	_, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	exp, _ := strconv.Atoi(exponent) // strconv wrote it
	digits := exp + 1 + places
	switch {
	case digits < 0:
		return math.Copysign(0, f), nil
	case digits == 0:
		return roundLeading(f, exp+1)
	case digits > 800:
		return f, nil
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'e', digits-1, 64), 64)
	if err != nil {
		return 0, Errorf("OverflowError", "rounded value too large to represent")
	}
	return r, nil
}

// roundLeading rounds f to 0 or to 10**exp, the power above it.
func roundLeading(f float64, exp int) (float64, error) {
	up, _, err := big.ParseFloat("5e"+strconv.Itoa(exp-1), 10, 2000, big.ToNearestEven)
	if err != nil || big.NewFloat(math.Abs(f)).Cmp(up) <= 0 {
		return math.Copysign(0, f), err
	}
	r, err := strconv.ParseFloat("1e"+strconv.Itoa(exp), 64)
	if err != nil {
		return 0, Errorf("OverflowError", "rounded value too large to represent")
	}
	return math.Copysign(r, f), nil
}

// roundInt rounds an int to a multiple of 10**-places.
func roundInt(m *Meter, v Value, places int) (Value, error) {
	if places >= 0 {
		return Index(v)
	}
	n, _ := asBig(v)
	if -places > n.BitLen()/3+2 {
		return Int(0), nil
	}
	if err := mulCost(m, n.BitLen(), n.BitLen()); err != nil {
		return nil, err
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-places)), nil)
	q, r := new(big.Int).DivMod(n, unit, new(big.Int))
	if half := r.Lsh(r, 1).Cmp(unit); half > 0 || half == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return NewInt(q.Mul(q, unit)), nil
}

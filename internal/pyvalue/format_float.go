package pyvalue

import (
	"math"
	"strconv"
	"strings"
)

// floatDigits is f without its sign as one of the presentation types of formats
// has it: e, E, f, F, g, G, or r for the shortest. alt keeps the point and, for
// g, the zeros at the end. Kind 0 is g of floats without a type, see pointZero.
func floatDigits(f float64, kind byte, precision int, alt bool) string {
	f = math.Abs(f)
	s := ""
	switch {
	case math.IsInf(f, 0):
		s = "inf"
	case math.IsNaN(f):
		s = "nan"
	case kind == 'r':
		s = shortDigits(f, alt)
	case kind == 'f' || kind == 'F':
		s = strconv.FormatFloat(f, 'f', precision, 64)
		if alt && precision == 0 {
			s += "."
		}
	case kind == 'e' || kind == 'E':
		s = exponentDigits(f, precision, alt)
	case kind == 0:
		s = pointZero(f, precision, alt)
	default:
		precision = max(precision, 1)
		s = generalDigits(f, precision, precision, alt)
	}
	if kind == 'E' || kind == 'F' || kind == 'G' {
		return strings.ToUpper(s)
	}
	return s
}

func exponentDigits(f float64, precision int, alt bool) string {
	s := strconv.FormatFloat(f, 'e', precision, 64)
	if alt && precision == 0 {
		return s[:1] + "." + s[1:]
	}
	return s
}

// shortDigits is repr. With alt an exponent too has a point before it.
func shortDigits(f float64, alt bool) string {
	s := string(appendFloat(nil, f))
	if mantissa, exponent, found := strings.Cut(s, "e"); found && alt {
		return withPoint(mantissa) + "e" + exponent
	}
	return s
}

// pointZero is g with a digit after the point, unless there is an exponent, which
// there is one digit earlier.
func pointZero(f float64, precision int, alt bool) string {
	precision = max(precision, 1)
	s := generalDigits(f, precision, precision-1, alt)
	if strings.Contains(s, "e") {
		return s
	}
	if s = withPoint(s); strings.HasSuffix(s, ".") {
		return s + "0"
	}
	return s
}

// generalDigits is type g: precision significant digits, with an exponent if that
// is below -4 or from limit on.
func generalDigits(f float64, precision, limit int, alt bool) string {
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	exp, _ := strconv.Atoi(exponent) // strconv wrote it
	if exp >= -4 && exp < limit {
		s = strconv.FormatFloat(f, 'f', precision-1-exp, 64)
		if alt {
			return withPoint(s)
		}
		return trimZeros(s)
	}
	if alt {
		return withPoint(mantissa) + "e" + exponent
	}
	return trimZeros(mantissa) + "e" + exponent
}

func withPoint(s string) string {
	if strings.Contains(s, ".") {
		return s
	}
	return s + "."
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// negative reports whether f is written with a minus: -0.0 is, NaN never.
func negative(f float64) bool { return math.Signbit(f) && !math.IsNaN(f) }

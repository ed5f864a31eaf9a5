package ecmajson

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// Append writes v as compact JSON, members in source order, numbers as they
// were written. A nil value is written as null.
func Append(dst []byte, v *Value) []byte {
	switch v.Kind() {
	case Bool:
		return strconv.AppendBool(dst, v.truth)
	case Number:
		return append(dst, v.text...)
	case String:
		return AppendString(dst, v.text)
	case Array:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Append(dst, item)
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, m.Key), ':')
			dst = Append(dst, m.Value)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

// AppendIndent writes v like JSON.stringify with a two-space indent; prefix is
// the indentation of the line that v begins on.
func AppendIndent(dst []byte, v *Value, prefix string) []byte {
	inner := prefix + "  "
	switch {
	case v.Len() == 0:
		return Append(dst, v)
	case v.Is(Array):
		for i, item := range v.items {
			dst = append(openElement(dst, '[', i, inner), AppendIndent(nil, item, inner)...)
		}
		return append(append(append(dst, '\n'), prefix...), ']')
	default:
		for i, m := range v.members {
			dst = AppendString(openElement(dst, '{', i, inner), m.Key)
			dst = append(dst, ": "...)
			dst = AppendIndent(dst, m.Value, inner)
		}
		return append(append(append(dst, '\n'), prefix...), '}')
	}
}

// openElement writes what stands before element i of a container.
func openElement(dst []byte, opening byte, i int, indent string) []byte {
	if i == 0 {
		dst = append(dst, opening)
	} else {
		dst = append(dst, ',')
	}
	return append(append(dst, '\n'), indent...)
}

const hexDigits = "0123456789abcdef"

// AppendString writes a WTF-8 string as JSON.stringify does: only the quote,
// the backslash and control characters are escaped, lone surrogates as \udxxx.
// Bytes that are neither UTF-8 nor a surrogate become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = appendEscape(append(dst, s[start:i]...), c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n != 1 {
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		if half, ok := surrogate(s[i:]); ok {
			dst = appendHex4(dst, half)
			n = 3
		} else {
			n = illFormed([]byte(s[i:min(len(s), i+4)]))
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		i += n
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return appendHex4(dst, rune(c))
}

func appendHex4(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&0xF], hexDigits[r>>8&0xF], hexDigits[r>>4&0xF], hexDigits[r&0xF])
}

// NewNumber returns a number written as ECMAScript's Number::toString writes
// it; NaN and infinities become null, as JSON.stringify makes them.
func NewNumber(f float64) *Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return NewNull()
	}
	return &Value{kind: Number, number: f, text: formatNumber(f)}
}

// formatNumber is ECMAScript's Number::toString (ECMA-262, section 6.1.6.1.20).
func formatNumber(f float64) string {
	if f == 0 {
		return "0"
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := []byte(strconv.FormatFloat(f, 'e', -1, 64))
	// Go writes at least two digits of exponent, ECMAScript as many as needed.
	if n := len(s); n >= 4 && s[n-2] == '0' && (s[n-3] == '-' || s[n-3] == '+') {
		s = append(s[:n-2], s[n-1])
	}
	return string(s)
}

package ecmajson

import (
	"strings"
	"unicode/utf8"
)

// DecodeRune decodes the first character of b. Bytes that are not UTF-8 give
// U+FFFD with the length of the maximal ill-formed part, 1 to 3, where
// [utf8.DecodeRune] always gives 1. An empty b gives U+FFFD and 0.
func DecodeRune(b []byte) (r rune, size int) {
	r, size = utf8.DecodeRune(b)
	if r != utf8.RuneError || size != 1 {
		return r, size
	}
	return utf8.RuneError, illFormed(b)
}

// illFormed returns the length of the maximal ill-formed part at the start of
// b: the longest prefix that could have begun a character (Unicode 15, table
// 3-7), or one byte.
func illFormed(b []byte) int {
	lo, hi, need := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			lo = 0xA0
		} else if c == 0xED {
			hi = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			lo = 0x90
		} else if c == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for n <= need && n < len(b) && b[n] >= lo && b[n] <= hi {
		n++
		lo, hi = 0x80, 0xBF
	}
	return n
}

// DecodeText converts bytes to text as a WHATWG UTF-8 decoder does that keeps
// the byte order mark.
func DecodeText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		r, n := DecodeRune(b)
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return string(out)
}

// appendWTF8 appends a code point, surrogates included.
func appendWTF8(buf []byte, r rune) []byte {
	if r >= 0xD800 && r <= 0xDFFF {
		return append(buf, 0xED, 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(buf, r)
}

func isLow(r rune) bool { return r >= 0xDC00 && r <= 0xDFFF }

// endsInHigh reports whether buf ends in a lone high surrogate.
func endsInHigh(buf []byte) bool {
	n := len(buf)
	return n >= 3 && buf[n-3] == 0xED && buf[n-2] >= 0xA0 && buf[n-2] <= 0xAF
}

// surrogate returns the lone surrogate that s begins with in WTF-8, if any.
func surrogate(s string) (rune, bool) {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2] >= 0x80 && s[2] <= 0xBF {
		return rune(0xD000) | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
	}
	return 0, false
}

// UTF16Len returns the length of a WTF-8 string in UTF-16 code units, which is
// what ECMAScript calls its length.
func UTF16Len(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if _, ok := surrogate(s[i:]); ok {
			n, i = n+1, i+3
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n, i = n+1, i+size
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Trim is String.prototype.trim: it removes ECMAScript's white space and line
// terminators (ECMA-262, sections 12.2 and 12.3) from both ends.
func Trim(s string) string { return strings.TrimFunc(s, IsSpace) }

// IsSpace reports whether ECMAScript's trim removes r. Unlike
// [unicode.IsSpace] it includes U+FEFF and excludes U+0085.
func IsSpace(r rune) bool {
	switch {
	case r >= 0x09 && r <= 0x0D, r == 0x20, r == 0xA0, r == 0x1680,
		r >= 0x2000 && r <= 0x200A, r == 0x2028, r == 0x2029, r == 0x202F,
		r == 0x205F, r == 0x3000, r == 0xFEFF:
		return true
	}
	return false
}

// IsBlank reports whether the text of b is empty after [Trim].
func IsBlank(b []byte) bool {
	for len(b) > 0 {
		if c := b[0]; c < utf8.RuneSelf {
			if !IsSpace(rune(c)) {
				return false
			}
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if !IsSpace(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

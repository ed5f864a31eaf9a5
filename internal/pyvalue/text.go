package pyvalue

import (
	"strings"
	"unicode/utf8"
)

// decodeRune returns the first code point of s and its length in bytes. A lone
// surrogate is three bytes; a byte that begins nothing is one U+FFFD.
func decodeRune(s string) (rune, int) {
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	r, size := utf8.DecodeRuneInString(s)
	if size == 1 && isSurrogate(s) {
		return rune(s[0]&0x0f)<<12 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return r, size
}

func isSurrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2]&0xc0 == 0x80
}

// appendRune is utf8.AppendRune that writes a surrogate as itself.
func appendRune(dst []byte, r rune) []byte {
	if r >= 0xd800 && r <= 0xdfff {
		return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0xbf, 0x80|byte(r)&0xbf)
	}
	return utf8.AppendRune(dst, r)
}

// runes yields the code points of s with their byte offsets.
func runes(s string) func(yield func(at int, r rune) bool) {
	return func(yield func(int, rune) bool) {
		for i := 0; i < len(s); {
			r, size := decodeRune(s[i:])
			if !yield(i, r) {
				return
			}
			i += size
		}
	}
}

// isASCII reports whether all of s is below U+0080, so that bytes are code points.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// RuneLen is len() of the str s: its number of code points.
func RuneLen(s string) int {
	n := 0
	for i := range len(s) {
		if s[i]&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

// Runes returns the code points of s, lone surrogates among them.
func Runes(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range runes(s) {
		out = append(out, r)
	}
	return out
}

// FromRunes is the inverse of Runes.
func FromRunes(rs []rune) string {
	out := make([]byte, 0, len(rs))
	for _, r := range rs {
		out = appendRune(out, r)
	}
	return string(out)
}

// offset returns the byte offset of the code point at index i (0 <= i); len(s)
// if there are fewer.
func offset(s string, i int) int {
	for at := range len(s) {
		if s[at]&0xc0 == 0x80 {
			continue
		}
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

// runeAt returns the code point at index i (0 <= i < RuneLen) as a string.
func runeAt(s string, i int) string {
	if isASCII(s) {
		return s[i : i+1]
	}
	at := offset(s, i)
	_, size := decodeRune(s[at:])
	return s[at : at+size]
}

// substring is s[i:j] in code points, 0 <= i <= j.
func substring(s string, i, j int) string {
	if isASCII(s) {
		return s[min(i, len(s)):min(j, len(s))]
	}
	from := offset(s, i)
	return s[from : from+offset(s[from:], j-i)]
}

// mapRunes is s with each code point replaced by what f appends for it.
func mapRunes(s string, f func(dst []byte, r rune) []byte) string {
	out := make([]byte, 0, len(s))
	for _, r := range runes(s) {
		out = f(out, r)
	}
	return string(out)
}

// isSpace is str.isspace of one character.
func isSpace(r rune) bool {
	switch {
	case r < 0x80:
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	case r >= 0x2000 && r <= 0x200a:
		return true
	}
	switch r {
	case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return false
}

// isLineEnd reports whether str.splitlines ends a line at r.
func isLineEnd(r rune) bool {
	switch {
	case r >= '\n' && r <= '\r', r >= 0x1c && r <= 0x1e:
		return true
	}
	return r == 0x85 || r == 0x2028 || r == 0x2029
}

func trimLeft(s string, in func(rune) bool) string {
	for i, r := range runes(s) {
		if !in(r) {
			return s[i:]
		}
	}
	return ""
}

func trimRight(s string, in func(rune) bool) string {
	for s != "" {
		r, size := lastRune(s)
		if !in(r) {
			return s
		}
		s = s[:len(s)-size]
	}
	return s
}

func lastRune(s string) (rune, int) {
	at := len(s) - 1
	for at > 0 && at > len(s)-utf8.UTFMax && s[at]&0xc0 == 0x80 {
		at--
	}
	r, size := decodeRune(s[at:])
	if size != len(s)-at {
		return utf8.RuneError, 1
	}
	return r, size
}

// inSet returns a predicate for the code points of chars.
func inSet(chars string) func(rune) bool {
	return func(r rune) bool {
		var buf [utf8.UTFMax]byte
		return strings.Contains(chars, string(appendRune(buf[:0], r)))
	}
}

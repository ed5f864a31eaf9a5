package pyvalue

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func inRanges(table [][2]rune, r rune) bool {
	_, found := slices.BinarySearchFunc(table, r, func(pair [2]rune, r rune) int {
		switch {
		case pair[1] < r:
			return -1
		case pair[0] > r:
			return 1
		}
		return 0
	})
	return found
}

func expansion(r rune) *caseExpansion {
	if r < 0xb5 {
		return nil
	}
	i, found := slices.BinarySearchFunc(caseExpansions[:], r, func(e caseExpansion, r rune) int { return int(e.r - r) })
	if !found {
		return nil
	}
	return &caseExpansions[i]
}

func appendUpper(dst []byte, r rune) []byte {
	if e := expansion(r); e != nil && e.upper != "" {
		return append(dst, e.upper...)
	}
	return appendRune(dst, unicode.ToUpper(r))
}

func appendTitle(dst []byte, r rune) []byte {
	if e := expansion(r); e != nil && e.title != "" {
		return append(dst, e.title...)
	}
	return appendRune(dst, unicode.ToTitle(r))
}

// appendLower lowers the code point at the byte offset at of s, which is r: a
// capital sigma at the end of a word becomes a final one.
func appendLower(dst []byte, s string, at int, r rune) []byte {
	switch r {
	case 'İ':
		return append(dst, "i̇"...)
	case 'Σ':
		if isFinalSigma(s, at) {
			return append(dst, "ς"...)
		}
	}
	return appendRune(dst, unicode.ToLower(r))
}

func isFinalSigma(s string, at int) bool {
	before := trimRight(s[:at], isCaseIgnorable)
	if before == "" {
		return false
	}
	if r, _ := lastRune(before); !isCased(r) {
		return false
	}
	after := trimLeft(s[at+len("Σ"):], isCaseIgnorable)
	if after == "" {
		return true
	}
	r, _ := decodeRune(after)
	return !isCased(r)
}

// isCaseIgnorable is the property Case_Ignorable (Unicode, section 3.13, D136).
func isCaseIgnorable(r rune) bool {
	if strings.ContainsRune("'.:^`·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r) {
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

func isUpper(r rune) bool {
	return unicode.IsUpper(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Other_Uppercase, r)
}

func isLower(r rune) bool {
	return unicode.IsLower(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Other_Lowercase, r)
}

func isCased(r rune) bool { return isUpper(r) || isLower(r) || unicode.IsTitle(r) }

func isDecimal(r rune) bool { return unicode.Is(unicode.Nd, r) }

func isDigit(r rune) bool { return isDecimal(r) || inRanges(extraDigits[:], r) }

func isNumeric(r rune) bool { return unicode.IsNumber(r) || inRanges(extraNumerics[:], r) }

func isAlnum(r rune) bool { return unicode.IsLetter(r) || isNumeric(r) }

// isPrintable is str.isprintable of one character, which decides what repr
// escapes. New characters are printable as soon as Go's tables know them.
func isPrintable(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r < 0x7f
	}
	return unicode.IsPrint(r)
}

func isIDStart(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z'
	}
	return (unicode.IsLetter(r) || unicode.In(r, unicode.Nl, unicode.Other_ID_Start)) && !inRanges(extraIDs[:], r)
}

func isIDContinue(r rune) bool {
	switch {
	case isIDStart(r), r >= '0' && r <= '9':
		return true
	case r == 0xe33, r == 0xeb3, r == 0xff9e, r == 0xff9f:
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}

// decimalValue is the value of a character for which isDecimal holds: decimals
// come in runs of ten, each beginning with its zero.
func decimalValue(r rune) int {
	if r < utf8.RuneSelf {
		return int(r - '0')
	}
	for _, in := range unicode.Nd.R16 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return int(r-rune(in.Lo)) % 10
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return int(r-rune(in.Lo)) % 10
		}
	}
	return 0
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return mapRunes(s, appendUpper)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	out := make([]byte, 0, len(s))
	for at, r := range runes(s) {
		out = appendLower(out, s, at, r)
	}
	return string(out)
}

func casefold(s string) string { return mapRunes(s, appendFold) }

func appendFold(dst []byte, r rune) []byte {
	switch e := expansion(r); {
	case e != nil && e.fold != "":
		return append(dst, e.fold...)
	case r == 'İ':
		return append(dst, "i̇"...)
	case r >= 0x13a0 && r <= 0x13f5: // Cherokee folds to its capitals
		return appendRune(dst, r)
	case r >= 0x13f8 && r <= 0x13fd, r >= 0xab70 && r <= 0xabbf:
		return appendRune(dst, unicode.ToUpper(r))
	}
	return appendRune(dst, unicode.ToLower(r))
}

// title is str.title: the first cased character of each run is titlecased.
func title(s string) string {
	out := make([]byte, 0, len(s))
	inside := false
	for at, r := range runes(s) {
		if inside {
			out = appendLower(out, s, at, r)
		} else {
			out = appendTitle(out, r)
		}
		inside = isCased(r)
	}
	return string(out)
}

func capitalize(s string) string {
	out := make([]byte, 0, len(s))
	for at, r := range runes(s) {
		if at == 0 {
			out = appendTitle(out, r)
		} else {
			out = appendLower(out, s, at, r)
		}
	}
	return string(out)
}

func swapcase(s string) string {
	out := make([]byte, 0, len(s))
	for at, r := range runes(s) {
		switch {
		case isUpper(r):
			out = appendLower(out, s, at, r)
		case isLower(r):
			out = appendUpper(out, r)
		default:
			out = appendRune(out, r)
		}
	}
	return string(out)
}

// isTitle is str.istitle.
func isTitle(s string) bool {
	cased, inside := false, false
	for _, r := range runes(s) {
		switch {
		case isUpper(r) || unicode.IsTitle(r):
			if inside {
				return false
			}
			cased, inside = true, true
		case isLower(r):
			if !inside {
				return false
			}
			cased = true
		default:
			inside = false
		}
	}
	return cased
}

// allCased is str.isupper and str.islower: one wanted character at least, and
// none of the others.
func allCased(s string, want, other func(rune) bool) bool {
	found := false
	for _, r := range runes(s) {
		if other(r) || unicode.IsTitle(r) {
			return false
		}
		found = found || want(r)
	}
	return found
}

// all is the pattern of the other isX methods: not empty, and all of it.
func all(s string, want func(rune) bool) bool {
	for _, r := range runes(s) {
		if !want(r) {
			return false
		}
	}
	return s != ""
}

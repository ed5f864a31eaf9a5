package pyyaml

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// tagPrefix begins the tags of YAML's own types.
const tagPrefix = "tag:yaml.org,2002:"

// implicitTag returns the type of a scalar without quotes and without a tag,
// by the patterns of PyYAML's resolver, as the short name of its tag.
func implicitTag(text string) string {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return "null"
	case "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE",
		"on", "On", "ON", "off", "Off", "OFF":
		return "bool"
	case "<<":
		return "merge"
	case "=":
		return "value"
	}
	switch c := text[0]; {
	case c != '+' && c != '-' && c != '.' && !isDigit(c):
		return "str"
	case looksLikeFloat(text):
		return "float"
	case looksLikeInt(text):
		return "int"
	case looksLikeTimestamp(text):
		return "timestamp"
	}
	return "str"
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// pass returns text without the bytes of set at its beginning.
func pass(text, set string) string { return strings.TrimLeft(text, set) }

// An underscore may part the digits of a number.
const digits, digitsAndLine = "0123456789", "0123456789_"

// unsigned cuts one sign off.
func unsigned(text string) string {
	if text != "" && (text[0] == '+' || text[0] == '-') {
		return text[1:]
	}
	return text
}

// looksLikeFloat is PyYAML's pattern: a dot is needed, an exponent needs a
// sign, and ".5" takes none in front.
func looksLikeFloat(text string) bool {
	if strings.HasPrefix(text, ".") && len(text) > 1 && isDigit(text[1]) {
		return isExponent(pass(text[1:], digitsAndLine))
	}
	switch text {
	case ".nan", ".NaN", ".NAN":
		return true
	}
	rest := unsigned(text)
	switch rest {
	case ".inf", ".Inf", ".INF":
		return true
	}
	if rest == "" || !isDigit(rest[0]) {
		return false
	}
	rest = pass(rest, digitsAndLine)
	if tail, ok := passSixties(rest); ok {
		fraction, ok := strings.CutPrefix(tail, ".")
		return ok && pass(fraction, digitsAndLine) == ""
	}
	fraction, ok := strings.CutPrefix(rest, ".")
	return ok && isExponent(pass(fraction, digitsAndLine))
}

// isExponent reports whether text is nothing, or e with a sign and digits.
func isExponent(text string) bool {
	if text == "" {
		return true
	}
	return len(text) > 2 && (text[0] == 'e' || text[0] == 'E') &&
		(text[1] == '+' || text[1] == '-') && pass(text[2:], digits) == ""
}

// passSixties passes one or more ":NN", the digits of base 60.
func passSixties(text string) (rest string, ok bool) {
	for strings.HasPrefix(text, ":") && len(text) > 1 && isDigit(text[1]) {
		n := 2
		if len(text) > 2 && text[1] <= '5' && isDigit(text[2]) {
			n = 3
		}
		text, ok = text[n:], true
	}
	return text, ok
}

// looksLikeInt is PyYAML's pattern: decimal, 0b, 0x, octal with a leading 0,
// and base 60 with colons.
func looksLikeInt(text string) bool {
	rest := unsigned(text)
	switch {
	case rest == "" || !isDigit(rest[0]):
		return false
	case rest == "0":
		return true
	case strings.HasPrefix(rest, "0b"):
		return len(rest) > 2 && pass(rest[2:], "01_") == ""
	case strings.HasPrefix(rest, "0x"):
		return len(rest) > 2 && pass(rest[2:], "0123456789abcdefABCDEF_") == ""
	case rest[0] == '0':
		return pass(rest[1:], "01234567_") == ""
	}
	rest = pass(rest, digitsAndLine)
	if tail, ok := passSixties(rest); ok {
		return tail == ""
	}
	return rest == ""
}

// boolValue is what !!bool makes of a text, in any case.
func boolValue(text string) (truth, ok bool) {
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return true, true
	case "no", "false", "off":
		return false, true
	}
	return false, false
}

// maxDigits is how many decimal digits Python converts to an integer.
const maxDigits = 4300

// intValue is what !!int makes of a text.
func intValue(text string) (*big.Int, bool) {
	text = strings.ReplaceAll(text, "_", "")
	rest := unsigned(text)
	n, ok := new(big.Int), false
	switch {
	case strings.ContainsAny(rest, "+-"), strings.HasPrefix(rest, "0B"), strings.HasPrefix(rest, "0X"):
	case rest == "0":
		ok = true
	case strings.HasPrefix(rest, "0b"):
		_, ok = n.SetString(rest[2:], 2)
	case strings.HasPrefix(rest, "0x"):
		_, ok = n.SetString(rest[2:], 16)
	case strings.HasPrefix(rest, "0"):
		_, ok = n.SetString(rest, 8)
	case strings.Contains(rest, ":"):
		ok = baseSixty(n, rest)
	case len(rest) <= maxDigits:
		_, ok = n.SetString(rest, 10)
	}
	if strings.HasPrefix(text, "-") {
		n.Neg(n)
	}
	return n, ok
}

func baseSixty(n *big.Int, text string) bool {
	for part := range strings.SplitSeq(text, ":") {
		digit, ok := new(big.Int).SetString(part, 10)
		if !ok || len(part) > maxDigits {
			return false
		}
		n.Mul(n, big.NewInt(60))
		n.Add(n, digit)
	}
	return true
}

// floatValue is what !!float makes of a text. Numbers too large are infinite.
func floatValue(text string) (float64, bool) {
	text = strings.ToLower(strings.ReplaceAll(text, "_", ""))
	rest := unsigned(text)
	f, ok := 0.0, true
	switch {
	case rest == ".inf":
		f = math.Inf(1)
	case rest == ".nan":
		return math.NaN(), true
	case strings.Contains(rest, ":"):
		for part := range strings.SplitSeq(rest, ":") {
			digit, valid := decimal(part)
			f, ok = f*60+digit, ok && valid
		}
	default:
		f, ok = decimal(rest)
	}
	if strings.HasPrefix(text, "-") {
		f = -f
	}
	return f, ok
}

func decimal(text string) (float64, bool) {
	if text == "" || strings.ContainsAny(text, "xp") {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || math.IsInf(f, 0)
}

// moment is a timestamp in parts.
type moment struct {
	year, month, day, hour, minute, second int
	// zone is minutes, whatever their sign.
	zone int
	// short says that the month or the day has one digit.
	short, timed bool
}

// looksLikeTimestamp is PyYAML's pattern: a date alone has two digits each.
func looksLikeTimestamp(text string) bool {
	m, ok := readMoment(text)
	return ok && (m.timed || !m.short)
}

// validTimestamp reports whether Python has the date and the time.
func validTimestamp(text string) bool {
	m, ok := readMoment(text)
	if !ok || m.year == 0 || m.hour > 23 || m.minute > 59 || m.second > 59 || m.zone >= 24*60 {
		return false
	}
	t := time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC)
	return t.Year() == m.year && int(t.Month()) == m.month && t.Day() == m.day
}

// momentReader takes numbers off a timestamp.
type momentReader struct {
	rest string
	bad  bool
}

// number takes least to most digits.
func (r *momentReader) number(least, most int) int {
	n := 0
	for n < min(most, len(r.rest)) && isDigit(r.rest[n]) {
		n++
	}
	value, err := strconv.Atoi(r.rest[:n])
	r.bad = r.bad || n < least || err != nil
	r.rest = r.rest[n:]
	return value
}

// after takes least to two digits behind a byte.
func (r *momentReader) after(c byte, least int) int {
	r.bad = r.bad || !strings.HasPrefix(r.rest, string(c))
	if r.bad {
		return 0
	}
	r.rest = r.rest[1:]
	return r.number(least, 2)
}

func readMoment(text string) (moment, bool) {
	r := momentReader{rest: text}
	var m moment
	m.year = r.number(4, 4)
	before := len(r.rest)
	m.month, m.day = r.after('-', 1), r.after('-', 1)
	m.short = before-len(r.rest) < len("-01-02")
	if r.bad || r.rest == "" {
		return m, !r.bad
	}
	m.timed = true
	clock := pass(r.rest, " \t")
	if clock == r.rest {
		if clock[0] != 'T' && clock[0] != 't' {
			return m, false
		}
		clock = clock[1:]
	}
	r.rest = clock
	m.hour, m.minute, m.second = r.number(1, 2), r.after(':', 2), r.after(':', 2)
	if fraction, ok := strings.CutPrefix(r.rest, "."); ok {
		r.rest = pass(fraction, digits)
	}
	return m, r.readZone(&m) && !r.bad
}

// readZone reads "Z" or an offset, which end a timestamp, or nothing.
func (r *momentReader) readZone(m *moment) bool {
	if r.rest == "" {
		return true
	}
	zone := pass(r.rest, " \t")
	if zone == "Z" {
		return true
	}
	if zone == "" || zone[0] != '+' && zone[0] != '-' {
		return false
	}
	r.rest = zone[1:]
	m.zone = 60 * r.number(1, 2)
	if r.rest != "" {
		m.zone += r.after(':', 2)
	}
	return r.rest == ""
}

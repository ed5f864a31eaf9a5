package export

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// parseDate is Date.parse as V8 does it: the ECMAScript format, else a lenient
// reading that takes numbers, month names, times and zones in almost any
// order. ms is the time in milliseconds since 1970; a date without a zone is
// read as UTC, where JavaScript takes the local zone.
func parseDate(s string) (ms float64, ok bool) {
	d := dateParser{tokens: dateTokens(s)}
	switch d.iso() {
	case isoInvalid:
		return 0, false
	case isoNot:
		if !d.legacy() {
			return 0, false
		}
	}
	return d.result()
}

// dateToken is one token: a number with how many digits it has, the lower-case
// word, or another character, for which punct is set.
type dateToken struct {
	number, digits int
	word           string
	// letters is how many characters the word has; word keeps three at most.
	letters int
	punct   rune
	// fraction is the number read as decimals of a second, in milliseconds.
	// Of ten and more digits V8 takes the first significant ones.
	fraction int
}

func (t dateToken) isNumber() bool { return t.digits > 0 }

func (t dateToken) isSign() bool { return t.punct == '+' || t.punct == '-' }

func (t dateToken) sign() int {
	if t.punct == '-' {
		return -1
	}
	return 1
}

func (t dateToken) isEnd() bool { return t == dateToken{} }

// dateTokens cuts s, which ends at its first NUL. Parentheses and what is in
// them become one unknown character; so does a run of white space (' ').
func dateTokens(s string) []dateToken {
	s, _, _ = strings.Cut(s, "\x00")
	var tokens []dateToken
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		t := dateToken{punct: r}
		switch {
		case isDigit(r):
			t, size = numberToken(s)
		case ecmajson.IsSpace(r):
			t.punct, size = ' ', len(s)-len(strings.TrimLeftFunc(s, ecmajson.IsSpace))
		case r >= 'A':
			t, size = wordToken(s)
		case r == '(':
			t.punct, size = '?', parenthesized(s)
		}
		tokens = append(tokens, t)
		s = s[size:]
	}
	return tokens
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// numberToken reads digits, of which the nine first significant ones count.
func numberToken(s string) (dateToken, int) {
	t := dateToken{}
	for t.digits < len(s) && isDigit(rune(s[t.digits])) {
		t.digits++
	}
	significant := strings.TrimLeft(s[:t.digits], "0")
	for _, c := range significant[:min(len(significant), 9)] {
		t.number = t.number*10 + int(c-'0')
	}
	t.fraction = t.number
	for n := t.digits; n < 3; n++ {
		t.fraction *= 10
	}
	for n := min(t.digits, 9); n > 3; n-- {
		t.fraction /= 10
	}
	return t, t.digits
}

// wordToken reads everything from 'A' upwards in Unicode, as V8 does.
func wordToken(s string) (dateToken, int) {
	t := dateToken{}
	for i, r := range s {
		if r < 'A' || ecmajson.IsSpace(r) {
			return t, i
		}
		if t.letters < 3 {
			t.word += strings.ToLower(string(r))
		}
		t.letters++
	}
	return t, len(s)
}

// parenthesized returns the length of balanced parentheses, or of all of s.
func parenthesized(s string) int {
	open := 0
	for i, r := range s {
		switch r {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// month returns 1 to 12 for a word that begins with a month's first letters.
func (t dateToken) month() int {
	if i := strings.Index(monthNames, t.word); len(t.word) == 3 && i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return 0
}

// zone returns the offset from UTC, in hours, of a zone's name.
func (t dateToken) zone() (hours int, ok bool) {
	if t.letters > 3 {
		return 0, false
	}
	switch t.word {
	case "ut", "utc", "z", "gmt":
		return 0, true
	case "edt":
		return -4, true
	case "cdt", "est":
		return -5, true
	case "cst", "mdt":
		return -6, true
	case "mst", "pdt":
		return -7, true
	case "pst":
		return -8, true
	}
	return 0, false
}

// absent marks a part of a date that was not given.
const absent = math.MinInt32

// dateParser collects the parts of a date.
type dateParser struct {
	tokens []dateToken
	// days holds year, month and day of month in the order they were found.
	days   []int
	isISO  bool
	month  int // by name, 0 if not
	clock  []int
	half   int // hours added by am or pm
	isHalf bool
	// sign, zoneHour and zoneMinute are the offset from UTC.
	sign, zoneHour, zoneMinute int
}

func (d *dateParser) peek() dateToken {
	if len(d.tokens) == 0 {
		return dateToken{}
	}
	return d.tokens[0]
}

func (d *dateParser) next() dateToken {
	t := d.peek()
	if len(d.tokens) > 0 {
		d.tokens = d.tokens[1:]
	}
	return t
}

func (d *dateParser) skip(punct rune) bool {
	if d.peek().punct != punct {
		return false
	}
	d.next()
	return true
}

// fixed consumes a number of exactly n digits from low to high.
func (d *dateParser) fixed(n, low, high int) (int, bool) {
	t := d.peek()
	if t.digits != n || t.number < low || t.number > high {
		return 0, false
	}
	return d.next().number, true
}

func (d *dateParser) setZone(hours int) {
	d.sign, d.zoneHour, d.zoneMinute = 1, hours, 0
	if hours < 0 {
		d.sign, d.zoneHour = -1, -hours
	}
}

type isoOutcome int

const (
	isoDate    isoOutcome = iota // the whole text is an ECMAScript date
	isoNot                       // it is not; what was read of the date is kept
	isoInvalid                   // it has the ECMAScript "T" but is wrong after it
)

// iso reads [±yy]yyyy[-MM[-DD]][THH:mm[:ss[.sss]][Z|±hh:mm]].
func (d *dateParser) iso() isoOutcome {
	d.sign, d.zoneHour, d.zoneMinute = absent, absent, absent
	if !d.isoDay() {
		return isoNot
	}
	if t := d.peek(); t.word == "t" && t.letters == 1 {
		d.next()
		if !d.isoTime() || !d.peek().isEnd() {
			return isoInvalid
		}
	} else if t.isEnd() {
		d.setZone(0)
	} else {
		return isoNot
	}
	d.isISO = true
	return isoDate
}

// isoDay reads the part before the T.
func (d *dateParser) isoDay() bool {
	if d.peek().isSign() {
		return d.isoSignedYear()
	}
	year, ok := d.fixed(4, 0, 9999)
	if !ok {
		return false
	}
	d.days = append(d.days, year)
	return d.isoMonthDay()
}

// isoSignedYear reads a year of six digits with its sign.
func (d *dateParser) isoSignedYear() bool {
	if len(d.tokens) < 2 || d.tokens[1].digits != 6 {
		return false
	}
	if d.tokens[0].punct == '-' && d.tokens[1].number == 0 {
		// The year -000000 is not allowed; V8 forgets that it was there.
		d.tokens = d.tokens[2:]
		return false
	}
	sign := d.next().sign()
	d.days = append(d.days, sign*d.next().number)
	return d.isoMonthDay()
}

// isoMonthDay reads month and day, both optional.
func (d *dateParser) isoMonthDay() bool {
	for _, high := range []int{12, 31} {
		if !d.skip('-') {
			break
		}
		n, ok := d.fixed(2, 1, high)
		if !ok {
			return false
		}
		d.days = append(d.days, n)
	}
	return true
}

// isoTime reads what follows the T. 24:00:00 is the end of a day.
func (d *dateParser) isoTime() bool {
	hour, ok := d.fixed(2, 0, 24)
	if !ok || !d.skip(':') {
		return false
	}
	high := 59
	if hour == 24 {
		high = 0
	}
	minute, ok := d.fixed(2, 0, high)
	if !ok {
		return false
	}
	d.clock = append(d.clock, hour, minute)
	if d.skip(':') {
		second, ok := d.fixed(2, 0, high)
		if !ok {
			return false
		}
		d.clock = append(d.clock, second)
		if d.skip('.') {
			t := d.next()
			if !t.isNumber() || hour == 24 && t.number > 0 {
				return false
			}
			d.clock = append(d.clock, t.fraction)
		}
	}
	return d.isoZone()
}

// isoZone reads Z, ±hh:mm or ±hhmm, or nothing.
func (d *dateParser) isoZone() bool {
	t := d.peek()
	if t.word == "z" && t.letters == 1 {
		d.next()
		d.setZone(0)
		return true
	}
	if !t.isSign() {
		return true
	}
	d.sign = d.next().sign()
	if both, ok := d.fixed(4, 0, 2359); ok {
		d.zoneHour, d.zoneMinute = both/100, both%100
		return d.zoneMinute < 60
	}
	var okHour, okMinute bool
	d.zoneHour, okHour = d.fixed(2, 0, 23)
	colon := d.skip(':')
	d.zoneMinute, okMinute = d.fixed(2, 0, 59)
	return okHour && colon && okMinute
}

// legacy reads what is left in whatever order it stands, after the rules of
// V8's parser: a number before a colon is a time, one after it completes the
// time, another is a part of the day; words before the first number, comments
// in parentheses and most punctuation mean nothing. That "Jan 5 2026" and "1"
// are dates and "2026-13-01" is not follows from this.
func (d *dateParser) legacy() bool {
	hasNumber := len(d.days) > 0
	for t := d.next(); !t.isEnd(); t = d.next() {
		ok := true
		switch {
		case t.isNumber():
			hasNumber = true
			ok = d.legacyNumber(t)
		case t.word != "":
			ok = d.legacyWord(t, hasNumber)
		case t.isSign() && (d.zoneHour == 0 && d.zoneMinute == 0 || len(d.clock) > 0):
			hasNumber = true
			ok = d.legacyOffset(t.sign())
		case (t.isSign() || t.punct == ')') && hasNumber:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

// expectsClock reports whether n can be the next part of a time that has begun.
func (d *dateParser) expectsClock(n int) bool {
	switch len(d.clock) {
	case 1, 2:
		return n < 60
	case 3:
		return n < 1000
	}
	return false
}

// closeClock completes the time with n and zeros.
func (d *dateParser) closeClock(n int) {
	d.clock = append(d.clock, n)
	for len(d.clock) < 4 {
		d.clock = append(d.clock, 0)
	}
}

// legacyNumber finds the place of a number by what follows it and by what is
// still missing.
func (d *dateParser) legacyNumber(t dateToken) bool {
	n := t.number
	if d.skip(':') {
		if d.skip(':') {
			if len(d.clock) > 0 {
				return false
			}
			d.clock = append(d.clock, n, 0)
			return true
		}
		if len(d.clock) >= 4 {
			return false
		}
		d.clock = append(d.clock, n)
		d.skip('.')
		return true
	}
	if d.skip('.') && d.expectsClock(n) {
		d.clock = append(d.clock, n)
		fraction := d.next()
		if !fraction.isNumber() {
			return false
		}
		if len(d.clock) < 4 {
			d.closeClock(fraction.fraction)
		}
		return true
	}
	if d.zoneHour != absent && d.zoneMinute == absent && n < 60 {
		d.zoneMinute = n
		return true
	}
	if d.expectsClock(n) {
		d.closeClock(n)
		t := d.peek()
		return t.isEnd() || t.punct == ' ' || t.isSign() || t.word == "z" && t.letters == 1
	}
	if len(d.days) >= 3 {
		return false
	}
	d.days = append(d.days, n)
	d.skip('-')
	return true
}

// legacyWord takes am, pm, a month, a zone, or a word without a meaning.
func (d *dateParser) legacyWord(t dateToken, hasNumber bool) bool {
	zone, isZone := t.zone()
	switch {
	case (t.word == "am" || t.word == "pm") && len(d.clock) > 0:
		d.isHalf, d.half = true, 0
		if t.word == "pm" {
			d.half = 12
		}
	case t.month() > 0:
		d.month = t.month()
		d.skip('-')
	case isZone && hasNumber:
		d.setZone(zone)
	default:
		// Other words may only precede all numbers, and not touch them.
		return !hasNumber && !d.peek().isNumber()
	}
	return true
}

// legacyOffset reads an offset from UTC after its sign: h, hh, hmm, hhmm, or
// hours before a colon.
func (d *dateParser) legacyOffset(sign int) bool {
	d.sign = sign
	t := dateToken{}
	if d.peek().isNumber() {
		t = d.next()
	}
	switch {
	case d.peek().punct == ':':
		d.zoneHour, d.zoneMinute = t.number, absent
	case t.digits == 1 || t.digits == 2:
		d.zoneHour, d.zoneMinute = t.number, 0
	case t.digits == 3 || t.digits == 4:
		d.zoneHour, d.zoneMinute = t.number/100, t.number%100
	default:
		return false
	}
	return true
}

// result puts the parts together.
func (d *dateParser) result() (ms float64, ok bool) {
	year, month, day, ok := d.day()
	if !ok || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	clock, ok := d.time()
	if !ok {
		return 0, false
	}
	ms = float64(dayNumber(year, month, day))*86_400_000 + float64(clock)
	if d.sign != absent {
		// V8 counts the seconds of an offset in 32 bits, and so must we.
		seconds := uint32(max(d.zoneHour, 0)*3600 + max(d.zoneMinute, 0)*60)
		if seconds > math.MaxInt32 {
			return 0, false
		}
		ms -= float64(d.sign) * float64(seconds) * 1000
	}
	return ms, math.Abs(ms) <= 8.64e15
}

// day tells year, month and day of month apart. Without a month's name, three
// numbers are month, day and year, or year, month and day if the first cannot
// be a day. What is missing is 1; a missing year is 0, so 2000.
func (d *dateParser) day() (year, month, day int, ok bool) {
	if len(d.days) == 0 {
		return 0, 0, 0, false
	}
	v := append(d.days, 1, 1)
	isDay := v[0] >= 1 && v[0] <= 31
	switch {
	case d.isISO || d.month == 0 && !isDay:
		year, month, day = v[0], v[1], v[2]
	case d.month == 0:
		month, day, year = v[0], v[1], v[2]
	case !isDay:
		month, year, day = d.month, v[0], v[1]
	default:
		month, day, year = d.month, v[0], v[1]
	}
	if !d.isISO && year >= 0 && year < 100 {
		// Two digits mean 1950 to 2049.
		if year += 1900; year < 1950 {
			year += 100
		}
	}
	return year, month, day, true
}

// time returns the time of day in milliseconds.
func (d *dateParser) time() (int64, bool) {
	v := append(d.clock, 0, 0, 0, 0)
	hour, minute, second, ms := v[0], v[1], v[2], v[3]
	if d.isHalf {
		if hour > 12 {
			return 0, false
		}
		hour = hour%12 + d.half
	}
	endOfDay := hour == 24 && minute == 0 && second == 0 && ms == 0
	if !endOfDay && (hour > 23 || minute > 59 || second > 59 || ms > 999) {
		return 0, false
	}
	return ((int64(hour)*60+int64(minute))*60+int64(second))*1000 + int64(ms), true
}

// dayNumber counts days from 1970-01-01; days beyond a month's end run on
// into the next, as in ECMAScript.
func dayNumber(year, month, day int) int64 {
	// time.Date is exact for every year that a double can stand for here.
	if year < -400_000 || year > 400_000 {
		return math.MaxInt32 * int64(1<<20)
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

package slack

import (
	"math"
	"strings"
	"unicode/utf8"
)

// The lengths that Slack takes, in characters (Block Kit reference: "Header
// block", "Section block", "Context block", "Text object"). Counted here are
// UTF-16 units of the escaped text, of which there are never fewer than of any
// character that Slack could mean.
const (
	maxHeader  = 150
	maxText    = 3000
	maxField   = 2000
	maxContext = 2000
	maxBlocks  = 50
	// maxAllText is for all blocks together: not documented, and refused as
	// "msg_blocks_too_long", which no other try changes.
	maxAllText = 13_000
	maxFields  = 10
	// maxNotice bounds the text beside the blocks of a governed event. Slack
	// cuts at 40,000; a phone shows less than this.
	maxNotice = 500
)

const (
	// gap is invisible. It keeps characters apart that would mean something
	// together.
	gap = "\u200b"
	// ellipsis ends a short text that was cut, truncated a long one.
	ellipsis  = "…"
	truncated = "\n... (truncated)"
)

// A piece returns how the first character r of rest is written.
type piece func(rest string, r rune) string

// bounded writes s with each, in at most limit units; where that cuts it, it
// ends with the marker.
func bounded(s string, limit int, marker string, each piece) string {
	var b strings.Builder
	length, fits := 0, 0
	room := limit - units(marker)
	for i, r := range s {
		p := each(s[i:], r)
		if length += units(p); length > limit {
			return b.String()[:fits] + marker
		}
		b.WriteString(p)
		if length <= room {
			fits = b.Len()
		}
	}
	return b.String()
}

// units counts UTF-16 units.
func units(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// firstRunes returns the first n characters of s, and whether there are more.
func firstRunes(s string, n int) (string, bool) {
	for i := range s {
		if n == 0 {
			return s[:i], true
		}
		n--
	}
	return s, false
}

// escaped returns r as Slack wants the three characters written that begin and
// end its own markup ("Formatting message text", on escaping).
func escaped(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r) // U+FFFD for what is not UTF-8
}

// unfenced returns a piece that keeps backticks from being a fence: after each
// two of a row comes a gap.
func unfenced() piece {
	row := 0
	return func(_ string, r rune) string {
		if r != '`' {
			row = 0
			return escaped(r)
		}
		if row++; row == 3 {
			row = 1
			return gap + "`"
		}
		return "`"
	}
}

// plain writes text between other text, over several lines.
func plain(s string, limit int) string {
	next := unfenced()
	return bounded(s, limit, ellipsis, func(rest string, r rune) string {
		if r == '@' && mentions(rest[1:]) {
			next(rest, r)
			return "@" + gap
		}
		return next(rest, r)
	})
}

// shortened cuts finished text, which stays what it is: no entity, link or
// mention is cut in two, and a fence that is open at the cut is closed.
func shortened(s string, limit int) string {
	const mark = "```"
	open := func(s string) bool { return strings.Count(s, mark)%2 == 1 }
	text := bounded(s, limit, ellipsis, whole())
	if !open(text) {
		return text
	}
	if text = bounded(s, limit-len(mark), ellipsis, whole()); open(text) {
		text += mark
	}
	return text
}

// whole returns a piece that keeps what Slack reads as one in one.
func whole() piece {
	left := math.MaxInt // of rest, where the next piece begins
	return func(rest string, _ rune) string {
		if len(rest) > left {
			return ""
		}
		_, size := utf8.DecodeRuneInString(rest)
		size = max(size, markup(rest))
		left = len(rest) - size
		return rest[:size]
	}
}

// markup returns the length of the entity, link, mention or mark of a fence that
// s begins with, 0 if it begins with none.
func markup(s string) int {
	const longest = len("&quot;")
	switch s[0] {
	case '&':
		if end := strings.IndexByte(s[:min(len(s), longest)], ';'); end > 0 {
			return end + 1
		}
	case '<':
		if end := strings.IndexAny(s, ">\n"); end > 0 && s[end] == '>' {
			return end + 1
		}
	case '`':
		if strings.HasPrefix(s, "```") {
			return len("```")
		}
	}
	return 0
}

// line writes text on one line.
func line(s string, limit int) string {
	return plain(oneLine(s, limit), limit)
}

// oneLine makes one blank of every row of white space. It looks at twice the
// limit, so not at all of a huge text and yet at more than will be shown.
func oneLine(s string, limit int) string {
	s, _ = firstRunes(s, 2*limit)
	return strings.Join(strings.Fields(s), " ")
}

// mentions reports whether after an "@" a name begins that stands for many
// people. Slack looks for them in text that it parses by itself.
func mentions(after string) bool {
	for _, name := range [...]string{"here", "channel", "everyone", "group"} {
		if len(after) >= len(name) && strings.EqualFold(after[:len(name)], name) {
			return true
		}
	}
	return false
}

// fence writes text as it stands, between three backticks. The limit includes
// them.
func fence(s string, limit int) string {
	const mark = "```"
	text := bounded(s, limit-2*len(mark), truncated, unfenced())
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		// Kept apart from the marks on both sides, for which room is made.
		text = gap + bounded(s, limit-2*len(mark)-2, truncated, unfenced()) + gap
	}
	return mark + text + mark
}

// span writes a name or an id between backticks, on one line; "" where there
// is none. Backticks in it become what looks like them. The limit includes the
// backticks.
func span(s string, limit int) string {
	s = oneLine(s, limit)
	if s == "" {
		return ""
	}
	return "`" + bounded(s, limit-2, ellipsis, func(_ string, r rune) string {
		if r == '`' {
			return "ˋ"
		}
		return escaped(r)
	}) + "`"
}

// command writes a command so that it can be copied as it is: between
// backticks, or in a fence where it holds backticks or line ends, or is too
// long and must be seen to be cut. The limit includes them.
func command(s string, limit int) string {
	s = strings.TrimSpace(s)
	text := bounded(s, limit-2, truncated, func(_ string, r rune) string { return escaped(r) })
	switch {
	case s == "":
		return ""
	case strings.ContainsAny(text, "`\n\r"):
		return fence(s, limit)
	}
	return "`" + text + "`"
}

// valid returns s with what is not UTF-8 replaced.
func valid(s string) string { return strings.ToValidUTF8(s, string(utf8.RuneError)) }

package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// escape stands before two hexadecimal digits for a byte that PostgreSQL can't
// hold in a text: NUL, what is not UTF-8, and this character (U+001A,
// SUBSTITUTE) itself. Ordinary strings are stored as they are.
const escape = '\x1a'

// encode gives the stored form of any string, the same for every engine.
func encode(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, escape) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == escape || r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "%c%02x", escape, s[i])
			i++
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// decode undoes encode. An escape that encode did not write stays as it is.
func decode(s string) string {
	if strings.IndexByte(s, escape) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == escape && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// layout is how SQLite's tables hold a time: UTC, of fixed width.
const layout = "2006-01-02T15:04:05.000000Z"

// within keeps a time inside the years that both engines hold at fixed width.
// Lines of foreign evidence can name any.
func within(t time.Time) time.Time {
	first, last := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t.UTC().Truncate(time.Microsecond)
}

// stampText is the text of a time in SQLite.
func stampText(t time.Time) string { return within(t).Format(layout) }

// stamp reads a time of either engine; NULL is the zero time.
type stamp struct{ time.Time }

// Scan implements sql.Scanner.
func (s *stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		s.Time = time.Time{}
		return nil
	case time.Time:
		s.Time = v.UTC()
		return nil
	case string:
		t, err := time.Parse(layout, v)
		s.Time = t
		return err
	}
	return fmt.Errorf("a time is stored as %T", src)
}

// words reads an escaped string of either engine; NULL is "".
type words string

// Scan implements sql.Scanner.
func (w *words) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*w = ""
	case string:
		*w = words(decode(v))
	case []byte:
		*w = words(decode(string(v)))
	default:
		return fmt.Errorf("a text is stored as %T", src)
	}
	return nil
}

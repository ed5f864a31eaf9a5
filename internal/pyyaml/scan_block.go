package pyyaml

import "strings"

// header is what may follow "|" or ">".
type header struct {
	folded bool
	// chomp says what happens to final line ends: '-' none is kept, '+' all
	// are, 0 one is.
	chomp rune
	// indent is how much deeper than its parent the text stands, 0 when its
	// first line tells.
	indent int
}

// blockScalar fetches a scalar that "|" or ">" begins.
func (s *scanner) blockScalar() error {
	s.mayKey = true
	if err := s.dropKey(); err != nil {
		return err
	}
	t := token{kind: tokScalar, start: s.mark()}
	h, err := s.blockHeader()
	if err != nil {
		return err
	}
	t.text = s.blockText(h)
	t.end = s.mark()
	s.tokens = append(s.tokens, t)
	return nil
}

func (s *scanner) blockHeader() (header, error) {
	h := header{folded: s.peek() == '>'}
	s.forward()
	for range 2 {
		switch r := s.peek(); {
		case (r == '+' || r == '-') && h.chomp == 0:
			h.chomp = r
		case r >= '0' && r <= '9' && h.indent == 0:
			if h.indent = int(r - '0'); h.indent == 0 {
				return h, failf(s.mark(), "the indentation of a block of text is a digit from 1 to 9")
			}
		default:
			continue
		}
		s.forward()
	}
	if r := s.peek(); r == '\t' || !isSpace(r) {
		return h, failf(s.mark(), `after "|" or ">" only "+", "-" and one digit may stand, found %s; a text that begins so needs quotes`, describe(r))
	}
	return h, s.ignoredRest("the header of a block of text")
}

// blockText scans the lines of a block scalar.
func (s *scanner) blockText(h header) string {
	indent, breaks := s.blockIndent(h)
	var b strings.Builder
	last := ""
	for s.column == indent && s.peek() != 0 {
		b.WriteString(breaks)
		text := s.restOfLine()
		b.WriteString(text)
		last = s.lineBreak()
		breaks = s.blockBreaks(indent)
		if s.column != indent || s.peek() == 0 {
			break
		}
		if h.folded && last == "\n" && !beginsBlank(text) && s.peek() != ' ' && s.peek() != '\t' {
			if breaks == "" {
				b.WriteByte(' ')
			}
			continue
		}
		b.WriteString(last)
	}
	if h.chomp != '-' {
		b.WriteString(last)
	}
	if h.chomp == '+' {
		b.WriteString(breaks)
	}
	return b.String()
}

// beginsBlank reports whether a line of folded text keeps its line ends.
func beginsBlank(text string) bool {
	return text != "" && (text[0] == ' ' || text[0] == '\t')
}

// blockIndent finds the column of a block scalar's text, and passes the empty
// lines before it, whose line ends it returns.
func (s *scanner) blockIndent(h header) (indent int, breaks string) {
	least := max(s.indent+1, 1)
	if h.indent > 0 {
		indent = least + h.indent - 1
		return indent, s.blockBreaks(indent)
	}
	var b strings.Builder
	deepest := 0
	for {
		s.skipSpaces()
		deepest = max(deepest, s.column)
		br := s.lineBreak()
		if br == "" {
			return max(least, deepest), b.String()
		}
		b.WriteString(br)
	}
}

// blockBreaks passes empty lines and the next line's indentation, up to a column.
func (s *scanner) blockBreaks(indent int) string {
	var b strings.Builder
	for {
		for s.column < indent && s.peek() == ' ' {
			s.forward()
		}
		br := s.lineBreak()
		if br == "" {
			return b.String()
		}
		b.WriteString(br)
	}
}

// restOfLine passes the characters before the next line end and returns them.
func (s *scanner) restOfLine() string {
	start := s.pos
	for r := s.peek(); r != 0 && !isBreak(r); r = s.peek() {
		s.forward()
	}
	return string(s.src[start:s.pos])
}

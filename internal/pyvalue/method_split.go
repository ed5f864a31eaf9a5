package pyvalue

import (
	"slices"
	"strings"
)

func strSplit(b *bound) (Value, error) {
	limit, err := b.size(1, -1)
	if err != nil {
		return nil, err
	}
	s := b.text()
	if err := b.m.Step(1 + len(s)/textStep); err != nil {
		return nil, err
	}
	split := splitter{m: b.m, limit: limit, fromRight: b.name == "rsplit"}
	sep := b.arg(0)
	if sep == nil || sep == (None{}) {
		return b.texts(split.spaces(s))
	}
	text, ok := AsStr(sep)
	switch {
	case !ok:
		return nil, typeError("must be str or None, not %s", sep.TypeName())
	case text == "":
		return nil, valueError("empty separator")
	}
	return b.texts(split.separator(s, text))
}

// texts makes a list of strings of the kind of self.
func (b *bound) texts(parts []string, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	out := make([]Value, len(parts))
	for i, part := range parts {
		out[i] = b.like(part)
	}
	return &List{out}, nil
}

// splitter splits at most limit times (always, if negative), and counts the parts.
type splitter struct {
	m         *Meter
	limit     int64
	fromRight bool
	parts     []string
}

func (p *splitter) add(part string) error {
	p.parts = append(p.parts, part)
	return orStep(p.m.extend((len(p.parts)-1)*itemBytes, 2*itemBytes), p.m, 1)
}

func (p *splitter) full() bool { return p.limit >= 0 && int64(len(p.parts)) >= p.limit }

func (p *splitter) done() []string {
	if p.fromRight {
		slices.Reverse(p.parts)
	}
	return p.parts
}

func (p *splitter) separator(s, sep string) ([]string, error) {
	for !p.full() {
		at := strings.Index(s, sep)
		if p.fromRight {
			at = strings.LastIndex(s, sep)
		}
		if at < 0 {
			break
		}
		part, rest := s[:at], s[at+len(sep):]
		if p.fromRight {
			part, rest = rest, part
		}
		if err := p.add(part); err != nil {
			return nil, err
		}
		s = rest
	}
	err := p.add(s)
	return p.done(), err
}

// spaces splits where there is any whitespace, of which the part that is left over
// keeps what is at its far end.
func (p *splitter) spaces(s string) ([]string, error) {
	for {
		if s = p.trim(s); s == "" {
			return p.done(), nil
		}
		if p.full() {
			err := p.add(s)
			return p.done(), err
		}
		part, rest := p.word(s)
		if err := p.add(part); err != nil {
			return nil, err
		}
		s = rest
	}
}

func (p *splitter) trim(s string) string {
	if p.fromRight {
		return trimRight(s, isSpace)
	}
	return trimLeft(s, isSpace)
}

func (p *splitter) word(s string) (word, rest string) {
	blank := func(r rune) bool { return !isSpace(r) }
	if p.fromRight {
		rest = trimRight(s, blank)
		return s[len(rest):], rest
	}
	rest = trimLeft(s, blank)
	return s[:len(s)-len(rest)], rest
}

func strSplitLines(b *bound) (Value, error) {
	keep, err := b.flag(0)
	if err != nil {
		return nil, err
	}
	s := b.text()
	p := splitter{m: b.m, limit: -1}
	for s != "" {
		line, end := cutLine(s)
		part := line
		if keep {
			part = s[:len(line)+end]
		}
		if err := p.add(part); err != nil {
			return nil, err
		}
		s = s[len(line)+end:]
	}
	return b.texts(p.parts, b.m.Step(len(b.text())/textStep))
}

// cutLine returns the first line of s, and the length of its end in bytes.
func cutLine(s string) (line string, end int) {
	for at, r := range runes(s) {
		if !isLineEnd(r) {
			continue
		}
		if strings.HasPrefix(s[at:], "\r\n") {
			return s[:at], 2
		}
		_, size := decodeRune(s[at:])
		return s[:at], size
	}
	return s, 0
}

package jinja

import (
	"strings"
	"unicode"

	"agentxchain/internal/pyvalue"
)

// wordwrapFilter is s|wordwrap(width=79, break_long_words=True, wrapstring=None,
// break_on_hyphens=True). Lines that there are stay.
func wordwrapFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	yes := pyvalue.Bool(true)
	a, err := c.Bind("do_wordwrap", required("s"), optional("width", pyvalue.Int(79)), optional("break_long_words", yes),
		optional("wrapstring", pyvalue.None{}), optional("break_on_hyphens", yes))
	if err != nil {
		return nil, err
	}
	if isNone(a[3]) {
		a[3] = str("\n")
	}
	list, err := method(f.meter, a[0], "splitlines")
	if err != nil {
		return nil, err
	}
	lines, err := pyvalue.Items(f.meter, list)
	if err != nil {
		return nil, err
	}
	width, err := smallInt(a[1])
	if err != nil {
		return nil, err
	}
	w := &wrapper{m: f.meter, width: int(width), long: pyvalue.Truth(a[2]), hyphens: pyvalue.Truth(a[4])}
	paragraphs := make([]pyvalue.Value, 0, len(lines))
	for _, line := range lines {
		text, _ := pyvalue.AsStr(line)
		wrapped, err := w.wrap(text)
		if err != nil {
			return nil, err
		}
		joined, err := method(f.meter, a[3], "join", pyvalue.NewList(wrapped...))
		if err != nil {
			return nil, err
		}
		paragraphs = append(paragraphs, joined)
	}
	return method(f.meter, a[3], "join", pyvalue.NewList(paragraphs...))
}

// wrapper breaks a text into lines as Python's textwrap does with tabs and other
// white space left as they are.
type wrapper struct {
	m             *pyvalue.Meter
	width         int
	long, hyphens bool // may break words that are too long; behind hyphens
}

// wrap breaks one paragraph. White space at the ends of its lines goes.
func (w *wrapper) wrap(text string) ([]pyvalue.Value, error) {
	if err := w.m.Step(len(text)); err != nil {
		return nil, err
	}
	if w.width <= 0 {
		return nil, pyvalue.Errorf("ValueError", "invalid width %d (must be > 0)", w.width)
	}
	var lines []pyvalue.Value
	chunks := chunksOf(pyvalue.Runes(text), w.hyphens)
	for len(chunks) > 0 {
		if isBlankChunk(chunks[0]) && len(lines) > 0 {
			chunks = chunks[1:]
		}
		var line [][]rune
		line, chunks = w.line(chunks)
		if n := len(line); n > 0 && isBlankChunk(line[n-1]) {
			line = line[:n-1]
		}
		if len(line) == 0 {
			continue
		}
		var whole []rune
		for _, chunk := range line {
			whole = append(whole, chunk...)
		}
		if err := w.m.Alloc(4 * len(whole)); err != nil {
			return nil, err
		}
		lines = append(lines, str(pyvalue.FromRunes(whole)))
	}
	return lines, nil
}

// isBlankChunk reports whether a chunk is white space.
func isBlankChunk(chunk []rune) bool {
	for _, r := range chunk {
		if !isSpace(r) {
			return false
		}
	}
	return true
}

// line takes as many chunks as fit. A chunk that no line can hold is cut.
func (w *wrapper) line(chunks [][]rune) (line, rest [][]rune) {
	length := 0
	for len(chunks) > 0 && length+len(chunks[0]) <= w.width {
		length += len(chunks[0])
		line, chunks = append(line, chunks[0]), chunks[1:]
	}
	if len(chunks) == 0 || len(chunks[0]) <= w.width {
		return line, chunks
	}
	switch {
	case w.long:
		end := w.cut(chunks[0], w.width-length)
		line = append(line, chunks[0][:end])
		chunks[0] = chunks[0][end:]
	case len(line) == 0:
		line, chunks = append(line, chunks[0]), chunks[1:]
	}
	return line, chunks
}

// cut is where a chunk that is longer than space is cut.
func (w *wrapper) cut(chunk []rune, space int) int {
	if !w.hyphens || len(chunk) <= space {
		return space
	}
	for i := space - 1; i > 0; i-- {
		if chunk[i] != '-' {
			continue
		}
		for _, r := range chunk[:i] {
			if r != '-' {
				return i + 1
			}
		}
		break
	}
	return space
}

// chunksOf cuts text where a line may end: around white space and, with hyphens,
// behind those in compound words and around dashes.
func chunksOf(text []rune, hyphens bool) [][]rune {
	var chunks [][]rune
	for i := 0; i < len(text); {
		var end int
		switch {
		case isWrapSpace(text[i]):
			end = i + 1
			for end < len(text) && isWrapSpace(text[end]) {
				end++
			}
		case hyphens:
			end = chunkEnd(text, i)
		default:
			end = wordEnd(text, i)
		}
		chunks = append(chunks, text[i:end])
		i = end
	}
	return chunks
}

// isWrapSpace reports whether r is white space where lines may end.
func isWrapSpace(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }

// wordEnd is where the word at i ends.
func wordEnd(text []rune, i int) int {
	for i < len(text) && !isWrapSpace(text[i]) {
		i++
	}
	return i
}

// chunkEnd is the end of a chunk that begins at i, which is no white space.
func chunkEnd(text []rune, i int) int {
	if n := dashes(text, i); n > 0 && i > 0 && isWordOrPunctuation(text[i-1]) {
		return i + n
	}
	for j := i + 1; j < len(text); j++ {
		switch {
		case isWrapSpace(text[j]):
			return j
		case text[j] != '-':
		case isHyphen(text, j):
			return j + 1
		case isWordOrPunctuation(text[j-1]) && dashes(text, j) > 0:
			return j
		}
	}
	return len(text)
}

// dashes is the length of a run of two or more hyphens at i with a word behind;
// 0 if there is none.
func dashes(text []rune, i int) int {
	n := 0
	for i+n < len(text) && text[i+n] == '-' {
		n++
	}
	if n < 2 || i+n == len(text) || !isWord(text[i+n]) {
		return 0
	}
	return n
}

// isHyphen reports whether the hyphen at j joins two parts of a word.
func isHyphen(text []rune, j int) bool {
	letter := func(i int) bool { return i >= 0 && i < len(text) && isWordLetter(text[i]) }
	hyphen := func(i int) bool { return i >= 0 && i < len(text) && text[i] == '-' }
	before := letter(j-2) && letter(j-1) || letter(j-3) && hyphen(j-2) && letter(j-1)
	return before && letter(j+1) && (letter(j+2) || hyphen(j+2) && letter(j+3))
}

// isWordLetter is [^\d\W] of Python.
func isWordLetter(r rune) bool { return isWord(r) && !unicode.Is(unicode.Nd, r) }

func isWordOrPunctuation(r rune) bool { return isWord(r) || strings.ContainsRune(`!"'&.,?`, r) }

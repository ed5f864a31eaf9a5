package jinja

import (
	"cmp"
	"slices"
	"strings"

	"agentxchain/internal/pyvalue"
)

// prettyWidth is where lines of the pprint filter end.
const prettyWidth = 80

// prettyText is pprint.pformat(v).
func prettyText(m *pyvalue.Meter, v pyvalue.Value) (string, error) {
	p := &prettyPrinter{m: m, open: map[pyvalue.Value]bool{}}
	if err := p.format(v, spot{}); err != nil {
		return "", err
	}
	return p.b.String(), nil
}

// prettyPrinter writes values over several lines where they are too long for one.
type prettyPrinter struct {
	m    *pyvalue.Meter
	b    strings.Builder
	open map[pyvalue.Value]bool // containers being written
}

// spot is where a value is written: behind indent characters, with room left for
// allowance closing ones, in level containers.
type spot struct{ indent, allowance, level int }

// write appends text that the budget counts.
func (p *prettyPrinter) write(parts ...string) error {
	for _, s := range parts {
		if err := p.m.Alloc(len(s)); err != nil {
			return err
		}
		p.b.WriteString(s)
	}
	return nil
}

// format writes v on one line if there is room, else part by part.
func (p *prettyPrinter) format(v pyvalue.Value, at spot) error {
	if err := p.m.Enter(); err != nil {
		return err
	}
	defer p.m.Leave()
	if isContainer(v) && p.open[v] {
		return p.write("<Recursion on ", v.TypeName(), " with id=0>")
	}
	line, err := p.oneLine(v)
	if err != nil {
		return err
	}
	if pyvalue.RuneLen(line) <= prettyWidth-at.indent-at.allowance {
		return p.write(line)
	}
	at.level++
	if s, ok := v.(pyvalue.Str); ok && s.String() != "" {
		return p.text(s.String(), at)
	}
	if !isContainer(v) {
		return p.write(line)
	}
	p.open[v] = true
	defer delete(p.open, v)
	return p.container(v, at)
}

// isContainer reports whether v is written part by part. What merely looks like a
// tuple, as the groups of groupby, is not.
func isContainer(v pyvalue.Value) bool {
	switch v := v.(type) {
	case *pyvalue.Dict, *pyvalue.List:
		return true
	case *pyvalue.Tuple:
		return v.Fields == nil
	}
	return false
}

// container writes the parts of v, one a line.
func (p *prettyPrinter) container(v pyvalue.Value, at spot) error {
	switch v := v.(type) {
	case *pyvalue.Dict:
		at.allowance++
		return p.dict(v, at)
	case *pyvalue.Tuple:
		end := ")"
		if len(v.Items) == 1 {
			end = ",)"
		}
		at.allowance += len(end)
		return p.items("(", v.Items, end, at)
	case *pyvalue.List:
		at.allowance++
		return p.items("[", v.Items, "]", at)
	}
	return nil
}

// items writes items between brackets.
func (p *prettyPrinter) items(open string, items []pyvalue.Value, end string, at spot) error {
	if err := p.write(open); err != nil {
		return err
	}
	at.indent++
	for i, v := range items {
		if err := p.separate(i, at.indent); err != nil {
			return err
		}
		if err := p.format(v, at.inside(i == len(items)-1)); err != nil {
			return err
		}
	}
	return p.write(end)
}

// inside is the spot of an item: all but the last have a comma behind them.
func (at spot) inside(last bool) spot {
	if !last {
		at.allowance = 1
	}
	return at
}

// separate ends the line before the i-th part.
func (p *prettyPrinter) separate(i, indent int) error {
	if i == 0 {
		return nil
	}
	return p.write(",\n", strings.Repeat(" ", indent))
}

// dict writes the entries of a dict, in order of the keys.
func (p *prettyPrinter) dict(d *pyvalue.Dict, at spot) error {
	keys, err := p.sortedKeys(d)
	if err != nil {
		return err
	}
	if err := p.write("{"); err != nil {
		return err
	}
	at.indent++
	for i, key := range keys {
		if err := p.separate(i, at.indent); err != nil {
			return err
		}
		text, err := p.oneLine(key)
		if err != nil {
			return err
		}
		if err := p.write(text, ": "); err != nil {
			return err
		}
		v, _, err := d.Get(p.m, key)
		if err != nil {
			return err
		}
		inner := at.inside(i == len(keys)-1)
		inner.indent += pyvalue.RuneLen(text) + 2
		if err := p.format(v, inner); err != nil {
			return err
		}
	}
	return p.write("}")
}

// sortedKeys sorts the keys of a dict, those that have no order by their type.
func (p *prettyPrinter) sortedKeys(d *pyvalue.Dict) ([]pyvalue.Value, error) {
	keys := d.Keys()
	var failed error
	slices.SortStableFunc(keys, func(a, b pyvalue.Value) int {
		if failed != nil {
			return 0
		}
		less, err := pyvalue.Compare(p.m, pyvalue.LT, a, b)
		switch {
		case raised(err, "TypeError"):
			return cmp.Compare(a.TypeName(), b.TypeName())
		case err != nil:
			failed = err
			return 0
		case less:
			return -1
		}
		more, err := pyvalue.Compare(p.m, pyvalue.GT, a, b)
		if err == nil && more {
			return 1
		}
		return 0
	})
	return keys, failed
}

// oneLine is the value on one line: its repr, with the keys of dicts sorted.
func (p *prettyPrinter) oneLine(v pyvalue.Value) (string, error) {
	if !isContainer(v) {
		return pyvalue.Repr(p.m, v)
	}
	if err := p.m.Enter(); err != nil {
		return "", err
	}
	defer p.m.Leave()
	if p.open[v] {
		return "<Recursion on " + v.TypeName() + " with id=0>", nil
	}
	p.open[v] = true
	defer delete(p.open, v)
	parts, err := p.parts(v)
	if err != nil {
		return "", err
	}
	text := strings.Join(parts, ", ")
	switch v := v.(type) {
	case *pyvalue.Dict:
		text = "{" + text + "}"
	case *pyvalue.List:
		text = "[" + text + "]"
	case *pyvalue.Tuple:
		if len(v.Items) == 1 {
			text += ","
		}
		text = "(" + text + ")"
	}
	return text, p.m.Alloc(len(text))
}

// parts are the items of a container, each on one line.
func (p *prettyPrinter) parts(v pyvalue.Value) ([]string, error) {
	if d, ok := v.(*pyvalue.Dict); ok {
		return p.pairs(d)
	}
	items, err := pyvalue.Items(p.m, v)
	if err != nil {
		return nil, err
	}
	parts := make([]string, 0, len(items))
	for _, item := range items {
		text, err := p.oneLine(item)
		if err != nil {
			return nil, err
		}
		parts = append(parts, text)
	}
	return parts, nil
}

// pairs are the entries of a dict, each on one line.
func (p *prettyPrinter) pairs(d *pyvalue.Dict) ([]string, error) {
	keys, err := p.sortedKeys(d)
	if err != nil {
		return nil, err
	}
	parts := make([]string, 0, len(keys))
	for _, key := range keys {
		name, err := p.oneLine(key)
		if err != nil {
			return nil, err
		}
		v, _, err := d.Get(p.m, key)
		if err != nil {
			return nil, err
		}
		text, err := p.oneLine(v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, name+": "+text)
	}
	return parts, nil
}

// text writes a string that is too long as several literals, cut behind line
// ends and blanks.
func (p *prettyPrinter) text(s string, at spot) error {
	if at.level == 1 {
		at.indent++
		at.allowance++
	}
	chunks, err := p.literals(s, at)
	if err != nil {
		return err
	}
	open, end := "", ""
	if at.level == 1 && len(chunks) > 1 {
		open, end = "(", ")"
	}
	return p.write(open, strings.Join(chunks, "\n"+strings.Repeat(" ", at.indent)), end)
}

// literals cuts a string and returns the reprs of the pieces.
func (p *prettyPrinter) literals(s string, at spot) ([]string, error) {
	list, err := method(p.m, pyvalue.NewStr(s), "splitlines", pyvalue.Bool(true))
	if err != nil {
		return nil, err
	}
	lines, err := pyvalue.Items(p.m, list)
	if err != nil {
		return nil, err
	}
	var chunks []string
	for i, line := range lines {
		width := prettyWidth - at.indent
		room, last := width, i == len(lines)-1
		if last {
			room -= at.allowance
		}
		text, _ := pyvalue.AsStr(line)
		if whole := quoted(text); pyvalue.RuneLen(whole) <= room {
			chunks = append(chunks, whole)
			continue
		}
		chunks = append(chunks, wrapLiteral(text, width, room)...)
	}
	return chunks, nil
}

// wrapLiteral cuts a line behind blanks into pieces of at most width characters
// as literals; the last one has room only.
func wrapLiteral(line string, width, room int) []string {
	var chunks []string
	current := ""
	for line != "" {
		word := untilFunc(line, isSpace)
		gap := untilFunc(line[len(word):], func(r rune) bool { return !isSpace(r) })
		part := word + gap
		line = line[len(part):]
		if line == "" {
			width = room
		}
		if pyvalue.RuneLen(quoted(current+part)) <= width {
			current += part
			continue
		}
		if current != "" {
			chunks = append(chunks, quoted(current))
		}
		current = part
	}
	if current != "" {
		chunks = append(chunks, quoted(current))
	}
	return chunks
}

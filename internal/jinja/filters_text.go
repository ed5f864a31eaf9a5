package jinja

import (
	"strings"
	"unicode/utf8"

	"agentxchain/internal/pyvalue"
)

// stringFilter is s|string: the text, which stays Markup if it is.
func stringFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("soft_str", required("s"))
	if err != nil {
		return nil, err
	}
	return softText(f.meter, a[0])
}

// safeFilter is value|safe: the text as Markup.
func safeFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_mark_safe", required("value"))
	if err != nil {
		return nil, err
	}
	return f.markup(a[0])
}

// escapeFilter is s|escape and s|e: the text with & < > ' " replaced, as Markup.
func escapeFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("escape", required("s"))
	if err != nil {
		return nil, err
	}
	if isModule(a[0]) {
		return f.markup(a[0])
	}
	return pyvalue.Escape(f.meter, a[0])
}

// forceescapeFilter is value|forceescape: escape, of Markup too.
func forceescapeFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_forceescape", required("value"))
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.Text(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	return pyvalue.Escape(f.meter, pyvalue.NewStr(text))
}

// centerFilter is value|center(width=80).
func centerFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_center", required("value"), optional("width", pyvalue.Int(80)))
	if err != nil {
		return nil, err
	}
	text, err := softText(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	return method(f.meter, text, "center", a[1])
}

// trimFilter is value|trim(chars=None).
func trimFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_trim", required("value"), optional("chars", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	text, err := softText(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	return method(f.meter, text, "strip", a[1])
}

// formatFilter is value|format(…): "%" formatting, by place or by name.
func formatFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Args) == 0 {
		return nil, missingArgument("do_format")
	}
	args := c.Args[1:]
	if len(args) > 0 && len(c.Kwargs) > 0 {
		return nil, pyvalue.Errorf("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	text, err := softText(f.meter, c.Args[0])
	if err != nil {
		return nil, err
	}
	if len(c.Kwargs) == 0 {
		return pyvalue.Mod(f.meter, text, pyvalue.NewTuple(args...))
	}
	d := pyvalue.NewDict(len(c.Kwargs))
	for _, k := range c.Kwargs {
		d.SetStr(k.Name, k.Value)
	}
	return pyvalue.Mod(f.meter, text, d)
}

// replaceFilter is s|replace(old, new, count=None). Where values are escaped, what is
// not Markup becomes it if something else is.
func replaceFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_replace", required("s"), required("old"), required("new"), optional("count", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	if isNone(a[3]) {
		a[3] = pyvalue.Int(-1)
	}
	soft := plainText
	if *f.names.auto {
		soft = softText
		if isMarkup(a[1]) || isMarkup(a[2]) && !isMarkup(a[0]) {
			safe, err := pyvalue.Escape(f.meter, a[0])
			if err != nil {
				return nil, err
			}
			a[0] = safe
		}
	}
	for i := range a[:3] {
		if a[i], err = soft(f.meter, a[i]); err != nil {
			return nil, err
		}
	}
	return method(f.meter, a[0], "replace", a[1], a[2], a[3])
}

// plainText is str(v).
func plainText(m *pyvalue.Meter, v pyvalue.Value) (pyvalue.Value, error) {
	text, err := pyvalue.Text(m, v)
	return pyvalue.NewStr(text), err
}

// titleFilter capitalizes the words, which begin behind white space and - ( { [ <.
func titleFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_title", required("s"))
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.Text(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for text != "" {
		word := untilFunc(text, startsWord)
		if err := writeTitle(&b, f.meter, word); err != nil {
			return nil, err
		}
		text = text[len(word):]
		gap := untilFunc(text, func(r rune) bool { return !startsWord(r) })
		b.WriteString(gap)
		text = text[len(gap):]
	}
	return str(b.String()), f.meter.Alloc(b.Len())
}

// startsWord reports whether a word begins behind r.
func startsWord(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) }

// untilFunc is s up to the first character that stop is true of.
func untilFunc(s string, stop func(rune) bool) string {
	if i := strings.IndexFunc(s, stop); i >= 0 {
		return s[:i]
	}
	return s
}

// writeTitle writes a word with its first character in upper case.
func writeTitle(b *strings.Builder, m *pyvalue.Meter, word string) error {
	if word == "" {
		return nil
	}
	_, n := utf8.DecodeRuneInString(word)
	for _, part := range [...][2]string{{word[:n], "upper"}, {word[n:], "lower"}} {
		v, err := method(m, str(part[0]), part[1])
		if err != nil {
			return err
		}
		text, _ := pyvalue.AsStr(v)
		b.WriteString(text)
	}
	return nil
}

// indentFilter is s|indent(width=4, first=False, blank=False); width may be a text.
func indentFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	no := pyvalue.Bool(false)
	a, err := c.Bind("do_indent", required("s"), optional("width", pyvalue.Int(4)), optional("first", no), optional("blank", no))
	if err != nil {
		return nil, err
	}
	indention := a[1]
	if !pyvalue.IsString(indention) {
		if indention, err = pyvalue.Mul(f.meter, str(" "), indention); err != nil {
			return nil, err
		}
	}
	whole := a[0]
	if _, list := whole.(*pyvalue.List); !list { // of which "+=" takes text
		if whole, err = pyvalue.Add(f.meter, whole, str("\n")); err != nil {
			return nil, err
		}
	}
	list, err := method(f.meter, whole, "splitlines")
	if err != nil {
		return nil, err
	}
	lines, err := pyvalue.Items(f.meter, list)
	if err != nil {
		return nil, err
	}
	by, _ := pyvalue.AsStr(indention)
	text, err := indented(f.meter, lines, indenting{by, pyvalue.Truth(a[2]), pyvalue.Truth(a[3])})
	return textValue(text, isMarkup(a[0])), err
}

// indenting says by what lines are indented, and whether the first line and
// blank lines are.
type indenting struct {
	by           string
	first, blank bool
}

// indented joins the lines, each with the indention before it.
func indented(m *pyvalue.Meter, lines []pyvalue.Value, in indenting) (string, error) {
	texts := make([]string, len(lines))
	size := 0
	for i, line := range lines {
		texts[i], _ = pyvalue.AsStr(line)
		size += len(texts[i]) + len(in.by) + 1
	}
	if err := m.Alloc(size); err != nil {
		return "", err
	}
	var b strings.Builder
	for i, text := range texts {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && in.first || i > 0 && (in.blank || text != "") {
			b.WriteString(in.by)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// truncateFilter is s|truncate(length=255, killwords=False, end="...", leeway=None).
func truncateFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_truncate", required("s"), optional("length", pyvalue.Int(255)), optional("killwords", pyvalue.Bool(false)),
		optional("end", str("...")), optional("leeway", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	if isNone(a[4]) {
		a[4] = pyvalue.Int(5)
	}
	end, err := pyvalue.Len(f.meter, a[3])
	if err != nil {
		return nil, err
	}
	if err := f.assertAtLeast("length", a[1], end); err != nil {
		return nil, err
	}
	if err := f.assertAtLeast("leeway", a[4], 0); err != nil {
		return nil, err
	}
	short, err := f.fits(a[0], a[1], a[4])
	if err != nil || short {
		return a[0], err
	}
	return f.cut(a[0], a[1], end, a[3], pyvalue.Truth(a[2]))
}

// assertAtLeast is Jinja2's assertion that an argument is large enough.
func (f *frame) assertAtLeast(name string, v pyvalue.Value, least int) error {
	ok, err := pyvalue.Compare(f.meter, pyvalue.GE, v, pyvalue.Int(least))
	if err != nil || ok {
		return err
	}
	got, err := pyvalue.Text(f.meter, v)
	if err != nil {
		return err
	}
	return pyvalue.Errorf("AssertionError", "expected %s >= %d, got %s", name, least, got)
}

// fits reports whether v is at most length + leeway long.
func (f *frame) fits(v, length, leeway pyvalue.Value) (bool, error) {
	n, err := pyvalue.Len(f.meter, v)
	if err != nil {
		return false, err
	}
	most, err := pyvalue.Add(f.meter, length, leeway)
	if err != nil {
		return false, err
	}
	return pyvalue.Compare(f.meter, pyvalue.LE, pyvalue.Int(n), most)
}

// cut shortens v to length with end behind it, at a blank unless words may be cut.
func (f *frame) cut(v, length pyvalue.Value, endLength int, end pyvalue.Value, killwords bool) (pyvalue.Value, error) {
	stop, err := pyvalue.Sub(f.meter, length, pyvalue.Int(endLength))
	if err != nil {
		return nil, err
	}
	v, err = pyvalue.Slice(f.meter, v, pyvalue.None{}, stop, pyvalue.None{})
	if err != nil {
		return nil, err
	}
	if !killwords {
		parts, err := method(f.meter, v, "rsplit", str(" "), pyvalue.Int(1))
		if err != nil {
			return nil, err
		}
		if v, err = pyvalue.GetItem(f.meter, parts, pyvalue.Int(0)); err != nil {
			return nil, err
		}
	}
	return pyvalue.Add(f.meter, v, end)
}

// wordcountFilter is s|wordcount: the number of runs of letters, digits and "_".
func wordcountFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_wordcount", required("s"))
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.Text(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	if err := f.meter.Step(len(text) / 8); err != nil {
		return nil, err
	}
	return pyvalue.Int(len(strings.FieldsFunc(text, func(r rune) bool { return !isWord(r) }))), nil
}

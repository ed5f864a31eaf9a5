package pyvalue

import (
	"math"
	"strings"
)

// formatFields is str.format, as the sandbox has it: the fields of a format reach
// attributes and items by SandboxAttr and SandboxItem. It follows
// string.Formatter, which the sandbox is made of, and not the str.format in C.
type formatFields struct {
	m      *Meter
	args   []Value
	lookup Value // what fields with a name look into
	escape bool  // for Markup: what is filled in is escaped
	auto   int   // the number of the next "{}"; -1 after a field with a number
}

// maxFormatNesting is how deep fields may stand in specifications of fields.
const maxFormatNesting = 2

// StrFormat is format.format(*args, **kwargs) of a string, inside the sandbox. The
// result is Markup if format is. Errors are Python's, and *BudgetError.
func StrFormat(format Value, c Call) (Value, error) {
	kwargs := NewDict(len(c.Kwargs))
	for _, k := range c.Kwargs {
		kwargs.SetStr(k.Name, k.Value)
	}
	return formatWith(c.Meter, format, c.Args, kwargs)
}

// StrFormatMap is format.format_map(mapping). Errors as of StrFormat.
func StrFormatMap(format Value, c Call) (Value, error) {
	switch {
	case len(c.Kwargs) > 0:
		return nil, typeError("format_map() takes no keyword arguments")
	case len(c.Args) != 1:
		return nil, typeError("format_map() takes exactly one argument (%d given)", len(c.Args))
	}
	return formatWith(c.Meter, format, nil, c.Args[0])
}

func formatWith(m *Meter, format Value, args []Value, lookup Value) (Value, error) {
	text, _ := AsStr(format)
	_, escape := format.(Markup)
	f := formatFields{m: m, args: args, lookup: lookup, escape: escape}
	out, err := f.fill(text, maxFormatNesting)
	if err != nil {
		return nil, err
	}
	return likeText(format, out), nil
}

// fill is text with its fields replaced.
func (f *formatFields) fill(text string, nesting int) (string, error) {
	if nesting < 0 {
		return "", valueError("Max string recursion exceeded")
	}
	if err := f.m.Step(len(text) / 16); err != nil {
		return "", err
	}
	var out []byte
	r := fieldReader{s: text}
	for r.s != "" {
		literal, field, err := r.next()
		if err != nil {
			return "", err
		}
		filled := ""
		if field != nil {
			if filled, err = f.field(field, nesting); err != nil {
				return "", err
			}
		}
		if err := orStep(f.m.extend(len(out), len(literal)+len(filled)), f.m, 1); err != nil {
			return "", err
		}
		out = append(append(out, literal...), filled...)
	}
	return string(out), nil
}

func (f *formatFields) field(field *replacementField, nesting int) (string, error) {
	name, err := f.numbered(field.name)
	if err != nil {
		return "", err
	}
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	if v, err = f.convert(v, field.conversion); err != nil {
		return "", err
	}
	spec, err := f.fill(field.spec, nesting-1)
	if err != nil {
		return "", err
	}
	if f.escape {
		return formatEscaped(f.m, v, spec)
	}
	return Format(f.m, v, spec)
}

// formatEscaped is how Markup fills in a field.
func formatEscaped(m *Meter, v Value, spec string) (string, error) {
	if safe, ok := v.(Markup); ok {
		if spec != "" {
			return "", valueError("Unsupported format specification for Markup.")
		}
		return string(safe), nil
	}
	s, err := Format(m, v, spec)
	if err != nil {
		return "", err
	}
	safe, err := escapeText(m, s)
	return string(safe), err
}

// numbered is the name of a field; one that is empty gets the next number.
func (f *formatFields) numbered(name string) (string, error) {
	mixed := func() error {
		return valueError("cannot switch from manual field specification to automatic field numbering")
	}
	switch {
	case name == "" && f.auto < 0:
		return "", mixed()
	case name == "":
		f.auto++
		return string(appendInt(nil, f.auto-1)), nil
	case all(name, isDigit):
		if f.auto > 0 {
			return "", mixed()
		}
		f.auto = -1
	}
	return name, nil
}

func appendInt(dst []byte, n int) []byte {
	out, _ := AppendText(nil, dst, Int(n)) // an int of the machine has a text
	return out
}

// value follows a name such as "0.a[b]".
func (f *formatFields) value(name string) (Value, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v, err := f.first(name[:end])
	if err != nil {
		return nil, err
	}
	for rest := name[end:]; rest != ""; {
		var isAttr bool
		var step string
		if isAttr, step, rest, err = nextStep(rest); err != nil {
			return nil, err
		}
		if err := f.m.Step(1); err != nil {
			return nil, err
		}
		if v, err = f.follow(v, isAttr, step); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (f *formatFields) first(name string) (Value, error) {
	n, ok, err := fieldNumber(name)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return GetItem(f.m, f.lookup, Str{s: name})
	}
	return GetItem(f.m, NewTuple(f.args...), Int(n))
}

func (f *formatFields) follow(v Value, isAttr bool, step string) (Value, error) {
	if isAttr {
		return SandboxAttr(f.m, v, step)
	}
	n, ok, err := fieldNumber(step)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return SandboxItem(f.m, v, Int(n))
	}
	return SandboxItem(f.m, v, Str{s: step})
}

// fieldNumber is name as a number, if it is decimal digits alone.
func fieldNumber(name string) (n int, ok bool, err error) {
	if name == "" {
		return 0, false, nil
	}
	for _, r := range runes(name) {
		if !isDecimal(r) {
			return 0, false, nil
		}
		if n > (math.MaxInt-decimalValue(r))/10 {
			return 0, false, tooManyFormatDigits()
		}
		n = n*10 + decimalValue(r)
	}
	return n, true, nil
}

// nextStep cuts ".name" or "[key]" off rest.
func nextStep(rest string) (isAttr bool, step, after string, err error) {
	body := rest[1:]
	switch rest[0] {
	case '.':
		end := strings.IndexAny(body, ".[")
		if end < 0 {
			end = len(body)
		}
		isAttr, step, after = true, body[:end], body[end:]
	case '[':
		var closed bool
		if step, after, closed = strings.Cut(body, "]"); !closed {
			return false, "", "", valueError("Missing ']' in format string")
		}
	default:
		return false, "", "", valueError("Only '.' or '[' may follow ']' in format field specifier")
	}
	if step == "" {
		return false, "", "", valueError("Empty attribute in format string")
	}
	return isAttr, step, after, nil
}

// convert applies "!s", "!r" or "!a"; 0 is none.
func (f *formatFields) convert(v Value, conversion rune) (Value, error) {
	var s string
	var err error
	switch conversion {
	case 0:
		return v, nil
	case 's':
		s, err = Text(f.m, v)
	case 'r':
		s, err = Repr(f.m, v)
	case 'a':
		s, err = ASCII(f.m, v)
	default:
		return nil, valueError("Unknown conversion specifier %s", string(appendRune(nil, conversion)))
	}
	return Str{s: s}, err
}

// replacementField is what stands between braces: name!conversion:spec.
type replacementField struct {
	name       string
	conversion rune
	spec       string
}

// fieldReader reads a format from its start.
type fieldReader struct{ s string }

// next returns literal text and the field behind it, nil for none.
func (r *fieldReader) next() (literal string, field *replacementField, err error) {
	at := strings.IndexAny(r.s, "{}")
	if at < 0 {
		literal, r.s = r.s, ""
		return literal, nil, nil
	}
	brace, rest := r.s[at], r.s[at+1:]
	switch {
	case rest != "" && rest[0] == brace:
		literal, r.s = r.s[:at+1], rest[1:]
		return literal, nil, nil
	case brace == '}':
		return "", nil, valueError("Single '}' encountered in format string")
	case rest == "":
		return "", nil, valueError("Single '{' encountered in format string")
	}
	literal, r.s = r.s[:at], rest
	field, err = r.field()
	return literal, field, err
}

func (r *fieldReader) field() (*replacementField, error) {
	end, err := fieldNameEnd(r.s)
	if err != nil {
		return nil, err
	}
	f := &replacementField{name: r.s[:end]}
	mark := r.s[end]
	r.s = r.s[end+1:]
	if mark == '!' {
		if mark, err = r.conversion(f); err != nil {
			return nil, err
		}
	}
	if mark == '}' {
		return f, nil
	}
	return f, r.spec(f)
}

// fieldNameEnd returns the index of the mark that ends a name: "}", ":" or "!".
func fieldNameEnd(s string) (int, error) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			return 0, valueError("unexpected '{' in field name")
		case '[':
			closing := strings.IndexByte(s[i:], ']')
			if closing < 0 {
				return 0, expectedBrace()
			}
			i += closing - 1
		case '}', ':', '!':
			return i, nil
		}
	}
	return 0, expectedBrace()
}

func expectedBrace() error { return valueError("expected '}' before end of string") }

// conversion reads the letter after "!" and the mark after that.
func (r *fieldReader) conversion(f *replacementField) (mark byte, err error) {
	if r.s == "" {
		return 0, valueError("end of string while looking for conversion specifier")
	}
	c, size := decodeRune(r.s)
	f.conversion, r.s = c, r.s[size:]
	if r.s == "" {
		return 0, valueError("unmatched '{' in format spec")
	}
	mark, r.s = r.s[0], r.s[1:]
	if mark != '}' && mark != ':' {
		return 0, valueError("expected ':' after conversion specifier")
	}
	return mark, nil
}

// spec reads up to the brace that closes the field.
func (r *fieldReader) spec(f *replacementField) error {
	open := 1
	for i := range len(r.s) {
		switch r.s[i] {
		case '{':
			open++
		case '}':
			open--
		}
		if open == 0 {
			f.spec, r.s = r.s[:i], r.s[i+1:]
			return nil
		}
	}
	return valueError("unmatched '{' in format spec")
}

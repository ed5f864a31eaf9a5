package pyvalue

import (
	"math"
	"slices"
	"strings"
)

// JSONOptions are those of json.dumps.
type JSONOptions struct {
	Indent   int  // blanks a level; 0 writes one line
	SortKeys bool // sort_keys=True
}

// AppendJSON appends json.dumps(v, default=str, indent=…, sort_keys=…): all but
// ASCII escaped, floats in their shortest form, NaN and Infinity as words, and as
// text whatever JSON has no kind for (undefined as ""). Errors are ValueError for
// a container inside of itself and for ints of more than 4300 digits, TypeError
// for keys that are no scalars, and *BudgetError.
func AppendJSON(m *Meter, dst []byte, v Value, o JSONOptions) ([]byte, error) {
	w := jsonWriter{m: m, dst: dst, options: o}
	err := w.value(v)
	return w.dst, err
}

type jsonWriter struct {
	m       *Meter
	dst     []byte
	options JSONOptions
	open    []Value // the containers around what is written
}

func (w *jsonWriter) value(v Value) error {
	if err := w.m.Step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case *List:
		return w.container(v, '[', ']', len(v.Items), func() error { return w.items(v.Items) })
	case *Tuple:
		return w.container(v, '[', ']', len(v.Items), func() error { return w.items(v.Items) })
	case *Dict:
		return w.container(v, '{', '}', v.live, func() error { return w.members(v) })
	}
	if word := jsonWord(v); word != "" {
		w.dst = append(w.dst, word...)
		return nil
	}
	if !IsNumber(v) {
		s, err := Text(w.m, v)
		if err != nil {
			return err
		}
		return w.text(s)
	}
	start := len(w.dst)
	p := printer{m: w.m, dst: w.dst}
	err := p.leaf(v)
	w.dst = p.dst
	return orExtend(err, w.m, start, len(w.dst)-start)
}

func orExtend(err error, m *Meter, have, more int) error {
	if err != nil {
		return err
	}
	return m.extend(have, more)
}

// jsonWord is what JSON calls the scalars that are neither text nor digits.
func jsonWord(v Value) string {
	switch v := v.(type) {
	case None:
		return "null"
	case Bool:
		if v {
			return "true"
		}
		return "false"
	case Float:
		switch f := float64(v); {
		case math.IsNaN(f):
			return "NaN"
		case math.IsInf(f, 1):
			return "Infinity"
		case math.IsInf(f, -1):
			return "-Infinity"
		}
	}
	return ""
}

func (w *jsonWriter) container(v Value, first, last byte, n int, inside func() error) error {
	if slices.Contains(w.open, v) {
		return valueError("Circular reference detected")
	}
	if err := w.m.nest(len(w.open)); err != nil {
		return err
	}
	w.dst = append(w.dst, first)
	if n > 0 {
		w.open = append(w.open, v)
		if err := inside(); err != nil {
			return err
		}
		w.open = w.open[:len(w.open)-1]
		if err := w.newline(); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, last)
	return nil
}

// newline begins a line, if there are lines.
func (w *jsonWriter) newline() error {
	if w.options.Indent == 0 {
		return nil
	}
	blanks := w.options.Indent * len(w.open)
	if err := w.m.extend(len(w.dst), 1+blanks); err != nil {
		return err
	}
	w.dst = append(w.dst, '\n')
	for range blanks {
		w.dst = append(w.dst, ' ')
	}
	return nil
}

// comma is what stands before the item at i.
func (w *jsonWriter) comma(i int) error {
	if i > 0 {
		w.dst = append(w.dst, ',')
		if w.options.Indent == 0 {
			w.dst = append(w.dst, ' ')
		}
	}
	return w.newline()
}

func (w *jsonWriter) items(items []Value) error {
	for i, item := range items {
		if err := w.comma(i); err != nil {
			return err
		}
		if err := w.value(item); err != nil {
			return err
		}
	}
	return nil
}

func (w *jsonWriter) members(d *Dict) error {
	d, err := w.inOrder(d)
	if err != nil {
		return err
	}
	i := 0
	for key, value := range d.All() {
		if err := w.comma(i); err != nil {
			return err
		}
		if err := w.key(key); err != nil {
			return err
		}
		if err := w.value(value); err != nil {
			return err
		}
		i++
	}
	return nil
}

// inOrder is d in the order that it is written in. Pairs are compared, as Python
// does, though keys alone decide.
func (w *jsonWriter) inOrder(d *Dict) (*Dict, error) {
	if !w.options.SortKeys {
		return d, nil
	}
	pairs, err := Sorted(w.m, (&DictView{Dict: d, Of: ViewItems}).items(), nil, false)
	if err != nil {
		return nil, err
	}
	out := NewDict(len(pairs))
	return out, out.merge(nil, NewList(pairs...))
}

func (w *jsonWriter) key(key Value) error {
	s, ok := AsStr(key)
	switch {
	case ok:
	case jsonWord(key) != "":
		s = jsonWord(key)
	case IsNumber(key):
		var err error
		if s, err = Text(w.m, key); err != nil {
			return err
		}
	default:
		return typeError("keys must be str, int, float, bool or None, not %s", key.TypeName())
	}
	err := w.text(s)
	w.dst = append(w.dst, ": "...)
	return err
}

func (w *jsonWriter) text(s string) error {
	start := len(w.dst)
	if err := w.m.fits(start + len(s)); err != nil {
		return err
	}
	w.dst = appendJSONText(w.dst, s)
	return orStep(w.m.extend(start, len(w.dst)-start), w.m, len(s)/textStep)
}

func appendJSONText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for s != "" {
		end := 0
		for end < len(s) && s[end] >= ' ' && s[end] <= '~' && s[end] != '"' && s[end] != '\\' {
			end++
		}
		dst = append(dst, s[:end]...)
		if s = s[end:]; s == "" {
			break
		}
		r, size := decodeRune(s)
		dst = appendJSONEscape(dst, r)
		s = s[size:]
	}
	return append(dst, '"')
}

func appendJSONEscape(dst []byte, r rune) []byte {
	if at := strings.IndexRune("\"\\\b\f\n\r\t", r); at >= 0 {
		return append(dst, '\\', `"\bfnrt`[at])
	}
	if r > 0xffff {
		r -= 0x10000
		dst = appendHex(append(dst, `\u`...), 0xd800+r>>10, 4)
		r = 0xdc00 + r&0x3ff
	}
	return appendHex(append(dst, `\u`...), r, 4)
}

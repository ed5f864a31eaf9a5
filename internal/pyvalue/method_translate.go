package pyvalue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// strMakeTrans is str.maketrans: a table from a dict, or from two strings and what
// to delete.
func strMakeTrans(b *bound) (Value, error) {
	if len(b.args) == 1 {
		return makeTransFromDict(b)
	}
	var texts [3][]rune
	for i := len(b.args) - 1; i >= 0; i-- {
		wrong := fmt.Sprintf("maketrans() argument %d must be str, not %%s", i+1)
		if i == 0 {
			wrong = "first maketrans argument must be a string if there is a second argument%.0s"
		}
		s, err := b.str(i, wrong)
		if err != nil {
			return nil, err
		}
		if err := b.m.Step(len(s) / 8); err != nil {
			return nil, err
		}
		texts[i] = Runes(s)
	}
	if len(texts[0]) != len(texts[1]) {
		return nil, valueError("the first two maketrans arguments must have equal length")
	}
	out := &Dict{}
	for i, r := range texts[0] {
		if err := out.Set(b.m, Int(r), Int(texts[1][i])); err != nil {
			return nil, err
		}
	}
	for _, r := range texts[2] {
		if err := out.Set(b.m, Int(r), None{}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func makeTransFromDict(b *bound) (Value, error) {
	from, ok := b.args[0].(*Dict)
	if !ok {
		return nil, typeError("if you give only one argument to maketrans it must be a dict")
	}
	if err := b.m.Step(from.live); err != nil {
		return nil, err
	}
	out := &Dict{}
	for key, value := range from.All() {
		if s, ok := AsStr(key); ok {
			if RuneLen(s) != 1 {
				return nil, valueError("string keys in translate table must be of length 1")
			}
			key = Int(Runes(s)[0])
		} else if !isInt(key) {
			return nil, typeError("keys in translate table must be strings or integers")
		}
		if err := out.Set(b.m, key, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func strTranslate(b *bound) (Value, error) {
	var out []byte
	for _, r := range runes(b.text()) {
		start := len(out)
		var err error
		if out, err = translateRune(b.m, out, r, b.args[0]); err != nil {
			return nil, err
		}
		if err := b.m.extend(start, len(out)-start); err != nil {
			return nil, err
		}
	}
	return b.like(string(out)), nil
}

func translateRune(m *Meter, dst []byte, r rune, table Value) ([]byte, error) {
	if err := m.Step(1); err != nil {
		return nil, err
	}
	v, err := GetItem(m, table, Int(r))
	var missing *Error
	if errors.As(err, &missing) && (missing.Class == "KeyError" || missing.Class == "IndexError") {
		return appendRune(dst, r), nil
	}
	if err != nil {
		return nil, err
	}
	if s, ok := AsStr(v); ok {
		return append(dst, s...), nil
	}
	if _, ok := v.(None); ok {
		return dst, nil
	}
	n, ok := AsInt(v)
	switch {
	case !isInt(v):
		return nil, typeError("character mapping must return integer, None or str")
	case !ok || n < 0 || n > utf8.MaxRune:
		return nil, valueError("character mapping must be in range(0x110000)")
	}
	return appendRune(dst, rune(n)), nil
}

// strEncode is str.encode for UTF-8, ASCII and Latin-1.
func strEncode(b *bound) (Value, error) {
	names := [2]string{"utf-8", "strict"}
	for i, what := range [...]string{"encoding", "errors"} {
		if b.arg(i) == nil {
			continue
		}
		s, err := b.str(i, "encode() argument '"+what+"' must be str, not %s")
		if err != nil {
			return nil, err
		}
		names[i] = s
	}
	codec, limit, err := codecOf(names[0])
	if err != nil {
		return nil, err
	}
	e := encoder{codec: codec, limit: limit, errors: names[1]}
	s := b.text()
	if err := b.m.Alloc(2 * len(s)); err != nil {
		return nil, err
	}
	i := 0
	for _, r := range runes(s) {
		if err := e.add(r, i); err != nil {
			return nil, err
		}
		i++
	}
	return &Bytes{e.dst}, nil
}

// codecOf returns Python's name of an encoding and the first code point that it
// does not have; 0 is UTF-8, which lacks the surrogates.
func codecOf(name string) (codec string, limit rune, err error) {
	switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
	case "utf-8", "utf8", "u8":
		return "utf-8", 0, nil
	case "ascii", "us-ascii", "646":
		return "ascii", 0x80, nil
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1", "8859", "l1":
		return "latin-1", 0x100, nil
	}
	return "", 0, Errorf("LookupError", "unknown encoding: %s", name)
}

type encoder struct {
	dst    []byte
	codec  string
	limit  rune
	errors string
}

func (e *encoder) add(r rune, at int) error {
	switch {
	case e.limit > 0 && r < e.limit:
		e.dst = append(e.dst, byte(r))
		return nil
	case e.limit == 0 && (r < 0xd800 || r > 0xdfff):
		e.dst = utf8.AppendRune(e.dst, r)
		return nil
	}
	switch e.errors {
	case "ignore":
	case "replace":
		e.dst = append(e.dst, '?')
	case "xmlcharrefreplace":
		e.dst = append(e.dst, "&#"+strconv.Itoa(int(r))+";"...)
	case "backslashreplace":
		e.dst = appendEscape(e.dst, r)
	case "strict":
		return e.refuse(r, at)
	default:
		return Errorf("LookupError", "unknown error handler name '%s'", e.errors)
	}
	return nil
}

func (e *encoder) refuse(r rune, at int) error {
	why := "surrogates not allowed"
	if e.limit > 0 {
		why = "ordinal not in range(" + strconv.Itoa(int(e.limit)) + ")"
	}
	return Errorf("UnicodeEncodeError", "'%s' codec can't encode character '%s' in position %d: %s",
		e.codec, appendEscape(nil, r), at, why)
}

// bytesMethod are the methods of bytes that lead back to text.
func bytesMethod(name string) (method, bool) {
	switch name {
	case "decode":
		return method{arity: keywords, max: 2, names: []string{"encoding", "errors"}, run: bytesDecode}, true
	case "hex":
		return method{run: func(b *bound) (Value, error) {
			raw, _ := b.self.(*Bytes)
			out := make([]byte, 0, 2*len(raw.B))
			for _, c := range raw.B {
				out = appendHex(out, rune(c), 2)
			}
			return Str{s: string(out)}, b.m.Alloc(len(out))
		}}, true
	}
	return method{}, false
}

// bytesDecode is bytes.decode for UTF-8, ASCII and Latin-1, with the handlers
// strict, ignore and replace.
func bytesDecode(b *bound) (Value, error) {
	raw, _ := b.self.(*Bytes)
	names := [2]string{"utf-8", "strict"}
	for i := range names {
		if s, ok := AsStr(orNone(b.arg(i))); ok {
			names[i] = s
		}
	}
	codec, limit, err := codecOf(names[0])
	if err != nil {
		return nil, err
	}
	if err := b.m.Alloc(3 * len(raw.B)); err != nil {
		return nil, err
	}
	var out []byte
	for i := 0; i < len(raw.B); {
		r, size := decodeByte(raw.B[i:], limit)
		if r == utf8.RuneError && size == 1 {
			switch names[1] {
			case "ignore":
			case "replace":
				out = utf8.AppendRune(out, r)
			default:
				return nil, undecodable(codec, raw.B[i], i)
			}
		} else {
			out = utf8.AppendRune(out, r)
		}
		i += size
	}
	return Str{s: string(out)}, nil
}

func orNone(v Value) Value {
	if v == nil {
		return None{}
	}
	return v
}

func decodeByte(b []byte, limit rune) (rune, int) {
	switch {
	case limit == 0:
		return utf8.DecodeRune(b)
	case rune(b[0]) < limit:
		return rune(b[0]), 1
	}
	return utf8.RuneError, 1
}

func undecodable(codec string, c byte, at int) error {
	why := "invalid start byte"
	if codec == "ascii" {
		why = "ordinal not in range(128)"
	}
	return Errorf("UnicodeDecodeError", "'%s' codec can't decode byte 0x%02x in position %d: %s", codec, c, at, why)
}

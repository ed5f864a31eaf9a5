package pyvalue_test

import (
	"testing"

	"agentxchain/internal/pyvalue"
)

// TestMethods has what testdata/python.jsonl cannot say: bytes, sets, keywords,
// chains of calls. Each want was printed by Python.
func TestMethods(t *testing.T) {
	s := func(text string) pyvalue.Value { return pyvalue.NewStr(text) }
	ab := pyvalue.NewDict(2)
	ab.SetStr("a", pyvalue.Int(1))
	ab.SetStr("b", pyvalue.Int(2))
	keys := func(d *pyvalue.Dict) pyvalue.Value { return &pyvalue.DictView{Dict: d, Of: pyvalue.ViewKeys} }
	call := func(v pyvalue.Value, name string, args []pyvalue.Value, kwargs ...pyvalue.Kwarg) func() (pyvalue.Value, error) {
		return func() (pyvalue.Value, error) {
			f, _, err := pyvalue.Attr(nil, v, name)
			if err != nil {
				return nil, err
			}
			return pyvalue.CallValue(f, pyvalue.Call{Args: args, Kwargs: kwargs})
		}
	}
	args := func(vs ...pyvalue.Value) []pyvalue.Value { return vs }
	raw := func(text string) pyvalue.Value { return &pyvalue.Bytes{B: []byte(text)} }
	for _, c := range []struct {
		run  func() (pyvalue.Value, error)
		want string
	}{
		{func() (pyvalue.Value, error) { return pyvalue.Sub(nil, keys(ab), pyvalue.NewList(s("a"))) }, "{'b'}"},
		{func() (pyvalue.Value, error) { return pyvalue.Sub(nil, keys(ab), keys(ab)) }, "set()"},
		{call(keys(ab), "isdisjoint", args(pyvalue.NewList(s("c")))), "True"},
		{call(keys(ab), "isdisjoint", args(s("cab"))), "False"},
		{call(ab, "update", nil, pyvalue.Kwarg{Name: "b", Value: pyvalue.Int(3)}), "None"},
		{call(ab, "copy", nil), "{'a': 1, 'b': 3}"},
		{call(s("a b c"), "split", nil, pyvalue.Kwarg{Name: "maxsplit", Value: pyvalue.Int(1)}), "['a', 'b c']"},
		{call(s("a"), "split", nil, pyvalue.Kwarg{Name: "x"}), "TypeError: 'x' is an invalid keyword argument for split()"},
		{
			call(s("a"), "split", args(s("a")), pyvalue.Kwarg{Name: "sep", Value: s("a")}),
			"TypeError: argument for split() given by name ('sep') and position (1)",
		},
		{call(s("a"), "upper", nil, pyvalue.Kwarg{Name: "x"}), "TypeError: str.upper() takes no keyword arguments"},
		{
			call(pyvalue.NewList(), "sort", args(pyvalue.None{})),
			"TypeError: sort() takes no positional arguments",
		},
		{call(s("{a} {b[0]}"), "format_map", args(dictOf("a", 1, "b", 2))), "'1 '"},
		{call(s("{a}-{b}"), "format_map", args(dictOf("a", 1, "b", 2))), "'1-2'"},
		{call(s("{a}"), "format_map", nil), "TypeError: format_map() takes exactly one argument (0 given)"},
		{call(s("abc"), "maketrans", args(s("a"), s("b"), s("c"))), "{97: 98, 99: None}"},
		{call(s("abc"), "maketrans", args(dictOf("a", 1, "b", 2))), "{97: 1, 98: 2}"},
		{call(s("é"), "encode", nil), `b'\xc3\xa9'`},
		{call(raw("\xc3\xa9"), "decode", nil), "'é'"},
		{call(raw("a\xff"), "decode", args(s("utf-8"), s("replace"))), "'a\ufffd'"},
		{
			call(raw("a\xff"), "decode", nil),
			"UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: invalid start byte",
		},
		{call(raw("a\xff"), "hex", nil), "'61ff'"},
		{call(pyvalue.Int(0), "from_bytes", args(raw("\x01\x00"), s("big"))), "256"},
		{
			call(pyvalue.Int(0), "from_bytes", args(raw("\xfe\xff"), s("little")),
				pyvalue.Kwarg{Name: "signed", Value: pyvalue.Bool(true)}),
			"-2",
		},
		{call(&pyvalue.Range{Stop: 9, Step: 3}, "index", args(pyvalue.Int(6))), "2"},
		{call(&pyvalue.Range{Stop: 9, Step: 3}, "index", args(pyvalue.Int(5))), "ValueError: 5 is not in range"},
	} {
		checkRepr(t, c.run, c.want)
	}
}

func dictOf(a string, x int, b string, y int) pyvalue.Value {
	d := pyvalue.NewDict(2)
	d.SetStr(a, pyvalue.Int(x))
	d.SetStr(b, pyvalue.Int(y))
	return d
}

func checkRepr(t *testing.T, run func() (pyvalue.Value, error), want string) {
	t.Helper()
	v, err := run()
	got := ""
	if err != nil {
		got = err.Error()
	} else if got, err = pyvalue.Repr(nil, v); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEnter(t *testing.T) {
	m := pyvalue.NewMeter(pyvalue.Limits{Depth: 1}, nil)
	if err := m.Enter(); err != nil {
		t.Fatal(err)
	}
	err := m.Enter()
	if err == nil || err.Error() != "budget of depth spent: more than 1" {
		t.Errorf("second: %v", err)
	}
	m.Leave()
	if err := m.Enter(); err != nil {
		t.Errorf("after leaving: %v", err)
	}
}

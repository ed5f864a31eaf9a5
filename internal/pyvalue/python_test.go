package pyvalue_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/big"
	"os"
	"testing"

	"agentxchain/internal/pyvalue"
)

// operation is one line of testdata/python.jsonl: what CPython 3.11 with
// MarkupSafe 3 and Jinja2 3.1's sandbox made of an operation. The line is
//
//	[operation, parameter, [operand, …], type of the result, repr of the result]
//
// with "Class!" and the message in the last two places where it raised. An
// operand is [tag, value], see operand.
type operation struct {
	name string
	with pyvalue.Value
	on   []pyvalue.Value
	kind string
	text string
}

// TestPython holds every operation to what Python answered, messages included.
func TestPython(t *testing.T) {
	file, err := os.Open("testdata/python.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	n := 0
	for ; lines.Scan(); n++ {
		op := readOperation(t, lines.Bytes())
		kind, text := outcome(run(op))
		if kind != op.kind || text != op.text {
			t.Errorf("line %d: %s\n got %s %s\nwant %s %s", n+1, lines.Bytes(), kind, text, op.kind, op.text)
		}
	}
	if lines.Err() != nil || n < 1500 {
		t.Errorf("read %d operations, %v", n, lines.Err())
	}
}

func outcome(v pyvalue.Value, err error) (kind, text string) {
	if err == nil {
		kind = v.TypeName()
		text, err = pyvalue.Repr(nil, v)
	}
	var raised *pyvalue.Error
	if errors.As(err, &raised) {
		return raised.Class + "!", raised.Message
	}
	return kind, text
}

func readOperation(t *testing.T, line []byte) operation {
	t.Helper()
	v, err := pyvalue.FromJSON(line, pyvalue.JSONLimits{})
	if err != nil {
		t.Fatal(err)
	}
	parts := list(v)
	op := operation{name: text(parts[0]), with: parts[1], kind: text(parts[3]), text: text(parts[4])}
	for _, tagged := range list(parts[2]) {
		op.on = append(op.on, operand(tagged))
	}
	return op
}

func list(v pyvalue.Value) []pyvalue.Value { return v.(*pyvalue.List).Items }

func text(v pyvalue.Value) string {
	s, _ := pyvalue.AsStr(v)
	return s
}

func operands(v pyvalue.Value) []pyvalue.Value {
	var out []pyvalue.Value
	for _, tagged := range list(v) {
		out = append(out, operand(tagged))
	}
	return out
}

// operand reads [tag, value]: n None, b bool, i int, f float, s str, m Markup, l
// list, t tuple, d dict, r range, v view of a dict, u undefined.
func operand(tagged pyvalue.Value) pyvalue.Value {
	parts := list(tagged)
	switch tag := text(parts[0]); tag {
	case "n":
		return pyvalue.None{}
	case "i":
		n, _ := new(big.Int).SetString(text(parts[1]), 10)
		return pyvalue.NewInt(n)
	case "f":
		f, err := pyvalue.FloatFrom(nil, parts[1])
		if err != nil {
			panic(err)
		}
		return f
	case "m":
		return pyvalue.Markup(text(parts[1]))
	case "l":
		return pyvalue.NewList(operands(parts[1])...)
	case "t":
		return pyvalue.NewTuple(operands(parts[1])...)
	case "d":
		return dictOperand(parts[1])
	case "r":
		ends := list(parts[1])
		return &pyvalue.Range{Start: number(ends[0]), Stop: number(ends[1]), Step: number(ends[2])}
	case "v":
		return viewOperand(text(parts[1]), operand(parts[2]).(*pyvalue.Dict))
	case "u":
		if pyvalue.Truth(parts[1]) {
			return &pyvalue.Undefined{Name: pyvalue.NewStr("u")}
		}
		return &pyvalue.Undefined{Name: pyvalue.NewStr("k"), Obj: pyvalue.NewDict(0)}
	default: // b and s are as in JSON
		return parts[1]
	}
}

func number(v pyvalue.Value) int64 {
	n, _ := pyvalue.AsInt(v)
	return n
}

func dictOperand(pairs pyvalue.Value) pyvalue.Value {
	d := pyvalue.NewDict(0)
	for _, pair := range list(pairs) {
		if err := d.Set(nil, operand(list(pair)[0]), operand(list(pair)[1])); err != nil {
			panic(err)
		}
	}
	return d
}

func viewOperand(kind string, d *pyvalue.Dict) pyvalue.Value {
	for _, of := range []pyvalue.ViewOf{pyvalue.ViewKeys, pyvalue.ViewValues, pyvalue.ViewItems} {
		if v := (&pyvalue.DictView{Dict: d, Of: of}); v.TypeName() == kind {
			return v
		}
	}
	panic(kind)
}

func str(s string, err error) (pyvalue.Value, error) { return pyvalue.NewStr(s), err }

func truth(b bool, err error) (pyvalue.Value, error) { return pyvalue.Bool(b), err }

// run does the operation.
func run(op operation) (pyvalue.Value, error) {
	m := pyvalue.NewMeter(pyvalue.Limits{StringBytes: 1 << 24}, nil)
	binary := map[string]func(*pyvalue.Meter, pyvalue.Value, pyvalue.Value) (pyvalue.Value, error){
		"add": pyvalue.Add, "sub": pyvalue.Sub, "mul": pyvalue.Mul, "div": pyvalue.Div, "fdiv": pyvalue.FloorDiv,
		"mod": pyvalue.Mod, "pow": pyvalue.Pow, "getitem": pyvalue.GetItem, "round": pyvalue.Round,
	}
	unary := map[string]func(*pyvalue.Meter, pyvalue.Value) (pyvalue.Value, error){
		"neg": pyvalue.Neg, "pos": pyvalue.Pos, "abs": pyvalue.Abs,
	}
	printing := map[string]func(*pyvalue.Meter, pyvalue.Value) (string, error){
		"str": pyvalue.Text, "repr": pyvalue.Repr, "ascii": pyvalue.ASCII,
	}
	if f := binary[op.name]; f != nil {
		return f(m, op.on[0], op.on[1])
	}
	if f := unary[op.name]; f != nil {
		return f(m, op.on[0])
	}
	if f := printing[op.name]; f != nil {
		return str(f(m, op.on[0]))
	}
	return runOther(m, op)
}

func runOther(m *pyvalue.Meter, op operation) (pyvalue.Value, error) {
	on := op.on
	switch op.name {
	case "len":
		n, err := pyvalue.Len(m, on[0])
		return pyvalue.Int(n), err
	case "bool":
		return pyvalue.Bool(pyvalue.Truth(on[0])), nil
	case "list":
		items, err := pyvalue.Items(m, on[0])
		return pyvalue.NewList(items...), err
	case "hashable":
		return pyvalue.Bool(true), pyvalue.Hashable(nil, on[0])
	case "escape":
		return pyvalue.Escape(m, on[0])
	case "in":
		return truth(pyvalue.Contains(m, on[1], on[0]))
	case "slice":
		return pyvalue.Slice(m, on[0], on[1], on[2], on[3])
	case "int":
		return pyvalue.IntFrom(m, on[0], int(number(op.with)))
	case "float":
		return pyvalue.FloatFrom(m, on[0])
	case "format":
		return str(pyvalue.Format(m, on[0], text(on[1])))
	case "cmp":
		return truth(pyvalue.Compare(m, comparison(text(op.with)), on[0], on[1]))
	case "sorted":
		items, err := pyvalue.Sorted(m, list(on[0]), nil, pyvalue.Truth(op.with))
		return pyvalue.NewList(items...), err
	case "loads":
		return pyvalue.FromJSON([]byte(text(on[0])), pyvalue.JSONLimits{})
	case "dumps":
		with := list(op.with)
		o := pyvalue.JSONOptions{Indent: int(number(with[0])), SortKeys: pyvalue.Truth(with[1])}
		out, err := pyvalue.AppendJSON(m, nil, on[0], o)
		return str(string(out), err)
	}
	return runCall(m, op)
}

func comparison(sign string) pyvalue.Op {
	for op := pyvalue.EQ; op <= pyvalue.GE; op++ {
		if op.String() == sign {
			return op
		}
	}
	panic(sign)
}

func runCall(m *pyvalue.Meter, op operation) (pyvalue.Value, error) {
	switch op.name {
	case "strformat":
		c := pyvalue.Call{Args: list(op.on[1]), Meter: m}
		for key, value := range op.on[2].(*pyvalue.Dict).All() {
			c.Kwargs = append(c.Kwargs, pyvalue.Kwarg{Name: text(key), Value: value})
		}
		return pyvalue.StrFormat(op.on[0], c)
	case "attr":
		return sandboxed(m, op.on[0], text(op.on[1]))
	case "method":
		return callMethod(m, op)
	}
	return nil, fmt.Errorf("no operation %q", op.name)
}

// sandboxed is v.name in a template, used at once if it is undefined.
func sandboxed(m *pyvalue.Meter, v pyvalue.Value, name string) (pyvalue.Value, error) {
	got, err := pyvalue.SandboxAttr(m, v, name)
	switch got := got.(type) {
	case *pyvalue.Undefined:
		return nil, got.Err()
	case *pyvalue.Callable:
		return pyvalue.NewStr("callable"), err
	}
	return got, err
}

// callMethod calls a method; of what it may change, it returns the result and self.
func callMethod(m *pyvalue.Meter, op operation) (pyvalue.Value, error) {
	self := op.on[0]
	v, found, err := pyvalue.Attr(m, self, text(op.with))
	if err != nil || !found {
		return nil, errors.Join(err, errors.New("no such attribute"))
	}
	if pyvalue.IsCallable(v) {
		if v, err = pyvalue.CallValue(v, pyvalue.Call{Args: op.on[1:], Meter: m}); err != nil {
			return nil, err
		}
	}
	switch self.(type) {
	case *pyvalue.List, *pyvalue.Dict:
		return pyvalue.NewTuple(v, self), nil
	}
	return v, nil
}

package pyvalue_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"agentxchain/internal/pyvalue"
)

// doubling returns lists that lie in each other so that a walk through them
// takes 2**depth steps.
func doubling(depth int) pyvalue.Value {
	v := pyvalue.Value(pyvalue.NewList())
	for range depth {
		v = pyvalue.NewList(v, v)
	}
	return v
}

func nested(depth int) pyvalue.Value {
	v := pyvalue.Value(pyvalue.NewTuple())
	for range depth {
		v = pyvalue.NewTuple(v)
	}
	return v
}

func ring() *pyvalue.List {
	l := pyvalue.NewList()
	l.Items = append(l.Items, l)
	return l
}

// TestBudgets runs what would take more memory or time than there is.
func TestBudgets(t *testing.T) {
	long := pyvalue.NewStr(strings.Repeat("ab ", 1<<17))
	huge := pyvalue.NewInt(new(big.Int).Lsh(big.NewInt(1), 300_000))
	billion := pyvalue.Int(1_000_000_000)
	method := func(v pyvalue.Value, name string, args ...pyvalue.Value) func(*pyvalue.Meter) (pyvalue.Value, error) {
		return func(m *pyvalue.Meter) (pyvalue.Value, error) {
			f, _, err := pyvalue.Attr(m, v, name)
			if err != nil {
				return nil, err
			}
			return pyvalue.CallValue(f, pyvalue.Call{Args: args, Meter: m})
		}
	}
	binary := func(f func(*pyvalue.Meter, pyvalue.Value, pyvalue.Value) (pyvalue.Value, error), a, b pyvalue.Value,
	) func(*pyvalue.Meter) (pyvalue.Value, error) {
		return func(m *pyvalue.Meter) (pyvalue.Value, error) { return f(m, a, b) }
	}
	text := func(s string) pyvalue.Value { return pyvalue.NewStr(s) }
	for name, c := range map[string]struct {
		run  func(*pyvalue.Meter) (pyvalue.Value, error)
		what string
	}{
		"str * n":         {binary(pyvalue.Mul, text("x"), billion), "string"},
		"list * n":        {binary(pyvalue.Mul, pyvalue.NewList(text("x")), billion), "string"},
		"beyond memory":   {binary(pyvalue.Mul, text("xx"), pyvalue.Int(1<<62)), "string"},
		"n ** n":          {binary(pyvalue.Pow, billion, billion), "string"},
		"n ** big":        {binary(pyvalue.Pow, billion, huge), "string"},
		"big * big":       {binary(pyvalue.Mul, huge, huge), "steps"},
		"big / big":       {binary(pyvalue.Div, huge, pyvalue.Int(3)), "steps"},
		"%*d":             {binary(pyvalue.Mod, text("%*d"), pyvalue.NewTuple(billion, pyvalue.Int(1))), "string"},
		"%999999999f":     {binary(pyvalue.Mod, text("%999999999f"), pyvalue.Float(1)), "string"},
		"%.999999999f":    {binary(pyvalue.Mod, text("%.999999999f"), pyvalue.Float(1)), "string"},
		"%.999999999d":    {binary(pyvalue.Mod, text("%.999999999d"), pyvalue.Int(1)), "string"},
		"format width":    {method(text("{:999999999}"), "format", text("x")), "string"},
		"format grouping": {method(text("{:0999999999,}"), "format", pyvalue.Int(1)), "string"},
		"format many":     {method(text(strings.Repeat("{0}", 1000)), "format", long), "string"},
		"center":          {method(text("x"), "center", billion), "string"},
		"ljust":           {method(text("x"), "ljust", billion), "string"},
		"zfill":           {method(text("x"), "zfill", billion), "string"},
		"expandtabs":      {method(text("\t"), "expandtabs", billion), "string"},
		"replace":         {method(long, "replace", text("a"), long), "string"},
		"replace nothing": {method(long, "replace", text(""), long), "string"},
		"join":            {method(long, "join", &pyvalue.Range{Stop: 10, Step: 1}), "TypeError"},
		"join letters":    {method(long, "join", long), "string"},
		"split":           {method(long, "split"), "string"},
		"splitlines":      {method(text(strings.Repeat("\n", 1<<18)), "splitlines"), "string"},
		"translate":       {method(long, "translate", pyvalue.NewList(text(""))), "steps"},
		"list(range)":     {method(pyvalue.NewList(), "extend", &pyvalue.Range{Stop: 1 << 60, Step: 1}), "string"},
		"to_bytes":        {method(pyvalue.Int(1), "to_bytes", billion), "string"},
		"equal rings":     {func(m *pyvalue.Meter) (pyvalue.Value, error) { return truth(pyvalue.Equal(m, ring(), ring())) }, "depth"},
		"equal doublings": {func(m *pyvalue.Meter) (pyvalue.Value, error) {
			return truth(pyvalue.Equal(m, doubling(60), doubling(60)))
		}, "steps"},
		"order of rings": {func(m *pyvalue.Meter) (pyvalue.Value, error) {
			return truth(pyvalue.Compare(m, pyvalue.LT, ring(), ring()))
		}, "depth"},
		"repr of doublings": {func(m *pyvalue.Meter) (pyvalue.Value, error) { return str(pyvalue.Repr(m, doubling(60))) }, "steps"},
		"repr of depth":     {func(m *pyvalue.Meter) (pyvalue.Value, error) { return str(pyvalue.Repr(m, nested(100_000))) }, "depth"},
		"hash of depth": {func(m *pyvalue.Meter) (pyvalue.Value, error) {
			return pyvalue.None{}, pyvalue.NewDict(0).Set(m, nested(100_000), pyvalue.None{})
		}, "depth"},
		"json of doublings": {func(m *pyvalue.Meter) (pyvalue.Value, error) {
			out, err := pyvalue.AppendJSON(m, nil, doubling(60), pyvalue.JSONOptions{})
			return str(string(out), err)
		}, "steps"},
	} {
		t.Run(name, func(t *testing.T) {
			m := pyvalue.NewMeter(pyvalue.Limits{Steps: 100_000, StringBytes: 1 << 20, TotalBytes: 1 << 24, Depth: 200}, nil)
			_, err := c.run(m)
			if got := kindOfError(err); got != c.what {
				t.Errorf("got %v, want %s", err, c.what)
			}
			if m.Bytes() > 1<<25 {
				t.Errorf("%d bytes were made", m.Bytes())
			}
		})
	}
}

func kindOfError(err error) string {
	var spent *pyvalue.BudgetError
	var raised *pyvalue.Error
	switch {
	case errors.As(err, &spent):
		return spent.What
	case errors.As(err, &raised):
		return raised.Class
	}
	return ""
}

// TestUnmetered shows that structures without end have one without a meter too.
func TestUnmetered(t *testing.T) {
	if _, err := pyvalue.Equal(nil, ring(), ring()); kindOfError(err) != "depth" {
		t.Errorf("equal: %v", err)
	}
	if s, err := pyvalue.Repr(nil, ring()); s != "[[...]]" || err != nil {
		t.Errorf("repr: %s, %v", s, err)
	}
	if err := pyvalue.Hashable(nil, nested(100_000)); kindOfError(err) != "depth" {
		t.Errorf("hash: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	late := &pyvalue.BudgetError{What: "time"}
	asked := 0
	m := pyvalue.NewMeter(pyvalue.Limits{}, func() error {
		asked++
		return late
	})
	_, err := pyvalue.Items(m, &pyvalue.Range{Stop: 1 << 40, Step: 1})
	if !errors.Is(err, late) || asked != 1 || m.Steps() > 1<<13 {
		t.Errorf("got %v after %d steps, asked %d times", err, m.Steps(), asked)
	}
}

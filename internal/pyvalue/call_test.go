package pyvalue_test

import (
	"testing"

	"agentxchain/internal/pyvalue"
)

func TestBind(t *testing.T) {
	a, b, c := pyvalue.Param{Name: "a"}, pyvalue.Param{Name: "b"}, pyvalue.Param{Name: "c", Default: pyvalue.Int(3)}
	one := pyvalue.Value(pyvalue.Int(1))
	named := func(names ...string) []pyvalue.Kwarg {
		var out []pyvalue.Kwarg
		for _, name := range names {
			out = append(out, pyvalue.Kwarg{Name: name, Value: one})
		}
		return out
	}
	for _, test := range []struct {
		params []pyvalue.Param
		args   int
		kwargs []pyvalue.Kwarg
		want   string
	}{
		{[]pyvalue.Param{a, c}, 1, nil, "(1, 3)"},
		{[]pyvalue.Param{a, c}, 0, named("c", "a"), "(1, 1)"},
		{[]pyvalue.Param{a}, 0, nil, "TypeError: f() missing 1 required positional argument: 'a'"},
		{[]pyvalue.Param{a, b}, 0, nil, "TypeError: f() missing 2 required positional arguments: 'a' and 'b'"},
		{
			[]pyvalue.Param{a, b, {Name: "d"}},
			0, nil,
			"TypeError: f() missing 3 required positional arguments: 'a', 'b', and 'd'",
		},
		{nil, 1, nil, "TypeError: f() takes 0 positional arguments but 1 was given"},
		{[]pyvalue.Param{a}, 2, nil, "TypeError: f() takes 1 positional argument but 2 were given"},
		{[]pyvalue.Param{a, c}, 3, nil, "TypeError: f() takes from 1 to 2 positional arguments but 3 were given"},
		{[]pyvalue.Param{a}, 1, named("a"), "TypeError: f() got multiple values for argument 'a'"},
		{[]pyvalue.Param{a}, 0, named("x"), "TypeError: f() got an unexpected keyword argument 'x'"},
	} {
		call := pyvalue.Call{Kwargs: test.kwargs}
		for range test.args {
			call.Args = append(call.Args, one)
		}
		bound, err := call.Bind("f", test.params...)
		got := ""
		if err != nil {
			got = err.Error()
		} else if got, err = pyvalue.Repr(nil, pyvalue.NewTuple(bound...)); err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestAllocations holds the small operations that templates are made of to what
// they cost now: nothing, or the value that they make.
func TestAllocations(t *testing.T) {
	d := pyvalue.NewDict(4)
	for _, key := range []string{"agent_id", "status", "message", "result"} {
		d.SetStr(key, pyvalue.NewStr(key))
	}
	var status, n pyvalue.Value = pyvalue.NewStr("status"), pyvalue.Int(200)
	m := pyvalue.NewMeter(pyvalue.Limits{Steps: 1 << 60}, nil)
	for name, c := range map[string]struct {
		run  func() error
		most float64
	}{
		"lookup":    {func() error { _, _, err := d.Get(m, status); return err }, 0},
		"attribute": {func() error { _, err := pyvalue.SandboxAttr(m, d, "status"); return err }, 1},
		"add":       {func() error { _, err := pyvalue.Add(m, pyvalue.Int(7), pyvalue.Int(8)); return err }, 0},
		"compare":   {func() error { _, err := pyvalue.Compare(m, pyvalue.LT, n, n); return err }, 0},
		"equal":     {func() error { _, err := pyvalue.Equal(m, status, status); return err }, 0},
		"text":      {func() error { _, err := pyvalue.Text(m, status); return err }, 0},
		"length":    {func() error { _, err := pyvalue.Len(m, status); return err }, 0},
		"number":    {func() error { _, err := pyvalue.Text(m, n); return err }, 2},
		"method":    {func() error { _, err := callOn(status, "upper"); return err }, 7},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
		})
		if got > c.most && !raceEnabled {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
	}
}

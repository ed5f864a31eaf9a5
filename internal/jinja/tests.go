package jinja

import (
	"sync"

	"agentxchain/internal/pyvalue"
)

// test computes "value is name(arguments)". The value is the first argument.
type test func(f *frame, c pyvalue.Call) (bool, error)

// tests are the tests by name: those of Jinja2 3.1.6.
func tests() map[string]test { return builtinTests() }

var builtinTests = sync.OnceValue(func() map[string]test {
	return map[string]test{
		"odd":         remainderTest(1),
		"even":        remainderTest(0),
		"divisibleby": divisiblebyTest,
		"defined":     kindTest("test_defined", func(v pyvalue.Value) bool { return !isUndefinedValue(v) }),
		"undefined":   kindTest("test_undefined", isUndefinedValue),
		"filter":      filterTest,
		"test":        testTest,
		"none":        kindTest("test_none", isNone),
		"boolean":     kindTest("test_boolean", isBool),
		"false":       kindTest("test_false", func(v pyvalue.Value) bool { return v == pyvalue.Bool(false) }),
		"true":        kindTest("test_true", func(v pyvalue.Value) bool { return v == pyvalue.Bool(true) }),
		"integer":     kindTest("test_integer", pyvalue.IsInteger),
		"float":       kindTest("test_float", isFloat),
		"lower":       caseTest("islower"),
		"upper":       caseTest("isupper"),
		"string":      kindTest("test_string", pyvalue.IsString),
		"mapping":     kindTest("test_mapping", isMapping),
		"number":      kindTest("test_number", pyvalue.IsNumber),
		"sequence":    sequenceTest,
		"iterable":    iterableTest,
		"callable":    kindTest("callable", pyvalue.IsCallable),
		"sameas":      sameasTest,
		"escaped":     kindTest("test_escaped", func(v pyvalue.Value) bool { return isMarkup(v) || isModule(v) }),
		"in":          inTest,
		"==":          compareTest("eq", pyvalue.EQ),
		"eq":          compareTest("eq", pyvalue.EQ),
		"equalto":     compareTest("eq", pyvalue.EQ),
		"!=":          compareTest("ne", pyvalue.NE),
		"ne":          compareTest("ne", pyvalue.NE),
		">":           compareTest("gt", pyvalue.GT),
		"gt":          compareTest("gt", pyvalue.GT),
		"greaterthan": compareTest("gt", pyvalue.GT),
		">=":          compareTest("ge", pyvalue.GE),
		"ge":          compareTest("ge", pyvalue.GE),
		"<":           compareTest("lt", pyvalue.LT),
		"lt":          compareTest("lt", pyvalue.LT),
		"lessthan":    compareTest("lt", pyvalue.LT),
		"<=":          compareTest("le", pyvalue.LE),
		"le":          compareTest("le", pyvalue.LE),
	}
})

// kindTest is a test that only looks at what kind of value there is.
func kindTest(name string, is func(pyvalue.Value) bool) test {
	return func(_ *frame, c pyvalue.Call) (bool, error) {
		a, err := c.Bind(name, required("value"))
		return err == nil && is(a[0]), err
	}
}

// isBool reports whether v is a bool.
func isBool(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.Bool)
	return ok
}

// isFloat reports whether v is a float.
func isFloat(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.Float)
	return ok
}

// isMapping reports whether v is a dict.
func isMapping(v pyvalue.Value) bool {
	_, ok := v.(*pyvalue.Dict)
	return ok
}

// compareTest is a comparison. Python's operators take no keywords.
func compareTest(name string, op pyvalue.Op) test {
	return func(f *frame, c pyvalue.Call) (bool, error) {
		if len(c.Kwargs) > 0 {
			return false, pyvalue.Errorf("TypeError", "_operator.%s() takes no keyword arguments", name)
		}
		if len(c.Args) != 2 {
			return false, pyvalue.Errorf("TypeError", "%s expected 2 arguments, got %d", name, len(c.Args))
		}
		return pyvalue.Compare(f.meter, op, c.Args[0], c.Args[1])
	}
}

// remainderTest is value % 2 == want.
func remainderTest(want pyvalue.Int) test {
	name := [...]string{"test_even", "test_odd"}[want]
	return func(f *frame, c pyvalue.Call) (bool, error) {
		a, err := c.Bind(name, required("value"))
		if err != nil {
			return false, err
		}
		return remains(f.meter, a[0], pyvalue.Int(2), want)
	}
}

// remains is v % by == want.
func remains(m *pyvalue.Meter, v, by, want pyvalue.Value) (bool, error) {
	rest, err := pyvalue.Mod(m, v, by)
	if err != nil {
		return false, err
	}
	return pyvalue.Equal(m, rest, want)
}

// divisiblebyTest is "value is divisibleby num".
func divisiblebyTest(f *frame, c pyvalue.Call) (bool, error) {
	a, err := c.Bind("test_divisibleby", required("value"), required("num"))
	if err != nil {
		return false, err
	}
	return remains(f.meter, a[0], a[1], pyvalue.Int(0))
}

// filterTest is "value is filter": whether there is a filter of that name.
func filterTest(f *frame, c pyvalue.Call) (bool, error) {
	return named(c, "test_filter", func(name string) bool { return f.filters[name].fn != nil })
}

// testTest is "value is test": whether there is a test of that name.
func testTest(f *frame, c pyvalue.Call) (bool, error) {
	return named(c, "test_test", func(name string) bool { return f.tests[name] != nil })
}

// named looks up a name that a template gave.
func named(c pyvalue.Call, name string, known func(string) bool) (bool, error) {
	a, err := c.Bind(name, required("value"))
	if err != nil {
		return false, err
	}
	if err := pyvalue.Hashable(c.Meter, a[0]); err != nil {
		return false, err
	}
	text, ok := pyvalue.AsStr(a[0])
	return ok && known(text), nil
}

// caseTest is a method of the text of the value.
func caseTest(name string) test {
	return func(f *frame, c pyvalue.Call) (bool, error) {
		a, err := c.Bind("test_"+name[2:], required("value"))
		if err != nil {
			return false, err
		}
		text, err := pyvalue.Text(f.meter, a[0])
		if err != nil {
			return false, err
		}
		is, err := method(f.meter, pyvalue.NewStr(text), name)
		return err == nil && pyvalue.Truth(is), err
	}
}

// sequenceTest is true of what has a length and items.
func sequenceTest(f *frame, c pyvalue.Call) (bool, error) {
	a, err := c.Bind("test_sequence", required("value"))
	if err != nil {
		return false, err
	}
	switch a[0].(type) {
	case *pyvalue.Object, *pyvalue.DictView, *pyvalue.Set:
		return pyvalue.IsString(a[0]), nil
	case *pyvalue.Undefined:
		return true, nil
	}
	_, err = pyvalue.Len(f.meter, a[0])
	if raised(err, "TypeError") {
		return false, nil
	}
	return err == nil, err
}

// iterableTest is true of what a loop can go through.
func iterableTest(f *frame, c pyvalue.Call) (bool, error) {
	a, err := c.Bind("test_iterable", required("value"))
	if err != nil {
		return false, err
	}
	_, err = pyvalue.Iterate(f.meter, a[0])
	if raised(err, "TypeError") {
		return false, nil
	}
	return err == nil, err
}

// sameasTest is "value is sameas other".
func sameasTest(f *frame, c pyvalue.Call) (bool, error) {
	a, err := c.Bind("test_sameas", required("value"), required("other"))
	if err != nil {
		return false, err
	}
	text, _ := pyvalue.AsStr(a[0])
	return pyvalue.Is(a[0], a[1]), f.meter.Step(len(text) / 64)
}

// inTest is "value is in seq".
func inTest(f *frame, c pyvalue.Call) (bool, error) {
	a, err := c.Bind("test_in", required("value"), required("seq"))
	if err != nil {
		return false, err
	}
	return pyvalue.Contains(f.meter, a[1], a[0])
}

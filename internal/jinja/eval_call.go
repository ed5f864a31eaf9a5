package jinja

import "agentxchain/internal/pyvalue"

// caller is what Python's messages call the function that calls for a template.
const caller = "jinja2.sandbox.SandboxedEnvironment.call()"

// eval evaluates arguments: those by position first, as Python does. first, if
// not nil, comes before them.
func (a *arguments) eval(f *frame, first pyvalue.Value, extra ...pyvalue.Kwarg) (pyvalue.Call, error) {
	c := pyvalue.Call{Meter: f.meter}
	if n := len(a.args); n > 0 || first != nil {
		c.Args = make([]pyvalue.Value, 0, n+1)
	}
	if first != nil {
		c.Args = append(c.Args, first)
	}
	for _, e := range a.args {
		v, err := e.eval(f)
		if err != nil {
			return c, err
		}
		c.Args = append(c.Args, v)
	}
	if err := a.evalRest(f, &c); err != nil {
		return c, err
	}
	for _, k := range a.kwargs {
		v, err := k.value.eval(f)
		if err != nil {
			return c, err
		}
		c.Kwargs = setKwarg(c.Kwargs, a.overrides, pyvalue.Kwarg{Name: k.name, Value: v})
	}
	c.Kwargs = append(c.Kwargs, extra...)
	return c, a.evalNamed(f, &c)
}

// setKwarg adds a keyword argument; with replace, in place of one of that name.
func setKwarg(list []pyvalue.Kwarg, replace bool, k pyvalue.Kwarg) []pyvalue.Kwarg {
	if replace {
		for i := range list {
			if list[i].Name == k.Name {
				list[i].Value = k.Value
				return list
			}
		}
	}
	return append(list, k)
}

// evalRest adds the items of *rest.
func (a *arguments) evalRest(f *frame, c *pyvalue.Call) error {
	if a.rest == nil {
		return nil
	}
	v, err := a.rest.eval(f)
	if err != nil {
		return err
	}
	items, err := pyvalue.Items(f.meter, v)
	if raised(err, "TypeError") {
		err = pyvalue.Errorf("TypeError", "%s argument after * must be an iterable, not %s", caller, v.TypeName())
	}
	if err != nil {
		return f.fail(a.rest.where(), err)
	}
	c.Args = append(c.Args, items...)
	return nil
}

// evalNamed adds the entries of **named.
func (a *arguments) evalNamed(f *frame, c *pyvalue.Call) error {
	if a.named == nil {
		return nil
	}
	v, err := a.named.eval(f)
	if err != nil {
		return err
	}
	if u, ok := v.(*pyvalue.Undefined); ok {
		return f.fail(a.named.where(), u.Err())
	}
	d, ok := v.(*pyvalue.Dict)
	if !ok {
		return f.raise(a.named.where(), "TypeError", "%s argument after ** must be a mapping, not %s", caller, v.TypeName())
	}
	if err := f.step(a.named.where(), d.Len()*(1+len(c.Kwargs))); err != nil {
		return err
	}
	given := len(c.Kwargs)
	for key, value := range d.All() {
		name, ok := pyvalue.AsStr(key)
		if !ok {
			return f.raise(a.named.where(), "TypeError", "keywords must be strings")
		}
		if !a.overrides && hasKwarg(c.Kwargs[:given], name) {
			return f.raise(a.named.where(), "TypeError", "%s got multiple values for keyword argument %s", caller, quoted(name))
		}
		c.Kwargs = setKwarg(c.Kwargs, a.overrides, pyvalue.Kwarg{Name: name, Value: value})
	}
	return nil
}

// cost is how many steps evaluating arguments takes at least.
func (a *arguments) cost() int { return 1 + len(a.args) + len(a.kwargs) }

func (e *callExpr) eval(f *frame) (pyvalue.Value, error) { return e.call(f) }

// call calls with further keyword arguments.
func (e *callExpr) call(f *frame, extra ...pyvalue.Kwarg) (pyvalue.Value, error) {
	if err := f.step(e.place, e.cost()); err != nil {
		return nil, err
	}
	of, err := e.of.eval(f)
	if err != nil {
		return nil, err
	}
	c, err := e.arguments.eval(f, nil, extra...)
	if err != nil {
		return nil, err
	}
	if u, ok := of.(*pyvalue.Undefined); ok {
		return nil, f.fail(e.place, u.Err())
	}
	f.calling = f.names
	v, err := pyvalue.CallValue(of, c)
	return f.result(e.place, v, err)
}

func (e *filterExpr) eval(f *frame) (pyvalue.Value, error) {
	of, err := e.of.eval(f)
	if err != nil {
		return nil, err
	}
	return e.applyOne(f, of)
}

// apply applies the filters of a filter block: e and those that it is on.
func (e *filterExpr) apply(f *frame, v pyvalue.Value) (pyvalue.Value, error) {
	if inner, ok := e.of.(*filterExpr); ok {
		var err error
		if v, err = inner.apply(f, v); err != nil {
			return nil, err
		}
	}
	return e.applyOne(f, v)
}

// applyOne applies one filter. An unknown one, which check let pass, is an error now.
func (e *filterExpr) applyOne(f *frame, v pyvalue.Value) (pyvalue.Value, error) {
	if err := f.step(e.place, e.cost()); err != nil {
		return nil, err
	}
	c, err := e.arguments.eval(f, v)
	if err != nil {
		return nil, err
	}
	if e.fn == nil {
		return nil, f.raise(e.place, "TemplateRuntimeError", "No filter named %s found.", quoted(e.name))
	}
	v, err = e.fn(f, c)
	return f.result(e.place, v, err)
}

func (e *testExpr) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, e.cost()); err != nil {
		return nil, err
	}
	of, err := e.of.eval(f)
	if err != nil {
		return nil, err
	}
	c, err := e.arguments.eval(f, of)
	if err != nil {
		return nil, err
	}
	if e.fn == nil {
		return nil, f.raise(e.place, "TemplateRuntimeError", "No test named %s found.", quoted(e.name))
	}
	yes, err := e.fn(f, c)
	return f.result(e.place, pyvalue.Bool(yes), err)
}

package jinja

import "agentxchain/internal/pyvalue"

// transform computes something of an item.
type transform func(pyvalue.Value) (pyvalue.Value, error)

// mapFilter is value|map(filter, …) or value|map(attribute=…, default=None), lazily.
func mapFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Args) == 0 {
		return nil, missingArgument("sync_do_map")
	}
	v := c.Args[0]
	return lazy(func() (next, error) {
		if !pyvalue.Truth(v) {
			return f.iterate(pyvalue.NewTuple())
		}
		apply, err := f.mapping(c.Args[1:], c.Kwargs)
		if err != nil {
			return nil, err
		}
		pull, err := f.iterate(v)
		if err != nil {
			return nil, err
		}
		return func() (pyvalue.Value, bool, error) {
			item, ok, err := pull()
			if err == nil && ok {
				item, err = apply(item)
			}
			return item, ok && err == nil, err
		}, nil
	}), nil
}

// missingArgument is the error of a filter without a value.
func missingArgument(name string) error {
	return pyvalue.Errorf("TypeError", "%s() missing 1 required positional argument: 'value'", name)
}

// mapping is what map does with each item: look an attribute up, or apply a filter.
func (f *frame) mapping(args []pyvalue.Value, named []pyvalue.Kwarg) (transform, error) {
	if len(args) > 0 {
		return f.filterNamed(args[0], args[1:], named), nil
	}
	if !hasKwarg(named, "attribute") {
		return nil, pyvalue.Errorf("FilterArgumentError", "map requires a filter argument")
	}
	attribute, named := takeKwarg(named, "attribute")
	fallback, named := takeKwarg(named, "default")
	if len(named) > 0 {
		return nil, pyvalue.Errorf("FilterArgumentError", "Unexpected keyword argument %s", quoted(named[0].Name))
	}
	return f.getter(attribute, getterOptions{fallback: fallback})
}

// filterNamed applies a filter that is only known by its name.
func (f *frame) filterNamed(name pyvalue.Value, args []pyvalue.Value, named []pyvalue.Kwarg) transform {
	return func(v pyvalue.Value) (pyvalue.Value, error) {
		text, _ := pyvalue.AsStr(name)
		fn := f.filters[text].fn
		if fn == nil {
			return nil, unknown(f.meter, "filter", name)
		}
		return fn(f, f.callOn(v, args, named))
	}
}

// callOn is a call with an item in front of the arguments.
func (f *frame) callOn(v pyvalue.Value, args []pyvalue.Value, named []pyvalue.Kwarg) pyvalue.Call {
	all := append(make([]pyvalue.Value, 0, len(args)+1), v)
	return pyvalue.Call{Args: append(all, args...), Kwargs: named, Meter: f.meter}
}

// unknown is the error of a filter or test that does not exist.
func unknown(m *pyvalue.Meter, what string, name pyvalue.Value) error {
	if err := pyvalue.Hashable(m, name); err != nil {
		return err
	}
	label, err := pyvalue.Repr(m, name)
	if err != nil {
		return err
	}
	message := "No " + what + " named " + label + "."
	if u, ok := name.(*pyvalue.Undefined); ok {
		message = "No " + what + " named Undefined. (" + u.Err().Message + "; did you forget to quote the callable name?)"
	}
	return pyvalue.Errorf("TemplateRuntimeError", "%s", message)
}

// selectFilter is value|select(test, …): the items that pass.
func selectFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	return f.pick("sync_do_select", c, picking{})
}

// rejectFilter is value|reject(test, …): the items that do not pass.
func rejectFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	return f.pick("sync_do_reject", c, picking{reject: true})
}

// selectattrFilter is value|selectattr(attribute, test, …).
func selectattrFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	return f.pick("sync_do_selectattr", c, picking{attribute: true})
}

// rejectattrFilter is value|rejectattr(attribute, test, …).
func rejectattrFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	return f.pick("sync_do_rejectattr", c, picking{attribute: true, reject: true})
}

// picking says which items are picked: those that pass a test or those that do
// not, the item itself being tested or an attribute of it.
type picking struct{ attribute, reject bool }

// pick yields the items that are picked.
func (f *frame) pick(name string, c pyvalue.Call, p picking) (pyvalue.Value, error) {
	if len(c.Args) == 0 {
		return nil, missingArgument(name)
	}
	v := c.Args[0]
	return lazy(func() (next, error) {
		if !pyvalue.Truth(v) {
			return f.iterate(pyvalue.NewTuple())
		}
		passes, err := f.predicate(c.Args[1:], c.Kwargs, p)
		if err != nil {
			return nil, err
		}
		pull, err := f.iterate(v)
		if err != nil {
			return nil, err
		}
		return f.picked(pull, passes, p.reject), nil
	}), nil
}

// picked yields the items for which passes is true, or false with reject.
func (f *frame) picked(pull next, passes func(pyvalue.Value) (bool, error), reject bool) next {
	return func() (pyvalue.Value, bool, error) {
		for {
			item, ok, err := pull()
			if err != nil || !ok {
				return nil, false, err
			}
			if err := f.meter.Step(1); err != nil {
				return nil, false, err
			}
			yes, err := passes(item)
			if err != nil {
				return nil, false, err
			}
			if yes != reject {
				return item, true, nil
			}
		}
	}
}

// predicate is the test that args name; without one, the truth of the value.
func (f *frame) predicate(args []pyvalue.Value, named []pyvalue.Kwarg, p picking) (func(pyvalue.Value) (bool, error), error) {
	of := transform(func(v pyvalue.Value) (pyvalue.Value, error) { return v, nil })
	if p.attribute {
		if len(args) == 0 {
			return nil, pyvalue.Errorf("FilterArgumentError", "Missing parameter for attribute name")
		}
		get, err := f.getter(args[0], getterOptions{})
		if err != nil {
			return nil, err
		}
		of, args = get, args[1:]
	}
	return func(v pyvalue.Value) (bool, error) {
		v, err := of(v)
		if err != nil {
			return false, err
		}
		if len(args) == 0 {
			return pyvalue.Truth(v), nil
		}
		return f.testNamed(args[0], f.callOn(v, args[1:], named))
	}, nil
}

// testNamed applies a test that is only known by its name.
func (f *frame) testNamed(name pyvalue.Value, c pyvalue.Call) (bool, error) {
	text, _ := pyvalue.AsStr(name)
	fn := f.tests[text]
	if fn == nil {
		return false, unknown(f.meter, "test", name)
	}
	return fn(f, c)
}

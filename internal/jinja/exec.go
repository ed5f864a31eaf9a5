package jinja

import "agentxchain/internal/pyvalue"

// execAll runs statements in order.
func execAll(f *frame, body []stmt) error {
	for _, s := range body {
		if err := f.meter.Step(1); err != nil {
			return f.fail(s.where(), err)
		}
		if err := s.exec(f); err != nil {
			return err
		}
	}
	return nil
}

// skips reports whether output by this rule does not count now.
func (f *frame) skips(rule outputRule) bool {
	return rule == never || rule == unlessExtended && f.root.parent != nil
}

// escapes reports whether values are escaped now.
func (f *frame) escapes(e escaping) bool {
	return e == escapeAlways || e == escapeAsSet && *f.names.auto
}

// exec writes text and values in order.
func (s *outputStmt) exec(f *frame) error {
	if f.skips(s.when) {
		return nil
	}
	for i, item := range s.items {
		if data, ok := item.(*dataExpr); ok {
			if err := f.out.literal(data.text); err != nil {
				return f.fail(data.place, err)
			}
			continue
		}
		if err := f.meter.Step(1); err != nil {
			return f.fail(item.where(), err)
		}
		v, err := item.eval(f)
		if err == nil {
			err = f.print(v, f.escapes(s.escapingOf(i)))
		}
		if err != nil {
			return f.fail(item.where(), err)
		}
	}
	return nil
}

// escapingOf says how the i-th item is escaped.
func (s *outputStmt) escapingOf(i int) escaping {
	if e, ok := s.fixed[i]; ok {
		return e
	}
	return s.escape
}

func (s *ifStmt) exec(f *frame) error {
	yes, err := f.truth(s.test)
	if err != nil {
		return err
	}
	if yes {
		return execAll(f, s.body)
	}
	for _, e := range s.elifs {
		if err := f.fail(e.place, f.meter.Step(1)); err != nil {
			return err
		}
		yes, err := f.truth(e.test)
		if err != nil {
			return err
		}
		if yes {
			return execAll(f, e.body)
		}
	}
	return execAll(f, s.other)
}

// truth evaluates a condition.
func (f *frame) truth(e expr) (bool, error) {
	v, err := e.eval(f)
	if err != nil {
		return false, err
	}
	return pyvalue.Truth(v), nil
}

// checkNamespaces makes sure that what a target assigns attributes to are
// namespaces.
func (f *frame) checkNamespaces(target expr) error {
	switch e := target.(type) {
	case *attributeTarget:
		if _, ok := namespaceOf(f.get(e.ref)); !ok {
			return f.raise(e.place, "TemplateRuntimeError", "cannot assign attribute on non-namespace object")
		}
	case *tupleExpr:
		for _, item := range e.items {
			if err := f.checkNamespaces(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// assign gives a target its value.
func (f *frame) assign(target expr, v pyvalue.Value) error {
	switch e := target.(type) {
	case *nameExpr:
		f.set(e.ref, v)
	case *attributeTarget:
		if attrs, ok := namespaceOf(f.get(e.ref)); ok {
			attrs.SetStr(e.attr, v)
		}
	case *tupleExpr:
		items, err := f.unpack(v, len(e.items))
		if err != nil {
			return f.fail(e.place, err)
		}
		for i, item := range e.items {
			if err := f.assign(item, items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unpack returns the n items of v, and Python's error if there are not as many.
func (f *frame) unpack(v pyvalue.Value, n int) ([]pyvalue.Value, error) {
	if t, ok := v.(*pyvalue.Tuple); ok && len(t.Items) == n {
		return t.Items, nil
	}
	it, err := pyvalue.Iterate(f.meter, v)
	if err != nil {
		if raised(err, "TypeError") {
			return nil, pyvalue.Errorf("TypeError", "cannot unpack non-iterable %s object", v.TypeName())
		}
		return nil, err
	}
	items := make([]pyvalue.Value, 0, n)
	for len(items) <= n {
		item, ok, err := it.Next(f.meter)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		items = append(items, item)
	}
	switch {
	case len(items) < n:
		return nil, pyvalue.Errorf("ValueError", "not enough values to unpack (expected %d, got %d)", n, len(items))
	case len(items) > n:
		return nil, pyvalue.Errorf("ValueError", "too many values to unpack (expected %d)", n)
	}
	return items, nil
}

// export hands variables at the top of a template to its context.
func (f *frame) export(list []export) {
	for _, e := range list {
		f.names.set(e.name, f.get(e.ref))
		if e.name[0] != '_' {
			f.names.export(e.name, true)
		}
	}
}

// exec makes sure first that attributes are assigned to namespaces only, as Jinja2
// does: the value is not even computed otherwise.
func (s *setStmt) exec(f *frame) error {
	if err := f.checkNamespaces(s.target); err != nil {
		return err
	}
	v, err := s.value.eval(f)
	if err != nil {
		return err
	}
	if err := f.assign(s.target, v); err != nil {
		return err
	}
	f.export(s.exports)
	return nil
}

// exec captures the body. The value is Markup where values are escaped.
func (s *setBlock) exec(f *frame) error {
	f.enter(s.in)
	v, err := f.filtered(s.body, s.filter, s.escape)
	if err != nil {
		return f.fail(s.place, err)
	}
	if *f.names.auto {
		v, err = f.markup(v)
		if err != nil {
			return f.fail(s.place, err)
		}
	}
	if err := f.assign(s.target, v); err != nil {
		return err
	}
	f.export(s.exports)
	f.leave(s.in)
	return nil
}

// filtered captures statements and applies filters, if any, to what they wrote.
func (f *frame) filtered(body []stmt, filters *filterExpr, e escaping) (pyvalue.Value, error) {
	text, err := f.capture(body)
	if err != nil || filters == nil {
		return pyvalue.NewStr(text), err
	}
	return filters.apply(f, textValue(text, f.escapes(e)))
}

// textValue is text, as Markup if that is what it is.
func textValue(text string, markup bool) pyvalue.Value {
	if markup {
		return pyvalue.Markup(text)
	}
	return pyvalue.NewStr(text)
}

// markup is Markup(v).
func (f *frame) markup(v pyvalue.Value) (pyvalue.Value, error) {
	if m, ok := v.(pyvalue.Markup); ok {
		return m, nil
	}
	text, err := pyvalue.Text(f.meter, v)
	return pyvalue.Markup(text), err
}

func (s *withStmt) exec(f *frame) error {
	f.enter(s.in)
	for i, target := range s.targets {
		v, err := s.values[i].eval(f)
		if err != nil {
			return err
		}
		if err := f.assign(target, v); err != nil {
			return err
		}
	}
	if err := execAll(f, s.body); err != nil {
		return err
	}
	f.leave(s.in)
	return nil
}

func (s *filterStmt) exec(f *frame) error {
	f.enter(s.in)
	v, err := f.filtered(s.body, s.filter, s.escape)
	if err == nil {
		err = f.printText(v)
	}
	f.leave(s.in)
	return f.fail(s.place, err)
}

// exec sets the context's own switch, which filters and macros ask; what the body
// prints was decided when compiling.
func (s *autoescapeStmt) exec(f *frame) error {
	f.enter(s.in)
	was := *f.names.auto
	on, err := f.truth(s.value)
	if err != nil {
		return err
	}
	*f.names.auto = on
	if err := execAll(f, s.body); err != nil {
		return err
	}
	*f.names.auto = was
	f.leave(s.in)
	return nil
}

// exec runs the youngest block of that name.
func (s *blockStmt) exec(f *frame) error {
	if f.skips(s.when) {
		return nil
	}
	n := f.names
	if s.scoped {
		derived, err := f.derived(s.locals)
		if err != nil {
			return f.fail(s.place, err)
		}
		n = derived
	}
	stack := f.names.blocks[s.name]
	if s.required && len(stack) <= 1 {
		return f.raise(s.place, "TemplateRuntimeError", "Required block %s not found", quoted(s.name))
	}
	return f.fail(s.place, f.runBlock(stack[0], n, f.out))
}

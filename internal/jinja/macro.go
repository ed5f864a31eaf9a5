package jinja

import "agentxchain/internal/pyvalue"

// macro is a macro with the frame in which it was defined, whose variables it
// sees as they are when it is called.
type macro struct {
	*macroBody
	name  pyvalue.Value // None of a caller
	def   *frame
	place place
}

// object is the macro as a value.
func (m *macro) object() *pyvalue.Object {
	attrs := func(_ *pyvalue.Meter, name string) (pyvalue.Value, bool, error) {
		v := m.attr(name)
		return v, v != nil, nil
	}
	return &pyvalue.Object{Type: "Macro", Module: "jinja2.runtime", Get: attrs, Print: m.print, Call: m.call}
}

// attr returns an attribute, or nil.
func (m *macro) attr(name string) pyvalue.Value {
	switch name {
	case "name":
		return m.name
	case "arguments":
		items := make([]pyvalue.Value, len(m.params))
		for i, p := range m.params {
			items[i] = pyvalue.NewStr(p.name)
		}
		return pyvalue.NewTuple(items...)
	case "catch_kwargs":
		return pyvalue.Bool(m.usesKwargs)
	case "catch_varargs":
		return pyvalue.Bool(m.usesVarargs)
	case "caller":
		return pyvalue.Bool(m.usesCaller)
	case "explicit_caller":
		return pyvalue.Bool(m.param("caller") >= 0)
	}
	return nil
}

// print is repr(macro).
func (m *macro) print(meter *pyvalue.Meter) (string, error) {
	if _, anonymous := m.name.(pyvalue.None); anonymous {
		return "<Macro anonymous>", nil
	}
	name, err := pyvalue.Repr(meter, m.name)
	return "<Macro " + name + ">", err
}

// call runs the macro. The result is Markup if values are escaped where it is
// called, not where it was defined.
func (m *macro) call(c pyvalue.Call) (pyvalue.Value, error) {
	r := m.def.render
	markup := r.calling != nil && *r.calling.auto
	if err := r.meter.Enter(); err != nil {
		return nil, err
	}
	defer r.meter.Leave()
	f := m.def.activate(m.fn, r.newCapture())
	if err := m.bind(f, c); err != nil {
		return nil, err
	}
	f.enter(m.in)
	if err := m.setDefaults(f); err != nil {
		return nil, err
	}
	if err := execAll(f, m.body); err != nil {
		return nil, err
	}
	text, err := f.out.text(r.meter)
	return textValue(text, markup), err
}

// bind gives the parameters their arguments. Those without one stay unset.
func (m *macro) bind(f *frame, c pyvalue.Call) error {
	n := min(len(c.Args), len(m.params))
	if err := f.meter.Step(n + (len(m.params)-n)*(1+len(c.Kwargs))); err != nil {
		return err
	}
	for i, v := range c.Args[:n] {
		f.slots[m.params[i].ref.slot] = v
	}
	named, foundCaller := c.Kwargs, false
	if n == len(m.params) {
		foundCaller = m.param("caller") >= 0
	}
	for _, p := range m.params[n:] {
		var v pyvalue.Value
		v, named = takeKwarg(named, p.name)
		f.slots[p.ref.slot] = v
		foundCaller = foundCaller || p.name == "caller"
	}
	if m.usesCaller && !foundCaller {
		if m.param("caller") >= 0 {
			return pyvalue.Errorf("TypeError", "macro() takes %d positional arguments but %d were given", len(m.params), len(m.params)+1)
		}
		var v pyvalue.Value
		if v, named = takeKwarg(named, "caller"); v == nil || isNone(v) {
			v = &pyvalue.Undefined{Hint: "No caller defined", Name: pyvalue.NewStr("caller")}
		}
		f.set(m.caller, v)
	}
	return m.bindRest(f, c.Args[n:], named)
}

// bindRest keeps the arguments that are left, or refuses them.
func (m *macro) bindRest(f *frame, args []pyvalue.Value, named []pyvalue.Kwarg) error {
	switch {
	case m.usesKwargs:
		d := pyvalue.NewDict(len(named))
		for _, k := range named {
			d.SetStr(k.Name, k.Value)
		}
		f.set(m.kwargs, d)
	case hasKwarg(named, "caller"):
		return pyvalue.Errorf("TypeError", "macro %s was invoked with two values for the special caller argument. This is most likely a bug.", m.label())
	case len(named) > 0:
		return pyvalue.Errorf("TypeError", "macro %s takes no keyword argument %s", m.label(), quoted(named[0].Name))
	}
	switch {
	case m.usesVarargs:
		f.set(m.varargs, pyvalue.NewTuple(args...))
	case len(args) > 0:
		return pyvalue.Errorf("TypeError", "macro %s takes not more than %d argument(s)", m.label(), len(m.params))
	}
	return nil
}

// label is repr() of the macro's name.
func (m *macro) label() string {
	if s, ok := pyvalue.AsStr(m.name); ok {
		return quoted(s)
	}
	return "None"
}

// isNone reports whether v is None.
func isNone(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.None)
	return ok
}

// takeKwarg returns the argument of a name, or nil, and the other arguments.
func takeKwarg(list []pyvalue.Kwarg, name string) (pyvalue.Value, []pyvalue.Kwarg) {
	for i, k := range list {
		if k.Name == name {
			rest := make([]pyvalue.Kwarg, 0, len(list)-1)
			return k.Value, append(append(rest, list[:i]...), list[i+1:]...)
		}
	}
	return nil, list
}

// hasKwarg reports whether an argument of that name was given.
func hasKwarg(list []pyvalue.Kwarg, name string) bool {
	for _, k := range list {
		if k.Name == name {
			return true
		}
	}
	return false
}

// setDefaults gives a value to each parameter that has none yet.
func (m *macro) setDefaults(f *frame) error {
	first := len(m.params) - len(m.defaults)
	for i, p := range m.params {
		if f.slots[p.ref.slot] != nil {
			continue
		}
		if i < first {
			f.slots[p.ref.slot] = &pyvalue.Undefined{
				Hint: "parameter " + quoted(p.name) + " was not provided",
				Name: pyvalue.NewStr(p.name),
			}
			continue
		}
		v, err := m.defaults[i-first].eval(f)
		if err != nil {
			return err
		}
		f.slots[p.ref.slot] = v
	}
	return nil
}

// exec defines the macro; it keeps the frame, and sees later changes of its variables.
func (s *macroStmt) exec(f *frame) error {
	m := &macro{macroBody: &s.macroBody, name: pyvalue.NewStr(s.name), def: f, place: s.place}
	v := m.object()
	f.set(s.ref, v)
	if s.toplevel {
		f.export([]export{{s.name, s.ref}})
	}
	return nil
}

// exec calls, and writes the result as it is: it is not escaped again.
func (s *callStmt) exec(f *frame) error {
	caller := &macro{macroBody: &s.macroBody, name: pyvalue.None{}, def: f, place: s.place}
	v, err := s.call.call(f, pyvalue.Kwarg{Name: "caller", Value: caller.object()})
	if err == nil {
		err = f.printText(v)
	}
	return f.fail(s.place, err)
}

// selfReference is "self": the blocks of the template by name.
func (f *frame) selfReference() pyvalue.Value {
	n := f.names
	get := func(_ *pyvalue.Meter, name string) (pyvalue.Value, bool, error) {
		stack := n.blocks[name]
		if len(stack) == 0 {
			return nil, false, nil
		}
		return f.blockReference(n, name, stack, 0), true, nil
	}
	return &pyvalue.Object{
		Type:   "TemplateReference",
		Module: "jinja2.runtime",
		Get:    get,
		Print: func(*pyvalue.Meter) (string, error) {
			return "<TemplateReference " + templateName(n.template) + ">", nil
		},
	}
}

// superOf is "super" inside a block.
func (f *frame) superOf(b *blockCode) pyvalue.Value {
	stack := f.names.blocks[b.name]
	for i, code := range stack {
		if code == b {
			return f.parentBlock(f.names, b.name, stack, i+1)
		}
	}
	return noParent(b.name)
}

// parentBlock is the i-th block of a stack as a value.
func (f *frame) parentBlock(n *names, name string, stack []*blockCode, i int) pyvalue.Value {
	if i >= len(stack) {
		return noParent(name)
	}
	return f.blockReference(n, name, stack, i)
}

// noParent is super where no older template has the block.
func noParent(name string) pyvalue.Value {
	return &pyvalue.Undefined{Hint: "there is no parent block called " + quoted(name) + ".", Name: pyvalue.NewStr("super")}
}

// blockReference is a block as a value: a call renders it, its attribute super
// is the same block of the parent.
func (f *frame) blockReference(n *names, name string, stack []*blockCode, i int) pyvalue.Value {
	r := f.render
	get := func(_ *pyvalue.Meter, attr string) (pyvalue.Value, bool, error) {
		switch attr {
		case "super":
			return f.parentBlock(n, name, stack, i+1), true, nil
		case "name":
			return pyvalue.NewStr(name), true, nil
		}
		return nil, false, nil
	}
	call := func(c pyvalue.Call) (pyvalue.Value, error) {
		if _, err := c.Bind("BlockReference.__call__"); err != nil {
			return nil, err
		}
		out := r.newCapture()
		if err := r.runBlock(stack[i], n, out); err != nil {
			return nil, err
		}
		text, err := out.text(r.meter)
		return textValue(text, *n.auto), err
	}
	return &pyvalue.Object{Type: "BlockReference", Module: "jinja2.runtime", Get: get, Call: call}
}

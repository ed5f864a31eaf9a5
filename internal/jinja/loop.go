package jinja

import "agentxchain/internal/pyvalue"

// exec runs the loop. The first level of a recursive one writes straight to the
// output; deeper ones are values.
func (s *forStmt) exec(f *frame) error {
	items, err := s.iter.eval(f)
	if err != nil {
		return err
	}
	if s.recursive {
		return f.fail(s.place, s.level(f, items, f.out, 0))
	}
	return f.fail(s.place, s.run(f, f, items, 0))
}

// level runs one level of a recursive loop: a function of its own, which def
// is around.
func (s *forStmt) level(def *frame, items pyvalue.Value, out *output, depth int) error {
	if err := def.meter.Enter(); err != nil {
		return err
	}
	defer def.meter.Leave()
	f := def.activate(s.fn, out)
	f.stream = def.stream
	return s.run(f, def, items, depth)
}

// run runs the loop in f. def is the frame that the statement is in.
func (s *forStmt) run(f, def *frame, items pyvalue.Value, depth int) error {
	it, err := pyvalue.Iterate(f.meter, items)
	if err != nil {
		return err
	}
	if s.test != nil {
		it, items = s.filter(def, it), nil
	}
	l := &loop{stmt: s, def: def, over: items, source: it, index0: -1, known: -1, depth0: depth}
	for {
		v, ok, err := l.next(f.meter)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := s.round(f, l, v); err != nil {
			return err
		}
	}
	f.leave(s.in)
	if l.index0 >= 0 || len(s.other) == 0 {
		return nil
	}
	f.enter(s.els)
	err = execAll(f, s.other)
	f.leave(s.els)
	return err
}

// round runs the body for one item.
func (s *forStmt) round(f *frame, l *loop, v pyvalue.Value) error {
	if err := f.meter.Step(1); err != nil {
		return err
	}
	if err := f.assign(s.target, v); err != nil {
		return err
	}
	if s.extended {
		f.set(s.loop, l.object())
	}
	f.enter(s.in)
	return execAll(f, s.body)
}

// filter returns the items for which the test of the loop holds.
func (s *forStmt) filter(def *frame, it *pyvalue.Iterator) *pyvalue.Iterator {
	f := def.activate(s.testFn, def.out)
	f.enter(s.testIn)
	next := func(m *pyvalue.Meter) (pyvalue.Value, bool, error) {
		for {
			v, ok, err := it.Next(m)
			if err != nil || !ok {
				return nil, false, err
			}
			if err := m.Step(1); err != nil {
				return nil, false, err
			}
			if err := f.assign(s.target, v); err != nil {
				return nil, false, err
			}
			if yes, err := f.truth(s.test); err != nil || yes {
				return f.assigned(s.target), true, err
			}
		}
	}
	return &pyvalue.Iterator{Kind: "generator", Next: next}
}

// assigned is the value of what a target was assigned: of a tuple, a new one.
func (f *frame) assigned(target expr) pyvalue.Value {
	switch e := target.(type) {
	case *nameExpr:
		return f.get(e.ref)
	case *tupleExpr:
		items := make([]pyvalue.Value, len(e.items))
		for i, item := range e.items {
			items[i] = f.assigned(item)
		}
		return pyvalue.NewTuple(items...)
	}
	return pyvalue.None{}
}

// loop is the variable "loop". Values that are not there yet are nil.
type loop struct {
	stmt   *forStmt
	def    *frame
	over   pyvalue.Value // what is iterated; nil if a test picks from it
	source *pyvalue.Iterator
	value  *pyvalue.Object

	index0, depth0         int
	known                  int // the length; -1 if it was not asked for
	before, current, after pyvalue.Value
	seen                   pyvalue.Value // by changed()
}

// next goes on to the next item.
func (l *loop) next(m *pyvalue.Meter) (pyvalue.Value, bool, error) {
	v := l.after
	l.after = nil
	if v == nil {
		var ok bool
		var err error
		if v, ok, err = l.source.Next(m); err != nil || !ok {
			return nil, false, err
		}
	}
	l.index0++
	l.before, l.current = l.current, v
	return v, true, nil
}

// peek returns the item behind the current one, nil if there is none.
func (l *loop) peek(m *pyvalue.Meter) (pyvalue.Value, error) {
	if l.after == nil {
		v, ok, err := l.source.Next(m)
		if err != nil || !ok {
			return nil, err
		}
		l.after = v
	}
	return l.after, nil
}

// length is how many items there are. Of what has no length, all are fetched.
func (l *loop) length(m *pyvalue.Meter) (int, error) {
	if l.known >= 0 {
		return l.known, nil
	}
	if l.over != nil {
		if n, err := pyvalue.Len(m, l.over); err == nil {
			l.known = n
			return n, nil
		}
	}
	rest, err := pyvalue.Items(m, l.source)
	if err != nil {
		return 0, err
	}
	l.source = pyvalue.NewIterator("list_iterator", rest)
	l.known = len(rest) + l.index0 + 1
	if l.after != nil {
		l.known++
	}
	return l.known, nil
}

// object is the loop as a value, the same one for all rounds.
func (l *loop) object() pyvalue.Value {
	if l.value == nil {
		l.value = &pyvalue.Object{
			Type: "LoopContext", Module: "jinja2.runtime",
			Get: l.attr, Print: l.print, Call: l.call, Len: l.length, Iter: l.iterate,
		}
	}
	return l.value
}

// print is repr(loop).
func (l *loop) print(m *pyvalue.Meter) (string, error) {
	n, err := l.length(m)
	if err != nil {
		return "", err
	}
	return "<LoopContext " + itoa(l.index0+1) + "/" + itoa(n) + ">", nil
}

// iterate is iter(loop): it takes items away from the loop itself.
func (l *loop) iterate(*pyvalue.Meter) (*pyvalue.Iterator, error) {
	next := func(m *pyvalue.Meter) (pyvalue.Value, bool, error) {
		v, ok, err := l.next(m)
		if err != nil || !ok {
			return nil, false, err
		}
		return pyvalue.NewTuple(v, l.object()), true, nil
	}
	return &pyvalue.Iterator{Kind: "LoopContext", Next: next}, nil
}

// attr returns an attribute of "loop".
func (l *loop) attr(m *pyvalue.Meter, name string) (pyvalue.Value, bool, error) {
	switch name {
	case "index":
		return pyvalue.Int(l.index0 + 1), true, nil
	case "index0":
		return pyvalue.Int(l.index0), true, nil
	case "first":
		return pyvalue.Bool(l.index0 == 0), true, nil
	case "depth":
		return pyvalue.Int(l.depth0 + 1), true, nil
	case "depth0":
		return pyvalue.Int(l.depth0), true, nil
	case "previtem":
		return l.previous(), true, nil
	case "cycle":
		return &pyvalue.Callable{Name: "cycle", Kind: "method", Fn: l.cycle}, true, nil
	case "changed":
		return &pyvalue.Callable{Name: "changed", Kind: "method", Fn: l.changed}, true, nil
	}
	return l.attrAhead(m, name)
}

// attrAhead returns an attribute that depends on the items to come.
func (l *loop) attrAhead(m *pyvalue.Meter, name string) (v pyvalue.Value, ok bool, err error) {
	switch name {
	case "last", "nextitem":
		next, err := l.peek(m)
		switch {
		case err != nil:
			return nil, false, err
		case name == "last":
			return pyvalue.Bool(next == nil), true, nil
		case next == nil:
			next = &pyvalue.Undefined{Hint: "there is no next item"}
		}
		return next, true, nil
	case "length", "revindex", "revindex0":
		n, err := l.length(m)
		switch name {
		case "revindex":
			n -= l.index0
		case "revindex0":
			n -= l.index0 + 1
		}
		return pyvalue.Int(n), err == nil, err
	}
	return nil, false, nil
}

// previous is loop.previtem.
func (l *loop) previous() pyvalue.Value {
	if l.index0 == 0 {
		return &pyvalue.Undefined{Hint: "there is no previous item"}
	}
	if l.before == nil {
		return missing()
	}
	return l.before
}

// cycle is loop.cycle(…): the argument whose turn it is.
func (l *loop) cycle(c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, pyvalue.Errorf("TypeError", "LoopContext.cycle() got an unexpected keyword argument '%s'", c.Kwargs[0].Name)
	}
	if len(c.Args) == 0 {
		return nil, pyvalue.Errorf("TypeError", "no items for cycling given")
	}
	return c.Args[max(l.index0, 0)%len(c.Args)], nil
}

// changed is loop.changed(…): whether the arguments differ from the last call's.
func (l *loop) changed(c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, pyvalue.Errorf("TypeError", "LoopContext.changed() got an unexpected keyword argument '%s'", c.Kwargs[0].Name)
	}
	now := pyvalue.NewTuple(c.Args...)
	if l.seen != nil {
		same, err := pyvalue.Equal(c.Meter, l.seen, now)
		if err != nil {
			return nil, err
		}
		if same {
			return pyvalue.Bool(false), nil
		}
	}
	l.seen = now
	return pyvalue.Bool(true), nil
}

// call is loop(items) of a recursive loop.
func (l *loop) call(c pyvalue.Call) (pyvalue.Value, error) {
	args, err := c.Bind("LoopContext.__call__", pyvalue.Param{Name: "iterable"})
	if err != nil {
		return nil, err
	}
	if !l.stmt.recursive {
		return nil, pyvalue.Errorf("TypeError", "The loop must have the 'recursive' marker to be called recursively.")
	}
	out := l.def.newCapture()
	if err := l.stmt.level(l.def, args[0], out, l.depth0+1); err != nil {
		return nil, err
	}
	text, err := out.text(c.Meter)
	return textValue(text, l.def.escapes(l.stmt.escape)), err
}

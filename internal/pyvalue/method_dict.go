package pyvalue

func dictMethod(name string) (method, bool) {
	switch name {
	case "clear":
		return method{run: func(b *bound) (Value, error) {
			b.dict().clear()
			return None{}, nil
		}}, true
	case "copy":
		return method{run: func(b *bound) (Value, error) {
			d := b.dict()
			return d.Copy(), orStep(b.m.list(4*d.live), b.m, d.live)
		}}, true
	case "fromkeys":
		return method{arity: positional, min: 1, max: 2, run: dictFromKeys}, true
	case "get":
		return method{arity: positional, min: 1, max: 2, run: dictGet}, true
	case "items":
		return viewOf(ViewItems), true
	case "keys":
		return viewOf(ViewKeys), true
	case "values":
		return viewOf(ViewValues), true
	case "pop":
		return method{arity: positional, min: 1, max: 2, run: dictPop}, true
	case "popitem":
		return method{run: dictPopItem}, true
	case "setdefault":
		return method{arity: positional, min: 1, max: 2, run: dictSetDefault}, true
	}
	return method{}, false
}

func viewOf(of ViewOf) method {
	return method{run: func(b *bound) (Value, error) { return &DictView{Dict: b.dict(), Of: of}, nil }}
}

func (b *bound) dict() *Dict {
	d, ok := b.self.(*Dict)
	if !ok {
		return &Dict{} // methods are bound to their own kind
	}
	return d
}

// fallback is the argument at 1, or None.
func (b *bound) fallback() Value {
	if v := b.arg(1); v != nil {
		return v
	}
	return None{}
}

func dictFromKeys(b *bound) (Value, error) {
	keys, err := Items(b.m, b.args[0])
	if err != nil {
		return nil, err
	}
	out := &Dict{}
	for _, key := range keys {
		if err := out.Set(b.m, key, b.fallback()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func dictGet(b *bound) (Value, error) {
	v, found, err := b.dict().Get(b.m, b.args[0])
	if err != nil || found {
		return v, err
	}
	return b.fallback(), nil
}

func dictPop(b *bound) (Value, error) {
	d := b.dict()
	if d.live > 0 { // an empty dict does not hash its argument
		if v, found, err := d.Delete(b.m, b.args[0]); err != nil || found {
			return v, err
		}
	}
	if missing := b.arg(1); missing != nil {
		return missing, nil
	}
	return nil, keyError(b.m, b.args[0])
}

func dictPopItem(b *bound) (Value, error) {
	d := b.dict()
	if d.live == 0 {
		return nil, &Error{Class: "KeyError", Message: "'popitem(): dictionary is empty'"}
	}
	key, value := d.last()
	_, _, err := d.Delete(b.m, key)
	return NewTuple(key, value), err
}

func dictSetDefault(b *bound) (Value, error) {
	d := b.dict()
	v, found, err := d.Get(b.m, b.args[0])
	if err != nil || found {
		return v, err
	}
	return b.fallback(), d.Set(b.m, b.args[0], b.fallback())
}

// bindUpdate is d.update, the one builtin method that takes any keywords.
func bindUpdate(d *Dict) *Callable {
	return &Callable{Name: "update", Self: d, Fn: func(c Call) (Value, error) { return None{}, d.Update(c) }}
}

// Update is d.update(*args, **kwargs), and with an empty d what dict(…) does: it
// takes a dict, or pairs, or none, and then the keywords. Errors are those of the
// pairs, TypeError and ValueError, and *BudgetError.
func (d *Dict) Update(c Call) error {
	if len(c.Args) > 1 {
		return typeError("update expected at most 1 argument, got %d", len(c.Args))
	}
	if len(c.Args) == 1 {
		if err := d.merge(c.Meter, c.Args[0]); err != nil {
			return err
		}
	}
	for _, k := range c.Kwargs {
		if err := d.Set(c.Meter, Str{s: k.Name}, k.Value); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dict) merge(m *Meter, from Value) error {
	if other, ok := from.(*Dict); ok {
		if other == d {
			return nil
		}
		for key, value := range other.All() {
			if err := d.Set(m, key, value); err != nil {
				return err
			}
		}
		return m.Step(other.live)
	}
	if err := undefinedOf(from); err != nil { // it is asked whether it has keys
		return err
	}
	it, err := Iterate(m, from)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		item, more, err := it.Next(m)
		if err != nil || !more {
			return err
		}
		if err := d.setPair(m, item, i); err != nil {
			return err
		}
	}
}

func (d *Dict) setPair(m *Meter, item Value, i int) error {
	pair, err := Items(m, item)
	if e, ok := err.(*Error); ok && e.Class == "TypeError" { //nolint:errorlint // it is made here
		return typeError("cannot convert dictionary update sequence element #%d to a sequence", i)
	}
	if err != nil {
		return err
	}
	if len(pair) != 2 {
		return valueError("dictionary update sequence element #%d has length %d; 2 is required", i, len(pair))
	}
	return d.Set(m, pair[0], pair[1])
}

func viewMethod(v *DictView, name string) (method, bool) {
	if name == "isdisjoint" && v.Of != ViewValues {
		return method{arity: one, run: viewIsDisjoint}, true
	}
	return method{}, false
}

func viewIsDisjoint(b *bound) (Value, error) {
	others, err := Items(b.m, b.args[0])
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if in, err := Contains(b.m, b.self, other); err != nil || in {
			return Bool(false), err
		}
	}
	return Bool(true), nil
}

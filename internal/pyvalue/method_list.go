package pyvalue

import "slices"

func listMethod(name string) (method, bool) {
	switch name {
	case "append":
		return method{arity: one, run: listAppend}, true
	case "clear":
		return method{run: func(b *bound) (Value, error) {
			b.list().Items = nil
			return None{}, nil
		}}, true
	case "copy":
		return method{run: func(b *bound) (Value, error) {
			items, err := Items(b.m, b.self)
			return &List{items}, err
		}}, true
	case "extend":
		return method{arity: one, run: listExtend}, true
	case "insert":
		return method{arity: positional, min: 2, max: 2, run: listInsert}, true
	case "pop":
		return method{arity: positional, max: 1, run: listPop}, true
	case "remove":
		return method{arity: one, run: listRemove}, true
	case "reverse":
		return method{run: func(b *bound) (Value, error) {
			slices.Reverse(b.list().Items)
			return None{}, b.m.Step(len(b.list().Items) / 16)
		}}, true
	case "sort":
		return method{arity: keywords, names: []string{"key", "reverse"}, run: listSort}, true
	}
	return sequenceMethod(name)
}

// sequenceMethod are the methods of tuples and ranges, which lists have too.
func sequenceMethod(name string) (method, bool) {
	switch name {
	case "count":
		return method{arity: one, run: sequenceCount}, true
	case "index":
		return method{arity: positional, min: 1, max: 3, run: sequenceIndex}, true
	}
	return method{}, false
}

func (b *bound) list() *List {
	l, ok := b.self.(*List)
	if !ok {
		return &List{} // methods are bound to their own kind
	}
	return l
}

func listAppend(b *bound) (Value, error) {
	l := b.list()
	if err := b.m.extend(len(l.Items)*itemBytes, itemBytes); err != nil {
		return nil, err
	}
	l.Items = append(l.Items, b.args[0])
	return None{}, nil
}

func listExtend(b *bound) (Value, error) {
	l := b.list()
	more, err := Items(b.m, b.args[0])
	if err != nil {
		return nil, err
	}
	if err := b.m.fits((len(l.Items) + len(more)) * itemBytes); err != nil {
		return nil, err
	}
	l.Items = append(l.Items, more...)
	return None{}, nil
}

func listInsert(b *bound) (Value, error) {
	l := b.list()
	at, err := b.size(0, 0)
	if err != nil {
		return nil, err
	}
	n := int64(len(l.Items))
	if at < 0 {
		at = max(at+n, 0)
	}
	if err := b.m.extend(len(l.Items)*itemBytes, itemBytes); err != nil {
		return nil, err
	}
	l.Items = slices.Insert(l.Items, int(min(at, n)), b.args[1])
	return None{}, b.m.Step(len(l.Items) / textStep)
}

func listPop(b *bound) (Value, error) {
	l := b.list()
	at, err := b.size(0, -1)
	if err != nil {
		return nil, err
	}
	n := int64(len(l.Items))
	if n == 0 {
		return nil, Errorf("IndexError", "pop from empty list")
	}
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return nil, Errorf("IndexError", "pop index out of range")
	}
	v := l.Items[at]
	l.Items = slices.Delete(l.Items, int(at), int(at)+1)
	return v, b.m.Step(int(n-at) / textStep)
}

func listRemove(b *bound) (Value, error) {
	l := b.list()
	for i, item := range l.Items {
		same, err := same(b.m, item, b.args[0])
		if err != nil {
			return nil, err
		}
		if same {
			l.Items = slices.Delete(l.Items, i, i+1)
			return None{}, nil
		}
	}
	return nil, notFound("list.remove(x): x not in list")
}

func listSort(b *bound) (Value, error) {
	l := b.list()
	reverse, err := b.flag(1)
	if err != nil {
		return nil, err
	}
	var key func(Value) (Value, error)
	if by := b.arg(0); by != nil && by != (None{}) {
		key = func(v Value) (Value, error) { return CallValue(by, Call{Args: []Value{v}, Meter: b.m}) }
	}
	items, err := Sorted(b.m, l.Items, key, reverse)
	if err != nil {
		return nil, err
	}
	l.Items = items
	return None{}, nil
}

func sequenceCount(b *bound) (Value, error) {
	if r, ok := b.self.(*Range); ok {
		if r.find(b.args[0]) >= 0 {
			return Int(1), nil
		}
		return Int(0), nil
	}
	items, _ := itemsOf(b.self)
	n := 0
	for _, item := range items {
		same, err := same(b.m, item, b.args[0])
		if err != nil {
			return nil, err
		}
		if same {
			n++
		}
	}
	return Int(n), nil
}

func sequenceIndex(b *bound) (Value, error) {
	if r, ok := b.self.(*Range); ok {
		return r.index(b)
	}
	items, _ := itemsOf(b.self)
	for i := 1; i < len(b.args); i++ {
		if !isInt(b.args[i]) {
			return nil, typeError("slice indices must be integers or have an __index__ method")
		}
	}
	low, high, err := b.window(1, len(items))
	if err != nil {
		return nil, err
	}
	for i := low; i < high; i++ {
		same, err := same(b.m, items[i], b.args[0])
		if err != nil {
			return nil, err
		}
		if same {
			return Int(i), nil
		}
	}
	if _, ok := b.self.(*Tuple); ok {
		return nil, notFound("tuple.index(x): x not in tuple")
	}
	text, err := Repr(b.m, b.args[0])
	if err != nil {
		return nil, err
	}
	return nil, notFound("%s is not in list", text)
}

func (r *Range) index(b *bound) (Value, error) {
	if len(b.args) != 1 {
		return nil, typeError("range.index() takes exactly one argument (%d given)", len(b.args))
	}
	if i := r.find(b.args[0]); i >= 0 {
		return Int(i), nil
	}
	if !isInt(b.args[0]) {
		return nil, notFound("sequence.index(x): x not in sequence")
	}
	text, err := Repr(b.m, b.args[0])
	if err != nil {
		return nil, err
	}
	return nil, notFound("%s is not in range", text)
}

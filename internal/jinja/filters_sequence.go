package jinja

import (
	"math/rand/v2"
	"strings"

	"agentxchain/internal/pyvalue"
)

// each calls do with the items of v.
func (f *frame) each(v pyvalue.Value, do func(pyvalue.Value) error) error {
	it, err := pyvalue.Iterate(f.meter, v)
	if err != nil {
		return err
	}
	for {
		item, ok, err := it.Next(f.meter)
		if err != nil || !ok {
			return err
		}
		if err := f.meter.Step(1); err != nil {
			return err
		}
		if err := do(item); err != nil {
			return err
		}
	}
}

// getterOptions say what becomes of what an attribute getter finds.
type getterOptions struct {
	lower    bool          // strings are compared without regard to case
	fallback pyvalue.Value // in place of an undefined value; nil or None is nothing
}

// getter returns a function that looks attribute up: a name, an index or several
// with dots between them; None is the value itself.
func (f *frame) getter(attribute pyvalue.Value, o getterOptions) (func(pyvalue.Value) (pyvalue.Value, error), error) {
	parts, err := attributeParts(f.meter, attribute)
	if err != nil {
		return nil, err
	}
	return func(v pyvalue.Value) (pyvalue.Value, error) {
		var err error
		for _, part := range parts {
			if v, err = pyvalue.SandboxItem(f.meter, v, part); err != nil {
				return nil, err
			}
			if isUndefinedValue(v) && o.fallback != nil && !isNone(o.fallback) {
				v = o.fallback
			}
		}
		if o.lower {
			return ignoreCase(f.meter, v)
		}
		return v, nil
	}, nil
}

// attributeParts cuts "a.b.0" into names and indexes.
func attributeParts(m *pyvalue.Meter, attribute pyvalue.Value) ([]pyvalue.Value, error) {
	if isNone(attribute) {
		return nil, nil
	}
	text, ok := pyvalue.AsStr(attribute)
	if !ok {
		return []pyvalue.Value{attribute}, nil
	}
	if err := m.Step(len(text)); err != nil {
		return nil, err
	}
	var parts []pyvalue.Value
	for part := range strings.SplitSeq(text, ".") {
		v := str(part)
		digits, err := method(m, v, "isdigit")
		if err != nil {
			return nil, err
		}
		if pyvalue.Truth(digits) {
			if v, err = pyvalue.IntFrom(m, v, 10); err != nil {
				return nil, err
			}
		}
		parts = append(parts, v)
	}
	return parts, nil
}

// ignoreCase is the lower-case form of a string; every other value stays.
func ignoreCase(m *pyvalue.Meter, v pyvalue.Value) (pyvalue.Value, error) {
	if !pyvalue.IsString(v) {
		return v, nil
	}
	return method(m, v, "lower")
}

// lazy is a generator: start is called when the first item is asked for, and
// gives the function that yields items.
func lazy(start func() (next, error)) pyvalue.Value {
	var pull next
	done := false
	return &pyvalue.Iterator{Kind: "generator", Next: func(m *pyvalue.Meter) (v pyvalue.Value, ok bool, err error) {
		if done {
			return nil, false, nil
		}
		if err := m.Step(1); err != nil {
			return nil, false, err
		}
		if pull == nil {
			pull, err = start()
		}
		if err == nil {
			v, ok, err = pull()
		}
		done = err != nil || !ok
		return v, ok, err
	}}
}

// next yields an item, or false when there is none.
type next func() (pyvalue.Value, bool, error)

// iterate returns the items of v as a next.
func (f *frame) iterate(v pyvalue.Value) (next, error) {
	it, err := pyvalue.Iterate(f.meter, v)
	if err != nil {
		return nil, err
	}
	return func() (pyvalue.Value, bool, error) { return it.Next(f.meter) }, nil
}

// newList is a list that the budget counts.
func (f *frame) newList(items []pyvalue.Value) (pyvalue.Value, error) {
	if err := f.meter.Alloc(listBytes * (len(items) + listHeader)); err != nil {
		return nil, err
	}
	return pyvalue.NewList(items...), nil
}

// lengthFilter is obj|length and obj|count.
func lengthFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("len", required("obj"))
	if err != nil {
		return nil, err
	}
	n, err := pyvalue.Len(f.meter, a[0])
	return pyvalue.Int(n), err
}

// listFilter is value|list: a new list of the items.
func listFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_list", required("value"))
	if err != nil {
		return nil, err
	}
	items, err := pyvalue.Items(f.meter, a[0])
	return pyvalue.NewList(items...), err
}

// itemsFilter is value|items: the pairs of a dict, none of what is undefined.
func itemsFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_items", required("value"))
	if err != nil {
		return nil, err
	}
	return lazy(func() (next, error) {
		switch v := a[0].(type) {
		case *pyvalue.Undefined:
			return f.iterate(v)
		case *pyvalue.Dict:
			return f.iterate(&pyvalue.DictView{Dict: v, Of: pyvalue.ViewItems})
		}
		return nil, pyvalue.Errorf("TypeError", "Can only get item pairs from a mapping.")
	}), nil
}

// firstFilter is seq|first: the first item or undefined.
func firstFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_first", required("seq"))
	if err != nil {
		return nil, err
	}
	it, err := pyvalue.Iterate(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	v, ok, err := it.Next(f.meter)
	if err != nil || ok {
		return v, err
	}
	return undefined("No first item, sequence was empty."), nil
}

// lastFilter is seq|last: the last item or undefined, of what can be reversed.
func lastFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_last", required("seq"))
	if err != nil {
		return nil, err
	}
	items, _, err := f.reversible(a[0])
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return undefined("No last item, sequence was empty."), nil
	}
	return items[len(items)-1], nil
}

// reversible returns the items of what Python's reversed() takes, and the name
// of the iterator's type.
func (f *frame) reversible(v pyvalue.Value) (items []pyvalue.Value, kind string, err error) {
	switch v := v.(type) {
	case *pyvalue.List:
		return v.Items, "list_reverseiterator", nil
	case *pyvalue.Tuple:
		return v.Items, "reversed", nil
	case *pyvalue.Dict:
		kind = "dict_reversekeyiterator"
	case *pyvalue.DictView:
		// dict_keys gives dict_reversekeyiterator, and so on.
		kind = "dict_reverse" + strings.TrimSuffix(strings.TrimPrefix(v.TypeName(), "dict_"), "s") + "iterator"
	case *pyvalue.Range:
		kind = "range_iterator"
	case pyvalue.Str, pyvalue.Markup, *pyvalue.Undefined, *pyvalue.Bytes:
		kind = "reversed"
	default:
		if !pyvalue.IsString(v) {
			return nil, "", pyvalue.Errorf("TypeError", "'%s' object is not reversible", v.TypeName())
		}
		kind = "reversed"
	}
	items, err = pyvalue.Items(f.meter, v)
	return items, kind, err
}

// reverseFilter is value|reverse: a string backwards, or the items from the last.
func reverseFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_reverse", required("value"))
	if err != nil {
		return nil, err
	}
	v := a[0]
	if pyvalue.IsString(v) {
		return pyvalue.Slice(f.meter, v, pyvalue.None{}, pyvalue.None{}, pyvalue.Int(-1))
	}
	items, kind, err := f.reversible(v)
	if err == nil {
		return f.backwards(kind, items), nil
	}
	if items, err = pyvalue.Items(f.meter, v); raised(err, "TypeError") {
		return nil, pyvalue.Errorf("FilterArgumentError", "argument must be iterable")
	}
	if err != nil {
		return nil, err
	}
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
	return pyvalue.NewList(items...), nil
}

// backwards iterates items from the last.
func (f *frame) backwards(kind string, items []pyvalue.Value) pyvalue.Value {
	n := len(items)
	return &pyvalue.Iterator{Kind: kind, Next: func(m *pyvalue.Meter) (pyvalue.Value, bool, error) {
		if n == 0 {
			return nil, false, nil
		}
		n--
		return items[n], true, m.Step(1)
	}}
}

// randomFilter is seq|random: some item, or undefined if there is none.
func randomFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_random", required("seq"))
	if err != nil {
		return nil, err
	}
	n, err := pyvalue.Len(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return undefined("No random item, sequence was empty."), nil
	}
	return pyvalue.GetItem(f.meter, a[0], pyvalue.Int(rand.IntN(n))) // #nosec G404 -- a template's choice of words
}

// batchFilter is value|batch(linecount, fill_with=None): lists of linecount items.
func batchFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_batch", required("value"), required("linecount"), optional("fill_with", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	b := &batch{f: f, size: a[1], fill: a[2]}
	return lazy(func() (next, error) {
		b.pull, err = f.iterate(a[0])
		return b.next, err
	}), nil
}

// batch yields lists of size items.
type batch struct {
	f          *frame
	size, fill pyvalue.Value
	pull       next
	row        []pyvalue.Value
	ended      bool
}

// next yields a row when the item behind it is there.
func (b *batch) next() (pyvalue.Value, bool, error) {
	for !b.ended {
		v, ok, err := b.pull()
		if err != nil {
			return nil, false, err
		}
		if !ok {
			b.ended = true
			break
		}
		if err := b.f.meter.Step(1); err != nil {
			return nil, false, err
		}
		full, err := pyvalue.Equal(b.f.meter, pyvalue.Int(len(b.row)), b.size)
		if err != nil {
			return nil, false, err
		}
		row := b.row
		if full {
			b.row = []pyvalue.Value{v}
			list, err := b.f.newList(row)
			return list, true, err
		}
		b.row = append(b.row, v)
	}
	return b.last()
}

// last yields the row that is left, filled up.
func (b *batch) last() (pyvalue.Value, bool, error) {
	row := b.row
	if len(row) == 0 {
		return nil, false, nil
	}
	b.row = nil
	if isNone(b.fill) {
		list, err := b.f.newList(row)
		return list, true, err
	}
	short, err := pyvalue.Compare(b.f.meter, pyvalue.LT, pyvalue.Int(len(row)), b.size)
	if err != nil {
		return nil, false, err
	}
	list := pyvalue.Value(pyvalue.NewList(row...))
	if short {
		list, err = b.filled(list, len(row))
	}
	return list, true, err
}

// filled adds the fill value until the row has its size.
func (b *batch) filled(row pyvalue.Value, n int) (pyvalue.Value, error) {
	m := b.f.meter
	missing, err := pyvalue.Sub(m, b.size, pyvalue.Int(n))
	if err != nil {
		return nil, err
	}
	fill, err := pyvalue.Mul(m, pyvalue.NewList(b.fill), missing)
	if err != nil {
		return nil, err
	}
	return pyvalue.Add(m, row, fill)
}

// sliceFilter is value|slice(slices, fill_with=None): that many lists.
func sliceFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_slice", required("value"), required("slices"), optional("fill_with", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	s := &slicer{f: f, fill: a[2]}
	return lazy(func() (next, error) { return s.next, s.start(a[0], a[1]) }), nil
}

// slicer yields the items in a number of lists of about the same length.
type slicer struct {
	f             *frame
	fill          pyvalue.Value
	items         []pyvalue.Value
	slices, at    int
	length, extra int // of a list; how many lists have one item more
	offset        int
}

// start finds out how long the lists are. Python's division says what is wrong with
// the number of slices.
func (s *slicer) start(v, slices pyvalue.Value) error {
	items, err := pyvalue.Items(s.f.meter, v)
	if err != nil {
		return err
	}
	length := pyvalue.Int(len(items))
	if _, err := pyvalue.FloorDiv(s.f.meter, length, slices); err != nil {
		return err
	}
	index, err := pyvalue.Index(slices)
	if err != nil {
		return err
	}
	n, ok := pyvalue.AsInt(index)
	if !ok {
		return pyvalue.Errorf("OverflowError", "Python int too large to convert to C ssize_t")
	}
	s.items, s.slices = items, int(n)
	s.length, s.extra = len(items)/int(n), len(items)%int(n)
	return nil
}

// next yields a list; the first ones have the items that are left over.
func (s *slicer) next() (pyvalue.Value, bool, error) {
	if s.at >= s.slices {
		return nil, false, nil
	}
	start := s.offset + s.at*s.length
	more := s.at < s.extra
	if more {
		s.offset++
	}
	s.at++
	part := append([]pyvalue.Value(nil), s.items[start:s.offset+s.at*s.length]...)
	if !more && !isNone(s.fill) {
		part = append(part, s.fill)
	}
	list, err := s.f.newList(part)
	return list, true, err
}

// joinFilter is value|join(d="", attribute=None): the text of the items with d between.
func joinFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_join", required("value"), optional("d", str("")), optional("attribute", pyvalue.None{}))
	if err != nil {
		return nil, err
	}
	get, err := f.getter(a[2], getterOptions{})
	if err != nil {
		return nil, err
	}
	var items []pyvalue.Value
	err = f.each(a[0], func(v pyvalue.Value) error {
		v, err := get(v)
		items = append(items, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if *f.names.auto {
		return joinMarkup(f.meter, a[1], items)
	}
	sep, err := pyvalue.Text(f.meter, a[1])
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.Join(f.meter, sep, items)
	return pyvalue.NewStr(text), err
}

// joinMarkup joins where values are escaped: the result is Markup, and all that
// is not Markup is escaped, if the separator or an item is.
func joinMarkup(m *pyvalue.Meter, sep pyvalue.Value, items []pyvalue.Value) (pyvalue.Value, error) {
	markup := isMarkup(sep)
	for _, v := range items {
		markup = markup || isMarkup(v)
	}
	if !markup {
		text, err := pyvalue.Text(m, sep)
		if err != nil {
			return nil, err
		}
		joined, err := pyvalue.Join(m, text, items)
		return pyvalue.NewStr(joined), err
	}
	escaped, err := pyvalue.Escape(m, sep)
	if err != nil {
		return nil, err
	}
	return method(m, escaped, "join", pyvalue.NewList(items...))
}

// isMarkup reports whether v is text that is HTML already.
func isMarkup(v pyvalue.Value) bool {
	_, ok := v.(pyvalue.Markup)
	return ok
}

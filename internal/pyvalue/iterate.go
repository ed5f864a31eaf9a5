package pyvalue

import (
	"bytes"
	"math"
	"strings"
)

// Len is len(v). The error is TypeError "object of type 'int' has no len()", or
// that of an Object's Len.
func Len(m *Meter, v Value) (int, error) {
	if s, ok := AsStr(v); ok {
		return RuneLen(s), m.Step(len(s) / textStep)
	}
	switch v := v.(type) {
	case *List:
		return len(v.Items), nil
	case *Tuple:
		return len(v.Items), nil
	case *Dict:
		return v.live, nil
	case *DictView:
		return v.Dict.live, nil
	case *Set:
		return v.d.live, nil
	case *Range:
		return v.Len(), nil
	case *Bytes:
		return len(v.B), nil
	case *Undefined:
		return 0, nil
	case *Object:
		if v.Len != nil {
			return v.Len(m)
		}
	}
	return 0, typeError("object of type '%s' has no len()", v.TypeName())
}

// Len is the number of ints in the range, at most the largest Go int.
func (r *Range) Len() int {
	var n uint64
	switch {
	case r.Step > 0 && r.Start < r.Stop:
		n = (uint64(r.Stop)-uint64(r.Start)-1)/uint64(r.Step) + 1
	case r.Step < 0 && r.Start > r.Stop:
		n = (uint64(r.Start)-uint64(r.Stop)-1)/-uint64(r.Step) + 1
	}
	return int(min(n, math.MaxInt))
}

// At returns the int at index i, 0 <= i < r.Len().
func (r *Range) At(i int) Value { return Int(r.Start + int64(i)*r.Step) }

func (r *Range) equal(o *Range) bool {
	n := r.Len()
	switch {
	case n != o.Len():
		return false
	case n == 0:
		return true
	}
	return r.Start == o.Start && (n == 1 || r.Step == o.Step)
}

// find returns the index of v in the range, or -1.
func (r *Range) find(v Value) int {
	if f, ok := v.(Float); ok && float64(f) == math.Trunc(float64(f)) && math.Abs(float64(f)) < 1<<62 {
		v = Int(f)
	}
	n, ok := AsInt(v)
	inside := r.Start <= n && n < r.Stop
	if r.Step < 0 {
		inside = r.Stop < n && n <= r.Start
	}
	if !ok || !inside {
		return -1
	}
	distance, step := uint64(n)-uint64(r.Start), uint64(r.Step)
	if r.Step < 0 {
		distance, step = -distance, -step
	}
	if distance%step != 0 {
		return -1
	}
	return int(distance / step)
}

// Iterate is iter(v). The error is TypeError "'int' object is not iterable". A
// list is seen as it changes; a dict that changes size ends its iteration with
// RuntimeError.
func Iterate(m *Meter, v Value) (*Iterator, error) {
	if s, ok := AsStr(v); ok {
		return iterateText(s), nil
	}
	switch v := v.(type) {
	case *List:
		return iterateList(v), nil
	case *Tuple:
		return NewIterator("tuple_iterator", v.Items), nil
	case *Dict:
		return iterateDict(&DictView{Dict: v, Of: ViewKeys}), nil
	case *DictView:
		return iterateDict(v), nil
	case *Set:
		return NewIterator("set_iterator", v.d.Keys()), nil
	case *Range:
		return iterateIndex("range_iterator", v.Len(), v.At), nil
	case *Bytes:
		return iterateIndex("bytes_iterator", len(v.B), func(i int) Value { return Int(v.B[i]) }), nil
	case *Iterator:
		return v, nil
	case *Undefined:
		return NewIterator("generator", nil), nil
	case *Object:
		if v.Iter != nil {
			return v.Iter(m)
		}
	}
	return nil, typeError("'%s' object is not iterable", v.TypeName())
}

// NewIterator returns an Iterator over items. It counts a step an item.
func NewIterator(kind string, items []Value) *Iterator {
	return iterateIndex(kind, len(items), func(i int) Value { return items[i] })
}

func iterateIndex(kind string, n int, at func(int) Value) *Iterator {
	i := 0
	return &Iterator{Kind: kind, Next: func(m *Meter) (Value, bool, error) {
		if i >= n {
			return nil, false, nil
		}
		i++
		return at(i - 1), true, m.Step(1)
	}}
}

func iterateList(l *List) *Iterator {
	i := 0
	return &Iterator{Kind: "list_iterator", Next: func(m *Meter) (Value, bool, error) {
		if i >= len(l.Items) {
			i = math.MaxInt // it stays at its end though the list may grow
			return nil, false, nil
		}
		i++
		return l.Items[i-1], true, m.Step(1)
	}}
}

func iterateText(s string) *Iterator {
	return &Iterator{Kind: "str_iterator", Next: func(m *Meter) (Value, bool, error) {
		if s == "" {
			return nil, false, nil
		}
		_, size := decodeRune(s)
		c := s[:size]
		s = s[size:]
		return Str{s: c}, true, m.Step(1)
	}}
}

func iterateDict(v *DictView) *Iterator {
	at, size := 0, v.Dict.live
	return &Iterator{Kind: strings.TrimSuffix(v.TypeName(), "s") + "iterator", Next: func(m *Meter) (Value, bool, error) {
		if v.Dict.live != size {
			return nil, false, Errorf("RuntimeError", "dictionary changed size during iteration")
		}
		for at < len(v.Dict.entries) {
			e := v.Dict.entries[at]
			at++
			if e.key != nil {
				return v.show(e.key, e.value), true, m.Step(1)
			}
		}
		return nil, false, nil
	}}
}

// Items is list(v), as a new slice. Errors as of Iterate, and a *BudgetError.
func Items(m *Meter, v Value) ([]Value, error) {
	if known, ok := itemsOf(v); ok {
		if err := m.Step(len(known)); err != nil {
			return nil, err
		}
		return append([]Value(nil), known...), m.list(len(known))
	}
	it, err := Iterate(m, v)
	if err != nil {
		return nil, err
	}
	var out []Value
	for {
		item, more, err := it.Next(m)
		if err != nil || !more {
			return out, err
		}
		if err := m.extend(len(out)*itemBytes, itemBytes); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
}

// itemsOf returns the items of a list or tuple without copying them.
func itemsOf(v Value) ([]Value, bool) {
	switch v := v.(type) {
	case *List:
		return v.Items, true
	case *Tuple:
		return v.Items, true
	}
	return nil, false
}

// Contains is "item in container". The error is a TypeError if the container is
// none, or the item cannot be in one of its kind.
func Contains(m *Meter, container, item Value) (bool, error) {
	if s, ok := AsStr(container); ok {
		part, ok := AsStr(item)
		if !ok {
			return false, typeError("'in <string>' requires string as left operand, not %s", item.TypeName())
		}
		return strings.Contains(s, part), m.Step(1 + len(s)/textStep)
	}
	switch c := container.(type) {
	case *Dict:
		_, found, err := c.Get(m, item)
		return found, err
	case *Set:
		_, found, err := c.d.Get(m, item)
		return found, err
	case *DictView:
		return c.contains(m, item)
	case *Range:
		return c.find(item) >= 0, nil
	case *Bytes:
		return c.contains(m, item)
	}
	return containsIn(m, container, item)
}

func containsIn(m *Meter, container, item Value) (bool, error) {
	it, err := Iterate(m, container)
	if err != nil {
		return false, typeError("argument of type '%s' is not iterable", container.TypeName())
	}
	for {
		other, more, err := it.Next(m)
		if err != nil || !more {
			return false, err
		}
		if same, err := same(m, other, item); err != nil || same {
			return same, err
		}
	}
}

func (v *DictView) contains(m *Meter, item Value) (bool, error) {
	switch v.Of {
	case ViewKeys:
		_, found, err := v.Dict.Get(m, item)
		return found, err
	case ViewItems:
		pair, ok := item.(*Tuple)
		if !ok || len(pair.Items) != 2 {
			return false, nil
		}
		value, found, err := v.Dict.Get(m, pair.Items[0])
		if err != nil || !found {
			return false, err
		}
		return same(m, value, pair.Items[1])
	}
	return containsIn(m, NewTuple(v.items()...), item)
}

func (b *Bytes) contains(m *Meter, item Value) (bool, error) {
	if err := m.Step(1 + len(b.B)/textStep); err != nil {
		return false, err
	}
	if part, ok := item.(*Bytes); ok {
		return bytes.Contains(b.B, part.B), nil
	}
	n, ok := AsInt(item)
	if !ok {
		return false, typeError("a bytes-like object is required, not '%s'", item.TypeName())
	}
	if n < 0 || n > 255 {
		return false, valueError("byte must be in range(0, 256)")
	}
	return bytes.IndexByte(b.B, byte(n)) >= 0, nil
}

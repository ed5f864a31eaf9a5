package pyvalue

import "math"

// GetItem is v[key]: TypeError, IndexError, KeyError or UndefinedError if there is
// no such item.
func GetItem(m *Meter, v, key Value) (Value, error) {
	if d, ok := v.(*Dict); ok {
		return getKey(m, d, key)
	}
	if u, ok := v.(*Undefined); ok {
		return nil, u.Err()
	}
	n, at, err := indexable(m, v)
	if err != nil {
		return nil, err
	}
	i, err := itemIndex(v, key, n)
	if err != nil {
		return nil, err
	}
	return at(i), m.Step(1)
}

func getKey(m *Meter, d *Dict, key Value) (Value, error) {
	value, found, err := d.Get(m, key)
	if err != nil || found {
		return value, err
	}
	return nil, keyError(m, key)
}

func keyError(m *Meter, key Value) error {
	text, err := Repr(m, key)
	if err != nil {
		return err
	}
	return &Error{Class: "KeyError", Message: text}
}

// indexable returns the length of a sequence and what gives its items. The text
// of a str is gone through for both.
func indexable(m *Meter, v Value) (n int, at func(int) Value, err error) {
	switch v := v.(type) {
	case *List:
		return len(v.Items), func(i int) Value { return v.Items[i] }, nil
	case *Tuple:
		return len(v.Items), func(i int) Value { return v.Items[i] }, nil
	case *Range:
		return v.Len(), v.At, nil
	case *Bytes:
		return len(v.B), func(i int) Value { return Int(v.B[i]) }, nil
	case Markup:
		return RuneLen(string(v)), func(i int) Value { return Markup(runeAt(string(v), i)) }, m.Step(len(v) / textStep)
	}
	if s, ok := AsStr(v); ok {
		return RuneLen(s), func(i int) Value { return Str{s: runeAt(s, i)} }, m.Step(len(s) / textStep)
	}
	return 0, nil, notSubscriptable(v)
}

func notSubscriptable(v Value) error {
	if c, ok := v.(*Callable); ok && c.Kind == "type" {
		return typeError("type '%s' is not subscriptable", c.Name)
	}
	return typeError("'%s' object is not subscriptable", v.TypeName())
}

// itemIndex is key as an index from 0 into a v of length n.
func itemIndex(v, key Value, n int) (int, error) {
	if !isInt(key) {
		return 0, badIndex(v, key)
	}
	i, ok := AsInt(key)
	if _, isRange := v.(*Range); !ok && isRange {
		return 0, outOfRange(v)
	}
	if !ok {
		return 0, Errorf("IndexError", "cannot fit 'int' into an index-sized integer")
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return 0, outOfRange(v)
	}
	return int(i), nil
}

func badIndex(v, key Value) error {
	kind := key.TypeName()
	switch v.(type) {
	case *List, *Tuple, *Range:
		return typeError("%s indices must be integers or slices, not %s", v.TypeName(), kind)
	case *Bytes:
		return typeError("byte indices must be integers or slices, not %s", kind)
	}
	return typeError("string indices must be integers, not '%s'", kind)
}

func outOfRange(v Value) error {
	what := v.TypeName() + " index"
	switch v.(type) {
	case *Range:
		what = "range object index"
	case *Bytes:
		what = "index"
	case *List, *Tuple:
	default:
		what = "string index"
	}
	return Errorf("IndexError", "%s out of range", what)
}

// Index is operator.index(v): v as the int it is. The error is TypeError "'str'
// object cannot be interpreted as an integer".
func Index(v Value) (Value, error) {
	switch v := v.(type) {
	case Int, *BigInt:
		return v, nil
	case Bool:
		return Int(boolInt(v)), nil
	}
	return nil, typeError("'%s' object cannot be interpreted as an integer", v.TypeName())
}

// Slice is v[start:stop:step]; None{} stands for a part that is left out. Errors
// are TypeError, ValueError for a step of 0, UndefinedError, *BudgetError.
func Slice(m *Meter, v, start, stop, step Value) (Value, error) {
	switch v := v.(type) {
	case *Undefined:
		return nil, v.Err()
	case *Dict:
		return nil, typeError("unhashable type: 'slice'")
	}
	n, at, err := indexable(m, v)
	if err != nil {
		return nil, err
	}
	cut, err := newCut(n, start, stop, step)
	if err != nil {
		return nil, err
	}
	if r, ok := v.(*Range); ok {
		return r.slice(cut), nil
	}
	if s, ok := AsStr(v); ok {
		return sliceText(m, v, s, cut)
	}
	if err := m.list(cut.n); err != nil {
		return nil, err
	}
	items := make([]Value, cut.n)
	for i := range items {
		items[i] = at(int(cut.start + int64(i)*cut.step))
	}
	return sameKind(v, items), m.Step(1 + cut.n/16)
}

func (r *Range) slice(c cut) *Range {
	step := r.Step * c.step
	if step/c.step != r.Step { // too far: there is one item at most
		step = r.Step
	}
	return &Range{r.Start + c.start*r.Step, r.Start + c.stop*r.Step, step}
}

func sameKind(v Value, items []Value) Value {
	switch v.(type) {
	case *List:
		return &List{items}
	case *Tuple:
		return &Tuple{Items: items}
	}
	out := make([]byte, len(items))
	for i, item := range items {
		n, _ := AsInt(item) // it was a byte
		out[i] = byte(n)
	}
	return &Bytes{out}
}

func sliceText(m *Meter, v Value, s string, c cut) (Value, error) {
	if err := m.Step(1 + len(s)/textStep); err != nil {
		return nil, err
	}
	var out string
	switch {
	case c.n == 0:
	case c.step == 1:
		out = substring(s, int(c.start), int(c.stop))
	default:
		all := Runes(s)
		some := make([]rune, c.n)
		for i := range some {
			some[i] = all[c.start+int64(i)*c.step]
		}
		out = FromRunes(some)
	}
	return likeText(v, out), m.Alloc(len(out))
}

// likeText returns s as Markup if v is Markup, and as a Str otherwise.
func likeText(v Value, s string) Value {
	if _, ok := v.(Markup); ok {
		return Markup(s)
	}
	return Str{s: s}
}

// cut is a slice applied to a length: n items from start, step apart, stop not
// included.
type cut struct {
	start, stop, step int64
	n                 int
}

func newCut(length int, start, stop, step Value) (cut, error) {
	c := cut{step: 1}
	by, given, err := sliceIndex(step)
	switch {
	case err != nil:
		return c, err
	case given && by == 0:
		return c, valueError("slice step cannot be zero")
	case given:
		c.step = max(by, -math.MaxInt64)
	}
	low, high := int64(0), int64(length)
	if c.step < 0 {
		low, high = -1, int64(length)-1
	}
	c.start, c.stop = low, high
	if c.step < 0 {
		c.start, c.stop = high, low
	}
	if c.start, err = clampIndex(start, c.start, length, low, high); err != nil {
		return c, err
	}
	if c.stop, err = clampIndex(stop, c.stop, length, low, high); err != nil {
		return c, err
	}
	c.n = (&Range{c.start, c.stop, c.step}).Len()
	return c, nil
}

// clampIndex is an index of a slice, counted from the end if negative, between low
// and high; missing if it is None.
func clampIndex(v Value, missing int64, length int, low, high int64) (int64, error) {
	i, given, err := sliceIndex(v)
	if err != nil || !given {
		return missing, err
	}
	if i < 0 {
		i += int64(length)
	}
	return min(max(i, low), high), nil
}

// sliceIndex is a part of a slice; false if it is None. Ints that are too large
// become the largest.
func sliceIndex(v Value) (int64, bool, error) {
	switch v := v.(type) {
	case None:
		return 0, false, nil
	case *BigInt:
		if v.n.Sign() < 0 {
			return math.MinInt64 + math.MaxInt32, true, nil
		}
		return math.MaxInt64 - math.MaxInt32, true, nil
	}
	n, ok := AsInt(v)
	if !ok {
		return 0, false, typeError("slice indices must be integers or None or have an __index__ method")
	}
	return n, true, nil
}

package pyvalue

import (
	"hash/maphash"
	"math"
	"math/big"
)

// Hashable returns nil if v can be a key, and TypeError "unhashable type: 'list'"
// or the like if it, or an item of it, cannot. Tuples are looked through, which m
// counts: tuples that share their items can be endlessly many.
func Hashable(m *Meter, v Value) error {
	switch v := v.(type) {
	case *List, *Dict, *Set:
		return unhashable(v)
	case *DictView:
		if v.Of != ViewValues {
			return unhashable(v)
		}
	case *Tuple:
		return hashableItems(m, v, 0)
	}
	return nil
}

func hashableItems(m *Meter, t *Tuple, depth int) error {
	if err := orStep(m.nest(depth), m, len(t.Items)); err != nil {
		return err
	}
	for _, item := range t.Items {
		if inner, ok := item.(*Tuple); ok {
			if err := hashableItems(m, inner, depth+1); err != nil {
				return err
			}
		} else if err := Hashable(m, item); err != nil {
			return err
		}
	}
	return nil
}

func unhashable(v Value) *Error { return typeError("unhashable type: '%s'", v.TypeName()) }

// same is what a dict and a list ask: a is b or a == b.
func same(m *Meter, a, b Value) (bool, error) {
	if x, ok := a.(Str); ok {
		if y, ok := b.(Str); ok {
			return x.s == y.s, m.Step(min(len(x.s), len(y.s)) / textStep)
		}
	}
	return (&comparer{m: m}).same(a, b)
}

// hashValue hashes so that values that are equal have one hash.
func hashValue(m *Meter, seed maphash.Seed, v Value) (uint64, error) {
	h := hasher{m: m}
	h.SetSeed(seed)
	if s, ok := v.(Str); ok { // by far the most
		_, err := h.WriteString(s.s)
		return h.Sum64(), orStep(err, m, len(s.s)/textStep)
	}
	err := h.add(v, 0)
	return h.Sum64(), err
}

func orStep(err error, m *Meter, n int) error {
	if err != nil {
		return err
	}
	return m.Step(n)
}

type hasher struct {
	maphash.Hash
	m *Meter
}

// kinds of numbers and of everything else, so that they do not meet.
const (
	hashInt byte = iota + 1
	hashBig
	hashFloat
	hashTuple
	hashOther
)

func (h *hasher) add(v Value, depth int) error {
	if s, ok := AsStr(v); ok {
		_, err := h.WriteString(s)
		return orStep(err, h.m, len(s)/textStep)
	}
	switch v := v.(type) {
	case Int:
		h.number(hashInt, uint64(v))
	case Bool:
		h.number(hashInt, uint64(boolInt(v)))
	case *BigInt:
		return h.big(v.n)
	case Float:
		return h.float(float64(v))
	case *Tuple:
		return h.tuple(v, depth)
	case *Bytes:
		_, err := h.Write(v.B)
		return orStep(err, h.m, len(v.B)/textStep)
	case *Range:
		h.number(hashOther, uint64(v.Len()))
	default:
		return h.other(v)
	}
	return nil
}

// other hashes what is only equal to itself, and None and Undefined, which are
// equal to all of their kind.
func (h *hasher) other(v Value) error {
	switch v := v.(type) {
	case None:
		h.number(hashOther, 1)
	case *Undefined:
		h.number(hashOther, 2)
	default:
		if err := Hashable(h.m, v); err != nil {
			return err
		}
		maphash.WriteComparable(&h.Hash, v)
	}
	return nil
}

func (h *hasher) number(kind byte, n uint64) {
	maphash.WriteComparable(&h.Hash, struct {
		kind byte
		n    uint64
	}{kind, n})
}

func (h *hasher) big(n *big.Int) error {
	h.number(hashBig, uint64(n.Sign()))
	_, err := h.Write(n.Bytes())
	return orStep(err, h.m, n.BitLen()/8/textStep)
}

func (h *hasher) float(f float64) error {
	switch {
	case f == math.Trunc(f) && math.Abs(f) < 1<<62:
		h.number(hashInt, uint64(int64(f)))
	case f == math.Trunc(f) && !math.IsInf(f, 0):
		n, _ := big.NewFloat(f).Int(nil)
		if n.IsInt64() {
			h.number(hashInt, uint64(n.Int64()))
			return nil
		}
		return h.big(n)
	default:
		h.number(hashFloat, math.Float64bits(f))
	}
	return nil
}

func (h *hasher) tuple(t *Tuple, depth int) error {
	if err := h.m.nest(depth); err != nil {
		return err
	}
	h.number(hashTuple, uint64(len(t.Items)))
	for _, item := range t.Items {
		if err := h.m.Step(1); err != nil {
			return err
		}
		if err := h.add(item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

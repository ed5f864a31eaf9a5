package pyvalue

import "slices"

// Sorted is sorted(values, key=key, reverse=reverse): a new slice, stable; key may
// be nil. Errors are those of key and of comparing.
func Sorted(m *Meter, values []Value, key func(Value) (Value, error), reverse bool) ([]Value, error) {
	if err := m.list(2 * len(values)); err != nil {
		return nil, err
	}
	s := sorter{m: m, pairs: make([]sortPair, len(values)), reverse: reverse}
	for i, v := range values {
		by := v
		if key != nil {
			var err error
			if by, err = key(v); err != nil {
				return nil, err
			}
		}
		s.pairs[i] = sortPair{by, v}
	}
	s.sort()
	out := make([]Value, len(values))
	for i, p := range s.pairs {
		out[i] = p.value
	}
	return out, s.err
}

type sortPair struct{ key, value Value }

// sorter sorts pairs until an error stops it.
type sorter struct {
	m       *Meter
	pairs   []sortPair
	reverse bool
	err     error
}

// shortSort is the length below which CPython's list.sort is one binary insertion
// sort. What it makes of items without an order, such as NaN, is then the same.
const shortSort = 64

func (s *sorter) sort() {
	if s.reverse {
		slices.Reverse(s.pairs)
	}
	if len(s.pairs) < shortSort {
		s.insertAll()
	} else {
		slices.SortStableFunc(s.pairs, func(a, b sortPair) int {
			switch {
			case s.less(a, b):
				return -1
			case s.less(b, a):
				return 1
			}
			return 0
		})
	}
	if s.reverse {
		slices.Reverse(s.pairs)
	}
}

// less is a < b, false after an error.
func (s *sorter) less(a, b sortPair) bool {
	if s.err != nil {
		return false
	}
	var less bool
	less, s.err = Compare(s.m, LT, a.key, b.key)
	return less && s.err == nil
}

// insertAll puts each item behind the last one that is not greater. The run at the
// beginning is left as it is, or turned if it falls.
func (s *sorter) insertAll() {
	for i := s.run(); i < len(s.pairs) && s.err == nil; i++ {
		pair := s.pairs[i]
		low, high := 0, i
		for low < high {
			middle := (low + high) / 2
			if s.less(pair, s.pairs[middle]) {
				high = middle
			} else {
				low = middle + 1
			}
		}
		copy(s.pairs[low+1:i+1], s.pairs[low:i])
		s.pairs[low] = pair
	}
}

// run returns the length of the run at the beginning.
func (s *sorter) run() int {
	if len(s.pairs) < 2 {
		return len(s.pairs)
	}
	falls := s.less(s.pairs[1], s.pairs[0])
	n := 2
	for n < len(s.pairs) && s.less(s.pairs[n], s.pairs[n-1]) == falls {
		n++
	}
	if falls {
		slices.Reverse(s.pairs[:n])
	}
	return n
}

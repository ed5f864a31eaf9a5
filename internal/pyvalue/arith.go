package pyvalue

import (
	"math"
	"math/big"
	"math/bits"
	"strings"
)

// Add is a + b: numbers, and str, list, tuple and bytes with their own kind.
// Like all operators it returns a TypeError for other kinds, UndefinedError if an
// operand is undefined, and a *BudgetError before a result that is too large.
func Add(m *Meter, a, b Value) (Value, error) {
	if x, ok := a.(Int); ok {
		if y, ok := b.(Int); ok {
			if sum := x + y; (sum > x) == (y > 0) {
				return sum, m.Step(1)
			}
		}
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			items, err := concatItems(m, x.Items, y.Items)
			return &List{items}, err
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			items, err := concatItems(m, x.Items, y.Items)
			return &Tuple{Items: items}, err
		}
	case *Bytes:
		if y, ok := b.(*Bytes); ok {
			return &Bytes{append(append([]byte(nil), x.B...), y.B...)}, m.Alloc(len(x.B) + len(y.B))
		}
	}
	if IsString(a) && IsString(b) {
		return addText(m, a, b)
	}
	if IsNumber(a) && IsNumber(b) {
		return addNumbers(m, a, b)
	}
	return nil, addError(a, b)
}

func addNumbers(m *Meter, a, b Value) (Value, error) {
	return arithmetic(m, a, b, (*big.Int).Add, func(x, y float64) (float64, error) { return x + y, nil })
}

// addError is what a + b raises: sequences speak for themselves.
func addError(a, b Value) error {
	if err := undefinedOf(a, b); err != nil {
		return err
	}
	switch kind := a.TypeName(); kind {
	case "str", "list", "tuple":
		return typeError("can only concatenate %s (not \"%s\") to %s", kind, b.TypeName(), kind)
	case "bytes":
		return typeError("can't concat %s to bytes", b.TypeName())
	}
	return unsupported("+", a, b)
}

func unsupported(op string, a, b Value) error {
	if err := undefinedOf(a, b); err != nil {
		return err
	}
	return typeError("unsupported operand type(s) for %s: '%s' and '%s'", op, a.TypeName(), b.TypeName())
}

func concatItems(m *Meter, a, b []Value) ([]Value, error) {
	if err := m.list(len(a) + len(b)); err != nil {
		return nil, err
	}
	out := make([]Value, 0, len(a)+len(b))
	return append(append(out, a...), b...), m.Step(1 + cap(out)/16)
}

// addText joins two strings; if one is Markup the other is escaped.
func addText(m *Meter, a, b Value) (Value, error) {
	_, left := a.(Markup)
	_, right := b.(Markup)
	if left || right {
		return Concat(m, a, b)
	}
	x, _ := AsStr(a)
	y, _ := AsStr(b)
	if err := m.Alloc(len(x) + len(y)); err != nil {
		return nil, err
	}
	return Str{s: x + y}, m.Step(1)
}

// Sub is a - b: numbers, and views of keys, which give a set.
func Sub(m *Meter, a, b Value) (Value, error) {
	switch {
	case IsNumber(a) && IsNumber(b):
		return arithmetic(m, a, b, (*big.Int).Sub, func(x, y float64) (float64, error) { return x - y, nil })
	case isView(a) || isView(b) || isSet(a) && isSet(b):
		return difference(m, a, b)
	}
	return nil, unsupported("-", a, b)
}

func isView(v Value) bool { return isSetLike(v) && !isSet(v) }

func isSet(v Value) bool {
	_, ok := v.(*Set)
	return ok
}

func difference(m *Meter, a, b Value) (Value, error) {
	left, err := Items(m, a)
	if err != nil {
		return nil, err
	}
	right, err := Items(m, b)
	if err != nil {
		return nil, err
	}
	out := &Set{}
	for _, v := range left {
		if err := out.d.Set(m, v, None{}); err != nil {
			return nil, err
		}
	}
	for _, v := range right {
		if _, _, err := out.d.Delete(m, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Mul is a * b: numbers, and a sequence as many times as an int says.
func Mul(m *Meter, a, b Value) (Value, error) {
	_, left := a.(Markup)
	_, right := b.(Markup)
	switch {
	case IsNumber(a) && IsNumber(b):
		return mulNumbers(m, a, b)
	case left:
		return repeatValue(m, a, b)
	case undefinedOf(a, b) != nil:
		return nil, undefinedOf(a, b)
	case right:
		return repeatValue(m, b, a)
	case isSequence(a):
		return repeatValue(m, a, b)
	case isSequence(b):
		return repeatValue(m, b, a)
	}
	return nil, unsupported("*", a, b)
}

func mulNumbers(m *Meter, a, b Value) (Value, error) {
	if x, ok := a.(Int); ok {
		if y, ok := b.(Int); ok {
			hi, lo := bits.Mul64(uint64(max(x, -x)), uint64(max(y, -y)))
			if hi == 0 && lo <= math.MaxInt64 {
				return x * y, m.Step(1)
			}
		}
	}
	if err := mulCost(m, bitLen(a), bitLen(b)); err != nil {
		return nil, err
	}
	return arithmetic(m, a, b, (*big.Int).Mul, func(x, y float64) (float64, error) { return x * y, nil })
}

// mulCost counts the product (or quotient) of ints of so many bits.
func mulCost(m *Meter, a, b int) error {
	if err := m.Alloc((a + b) / 8); err != nil {
		return err
	}
	return m.Step(1 + (a/64+1)*(b/64+1)/64)
}

func bitLen(v Value) int {
	if b, ok := v.(*BigInt); ok {
		return b.n.BitLen()
	}
	return 64
}

func isSequence(v Value) bool {
	switch v.(type) {
	case *List, *Tuple, *Bytes:
		return true
	}
	return IsString(v)
}

// repeatValue is seq * n.
func repeatValue(m *Meter, seq, times Value) (Value, error) {
	if _, safe := seq.(Markup); safe && !isInt(times) {
		_, err := Index(times)
		return nil, err
	}
	if !isInt(times) {
		return nil, typeError("can't multiply sequence by non-int of type '%s'", times.TypeName())
	}
	n, ok := AsInt(times)
	if !ok {
		return nil, Errorf("OverflowError", "cannot fit 'int' into an index-sized integer")
	}
	n = max(n, 0)
	switch seq := seq.(type) {
	case *List:
		items, err := repeatItems(m, seq.Items, n)
		return &List{items}, err
	case *Tuple:
		items, err := repeatItems(m, seq.Items, n)
		return &Tuple{Items: items}, err
	case *Bytes:
		s, err := repeatText(m, string(seq.B), n)
		return &Bytes{[]byte(s)}, err
	case Markup:
		s, err := repeatText(m, string(seq), n)
		return Markup(s), err
	}
	s, _ := AsStr(seq)
	s, err := repeatText(m, s, n)
	return Str{s: s}, err
}

func repeatItems(m *Meter, items []Value, n int64) ([]Value, error) {
	size, err := product(m, len(items), n)
	if err != nil {
		return nil, err
	}
	if err := m.list(size); err != nil {
		return nil, err
	}
	out := make([]Value, 0, size)
	for range n * int64(min(len(items), 1)) {
		out = append(out, items...)
	}
	return out, m.Step(1 + size/16)
}

func repeatText(m *Meter, s string, n int64) (string, error) {
	size, err := product(m, len(s), n)
	if err != nil {
		return "", err
	}
	if err := m.Alloc(size); err != nil {
		return "", err
	}
	if size == 0 {
		return "", nil
	}
	return strings.Repeat(s, int(n)), m.Step(1 + size/1024)
}

// product is size*n, or the error of what cannot be had in any memory.
func product(m *Meter, size int, n int64) (int, error) {
	hi, lo := bits.Mul64(uint64(size), uint64(n))
	if hi == 0 && lo <= math.MaxInt/itemBytes {
		return int(lo), nil
	}
	if err := m.fits(math.MaxInt); err != nil {
		return 0, err
	}
	return 0, Errorf("MemoryError", "")
}

// arithmetic applies an operation on ints, or on floats if one of a and b is one.
func arithmetic(m *Meter, a, b Value, ints func(z, x, y *big.Int) *big.Int,
	floats func(x, y float64) (float64, error),
) (Value, error) {
	if isInt(a) && isInt(b) {
		x, _ := asBig(a)
		y, _ := asBig(b)
		if err := m.Step(1 + (x.BitLen()+y.BitLen())/64/textStep); err != nil {
			return nil, err
		}
		return NewInt(ints(new(big.Int), x, y)), nil
	}
	x, err := toFloat(a)
	if err != nil {
		return nil, err
	}
	y, err := toFloat(b)
	if err != nil {
		return nil, err
	}
	f, err := floats(x, y)
	if err != nil {
		return nil, err
	}
	return Float(f), m.Step(1)
}

// toFloat is float(v) of a number.
func toFloat(v Value) (float64, error) {
	switch v := v.(type) {
	case Float:
		return float64(v), nil
	case *BigInt:
		return bigToFloat(v.n)
	}
	n, _ := AsInt(v)
	return float64(n), nil
}

func bigToFloat(n *big.Int) (float64, error) {
	f, _ := new(big.Float).SetInt(n).Float64()
	if math.IsInf(f, 0) {
		return 0, Errorf("OverflowError", "int too large to convert to float")
	}
	return f, nil
}

// Neg is -v.
func Neg(m *Meter, v Value) (Value, error) {
	if n, ok := v.(Int); ok && n != math.MinInt64 {
		return -n, m.Step(1)
	}
	if f, ok := v.(Float); ok {
		return -f, m.Step(1)
	}
	n, ok := asBig(v)
	if !ok {
		return nil, badOperand("unary -", v)
	}
	return NewInt(new(big.Int).Neg(n)), m.Step(1 + n.BitLen()/64/textStep)
}

// Pos is +v.
func Pos(m *Meter, v Value) (Value, error) {
	if b, ok := v.(Bool); ok {
		v = Int(boolInt(b))
	}
	if !IsNumber(v) {
		return nil, badOperand("unary +", v)
	}
	return v, m.Step(1)
}

// Abs is abs(v).
func Abs(m *Meter, v Value) (Value, error) {
	if !IsNumber(v) {
		return nil, badOperand("abs()", v)
	}
	if f, ok := v.(Float); ok {
		return Float(math.Abs(float64(f))), m.Step(1)
	}
	if n, _ := asBig(v); n.Sign() < 0 {
		return Neg(m, v)
	}
	return Pos(m, v)
}

func badOperand(op string, v Value) error {
	if u, ok := v.(*Undefined); ok && op != "abs()" {
		return u.Err()
	}
	return typeError("bad operand type for %s: '%s'", op, v.TypeName())
}

package pyvalue

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

func intMethod(name string) (method, bool) {
	switch name {
	case "as_integer_ratio":
		return method{run: func(b *bound) (Value, error) {
			n, err := Index(b.self)
			return NewTuple(n, Int(1)), err
		}}, true
	case "bit_length":
		return method{run: func(b *bound) (Value, error) { return Int(b.int().BitLen()), nil }}, true
	case "bit_count":
		return method{run: bitCount}, true
	case "conjugate":
		return method{run: func(b *bound) (Value, error) { return Index(b.self) }}, true
	case "to_bytes":
		return method{arity: keywords, max: 2, names: []string{"length", "byteorder", "signed"}, run: toBytes}, true
	case "from_bytes":
		return method{arity: keywords, min: 1, max: 2, names: []string{"bytes", "byteorder", "signed"}, run: fromBytes}, true
	}
	return method{}, false
}

// int is self as a number that must not be changed.
func (b *bound) int() *big.Int {
	n, _ := asBig(b.self)
	return n
}

func bitCount(b *bound) (Value, error) {
	n := b.int()
	if err := b.m.Step(n.BitLen() / textStep); err != nil {
		return nil, err
	}
	return Int(strings.Count(new(big.Int).Abs(n).Text(2), "1")), nil
}

// order is the argument byteorder, "big" if it was not given.
func (b *bound) order() (little bool, err error) {
	v := b.arg(1)
	if v == nil {
		return false, nil
	}
	s, ok := AsStr(v)
	switch {
	case !ok:
		return false, typeError("%s() argument 'byteorder' must be str, not %s", b.name, v.TypeName())
	case s != "little" && s != "big":
		return false, valueError("byteorder must be either 'little' or 'big'")
	}
	return s == "little", nil
}

func toBytes(b *bound) (Value, error) {
	size, err := b.size(0, 1)
	if err != nil {
		return nil, err
	}
	little, err := b.order()
	if err != nil {
		return nil, err
	}
	signed := b.arg(2) != nil && Truth(b.arg(2))
	n := b.int()
	switch {
	case size < 0:
		return nil, valueError("length argument must be non-negative")
	case n.Sign() < 0 && !signed:
		return nil, Errorf("OverflowError", "can't convert negative int to unsigned")
	case !fitsBytes(n, size, signed):
		return nil, Errorf("OverflowError", "int too big to convert")
	}
	if size > math.MaxInt32 {
		return nil, hugePower(b.m)
	}
	if err := b.m.Alloc(int(size)); err != nil {
		return nil, err
	}
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size)*8))
	}
	out := n.FillBytes(make([]byte, size))
	if little {
		reverseBytes(out)
	}
	return &Bytes{out}, nil
}

// fitsBytes reports whether n can be written in size bytes.
func fitsBytes(n *big.Int, size int64, signed bool) bool {
	bits := int64(n.BitLen())
	if !signed {
		return bits <= size*8
	}
	if n.Sign() < 0 {
		bits = int64(new(big.Int).Not(n).BitLen())
	}
	return n.Sign() == 0 || bits < size*8
}

func reverseBytes(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

func fromBytes(b *bound) (Value, error) {
	from, ok := b.args[0].(*Bytes)
	if !ok {
		return nil, typeError("cannot convert '%s' object to bytes", b.args[0].TypeName())
	}
	little, err := b.order()
	if err != nil {
		return nil, err
	}
	raw := append([]byte(nil), from.B...)
	if little {
		reverseBytes(raw)
	}
	n := new(big.Int).SetBytes(raw)
	if b.arg(2) != nil && Truth(b.arg(2)) && len(raw) > 0 && raw[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(raw))*8))
	}
	return NewInt(n), nil
}

func floatMethod(name string) (method, bool) {
	switch name {
	case "as_integer_ratio":
		return method{run: floatRatio}, true
	case "conjugate":
		return method{run: func(b *bound) (Value, error) { return b.self, nil }}, true
	case "hex":
		return method{run: func(b *bound) (Value, error) { return Str{s: floatHex(b.float())}, nil }}, true
	case "fromhex":
		return method{arity: one, run: floatFromHex}, true
	case "is_integer":
		return method{run: func(b *bound) (Value, error) {
			f := b.float()
			return Bool(f == math.Trunc(f) && !math.IsInf(f, 0)), nil
		}}, true
	}
	return method{}, false
}

func (b *bound) float() float64 {
	f, ok := b.self.(Float)
	if !ok {
		return 0 // methods are bound to their own kind
	}
	return float64(f)
}

func floatRatio(b *bound) (Value, error) {
	f := b.float()
	switch {
	case math.IsNaN(f):
		return nil, valueError("cannot convert NaN to integer ratio")
	case math.IsInf(f, 0):
		return nil, Errorf("OverflowError", "cannot convert Infinity to integer ratio")
	}
	r := new(big.Rat).SetFloat64(f)
	return NewTuple(NewInt(r.Num()), NewInt(r.Denom())), nil
}

// floatHex is float.hex: thirteen digits, an exponent without zeros before it.
func floatHex(f float64) string {
	sign := ""
	if negative(f) {
		sign = "-"
	}
	a := math.Abs(f)
	switch {
	case a == 0:
		return sign + "0x0.0p+0"
	case math.IsNaN(f) || math.IsInf(f, 0):
		return string(appendFloat(nil, f))
	}
	fraction := math.Float64bits(a) & (1<<52 - 1)
	exponent := int(math.Float64bits(a)>>52) - 1023
	lead := "1"
	if exponent == -1023 {
		lead, exponent = "0", -1022
	}
	digits := strconv.FormatUint(fraction|1<<52, 16)[1:]
	power := strconv.Itoa(exponent)
	if exponent >= 0 {
		power = "+" + power
	}
	return sign + "0x" + lead + "." + digits + "p" + power
}

func floatFromHex(b *bound) (Value, error) {
	s, err := b.str(0, "bad argument type for built-in operation")
	if err != nil {
		return nil, typeError("bad argument type for built-in operation")
	}
	s = strings.ToLower(trimLeft(trimRight(s, isSpace), isSpace))
	if f, ok := parseFloat(s); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return Float(f), nil
	}
	digits, minus := cutSign(s)
	digits = strings.TrimPrefix(digits, "0x")
	if !strings.Contains(digits, "p") {
		digits += "p0"
	}
	f, err := strconv.ParseFloat("0x"+digits, 64)
	switch {
	case math.IsInf(f, 0):
		return nil, Errorf("OverflowError", "hexadecimal value too large to represent as a float")
	case err != nil || strings.ContainsAny(digits, "_"):
		return nil, valueError("invalid hexadecimal floating-point string")
	case minus:
		f = -f
	}
	return Float(f), nil
}

package pyvalue

import (
	"math"
	"math/big"
)

// Pow is a ** b: an int for an int and an int that is not negative, else a float.
// A negative number to a broken power, which Python answers with a complex
// number, is a ValueError.
func Pow(m *Meter, a, b Value) (Value, error) {
	if !IsNumber(a) || !IsNumber(b) {
		return nil, unsupported("** or pow()", a, b)
	}
	if isInt(a) && isInt(b) {
		if exponent, _ := asBig(b); exponent.Sign() >= 0 {
			base, _ := asBig(a)
			return powInts(m, base, exponent)
		}
	}
	x, err := toFloat(a)
	if err != nil {
		return nil, err
	}
	y, err := toFloat(b)
	if err != nil {
		return nil, err
	}
	if err := m.Step(8); err != nil {
		return nil, err
	}
	f, err := powFloats(x, y)
	return Float(f), err
}

func powInts(m *Meter, base, exponent *big.Int) (Value, error) {
	if base.IsInt64() && base.Int64() >= -1 && base.Int64() <= 1 {
		return Int(powUnit(base.Int64(), exponent)), m.Step(1)
	}
	bits := base.BitLen()
	if !exponent.IsInt64() || exponent.Int64() > math.MaxInt32*int64(8)/int64(bits) {
		return nil, hugePower(m)
	}
	size := bits * int(exponent.Int64())
	if err := mulCost(m, size, size); err != nil {
		return nil, err
	}
	return NewInt(new(big.Int).Exp(base, exponent, nil)), nil
}

// powUnit is base**exponent for a base of -1, 0 or 1.
func powUnit(base int64, exponent *big.Int) int64 {
	switch {
	case exponent.Sign() == 0:
		return 1
	case base == -1 && exponent.Bit(0) == 0:
		return 1
	}
	return base
}

// hugePower refuses what no memory holds.
func hugePower(m *Meter) error {
	if err := m.fits(math.MaxInt); err != nil {
		return err
	}
	return Errorf("MemoryError", "")
}

func powFloats(x, y float64) (float64, error) {
	switch {
	case x == 0 && y < 0:
		return 0, divisionByZero("0.0 cannot be raised to a negative power")
	case x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) && !math.IsNaN(y):
		return 0, valueError("negative number cannot be raised to a fractional power")
	}
	f := nearestPow(x, y)
	if math.IsInf(f, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return 0, Errorf("OverflowError", "(34, 'Numerical result out of range')")
	}
	return f, nil
}

// powPrecision is enough for the nearest float of all but a few powers in 2**60.
const powPrecision = 192

// nearestPow is x**y rounded once. math.Pow may be off by more than a bit, which
// shows in the seventeen digits that Python prints.
func nearestPow(x, y float64) float64 {
	f := math.Pow(x, y)
	if f == 0 || f == 1 || math.IsInf(f, 0) || math.IsNaN(f) || math.IsInf(x, 0) || math.IsInf(y, 0) {
		return f
	}
	exact := bigPow(math.Abs(x), y)
	f, _ = exact.Float64()
	if x < 0 && math.Mod(y, 2) != 0 {
		return -f
	}
	return f
}

// bigPow is x**y for x > 0: by squaring if y is a small int, else exp(y*log(x)).
func bigPow(x, y float64) *big.Float {
	base := newBig(x)
	if y == math.Trunc(y) && math.Abs(y) <= 1<<20 {
		return bigPowInt(base, int(y))
	}
	return bigExp(base.Mul(bigLog(base), newBig(y)))
}

func newBig(f float64) *big.Float { return new(big.Float).SetPrec(powPrecision).SetFloat64(f) }

func bigPowInt(base *big.Float, n int) *big.Float {
	result := newBig(1)
	for k := max(n, -n); k > 0; k >>= 1 {
		if k&1 == 1 {
			result.Mul(result, base)
		}
		base.Mul(base, base)
	}
	if n < 0 {
		return newBig(1).Quo(newBig(1), result)
	}
	return result
}

// bigLog is the natural logarithm of x > 0, as 2*artanh((f-1)/(f+1)) + e*log(2)
// with x = f * 2**e and f near 1.
func bigLog(x *big.Float) *big.Float {
	f := newBig(0)
	e := x.MantExp(f)
	if f.Cmp(newBig(math.Sqrt2/2)) < 0 {
		f.Mul(f, newBig(2))
		e--
	}
	one := newBig(1)
	z := newBig(0).Quo(newBig(0).Sub(f, one), newBig(0).Add(f, one))
	log := artanh2(z)
	return log.Add(log, newBig(0).Mul(newBig(float64(e)), bigLog2()))
}

// bigLog2 is log(2) = 2*artanh(1/3).
func bigLog2() *big.Float { return artanh2(newBig(0).Quo(newBig(1), newBig(3))) }

// artanh2 is 2*artanh(z) = 2 * (z + z**3/3 + z**5/5 + …) for |z| <= 1/3.
func artanh2(z *big.Float) *big.Float {
	sum, power, square := newBig(0), newBig(0).Set(z), newBig(0).Mul(z, z)
	for k := 1; k < powPrecision; k += 2 {
		sum.Add(sum, newBig(0).Quo(power, newBig(float64(k))))
		power.Mul(power, square)
	}
	return sum.Mul(sum, newBig(2))
}

// bigExp is e**x, as e**r * 2**k with x = k*log(2) + r.
func bigExp(x *big.Float) *big.Float {
	log2 := bigLog2()
	ratio, _ := newBig(0).Quo(x, log2).Float64()
	k := math.Round(ratio)
	r := newBig(0).Sub(x, newBig(0).Mul(newBig(k), log2))
	sum, term := newBig(1), newBig(1)
	for n := 1; n < powPrecision/3; n++ {
		term.Mul(term, newBig(0).Quo(r, newBig(float64(n))))
		sum.Add(sum, term)
	}
	return sum.SetMantExp(sum, int(k))
}

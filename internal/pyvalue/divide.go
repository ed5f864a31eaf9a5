package pyvalue

import (
	"math"
	"math/big"
)

// Div is a / b, a float always; of two ints the float nearest to the quotient.
func Div(m *Meter, a, b Value) (Value, error) {
	if !IsNumber(a) || !IsNumber(b) {
		return nil, unsupported("/", a, b)
	}
	if isInt(a) && isInt(b) {
		f, err := divideInts(m, a, b)
		return Float(f), err
	}
	return arithmetic(m, a, b, nil, func(x, y float64) (float64, error) {
		if y == 0 {
			return 0, divisionByZero("float division by zero")
		}
		return x / y, nil
	})
}

func divisionByZero(text string) error { return &Error{Class: "ZeroDivisionError", Message: text} }

// exactInt is the bound below which every int is a float.
const exactInt = 1 << 53

func divideInts(m *Meter, a, b Value) (float64, error) {
	x, _ := asBig(a)
	y, _ := asBig(b)
	if y.Sign() == 0 {
		return 0, divisionByZero("division by zero")
	}
	if x.IsInt64() && y.IsInt64() && fitsFloat(x.Int64()) && fitsFloat(y.Int64()) {
		return float64(x.Int64()) / float64(y.Int64()), m.Step(1)
	}
	if x.Sign() == 0 {
		return math.Copysign(0, float64(y.Sign())), m.Step(1)
	}
	size := max(x.BitLen(), y.BitLen())
	if err := mulCost(m, 2*size, 2*size); err != nil { // a common divisor is looked for
		return 0, err
	}
	f, _ := new(big.Rat).SetFrac(x, y).Float64()
	if math.IsInf(f, 0) {
		return 0, Errorf("OverflowError", "integer division result too large for a float")
	}
	return f, nil
}

func fitsFloat(n int64) bool { return n >= -exactInt && n <= exactInt }

// FloorDiv is a // b, rounded towards minus infinity.
func FloorDiv(m *Meter, a, b Value) (Value, error) {
	if !IsNumber(a) || !IsNumber(b) {
		return nil, unsupported("//", a, b)
	}
	if err := divisible(m, a, b, "integer division or modulo by zero", "float floor division by zero"); err != nil {
		return nil, err
	}
	return arithmetic(m, a, b, floorDiv, func(x, y float64) (float64, error) { return floatFloorDiv(x, y), nil })
}

// Mod is a % b. For numbers it has the sign of b; a str on the left is filled in
// as printf does.
func Mod(m *Meter, a, b Value) (Value, error) {
	switch {
	case IsString(a):
		return printf(m, a, b)
	case !IsNumber(a) || !IsNumber(b):
		return nil, unsupported("%", a, b)
	}
	if err := divisible(m, a, b, "integer modulo by zero", "float modulo"); err != nil {
		return nil, err
	}
	return arithmetic(m, a, b, floorMod, func(x, y float64) (float64, error) { return floatMod(x, y), nil })
}

// divisible refuses a zero b, in the words for ints or for floats, and counts.
func divisible(m *Meter, a, b Value, ints, floats string) error {
	if isInt(a) && isInt(b) {
		if !Truth(b) {
			return divisionByZero(ints)
		}
		return mulCost(m, bitLen(a), bitLen(b))
	}
	if !Truth(b) {
		return divisionByZero(floats)
	}
	return nil
}

func floorDiv(z, x, y *big.Int) *big.Int {
	z.QuoRem(x, y, new(big.Int))
	return correctFloor(z, x, y)
}

// correctFloor makes the quotient z of x and y, cut towards zero, the floor.
func correctFloor(z, x, y *big.Int) *big.Int {
	if x.Sign()*y.Sign() < 0 && new(big.Int).Mul(z, y).Cmp(x) != 0 {
		z.Sub(z, big.NewInt(1))
	}
	return z
}

func floorMod(z, x, y *big.Int) *big.Int {
	z.Rem(x, y)
	if z.Sign()*y.Sign() < 0 {
		z.Add(z, y)
	}
	return z
}

func floatMod(x, y float64) float64 {
	mod := math.Mod(x, y)
	switch {
	case mod == 0:
		return math.Copysign(0, y)
	case (y < 0) != (mod < 0):
		return mod + y
	}
	return mod
}

// floatFloorDiv is float.__floordiv__, which corrects (x - x%y) / y for the
// rounding of its last step.
func floatFloorDiv(x, y float64) float64 {
	mod := math.Mod(x, y)
	div := (x - mod) / y
	if mod != 0 && (y < 0) != (mod < 0) {
		div--
	}
	if div == 0 {
		return math.Copysign(0, x/y)
	}
	floor := math.Floor(div)
	if div-floor > 0.5 {
		floor++
	}
	return floor
}

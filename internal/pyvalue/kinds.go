package pyvalue

import (
	"math"
	"math/big"
)

// AsStr returns the text of a Str, of a Markup or of an Object that is like a
// string.
func AsStr(v Value) (string, bool) {
	switch v := v.(type) {
	case Str:
		return v.s, true
	case Markup:
		return string(v), true
	case *Object:
		if v.Like != nil {
			return v.Like.s, true
		}
	}
	return "", false
}

// AsInt returns the number of an Int or a Bool, and false for all other kinds.
func AsInt(v Value) (int64, bool) {
	switch v := v.(type) {
	case Int:
		return int64(v), true
	case Bool:
		return boolInt(v), true
	}
	return 0, false
}

func boolInt(b Bool) int64 {
	if b {
		return 1
	}
	return 0
}

// asBig returns an int of any size, a bool among them; the result must not be
// changed.
func asBig(v Value) (*big.Int, bool) {
	if b, ok := v.(*BigInt); ok {
		return b.n, true
	}
	n, ok := AsInt(v)
	if !ok {
		return nil, false
	}
	return big.NewInt(n), true
}

func isInt(v Value) bool {
	switch v.(type) {
	case Int, *BigInt, Bool:
		return true
	}
	return false
}

// IsInteger reports whether v is an int and no bool.
func IsInteger(v Value) bool {
	_, isBool := v.(Bool)
	return isInt(v) && !isBool
}

// IsNumber reports whether v is an int, a bool or a float.
func IsNumber(v Value) bool {
	_, isFloat := v.(Float)
	return isFloat || isInt(v)
}

// IsString reports whether v is a str; an Object that is like a string is one.
func IsString(v Value) bool {
	_, ok := AsStr(v)
	return ok
}

// IsCallable is callable(v).
func IsCallable(v Value) bool {
	switch v := v.(type) {
	case *Callable, *Undefined: // jinja2.Undefined has a __call__, which raises
		return true
	case *Object:
		return v.Call != nil
	}
	return false
}

// Truth is bool(v). Only an empty container, an empty string, a zero, False,
// None and Undefined are false.
func Truth(v Value) bool {
	switch v := v.(type) {
	case None, *Undefined:
		return false
	case Bool:
		return bool(v)
	case Int:
		return v != 0
	case Float:
		return v != 0
	case *Iterator, *Callable, *BigInt:
		return true
	}
	n, err := Len(nil, v)
	return err != nil || n != 0
}

// Is is "a is b". Values that Go does not give an identity, which are numbers and
// strings, are identical when kind and value are, NaN included.
func Is(a, b Value) bool {
	switch x := a.(type) {
	case Str:
		y, ok := b.(Str)
		return ok && x.s == y.s
	case Float:
		y, ok := b.(Float)
		return ok && math.Float64bits(float64(x)) == math.Float64bits(float64(y))
	}
	return a == b
}

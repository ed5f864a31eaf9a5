package pyvalue

import (
	"math"
	"math/big"
	"strconv"
)

// maxIntDigits is sys.get_int_max_str_digits(): longer ints are not converted to
// text or from it, in either direction.
const maxIntDigits = 4300

// maxIntBits is a bound above which an int has more than maxIntDigits digits.
const maxIntBits = maxIntDigits*10/3 + 1

func tooManyDigits() *Error {
	return valueError("Exceeds the limit (%d digits) for integer string conversion;"+
		" use sys.set_int_max_str_digits() to increase the limit", maxIntDigits)
}

// appendBig appends the decimal digits of n.
func appendBig(dst []byte, n *big.Int) ([]byte, error) {
	if n.BitLen() > maxIntBits {
		return nil, tooManyDigits()
	}
	start := len(dst)
	dst = n.Append(dst, 10)
	digits := len(dst) - start
	if n.Sign() < 0 {
		digits--
	}
	if digits > maxIntDigits {
		return nil, tooManyDigits()
	}
	return dst, nil
}

// appendFloat appends repr(f): the shortest digits that read back as f, with an
// exponent below 1e-4 and from 1e16.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

package export

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"
)

// sameJSON reports whether two JSON texts are certainly equal in the sense of
// util.isDeepStrictEqual, without building values: it walks both side by side
// and compares what they mean token by token. It is not certain where keys
// stand in another order, and of faults it says nothing: the caller then
// compares values.
func sameJSON(a, b *jsonCursor) bool {
	a.space()
	b.space()
	if !sameValue(a, b) {
		return false
	}
	return a.end() == nil && b.end() == nil
}

// sameValue recurses as deeply as both texts are nested alike; what is in a
// bundle has been refused beforehand when that is too deep.
func sameValue(a, b *jsonCursor) bool {
	kind := a.kind()
	if kind != b.kind() {
		return false
	}
	switch kind {
	case ecmajson.Object, ecmajson.Array:
		return sameContainer(a, b)
	}
	x, errX := a.raw()
	y, errY := b.raw()
	if errX != nil || errY != nil {
		return false
	}
	return bytes.Equal(x, y) || sameScalar(kind, x, y)
}

func sameContainer(a, b *jsonCursor) bool {
	opening := byte(a.peek())
	if a.push(opening) != nil || b.push(opening) != nil || len(a.open) > maxJudgedDepth {
		return false
	}
	a.space()
	b.space()
	closing := opening + 2
	for first := true; a.peek() != int(closing); first = false {
		if a.separator(first, closing) != nil || b.separator(first, closing) != nil {
			return false
		}
		if closing == '}' && !sameKey(a, b) || !sameValue(a, b) {
			return false
		}
		a.space()
		b.space()
	}
	if b.peek() != int(closing) {
		return false
	}
	a.pop()
	b.pop()
	return true
}

func sameKey(a, b *jsonCursor) bool {
	if a.kind() != ecmajson.String || b.kind() != ecmajson.String {
		return false
	}
	x, errX := a.raw()
	y, errY := b.raw()
	if errX != nil || errY != nil || !bytes.Equal(x, y) && !sameScalar(ecmajson.String, x, y) {
		return false
	}
	return a.colon() == nil && b.colon() == nil
}

// sameScalar compares two valid literals that are spelt differently.
func sameScalar(kind ecmajson.Kind, x, y []byte) bool {
	switch kind {
	case ecmajson.String:
		a, errA := unquote(x)
		b, errB := unquote(y)
		return errA == nil && errB == nil && a == b
	case ecmajson.Number:
		// Values that differ only in their spelling are rare: reuse the parser.
		a, errA := ecmajson.Parse(x, ecmajson.Options{})
		b, errB := ecmajson.Parse(y, ecmajson.Options{})
		return errA == nil && errB == nil && ecmajson.Equal(a, b)
	}
	return false
}

// sameStream reports whether two streams hold the same bytes, and if not, how
// many are equal before the first difference. It reads a to its end all the same.
func sameStream(a, b *cursor) (same bool, equal int64, err error) {
	for a.peek() >= 0 && b.peek() >= 0 {
		x, y := a.window[a.pos:], b.window[b.pos:]
		n := min(len(x), len(y))
		k := commonPrefix(x[:n], y[:n])
		equal += int64(k)
		a.pos += k
		b.pos += k
		if k < n {
			break
		}
	}
	same = a.peek() < 0 && b.peek() < 0
	for a.peek() >= 0 {
		a.pos = len(a.window)
	}
	return same, equal, cmp.Or(a.fault(), b.fault())
}

// commonPrefix returns how many bytes at the start of a and b, which are
// equally long, are equal.
func commonPrefix(a, b []byte) int {
	if bytes.Equal(a, b) {
		return len(a)
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// strictEqual is === for two JSON values: objects and arrays are never
// identical, 0 and -0 are, and two absent values (undefined) are.
func strictEqual(a, b *ecmajson.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case ecmajson.Object, ecmajson.Array:
		return false
	case ecmajson.Number:
		return a.Num() == b.Num()
	}
	return ecmajson.Equal(a, b)
}

// isInteger is Number.isInteger.
func isInteger(v *ecmajson.Value) bool {
	return v.Is(ecmajson.Number) && v.Num() == math.Trunc(v.Num()) && !math.IsInf(v.Num(), 0)
}

// isCount reports whether v is an integer that is not negative.
func isCount(v *ecmajson.Value) bool { return isInteger(v) && v.Num() >= 0 }

// isCountOf reports whether v is the number n.
func isCountOf(v *ecmajson.Value, n int64) bool {
	return v.Is(ecmajson.Number) && v.Num() == float64(n)
}

// display is what a template literal prints for a value.
func display(v *ecmajson.Value) string {
	if v.Is(ecmajson.Number) && math.IsInf(v.Num(), 0) {
		return strings.TrimPrefix(strconv.FormatFloat(v.Num(), 'g', -1, 64), "+") + "inity"
	}
	return propertyKey(v)
}

package config

import (
	"math"
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"
)

// The rules of the Node CLI compare and print values without looking at their
// types first, so their texts depend on ECMAScript's conversions.

// ownMembers returns an object's members in the order in which ECMAScript
// enumerates them: integer-like keys first, ascending.
func ownMembers(v *ecmajson.Value) []ecmajson.Member {
	byKey := make(map[string]ecmajson.Member, v.Len())
	for _, m := range v.Members() {
		byKey[m.Key] = m
	}
	var list []ecmajson.Member
	for _, k := range v.OwnKeys() {
		list = append(list, byKey[k])
	}
	return list
}

// toString is ToString (ECMA-262, section 7.1.17). An object whose own
// toString is no function makes ECMAScript throw and the Node CLI crash; here
// it is "[object Object]" like any other.
func toString(v *ecmajson.Value) string {
	var b strings.Builder
	writeString(&b, v)
	return b.String()
}

func writeString(b *strings.Builder, v *ecmajson.Value) {
	switch v.Kind() {
	case ecmajson.Null:
		b.WriteString("null")
	case ecmajson.Bool:
		b.WriteString(strconv.FormatBool(v.True()))
	case ecmajson.Number:
		b.WriteString(numberText(v.Num()))
	case ecmajson.String:
		b.WriteString(v.Str())
	case ecmajson.Object:
		b.WriteString("[object Object]")
	case ecmajson.Array:
		for i, item := range v.Items() {
			if i > 0 {
				b.WriteByte(',')
			}
			if !item.Is(ecmajson.Null) {
				writeString(b, item)
			}
		}
	}
}

func numberText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return ecmajson.NewNumber(f).Literal()
}

// toNumber is ToNumber (ECMA-262, section 7.1.4); NaN when there is no number
// in v.
func toNumber(v *ecmajson.Value) float64 {
	switch v.Kind() {
	case ecmajson.Null:
		return 0
	case ecmajson.Bool:
		if v.True() {
			return 1
		}
		return 0
	case ecmajson.Number:
		return v.Num()
	case ecmajson.String, ecmajson.Array:
		return stringToNumber(toString(v))
	}
	return math.NaN()
}

// stringToNumber is StringToNumber (ECMA-262, section 7.1.4.1.1).
func stringToNumber(s string) float64 {
	s = ecmajson.Trim(s)
	if s == "" {
		return 0
	}
	if len(s) > 2 && s[0] == '0' {
		if base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]; base != 0 {
			return digitsToNumber(s[2:], base)
		}
	}
	switch s {
	case "Infinity", "+Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	// ParseFloat knows spellings that ECMAScript lacks: hexadecimal, inf, underscores.
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// digitsToNumber reads the digits after 0x, 0o or 0b.
func digitsToNumber(digits string, base int) float64 {
	f := 0.0
	for i := range len(digits) {
		d, err := strconv.ParseUint(digits[i:i+1], base, 8)
		if err != nil {
			return math.NaN()
		}
		f = f*float64(base) + float64(d)
	}
	return f
}

// isInteger is Number.isInteger: 5000.0 and 5e3 are integers, Infinity is not.
func isInteger(v *ecmajson.Value) bool {
	f := v.Num()
	return v.Is(ecmajson.Number) && f == math.Trunc(f) && !math.IsInf(f, 0)
}

package jinja

import (
	"math"
	"strconv"

	"agentxchain/internal/pyvalue"
)

// absFilter is x|abs: the absolute value of a number.
func absFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("abs", required("x"))
	if err != nil {
		return nil, err
	}
	return pyvalue.Abs(f.meter, a[0])
}

// floatFilter is value|float(default=0.0): the number, or default if it is none.
func floatFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_float", required("value"), optional("default", pyvalue.Float(0)))
	if err != nil {
		return nil, err
	}
	v, err := pyvalue.FloatFrom(f.meter, a[0])
	if raised(err, "TypeError", "ValueError") {
		return a[1], nil
	}
	return v, err
}

// intFilter is value|int(default=0, base=10): the whole number; a text such as "42.23"
// goes by way of a float.
func intFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_int", required("value"), optional("default", pyvalue.Int(0)), optional("base", pyvalue.Int(10)))
	if err != nil {
		return nil, err
	}
	v, err := integerOf(f.meter, a[0], a[2])
	if !raised(err, "TypeError", "ValueError") {
		return v, err
	}
	number, err := pyvalue.FloatFrom(f.meter, a[0])
	if err == nil {
		v, err = pyvalue.IntFrom(f.meter, number, 10)
	}
	if raised(err, "TypeError", "ValueError", "OverflowError") {
		return a[1], nil
	}
	return v, err
}

// integerOf is int(v, base) of a string, int(v) of everything else.
func integerOf(m *pyvalue.Meter, v, base pyvalue.Value) (pyvalue.Value, error) {
	if !pyvalue.IsString(v) {
		return pyvalue.IntFrom(m, v, 10)
	}
	index, err := pyvalue.Index(base)
	if err != nil {
		return nil, err
	}
	n, ok := pyvalue.AsInt(index)
	if !ok || n < 0 || n == 1 || n > 36 {
		return nil, pyvalue.Errorf("ValueError", "int() base must be >= 2 and <= 36, or 0")
	}
	return pyvalue.IntFrom(m, v, int(n))
}

// filesizeformatFilter is value|filesizeformat(binary=False): "13 kB", or "12.7 KiB".
func filesizeformatFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_filesizeformat", required("value"), optional("binary", pyvalue.Bool(false)))
	if err != nil {
		return nil, err
	}
	n, err := pyvalue.FloatFrom(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	binary := pyvalue.Truth(a[1])
	if n == 1 || float64(n) >= fileSizeBase(binary) || n != n {
		return str(fileSize(float64(n), binary)), nil
	}
	whole, err := pyvalue.IntFrom(f.meter, n, 10)
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.Text(f.meter, whole)
	return str(text + " Bytes"), err
}

// fileSizeBase is the size of the first unit.
func fileSizeBase(binary bool) float64 {
	if binary {
		return 1024
	}
	return 1000
}

// fileSize writes a size that is not below the base in the largest unit that
// fits.
func fileSize(n float64, binary bool) string {
	if n == 1 {
		return "1 Byte"
	}
	suffix, prefixes := "B", "kMGTPEZY"
	if binary {
		suffix, prefixes = "iB", "KMGTPEZY"
	}
	for i := 0; ; i++ {
		unit := math.Pow10(3 * (i + 2))
		if binary {
			unit = math.Ldexp(1, 10*(i+2))
		}
		if n < unit || i == len(prefixes)-1 {
			return decimal(fileSizeBase(binary)*n/unit) + " " + prefixes[i:i+1] + suffix
		}
	}
}

// decimal is f"{x:.1f}".
func decimal(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "inf"
	case math.IsNaN(x):
		return "nan"
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

// roundFilter is value|round(precision=0, method="common"): Python's round(), half to
// even on the binary value, or math.ceil or math.floor of the scaled value.
func roundFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_round", required("value"), optional("precision", pyvalue.Int(0)), optional("method", str("common")))
	if err != nil {
		return nil, err
	}
	if err := pyvalue.Hashable(f.meter, a[2]); err != nil {
		return nil, err
	}
	switch way, _ := pyvalue.AsStr(a[2]); way {
	case "common":
		return pyvalue.Round(f.meter, a[0], a[1])
	case "ceil":
		return roundTo(f.meter, a[0], a[1], math.Ceil)
	case "floor":
		return roundTo(f.meter, a[0], a[1], math.Floor)
	}
	return nil, pyvalue.Errorf("FilterArgumentError", "method must be common, ceil or floor")
}

// roundTo is way(v * 10**precision) / 10**precision.
func roundTo(m *pyvalue.Meter, v, precision pyvalue.Value, way func(float64) float64) (pyvalue.Value, error) {
	scale, err := pyvalue.Pow(m, pyvalue.Int(10), precision)
	if err != nil {
		return nil, err
	}
	scaled, err := pyvalue.Mul(m, v, scale)
	if err != nil {
		return nil, err
	}
	whole, err := wholeNumber(m, scaled, way)
	if err != nil {
		return nil, err
	}
	return pyvalue.Div(m, whole, scale)
}

// wholeNumber is math.ceil or math.floor.
func wholeNumber(m *pyvalue.Meter, v pyvalue.Value, way func(float64) float64) (pyvalue.Value, error) {
	if x, ok := v.(pyvalue.Float); ok {
		return pyvalue.IntFrom(m, pyvalue.Float(way(float64(x))), 10)
	}
	if !pyvalue.IsNumber(v) {
		return nil, pyvalue.Errorf("TypeError", "must be real number, not %s", v.TypeName())
	}
	return pyvalue.IntFrom(m, v, 10)
}

// sumFilter is iterable|sum(attribute=None, start=0).
func sumFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("sync_do_sum", required("iterable"), optional("attribute", pyvalue.None{}), optional("start", pyvalue.Int(0)))
	if err != nil {
		return nil, err
	}
	sum := a[2]
	if pyvalue.IsString(sum) {
		return nil, pyvalue.Errorf("TypeError", "sum() can't sum strings [use ''.join(seq) instead]")
	}
	get, err := f.getter(a[1], getterOptions{})
	if err != nil {
		return nil, err
	}
	err = f.each(a[0], func(v pyvalue.Value) error {
		v, err := get(v)
		if err == nil {
			sum, err = pyvalue.Add(f.meter, sum, v)
		}
		return err
	})
	return sum, err
}

package pyvalue_test

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"agentxchain/internal/pyvalue"

	"pgregory.net/rapid"
)

// FuzzFormat: no format does more than its budget allows, and what is made has the
// width that was asked for.
func FuzzFormat(f *testing.F) {
	file, err := os.Open("testdata/python.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		v, err := pyvalue.FromJSON(lines.Bytes(), pyvalue.JSONLimits{})
		if err != nil {
			f.Fatal(err)
		}
		parts := list(v)
		switch on := list(parts[2]); text(parts[0]) {
		case "format":
			f.Add(text(list(on[1])[1]), 1.5, int64(12))
		case "mod", "strformat":
			f.Add(text(list(on[0])[1]), math.Copysign(0, -1), int64(-1))
		}
	}
	f.Fuzz(func(t *testing.T, format string, float float64, n int64) {
		m := pyvalue.NewMeter(pyvalue.Limits{Steps: 1 << 20, StringBytes: 1 << 16, TotalBytes: 1 << 22}, nil)
		values := []pyvalue.Value{pyvalue.Float(float), pyvalue.Int(n), pyvalue.NewStr(format), pyvalue.Bool(n > 0)}
		for _, v := range values {
			if s, err := pyvalue.Format(m, v, format); err == nil && len(s) > 1<<16 {
				t.Errorf("%d bytes", len(s))
			}
		}
		for _, template := range []pyvalue.Value{pyvalue.NewStr(format), pyvalue.Markup(format)} {
			call := pyvalue.Call{Args: values, Meter: m, Kwargs: []pyvalue.Kwarg{{Name: "a", Value: values[0]}}}
			if v, err := pyvalue.StrFormat(template, call); err == nil && v.TypeName() != template.TypeName() {
				t.Errorf("%s makes %s", template.TypeName(), v.TypeName())
			}
			if v, err := pyvalue.Mod(m, template, pyvalue.NewTuple(values...)); err == nil && !pyvalue.IsString(v) {
				t.Errorf("%% makes %s", v.TypeName())
			}
		}
	})
}

// TestFloatsReadBack: repr of a float is the shortest text that is that float.
func TestFloatsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		s, err := pyvalue.Repr(nil, pyvalue.Float(f))
		if err != nil {
			t.Fatal(err)
		}
		back, err := pyvalue.FloatFrom(nil, pyvalue.NewStr(s))
		if err != nil || math.Float64bits(float64(back)) != math.Float64bits(f) {
			t.Fatalf("%v is %s is %v, %v", f, s, back, err)
		}
		if short := strconv.FormatFloat(f, 'e', -1, 64); digits(s) != digits(short) {
			t.Fatalf("%s has other digits than %s", s, short)
		}
	})
}

// digits are the significant digits of a float's text.
func digits(s string) string {
	s, _, _ = strings.Cut(s, "e")
	return strings.Trim(strings.NewReplacer(".", "", "-", "").Replace(s), "0")
}

// TestSlices compares slices with those of the code points.
func TestSlices(t *testing.T) {
	index := rapid.OneOf(rapid.Just(pyvalue.Value(pyvalue.None{})),
		rapid.Map(rapid.IntRange(-12, 12), func(i int) pyvalue.Value { return pyvalue.Int(i) }))
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("aé漢😀")), 0, 8, -1).Draw(t, "s")
		start, stop, step := index.Draw(t, "start"), index.Draw(t, "stop"), index.Draw(t, "step")
		if step == pyvalue.Value(pyvalue.Int(0)) {
			return
		}
		chars, err := pyvalue.Items(nil, pyvalue.NewStr(s))
		if err != nil {
			t.Fatal(err)
		}
		some, err := pyvalue.Slice(nil, pyvalue.NewList(chars...), start, stop, step)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pyvalue.Join(nil, "", some.(*pyvalue.List).Items)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pyvalue.Slice(nil, pyvalue.NewStr(s), start, stop, step); text(got) != want || err != nil {
			t.Fatalf("got %q, %v, want %q", text(got), err, want)
		}
	})
}

func TestRunes(t *testing.T) {
	for _, s := range []string{"", "aé漢😀", "\xed\xa0\x80x\xed\xbf\xbf"} {
		rs := pyvalue.Runes(s)
		if pyvalue.FromRunes(rs) != s || pyvalue.RuneLen(s) != len(rs) {
			t.Errorf("%q has %d code points, %x", s, pyvalue.RuneLen(s), rs)
		}
	}
	if rs := pyvalue.Runes("\xff\xc3"); string(rs) != "\ufffd\ufffd" {
		t.Errorf("bytes that are no text: %x", rs)
	}
}

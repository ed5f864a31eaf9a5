package ecmajson_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"
)

func parse(t *testing.T, src string) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
	if err != nil {
		t.Fatalf("Parse(%q): %v", src, err)
	}
	return v
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		{`{"a":null}`, `{}`, false},
		{`{"a":1,"a":2}`, `{"a":2}`, true},
		{`0`, `-0`, false},
		{`1e400`, `2e400`, true},
		{`1e-400`, `0`, true},
		{`9007199254740993`, `9007199254740992`, true},
		{`9007199254740993`, `9007199254740994`, false},
		{`1.50`, `1.5`, true},
		{`"\ud800"`, `"\ufffd"`, false},
		{`"\ud800"`, `"\ud801"`, false},
		{`"\ud83d\ude00"`, `"😀"`, true},
		{`"\u003c\/"`, `"</"`, true},
		{`1`, `"1"`, false},
		{`[]`, `{}`, false},
		{`{"__proto__":1}`, `{}`, false},
		{"\"\xe2\x98A\"", `"\ufffdA"`, true},
		{"\"a\xe2\x98A\"", `"a` + "\ufffd\ufffd" + `A"`, false},
	} {
		if got := ecmajson.Equal(parse(t, c.a), parse(t, c.b)); got != c.want {
			t.Errorf("Equal(%s, %s) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestOwnKeysPutsIndicesFirst(t *testing.T) {
	v := parse(t, `{"b":1,"10":1,"2":1,"a":1,"01":1,"4294967295":1,"4294967294":1}`)
	want := []string{"2", "10", "4294967294", "b", "a", "01", "4294967295"}
	if d := cmp.Diff(want, v.OwnKeys()); d != "" {
		t.Error(d)
	}
}

func TestSyntaxErrors(t *testing.T) {
	for src, want := range map[string]string{
		``:                  "unexpected end of input at byte 0",
		`{`:                 "expected a key in double quotes, found end of input at byte 1",
		`[1,]`:              "trailing comma before ']' at byte 3",
		`{"a" 1}`:           "expected ':' after a key, found '1' at byte 5",
		`01`:                "unexpected '1' after the end of the document at byte 1",
		`[1 2]`:             "expected ',' or ']', found '2' at byte 3",
		"\ufeff{}":          "unexpected '\\ufeff' at byte 0",
		`"a`:                "string without a closing quote at byte 0",
		"\"a\nb\"":          "control character 0x0a in a string at byte 2",
		`"\x"`:              "invalid escape in a string at byte 1",
		`"\u12"`:            "invalid \\u escape in a string at byte 1",
		`nul`:               "unexpected 'n' at byte 0",
		`-`:                 "expected a digit, found end of input at byte 1",
		`1.`:                "expected a digit after the decimal point, found end of input at byte 2",
		`1e+`:               "expected a digit in the exponent, found end of input at byte 3",
		"\x00":              "unexpected '\\x00' at byte 0",
		`{} {}`:             "unexpected '{' after the end of the document at byte 3",
		deep(20_001):        "nested more than 20000 levels deep at byte 20000",
		"\xff":              "unexpected byte 0xff at byte 0",
		`NaN`:               "unexpected 'N' at byte 0",
		`// c` + "\n" + `1`: "unexpected '/' at byte 0",
	} {
		_, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("Parse(%.20q) = %v, want %s", src, err, want)
		}
	}
	if _, err := ecmajson.Parse([]byte(deep(20_000)), ecmajson.Options{}); err != nil {
		t.Errorf("20,000 levels: %v", err)
	}
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestStrictOptions(t *testing.T) {
	_, err := ecmajson.Parse([]byte(`{"a":1,"b":{"a":1},"a":2}`), ecmajson.Options{UniqueKeys: true})
	if err == nil || err.Error() != `duplicate key "a" at byte 19` {
		t.Errorf("duplicate key: %v", err)
	}
	_, err = ecmajson.Parse([]byte("\"a\xe2\x98\""), ecmajson.Options{ValidUTF8: true})
	if err == nil || err.Error() != "byte 0xe2 is not UTF-8 at byte 2" {
		t.Errorf("invalid UTF-8: %v", err)
	}
	if _, err = ecmajson.Parse([]byte("\"\ufffd\""), ecmajson.Options{ValidUTF8: true}); err != nil {
		t.Errorf("a real U+FFFD is valid: %v", err)
	}
}

func TestPosition(t *testing.T) {
	src := []byte("{\n  \"é\": x\n}")
	line, column := ecmajson.Position(src, strings.IndexByte(string(src), 'x'))
	if line != 2 || column != 8 {
		t.Errorf("got %d:%d, want 2:8", line, column)
	}
}

func TestNumbersPrintAsECMAScript(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1", 1.5: "1.5", 1e21: "1e+21", 1e20: "100000000000000000000", 1e-7: "1e-7", 1.5e-10: "1.5e-10",
		math.Copysign(0, -1): "0", math.MaxFloat64: "1.7976931348623157e+308", 1e-6: "0.000001", math.Inf(1): "null",
	} {
		if got := string(ecmajson.Append(nil, ecmajson.NewNumber(f))); got != want {
			t.Errorf("%v prints %s, want %s", f, got, want)
		}
	}
}

func TestAppendKeepsNumbersAndSurrogates(t *testing.T) {
	const src = `{"a":[1.50,-0,1e400],"b":"\ud800<>&` + "\u2028" + `","c":"\u0001\u001f\b\f\n\r\t\"\\"}`
	if got := string(ecmajson.Append(nil, parse(t, src))); got != src {
		t.Errorf("got  %s\nwant %s", got, src)
	}
}

func TestAppendIndent(t *testing.T) {
	const want = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"
	if got := string(ecmajson.AppendIndent(nil, parse(t, `{"a":[1,{}],"b":[]}`), "")); got != want {
		t.Error(got)
	}
}

func TestTrimIsECMAScript(t *testing.T) {
	if got := ecmajson.Trim("\ufeff\u00a0\u2028\u3000x\u0085 "); got != "x\u0085" {
		t.Errorf("got %q", got)
	}
	if ecmajson.IsBlank([]byte("\u0085")) || !ecmajson.IsBlank([]byte("\ufeff\u00a0\u2028 \r")) {
		t.Error("IsBlank disagrees with Trim")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,null,true,"x\ud83d\ude00"]}`, `"\ud800"`, "\"\xe2\x98A\"", `[[]]`, `-0`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := ecmajson.Parse(src, ecmajson.Options{MaxDepth: 1000})
		if err != nil {
			return
		}
		if utf8.Valid(src) != json.Valid(src) && utf8.Valid(src) {
			t.Fatalf("accepted what encoding/json refuses: %q", src)
		}
		again, err := ecmajson.Parse(ecmajson.Append(nil, v), ecmajson.Options{})
		if err != nil || !ecmajson.Equal(v, again) {
			t.Fatalf("round trip of %q: %v", src, err)
		}
		pretty, err := ecmajson.Parse(ecmajson.AppendIndent(nil, v, ""), ecmajson.Options{})
		if err != nil || !ecmajson.Equal(v, pretty) {
			t.Fatalf("indented round trip of %q: %v", src, err)
		}
	})
}

// FuzzDecodeText holds the decoder to the one of x/text, which implements the
// same standard.
func FuzzDecodeText(f *testing.F) {
	f.Add([]byte("a\xe2\x98A\xf0\x90\x80\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := unicode.UTF8.NewDecoder().Bytes(b)
		if err != nil {
			t.Fatalf("the oracle refuses %q: %v", b, err)
		}
		if got := ecmajson.DecodeText(b); got != string(want) {
			t.Fatalf("DecodeText(%q) = %q, want %q", b, got, want)
		}
	})
}

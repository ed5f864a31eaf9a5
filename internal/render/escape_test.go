package render

import (
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
)

func TestEscaper(t *testing.T) {
	type piece struct {
		text  string
		value bool
		raw   bool
	}
	lit := func(s string) piece { return piece{text: s} }
	val := func(s string) piece { return piece{text: s, value: true} }
	raw := func(s string) piece { return piece{text: s, value: true, raw: true} }
	tests := []struct {
		name   string
		pieces []piece
		want   string
	}{
		{"inside a literal", []piece{lit(`{"a": "`), val("say \"hi\"\n\\"), lit(`"}`)}, `{"a": "say \"hi\"\n\\"}`},
		{"outside", []piece{lit(`{"a": `), val(`"x"`), lit(`}`)}, `{"a": "x"}`},
		{"nothing to escape", []piece{lit(`"`), val("é😀</script>&"), lit(`"`)}, `"é😀</script>&"`},
		{"control characters", []piece{lit(`"`), val("\x00\x1f\t\r\b\f\x7f"), lit(`"`)}, "\"\\u0000\\u001f\\t\\r\\b\\f\x7f\""},
		{"a lone surrogate", []piece{lit(`"`), val("\xed\xa0\xbd"), lit(`"`)}, `"\ud83d"`},
		{"no UTF-8", []piece{lit(`"`), val("a\xffb\xe2\x82"), lit(`"`)}, "\"a\ufffdb\ufffd\""},
		{"a real U+FFFD", []piece{lit(`"`), val("\ufffd"), lit(`"`)}, "\"\ufffd\""},
		{"raw inside", []piece{lit(`"`), raw(`a\n`), lit(`"`)}, `"a\n"`},
		{"raw that closes", []piece{lit(`["`), raw(`", `), val(`"x"`), lit(`]`)}, `["", "x"]`},
		{"a value opens no literal", []piece{val(`"`), val(`"`), lit(` "`), val(`"`), lit(`"`)}, `"" "\""`},
		{"between literals", []piece{lit(`["`), val(`"`), lit(`", `), val(`1`), lit(`, "`), val(`\`), lit(`"]`)}, `["\"", 1, "\\"]`},
		{"an escaped quotation mark", []piece{lit(`"\"`), val(`"`), lit(`"`)}, `"\"\""`},
		{"a backslash before the value", []piece{lit(`"\`), val(`"n`), lit(`"`)}, `"\\\"n"`},
		{"a backslash before nothing", []piece{lit(`"\`), val(``), lit(`"`)}, `"\\"`},
		{"two backslashes before the value", []piece{lit(`"\\`), val(`"`), lit(`"`)}, `"\\\""`},
		{"a backslash in pieces", []piece{lit(`"`), lit(`\`), lit(`"`), val(`"`), lit(`"`)}, `"\"\""`},
		{"a backslash outside", []piece{lit(`\`), lit(`"`), val(`"`), lit(`"`)}, `\"\""`},
	}
	for _, test := range tests {
		e := newEscaper()
		var b strings.Builder
		for _, p := range test.pieces {
			if !p.value {
				e.Literal(p.text)
				b.WriteString(p.text)
				continue
			}
			b.WriteString(e.Value(p.text, p.raw))
		}
		if b.String() != test.want {
			t.Errorf("%s: %s, want %s", test.name, b.String(), test.want)
		}
	}
}

// FuzzEscaper: whatever stands around a value and whatever the value is, what
// is a document with a plain value is the same document with the value.
func FuzzEscaper(f *testing.F) {
	for _, value := range hostileTexts() {
		f.Add(`{"summary": "`, value, ` failed: `, value, `", "severity": "error"}`)
	}
	f.Add(`["\\`, `"`, `\`, ``, `"]`)
	f.Add(`["`, `"`, `", `, `1`, `, "x"]`)
	f.Fuzz(func(t *testing.T, before, first, between, second, after string) {
		write := func(first, second string) (string, *escaper) {
			e := &escaper{}
			e.Literal(before)
			out := before + e.Value(first, false)
			if !e.inString {
				return "", e
			}
			e.Literal(between)
			out += between + e.Value(second, false)
			if !e.inString {
				return "", e
			}
			e.Literal(after)
			return out + after, e
		}
		plain, _ := write("x", "y")
		want, err := ecmajson.Parse([]byte(plain), ecmajson.Options{ValidUTF8: true, UniqueKeys: true})
		if err != nil {
			return
		}
		out, e := write(first, second)
		got, err := ecmajson.Parse([]byte(out), ecmajson.Options{ValidUTF8: true})
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if _, err := ecmajson.Parse([]byte(out), ecmajson.Options{UniqueKeys: true}); err != nil {
			return // A value was printed into a key, and made two of them equal.
		}
		if e.inString || e.escaping {
			t.Errorf("%q ends inside of a literal", out)
		}
		if a, b := skeleton(got), skeleton(want); a != b {
			t.Errorf("%q changed the document to\n%s\nfrom\n%s", out, a, b)
		}
	})
}

// skeleton describes a document without its strings and numbers. Keys are
// counted; what is printed into a key changes the key.
func skeleton(v *ecmajson.Value) string {
	var b strings.Builder
	var walk func(v *ecmajson.Value)
	walk = func(v *ecmajson.Value) {
		b.WriteString(v.Kind().String())
		b.WriteByte('(')
		for _, item := range v.Items() {
			walk(item)
		}
		for _, m := range v.Members() {
			walk(m.Value)
		}
		b.WriteByte(')')
	}
	walk(v)
	return b.String()
}

// hostileTexts are values that break out of JSON where nobody looks after them.
func hostileTexts() []string {
	return []string{
		"", "plain", `"`, `\`, `\\`, `ends in \`, "line\nbreak\r\n", "tab\t", `","severity":"info`, `","severity":"info"}`,
		`"}`, `"]`, "\x00", "\x1b[31m", "\x7f", "é", "😀", "\u2028\u2029", "\ufeff", "\xed\xa0\xbd", "\xed\xb8\x80", "\xff\xfe", "\xe2\x82",
		`\u0022`, `\u`, `\ud83d`, `{{ 7 * 7 }}`, `{% raw %}`, "</script>", "<!channel>", "```", "null", "None", strings.Repeat(`"\`, 300),
	}
}

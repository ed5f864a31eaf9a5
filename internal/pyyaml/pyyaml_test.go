package pyyaml_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"agentxchain/internal/pyyaml"
)

func parse(tb testing.TB, src string) *pyyaml.Document {
	tb.Helper()
	doc, err := pyyaml.Parse([]byte(src), pyyaml.Limits{})
	if err != nil {
		tb.Fatalf("%v in %q", err, src)
	}
	return doc
}

func refusal(tb testing.TB, src string, limits pyyaml.Limits) *pyyaml.Error {
	tb.Helper()
	doc, err := pyyaml.Parse([]byte(src), limits)
	var e *pyyaml.Error
	if !errors.As(err, &e) {
		tb.Fatalf("%.80q gives %v, %v", src, doc, err)
	}
	return e
}

func TestScalars(t *testing.T) {
	for text, want := range map[string]string{
		"yes": "a boolean", "Off": "a boolean", "y": "a string", "tRue": "a string", "~": "null", "": "null",
		"012": "an integer", "0x_f": "an integer", "12:30": "an integer", "1:99": "a string", "08": "a string",
		"1e3": "a string", "1.0e+3": "a number", ".inf": "a number", "-.5": "a string", "12:30.5": "a number",
		"2026-01-02": "a date", "2026-1-2": "a string", "'012'": "a string", "!!str 012": "a string",
		"!!binary aGk=": "binary data", "[]": "a list", "{}": "a mapping", "#x": "null",
	} {
		if got := parse(t, text).Root.Kind.String(); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestAccessors(t *testing.T) {
	root := parse(t, "n: 190:20:30\no: -012\nf: 1_0.5\nb: On\ns: text\nx: !!binary aGk=\n1: not by string\n").Root
	got := fmt.Sprint(root.Get("n").Int(), root.Get("o").Int(), root.Get("f").Float(), root.Get("b").True(), root.Get("s").Str(), root.Get("x").Text)
	if got != "685230 -10 10.5 truetexthi" {
		t.Error(got)
	}
	if root.Has("1") {
		t.Error("an integer key is found by its digits")
	}
	var absent *pyyaml.Node
	if absent.Get("a") != nil || absent.Has("a") || absent.Str() != "" || absent.True() || absent.Int() != nil || absent.Float() != 0 || absent.Is(pyyaml.Null) {
		t.Error("a nil node is not absent")
	}
}

func TestPlaces(t *testing.T) {
	const src = "\ufeffä: 1\nlist:\n- é: &a x\n  b: *a\n  c:\n"
	root := parse(t, src).Root
	item := root.Get("list").Items[0]
	for name, n := range map[string]*pyyaml.Node{
		"1:4": root.Get("ä"), "3:1": root.Get("list"), "3:6": item.Get("b"), "5:5": item.Get("c"),
	} {
		if got := fmt.Sprintf("%d:%d", n.Line, n.Column); got != name {
			t.Errorf("%s is at %s", name, got)
		}
	}
	if at := root.Get("list").Offset; src[at] != '-' {
		t.Errorf("offset %d is at %q", at, src[at:])
	}
}

func TestDuplicatesAreReported(t *testing.T) {
	doc := parse(t, "a: 1\nb: {x: 1, 'x': 2}\na: 2\n<<: {b: 3, c: 4}\n1: x\n1.0: y\n")
	var got []string
	for _, d := range doc.Duplicates {
		got = append(got, fmt.Sprintf("%s at %d:%d, first at %d", d.Key.Text, d.Key.Line, d.Key.Column, d.First))
	}
	want := []string{"x at 2:11, first at 2", "a at 3:1, first at 1", "1.0 at 6:1, first at 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if doc.Root.Get("a").Text != "2" || doc.Root.Get("b").Get("x").Text != "2" || doc.Root.Get("c").Text != "4" {
		t.Error("the last value does not win")
	}
}

// bomb doubles a list that many times.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 [x]\n")
	for i := range levels {
		fmt.Fprintf(&b, "l%d: &l%d [*l%d, *l%d]\n", i+1, i+1, i, i)
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		src    string
		limits pyyaml.Limits
		want   string
	}{
		"bytes":        {strings.Repeat("#", 11), pyyaml.Limits{Bytes: 10}, "larger than 10 bytes"},
		"nodes":        {"[a, b, c]", pyyaml.Limits{Nodes: 3}, "more than 3 values"},
		"bomb":         {bomb(60), pyyaml.Limits{}, "when its aliases are written out"},
		"merge bomb":   {"a: &a {k: v}\n" + strings.Repeat("b: {<<: [*a, *a, *a, *a]}\n", 40), pyyaml.Limits{Nodes: 300}, "more than 300 values"},
		"flow depth":   {strings.Repeat("[", 100_000), pyyaml.Limits{}, "more than 100 levels"},
		"block depth":  {strings.Repeat("- ", 100_000), pyyaml.Limits{}, "more than 100 levels"},
		"alias depth":  {bomb(10), pyyaml.Limits{Depth: 5}, "more than 5 levels"},
		"self":         {"a: &a [*a]", pyyaml.Limits{}, "inside the value that it names"},
		"second":       {"a: 1\n---\nb: 2\n", pyyaml.Limits{}, "second document"},
		"not UTF-8":    {"a: \xff", pyyaml.Limits{}, "byte 0xff is not UTF-8"},
		"control":      {"a: \x01", pyyaml.Limits{}, "U+0001"},
		"not a set":    {"!!set {a}", pyyaml.Limits{}, "!!set is not supported"},
		"a tag":        {"!x [a]", pyyaml.Limits{}, "tag !x is unknown"},
		"a wrong tag":  {"!!map [a]", pyyaml.Limits{}, "!!map does not fit a list"},
		"no date":      {"2026-02-30", pyyaml.Limits{}, "not what a date looks like"},
		"long numbers": {strings.Repeat("9", 5000), pyyaml.Limits{}, "not what an integer looks like"},
	} {
		if e := refusal(t, c.src, c.limits); !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// TestMistakes holds the texts that people will see for what they get wrong
// most.
func TestMistakes(t *testing.T) {
	for src, want := range map[string]string{
		"notifications:\n\tslack: {}\n":                  "2:1: a tab cannot stand here: indent and separate with spaces",
		"url: https://h:80: x\n":                         `1:18: ": " cannot stand inside a value that has no quotes`,
		"a:\n  b: 1\n c: 2\n":                            "3:2: a mapping does not fit into the mapping that begins at 1:1; is the indentation right?",
		"a: [b, c\nd: e\n":                               `2:2: expected "," or "]" for what begins at 1:4, found ":"`,
		"a: {{ b }}\n":                                   "1:5: a mapping cannot be a key",
		"token: \"xoxb\nnext: 1\n":                       "3:1: the quote that begins at 1:8 is never closed",
		"channel: @here\n":                               `1:10: a value cannot begin with '@': put it in quotes`,
		"events: *\n":                                    `1:10: expected the name of an alias, found the end of the line; a text that begins so needs quotes`,
		"a: 1\nword\n":                                   `3:1: expected ":" after the key that begins at 2:1`,
		"path: \"C:\\dir\"\n":                            `1:11: unknown escape 'd' after a backslash: use single quotes, or write two backslashes`,
		"t: !vault x\n":                                  `1:4: the tag !vault is unknown; a text that begins with "!" needs quotes`,
		"a: 'it's'\n":                                    `1:8: text follows a value: put all of it in quotes, and double a quote that it holds`,
		"webhooks:\n  - name: a\n   url: b\n":            "3:4: a mapping does not fit into the list that begins at 2:3; is the indentation right?",
		"<<<<<<< HEAD\na: 1\n=======\nb: 1\n>>>>>>> x\n": `2:2: ": " cannot stand inside a value that has no quotes`,
	} {
		e := refusal(t, src, pyyaml.Limits{})
		if e.Error() != want {
			t.Errorf("%q\n got %s\nwant %s", src, e, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"\n  bot_token: \"xoxb-1é\\q\"\n", "  bot_token: \"xxxx-xx\\x\"\n                      ^"},
		{"\ufeffé: @x\r\nb: 1\r\n", "é: @x\n   ^"},
		{"a:\n\tb: 1", "\tb: x\n^"},
		{"a: 'b", "a: 'x\n     ^"},
		{"k: \x01", "k: ?\n   ^"},
	} {
		e := refusal(t, c.src, pyyaml.Limits{})
		if got := e.Excerpt([]byte(c.src)); got != c.want {
			t.Errorf("%v\n got %q\nwant %q", e, got, c.want)
		}
	}
	long := "k: '" + strings.Repeat("a", 300) + "' @"
	e := refusal(t, long, pyyaml.Limits{})
	text, caret, _ := strings.Cut(e.Excerpt([]byte(long)), "\n")
	if len(text) > 125 || text[len(caret)-1] != '@' {
		t.Errorf("%q\n%q", text, caret)
	}
}

// TestQuotedStringsSurvive writes any text in double quotes and reads it again.
func TestQuotedStringsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.ToValidUTF8(rapid.String().Draw(t, "text"), "?")
		var b strings.Builder
		for _, r := range text {
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		doc, err := pyyaml.Parse([]byte(`k: "`+b.String()+`"`), pyyaml.Limits{})
		if err != nil || doc.Root.Get("k").Str() != text {
			t.Fatalf("%q: %v, %v", text, doc, err)
		}
	})
}

// check holds for every document: places lie inside the source, kinds are
// set, and members have no key twice.
func check(tb testing.TB, src []byte, n *pyyaml.Node) {
	tb.Helper()
	if n.Kind == pyyaml.Invalid || n.Line < 1 || n.Column < 1 || n.Offset < 0 || n.Offset > len(src) {
		tb.Fatalf("%+v in %q", n, src)
	}
	for _, item := range n.Items {
		check(tb, src, item)
	}
	keys := map[string]bool{}
	for _, m := range n.Members {
		check(tb, src, m.Key)
		check(tb, src, m.Value)
		id := fmt.Sprintf("%d %s", m.Key.Kind, m.Key.Text)
		if keys[id] {
			tb.Fatalf("key %q twice in %q", id, src)
		}
		keys[id] = true
	}
}

func FuzzParse(f *testing.F) {
	for i, c := range recordings(f) {
		if i%20 == 0 {
			f.Add([]byte(c.src))
		}
	}
	f.Add([]byte(bomb(5)))
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := pyyaml.Parse(src, pyyaml.Limits{Nodes: 2000, Depth: 30})
		if err == nil {
			check(t, src, doc.Root)
			return
		}
		var e *pyyaml.Error
		if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Offset > len(src) {
			t.Fatalf("%#v in %q", err, src)
		}
		if !strings.HasSuffix(e.Excerpt(src), "^") {
			t.Fatalf("no caret for %v in %q", e, src)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	src, err := os.ReadFile("testdata/gateway.yaml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pyyaml.Parse(src, pyyaml.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

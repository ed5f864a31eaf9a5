package pyyaml_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/pyyaml"
)

// recorded is a document with what PyYAML makes of it; testdata/record.py
// made both.
type recorded struct {
	src string
	// value is nil when PyYAML refuses the document.
	value *ecmajson.Value
	// line and column are where it does, 0 where it names no place.
	line, column int
	problem      string
}

// recordings reads the recorded cases; PYYAML_CASES names another file of them.
func recordings(tb testing.TB) []recorded {
	tb.Helper()
	path := os.Getenv("PYYAML_CASES")
	if path == "" {
		path = "testdata/cases.jsonl.gz"
	}
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	if strings.HasSuffix(path, ".gz") {
		zr, err := gzip.NewReader(f)
		if err != nil {
			tb.Fatal(err)
		}
		lines = bufio.NewScanner(zr)
	}
	lines.Buffer(nil, 1<<22)
	var list []recorded
	for lines.Scan() {
		list = append(list, readCase(tb, lines.Bytes()))
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return list
}

func readCase(tb testing.TB, line []byte) recorded {
	tb.Helper()
	v, err := ecmajson.Parse(line, ecmajson.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	c := recorded{src: v.Get("src").Str(), value: v.Get("value")}
	if e := v.Get("error").Items(); e != nil {
		c.line, c.column, c.problem = int(e[0].Num()), int(e[1].Num()), e[2].Str()
	}
	return c
}

// render writes a tree one value a line, positions included.
func render(b *strings.Builder, v *ecmajson.Value, indent string, places bool) {
	parts := v.Items()
	place := ""
	if places {
		place = fmt.Sprintf(" @%v:%v", parts[2].Num(), parts[3].Num())
	}
	kind := parts[0].Str()
	switch kind {
	case "sequence":
		b.WriteString(indent + kind + place + "\n")
		for _, item := range parts[1].Items() {
			render(b, item, indent+"  ", places)
		}
	case "mapping":
		b.WriteString(indent + kind + place + "\n")
		for _, pair := range parts[1].Items() {
			render(b, pair.Items()[0], indent+"  ? ", places)
			render(b, pair.Items()[1], indent+"  : ", places)
		}
	default:
		b.WriteString(indent + kind + " " + strconv.Quote(canonical(kind, parts[1].Str())) + place + "\n")
	}
}

// canonical makes numbers comparable however they are written.
func canonical(kind, text string) string {
	if kind != "float" {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func renderNode(b *strings.Builder, n *pyyaml.Node, indent string, places bool) {
	place := ""
	if places {
		place = fmt.Sprintf(" @%d:%d", n.Line, n.Column)
	}
	kind, text := shown(n)
	switch n.Kind {
	case pyyaml.Sequence:
		b.WriteString(indent + kind + place + "\n")
		for _, item := range n.Items {
			renderNode(b, item, indent+"  ", places)
		}
	case pyyaml.Mapping:
		b.WriteString(indent + kind + place + "\n")
		for _, m := range n.Members {
			renderNode(b, m.Key, indent+"  ? ", places)
			renderNode(b, m.Value, indent+"  : ", places)
		}
	default:
		b.WriteString(indent + kind + " " + strconv.Quote(text) + place + "\n")
	}
}

// shown gives a node's kind and value as the recordings write them.
func shown(n *pyyaml.Node) (kind, text string) {
	switch n.Kind {
	case pyyaml.Null:
		return "null", ""
	case pyyaml.Bool:
		return "bool", strconv.FormatBool(n.True())
	case pyyaml.Int:
		return "int", n.Int().String()
	case pyyaml.Float:
		return "float", strconv.FormatFloat(n.Float(), 'g', -1, 64)
	case pyyaml.Timestamp:
		return "timestamp", ""
	case pyyaml.Binary:
		runes := make([]rune, len(n.Text))
		for i := range len(n.Text) {
			runes[i] = rune(n.Text[i])
		}
		return "binary", string(runes)
	case pyyaml.Sequence:
		return "sequence", ""
	case pyyaml.Mapping:
		return "mapping", ""
	}
	return "string", n.Text
}

// TestAgreesWithPyYAML compares documents with what PyYAML makes of them:
// values, their types, the order of keys and the place of every node; and where
// it refuses them, that we do too, and at the same place.
func TestAgreesWithPyYAML(t *testing.T) {
	cases, elsewhere := recordings(t), 0
	for i, c := range cases {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			doc, err := pyyaml.Parse([]byte(c.src), pyyaml.Limits{})
			if c.value == nil {
				elsewhere += refused(t, c, err)
				return
			}
			if err != nil {
				if !ownRefusal(err) {
					t.Fatalf("%v in %q", err, c.src)
				}
				return
			}
			var want, got strings.Builder
			empty := c.value.Items()[2].Num() == 0
			render(&want, c.value, "", !empty)
			renderNode(&got, doc.Root, "", !empty)
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("%q: %s", c.src, diff)
			}
		})
	}
	t.Logf("%d refused at another place", elsewhere)
	fixtures.Ran(t, "pyyaml-recorded", len(cases))
}

// ownRefusal recognises what we refuse on purpose and PyYAML takes.
func ownRefusal(err error) bool {
	for _, what := range []string{"is not supported here", "stands inside the value that it names", "is no character"} {
		if strings.Contains(err.Error(), what) {
			return true
		}
	}
	return false
}

// refused checks that we refuse what PyYAML refuses. It returns 1 when we do
// so at another place.
func refused(t *testing.T, c recorded, err error) int {
	t.Helper()
	if err == nil {
		t.Errorf("%q is accepted; PyYAML says %s at %d:%d", c.src, c.problem, c.line, c.column)
		return 0
	}
	var e *pyyaml.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *pyyaml.Error", err)
	}
	if c.line == 0 || e.Line == c.line && e.Column == c.column {
		return 0
	}
	t.Logf("%q: %v; PyYAML says %s at %d:%d", c.src, e, c.problem, c.line, c.column)
	return 1
}

package pyvalue_test

import (
	"bufio"
	"bytes"
	"errors"
	"math"
	"os"
	"testing"

	"agentxchain/internal/fixtures"
	"agentxchain/internal/pyvalue"
)

// reencode is json.dumps(json.loads(src)).
func reencode(t *testing.T, src []byte) string {
	t.Helper()
	v, err := pyvalue.FromJSON(src, pyvalue.JSONLimits{})
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	out, err := pyvalue.AppendJSON(nil, nil, v, pyvalue.JSONOptions{})
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return string(out)
}

// TestRecordedJSON reads texts that json.dumps wrote and writes the same bytes.
func TestRecordedJSON(t *testing.T) {
	for _, c := range []struct{ file, field, row string }{
		{"agent-gateway/webhook-default-payloads.jsonl", "body", "pyvalue-json-payloads"},
		{"agent-gateway/queue-job-json.jsonl", "job_json", "pyvalue-json-jobs"},
	} {
		t.Run(c.field, func(t *testing.T) {
			src, err := os.ReadFile(fixtures.Path(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range bytes.Lines(src) {
				v, err := pyvalue.FromJSON(line, pyvalue.JSONLimits{})
				if err != nil {
					t.Fatal(err)
				}
				body, _ := v.(*pyvalue.Dict).GetStr(c.field)
				if got := reencode(t, []byte(text(body))); got != text(body) {
					t.Errorf("line %d:\n got %s\nwant %s", n+1, got, text(body))
				}
				n++
			}
			fixtures.Ran(t, c.row, n)
		})
	}
}

func TestJSONDefaults(t *testing.T) {
	like := pyvalue.NewStr("on_error")
	cyclic := pyvalue.NewList()
	cyclic.Items = append(cyclic.Items, cyclic)
	for _, c := range []struct {
		v    pyvalue.Value
		want string
	}{
		{&pyvalue.Undefined{Name: pyvalue.NewStr("x")}, `""`},
		{&pyvalue.Object{Type: "Event", Like: &like}, `"on_error"`},
		{&pyvalue.Object{Type: "Event"}, `"<Event object>"`},
		{pyvalue.Markup("<b>"), `"<b>"`},
		{pyvalue.MarkJSON(pyvalue.NewStr("{}")), `"{}"`},
		{&pyvalue.Range{Start: 0, Stop: 3, Step: 1}, `"range(0, 3)"`},
		{pyvalue.Float(math.Inf(-1)), `-Infinity`},
		{cyclic, "ValueError: Circular reference detected"},
	} {
		out, err := pyvalue.AppendJSON(nil, nil, c.v, pyvalue.JSONOptions{})
		if err != nil {
			out = []byte(err.Error())
		}
		if string(out) != c.want {
			t.Errorf("got %s, want %s", out, c.want)
		}
	}
}

func TestJSONLimits(t *testing.T) {
	deep := bytes.Repeat([]byte("["), 100_000)
	_, err := pyvalue.FromJSON(deep, pyvalue.JSONLimits{})
	var raised *pyvalue.Error
	if !errors.As(err, &raised) || raised.Class != "RecursionError" {
		t.Errorf("100,000 brackets: %v", err)
	}
	if _, err := pyvalue.FromJSON([]byte("[[]]"), pyvalue.JSONLimits{Depth: 1}); !errors.As(err, &raised) {
		t.Errorf("depth 2 of 1: %v", err)
	}
	_, err = pyvalue.FromJSON([]byte("12345"), pyvalue.JSONLimits{Bytes: 4})
	var spent *pyvalue.BudgetError
	if !errors.As(err, &spent) || spent.What != "string" {
		t.Errorf("5 bytes of 4: %v", err)
	}
	_, err = pyvalue.FromJSON([]byte("\"\xff\""), pyvalue.JSONLimits{})
	if !errors.As(err, &raised) || raised.Class != "UnicodeDecodeError" {
		t.Errorf("a byte that is no text: %v", err)
	}
}

// FuzzJSON: what is written can be read, is the same value, and is written the
// same way again.
func FuzzJSON(f *testing.F) {
	file, err := os.Open("testdata/python.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f.Add(lines.Bytes())
	}
	f.Add([]byte(`{"a": "\ud83d\ude00\udc00", "a": [1e400, -0.0, NaN, 1.]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := pyvalue.FromJSON(src, pyvalue.JSONLimits{Depth: 100, Bytes: 1 << 16})
		if err != nil {
			return
		}
		first, err := pyvalue.AppendJSON(nil, nil, v, pyvalue.JSONOptions{})
		if err != nil {
			t.Fatalf("cannot write %s: %v", src, err)
		}
		again, err := pyvalue.FromJSON(first, pyvalue.JSONLimits{})
		if err != nil {
			t.Fatalf("cannot read %s: %v", first, err)
		}
		second, err := pyvalue.AppendJSON(nil, nil, again, pyvalue.JSONOptions{})
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s becomes %s, %v", first, second, err)
		}
	})
}

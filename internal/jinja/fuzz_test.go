package jinja

import (
	"errors"
	"testing"

	"agentxchain/internal/fixtures"
	"agentxchain/internal/pyvalue"
)

// seeds are the templates of the vectors, if they are there.
func seeds(f *testing.F, add func(vector)) {
	f.Helper()
	path, ok := fixtures.Lookup(f, "agent-gateway/render-vectors.jsonl")
	if !ok {
		return
	}
	for v := range readVectors(f, path) {
		add(v)
	}
}

// small is a budget that a fuzzer can spend often.
func small() Budget {
	return Budget{Steps: 20_000, OutputBytes: 1 << 16, StringBytes: 1 << 16, TotalBytes: 1 << 20, Depth: 30, SourceBytes: 1 << 16}
}

// Whatever the source, compiling it gives a template or an *Error with a class
// and a place.
func FuzzCompile(f *testing.F) {
	seeds(f, func(v vector) { f.Add(v.Template) })
	f.Fuzz(func(t *testing.T, source string) {
		_, err := Compile("fuzz", source, Options{Budget: small()})
		checkError(t, err)
	})
}

// Whatever the template and the variables, rendering ends within its budget.
func FuzzRender(f *testing.F) {
	seeds(f, func(v vector) { f.Add(v.Template, []byte(v.Context)) })
	f.Fuzz(func(t *testing.T, source string, context []byte) {
		vars, err := variables(context, nil)
		if err != nil {
			vars = pyvalue.NewDict(0)
		}
		o := Options{Budget: small(), Loader: memory{"a": source, "a.html": source}, Escaper: newCounter}
		tpl, err := Compile("a", source, o)
		if err != nil {
			checkError(t, err)
			return
		}
		text, err := tpl.Render(t.Context(), vars)
		checkError(t, err)
		if len(text) > o.Budget.OutputBytes {
			t.Errorf("%d bytes of output", len(text))
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var failed *Error
	if !errors.As(err, &failed) || failed.Class == "" {
		t.Fatalf("%T without a class: %v", err, err)
	}
	if failed.Line < 0 || failed.Column < 0 || (failed.Line == 0) != (failed.Column == 0) {
		t.Errorf("place %d:%d", failed.Line, failed.Column)
	}
}

// counter is an Escaper that changes nothing.
type counter struct{ literal, values int }

func newCounter() Escaper                           { return &counter{} }
func (c *counter) Literal(text string)              { c.literal += len(text) }
func (c *counter) Value(text string, _ bool) string { c.values++; return text }

package jinja

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"agentxchain/internal/fixtures"
	"agentxchain/internal/pyvalue"
)

// vector is one template with what real Jinja2 makes of it.
type vector struct {
	ID, Group, Template string
	Context             json.RawMessage
	Objects             []string
	Files               map[string]string
	Main                string
	Expect              expectation
}

type expectation struct {
	Output      *string
	OutputRegex string `json:"output_regex"`
	PythonOnly  bool   `json:"python_only"`
	Error       string
	MRO         []string
	Phase       string
	Message     *string
	Lineno      int
}

// folderOf writes the files of a vector into a folder. Names that begin with
// "../" lie beside it.
func folderOf(tb testing.TB, files map[string]string) Loader {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "templates")
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return FolderLoader(dir)
}

// run compiles and renders a vector.
func (v vector) run(tb testing.TB, o Options) (string, error) {
	tb.Helper()
	if v.Main != "" {
		o.Loader = folderOf(tb, v.Files)
	}
	vars, err := variables(v.Context, v.Objects)
	if err != nil {
		return "", err
	}
	t, err := Compile(v.Main, v.Template, o)
	if err != nil {
		return "", err
	}
	return t.Render(context.Background(), vars)
}

// variables reads the variables of a template. Those named in objects have
// attributes instead of items.
func variables(src []byte, objects []string) (*pyvalue.Dict, error) {
	v, err := pyvalue.FromJSON(src, pyvalue.JSONLimits{})
	if err != nil {
		return nil, err
	}
	vars, ok := v.(*pyvalue.Dict)
	if !ok {
		return nil, errors.New("context is no object")
	}
	for _, name := range objects {
		v, _ := vars.GetStr(name)
		if attrs, ok := v.(*pyvalue.Dict); ok {
			vars.SetStr(name, &pyvalue.Object{Type: "Obj", Module: "__main__", Attrs: attrs})
		}
	}
	return vars, nil
}

// check compares what came out with what should.
func (v vector) check(got string, err error) error {
	want := v.Expect
	var failed *Error
	switch {
	case err != nil && !errors.As(err, &failed):
		return fmt.Errorf("%T is no *Error: %w", err, err)
	case want.Error == "" && err != nil:
		return fmt.Errorf("error %s: %w, want %q", failed.Class, err, *want.Output)
	case want.Error == "":
		if got != *want.Output {
			return fmt.Errorf("got  %q, want %q", got, *want.Output)
		}
		return nil
	case err == nil:
		return fmt.Errorf("got %q, want %s: %s", got, want.Error, text(want.Message))
	case failed.Class != want.Error && !slices.Contains(want.MRO, failed.Class):
		return fmt.Errorf("class %s (%w), want %s: %s", failed.Class, err, want.Error, text(want.Message))
	case want.Lineno != 0 && failed.Line != want.Lineno:
		return fmt.Errorf("line %d (%w), want %d", failed.Line, err, want.Lineno)
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return "(any message)"
	}
	return *s
}

// pythonOnly recognises outputs that show an object of the interpreter, with its
// address in memory.
func (e expectation) pythonOnly() bool { return e.PythonOnly || e.OutputRegex != "" }

func TestRenderVectors(t *testing.T) {
	n := 0
	for v := range readVectors(t, fixtures.Path(t, "agent-gateway/render-vectors.jsonl")) {
		if v.Expect.pythonOnly() {
			continue
		}
		n++
		if err := v.check(v.run(t, Options{})); err != nil {
			t.Errorf("%s: %s\n%v", v.ID, v.Template, err)
		}
	}
	fixtures.Ran(t, "render-vectors", n)
}

// readVectors yields the vectors of a file, one a line.
func readVectors(tb testing.TB, path string) func(func(vector) bool) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	return func(yield func(vector) bool) {
		for lines.Scan() {
			var v vector
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				tb.Fatal(err)
			}
			if !yield(v) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			tb.Fatal(err)
		}
	}
}

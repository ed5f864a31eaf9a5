package jinja

import (
	"encoding/json"
	"testing"
)

// testdata/golden.jsonl has templates of our own with what Jinja2 3.1.6 made of
// them: SandboxedEnvironment, select_autoescape(default=False,
// default_for_string=False), tojson = json.dumps(v, default=str). Its first line
// is the context of the others that have none of their own.
func TestGolden(t *testing.T) {
	var context json.RawMessage
	var objects []string
	n := 0
	for v := range readVectors(t, "testdata/golden.jsonl") {
		if context == nil {
			context, objects = v.Context, v.Objects
			continue
		}
		if v.Context == nil {
			v.Context, v.Objects = context, objects
		}
		n++
		if err := v.check(v.run(t, Options{})); err != nil {
			t.Errorf("%s\n%v", v.Template, err)
		}
	}
	if n < 300 {
		t.Errorf("%d cases", n)
	}
}

package render_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/render"
	"agentxchain/schemas"
)

func allTypes() []events.Type {
	return append(events.Types(events.Governed), events.Types(events.Agent)...)
}

// Samples are what real events are: minted without a warning, valid by their
// schemas, always the same.
func TestSamples(t *testing.T) {
	for _, typ := range allTypes() {
		e := render.Sample(typ)
		if !reflect.DeepEqual(e, render.Sample(typ)) {
			t.Errorf("%s: two samples differ", typ)
		}
		schema := "event-agent_run"
		body, err := ecmajson.Parse(e.Body, ecmajson.Options{UniqueKeys: true, ValidUTF8: true})
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if typ.Family() == events.Governed {
			if _, err := events.Parse(e.Body); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
			validate(t, "envelope", body)
			schema, body = "event-"+string(typ), body.Get("payload")
		}
		validate(t, schema, body)
	}
	if e := render.Sample("run_failed"); !reflect.DeepEqual(e, events.Event{}) {
		t.Errorf("a sample of what is no event: %v", e)
	}
}

func validate(t *testing.T, name string, v *ecmajson.Value) {
	t.Helper()
	schema, err := schemas.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	issues, err := schema.Validate(v)
	if err != nil || len(issues) > 0 {
		t.Errorf("%s: %v, %v", name, issues, err)
	}
}

// The payloads of samples are the examples of docs/events.md.
func TestSamplesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(fixtures.Root(t), "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range events.Types(events.Governed) {
		_, section, _ := strings.Cut(string(doc), "\n### "+string(typ)+"\n")
		_, example, _ := strings.Cut(section, "```json\n")
		example, _, _ = strings.Cut(example, "\n```")
		e, err := events.Parse(render.Sample(typ).Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(ecmajson.Append(nil, e.Payload)); got != example {
			t.Errorf("%s: %s, documented %s", typ, got, example)
		}
	}
	if !strings.Contains(string(doc), string(render.Sample(events.OnComplete).Body)) {
		t.Error("the sample of on_complete is not documented")
	}
}

package schemas_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/ecmajson"
	"agentxchain/schemas"
)

func parse(t *testing.T, src string) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEverySchemaCompiles(t *testing.T) {
	names := schemas.Names()
	if len(names) < 2 {
		t.Fatalf("only %d schemas are embedded", len(names))
	}
	for _, name := range names {
		if _, err := schemas.Compile(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		src, err := schemas.Source(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if id := parse(t, string(src)).Get("$id").Str(); id != "agentxchain:"+name {
			t.Errorf("%s: $id is %q", name, id)
		}
	}
}

func TestUnknownSchemaNamesTheOthers(t *testing.T) {
	_, err := schemas.Compile("nope")
	if err == nil || !strings.Contains(err.Error(), "notifications") {
		t.Errorf("error %v does not list the schemas", err)
	}
	if _, err := schemas.Validate("../schemas", nil); err == nil {
		t.Error("a path is accepted as a name")
	}
}

func TestIssuesSayWhereAndWhat(t *testing.T) {
	issues, err := schemas.Validate("notifications", parse(t, `{"webhooks":[{"name":"ops","url":"ftp://x/","events":["x"],"timeout_ms":1e400}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, issue := range issues {
		if issue.Message == "" {
			t.Errorf("no message for %s", issue.Pointer)
		}
		places = append(places, issue.Pointer)
	}
	want := []string{"/webhooks/0/events/0", "/webhooks/0/timeout_ms", "/webhooks/0/url"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Error(diff)
	}
}

func TestValidDocumentHasNoIssues(t *testing.T) {
	const src = `{"schema_version":"1.0","project":{"id":"p","name":"P"},"roles":{},"runtimes":{},"notifications":{"webhooks":[]}}`
	issues, err := schemas.Validate("agentxchain", parse(t, src))
	if err != nil || len(issues) > 0 {
		t.Errorf("issues %v, error %v", issues, err)
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := schemas.Compile("notifications"); err != nil {
			b.Fatal(err)
		}
	}
}

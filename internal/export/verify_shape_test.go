package export

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// TestAuditShapeIsANote exports an audit with lines of another shape: the
// bundle proves, and says what is odd, for the first lines only.
func TestAuditShapeIsANote(t *testing.T) {
	good := string(auditLines(1))
	odd := `{"event_id":5}` + "\n"
	root := project(t, minimal(map[string]string{auditPath: good + "\n" + odd + strings.Repeat(good, shapeLines) + odd}))
	bundle, _ := buildBytes(t, testOptions(root))
	r := Verify(context.Background(), NewSource(strings.NewReader(string(bundle)), int64(len(bundle))), VerifyOptions{})
	if r.Overall != Pass || r.ExitCode() != 0 || len(r.Errors) > 0 {
		t.Fatalf("%s, %q", r.Overall, r.Errors)
	}
	if len(r.Findings) != 1 || r.Findings[0].Code != CodeAuditShape || r.Findings[0].Severity != SeverityNote ||
		!strings.HasPrefix(r.Findings[0].Message, "line 2 has not the shape of an audit line: ") {
		t.Errorf("findings %v", r.Findings)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !slices.Contains(strings.Fields(text.String()), "·") {
		t.Errorf("%v: %s", err, text.String())
	}
}

package export

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestManyFindings holds reports on more findings than are shown: no number of
// one severity hides those of another, and errors hold failures alone.
func TestManyFindings(t *testing.T) {
	const n = maxFindings + 50
	const more = "artifact: 50 more findings are not shown"
	// What one entry lacks is content; without a mark that says why, it fails.
	entries := func(mark string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"many/%d.txt":{"format":"text","bytes":1,"sha256":"%064d","content_base64":null,"data":"x"%s},`, i, i, mark)
		}
		return b.String()
	}
	withheld := entries(`,"truncated":true`)
	miscounted := []string{`"notification_audit_entries":12`, `"notification_audit_entries":13`}
	countError := "summary.notification_audit_entries: must match .agentxchain/notification-audit.jsonl entry count"
	for _, c := range []struct {
		name, entries string
		edits         []string
		allow         bool
		overall       Overall
		errors, shown int
		// last ends the errors; severity is that of the last finding, which
		// counts the rest.
		last     string
		severity Severity
	}{
		{"withheld", withheld, nil, false, Unverifiable, 0, maxFindings + 1, "", SeverityUnverifiable},
		{"withheld and allowed", withheld, nil, true, Pass, 0, maxFindings + 1, "", SeverityNote},
		{"withheld, then a failure", withheld, miscounted, false, Fail, 1, maxFindings + 2, countError, SeverityUnverifiable},
		{"allowed, then a failure", withheld, miscounted, true, Fail, 1, maxFindings + 2, countError, SeverityNote},
		{"failures", entries(""), nil, false, Fail, maxFindings + 1, maxFindings + 1, more, SeverityFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := edited(t, append([]string{`"files":{`, `"files":{` + c.entries}, c.edits...)...)
			r := verifyBytes(t, doc, VerifyOptions{AllowBounded: c.allow})
			if r.Overall != c.overall || len(r.Errors) != c.errors || len(r.Findings) != c.shown {
				t.Fatalf("%s with %d errors, %d findings; want %s with %d, %d", r.Overall, len(r.Errors), len(r.Findings), c.overall, c.errors, c.shown)
			}
			if c.last != "" && !slices.Contains(r.Errors[c.errors-1:], c.last) {
				t.Errorf("errors end with %q, want %q", r.Errors[c.errors-1], c.last)
			}
			if f := r.Findings[c.shown-1]; f.Code != CodeLimitFindings || f.Severity != c.severity || f.Error() != more {
				t.Errorf("the last finding is %+v, want a %s", f, c.severity)
			}
		})
	}
}

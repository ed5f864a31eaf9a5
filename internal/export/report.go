package export

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
)

// Overall is the verdict on a bundle.
type Overall string

// The verdicts. They differ in what a reader may conclude.
const (
	// Pass means that every check was made and none failed.
	Pass Overall = "pass"
	// Fail means that the bundle contradicts itself.
	Fail Overall = "fail"
	// Unverifiable means that nothing wrong was found, but that the verdict
	// needs content which the bundle withholds, or values beyond our limits.
	Unverifiable Overall = "unverifiable"
	// Broken means that there was nothing to judge: unreadable or no JSON.
	Broken Overall = "error"
)

// Severity says what a finding does to the verdict.
type Severity string

// The severities.
const (
	// SeverityFail makes the verdict Fail.
	SeverityFail Severity = "fail"
	// SeverityUnverifiable makes it Unverifiable unless something failed.
	SeverityUnverifiable Severity = "unverifiable"
	// SeverityNote leaves it alone.
	SeverityNote Severity = "note"
)

// Finding is one thing that verification has to say.
type Finding struct {
	Code     Code
	Severity Severity
	// Path names the place in the words of the Node CLI, such as
	// "files.TALK.md" or "repos.web.export: summary.phase".
	Path string
	// Message is the Node CLI's text where it has one.
	Message string
	// Detail says more than the Node CLI does; it may be empty.
	Detail string
	// Offset is where the value in question begins, or where the object
	// begins that lacks it, in bytes from the start of the bundle.
	Offset int64
}

// Error returns the text that the Node CLI prints for the finding.
func (f Finding) Error() string { return f.Path + ": " + f.Message }

// maxFindings is how many findings of one severity a report holds; a last one
// counts the rest. Each severity has its own limit, so that no number of notes
// hides a failure.
const maxFindings = 10_000

// Report is what [Verify] has to say about a bundle.
type Report struct {
	Overall Overall
	// SchemaVersion and ExportKind are what the bundle says, whatever it is;
	// nil when it says nothing.
	SchemaVersion, ExportKind *ecmajson.Value
	// FileCount is how many entries "files" has.
	FileCount int
	// RepoCount is how many entries "repos" of a coordinator export has; -1
	// for an artifact that is no object, of which the Node CLI does not tell it.
	RepoCount int
	// Errors are the texts of the failures, in the order of the checks.
	Errors []string
	// Findings are all findings, sorted by place.
	Findings []Finding
	// Withheld names the files whose content is not in the bundle. Those of an
	// embedded bundle are preceded by "repos.<id>.export: ".
	Withheld []string
	// Input is what was verified, as shown to people.
	Input string
	// Message explains a verdict of Broken, and a Pass with withheld files.
	Message string
	// ErrorCode classifies a verdict of Broken: "invalid_json", "unreadable",
	// "no_input" or "interrupted".
	ErrorCode string
	// Hints are remedies for a verdict of Broken.
	Hints []string

	// ownWithheld is how many of Withheld are counted in FileCount.
	ownWithheld int
	// failed, unsettled and noted count the findings of the three severities,
	// those beyond maxFindings included.
	failed, unsettled, noted int
}

// ErrorReport returns the report on a bundle that could not be read at all.
func ErrorReport(input string, err error) Report {
	r := Report{Overall: Broken, Input: input, Message: err.Error(), ErrorCode: "unreadable"}
	switch {
	case errors.Is(err, ErrNoInput):
		r.ErrorCode = "no_input"
	case interrupted(err):
		r.ErrorCode = "interrupted"
	}
	return r
}

// ErrNoInput is what to report when nothing names a bundle and standard input
// is a terminal.
var ErrNoInput = errors.New("No export input provided. Pass --input <path> or pipe JSON on stdin.") //nolint:revive,staticcheck // the Node CLI's text

// ExitCode returns 0 for a pass, 1 for a failure and 2 when no verdict was possible.
func (r Report) ExitCode() int {
	switch r.Overall {
	case Pass:
		return 0
	case Fail:
		return 1
	}
	return 2
}

// add takes a finding.
func (r *Report) add(f Finding) {
	count := r.count(f.Severity)
	if *count++; *count <= maxFindings {
		r.show(f)
	}
}

// count returns the counter of a severity.
func (r *Report) count(s Severity) *int {
	switch s {
	case SeverityFail:
		return &r.failed
	case SeverityUnverifiable:
		return &r.unsettled
	}
	return &r.noted
}

// show puts a finding on the lists.
func (r *Report) show(f Finding) {
	r.Findings = append(r.Findings, f)
	if f.Severity == SeverityFail {
		r.Errors = append(r.Errors, f.Error())
	}
}

// conclude sorts the findings and sets the verdict.
func (r *Report) conclude() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), strings.Compare(a.Path, b.Path))
	})
	for _, s := range []Severity{SeverityFail, SeverityUnverifiable, SeverityNote} {
		if more := *r.count(s) - maxFindings; more > 0 {
			// It weighs what the findings weigh that it stands for.
			r.show(Finding{
				Code: CodeLimitFindings, Severity: s, Path: "artifact",
				Message: fmt.Sprintf("%d more findings are not shown", more),
			})
		}
	}
	switch {
	case r.failed > 0:
		r.Overall = Fail
	case r.unsettled > 0:
		r.Overall = Unverifiable
	default:
		r.Overall = Pass
		if n := len(r.Withheld); n > 0 {
			r.Message = fmt.Sprintf("pass (%s not verified)", plural(n, "file"))
		}
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// JSON returns the report with the Node CLI's keys first, in its order, then
// ours. A report of Broken has the Node CLI's three keys and "error".
func (r Report) JSON() *ecmajson.Value {
	text := ecmajson.NewString
	doc := ecmajson.NewObject().Set("overall", text(string(r.Overall)))
	if r.Overall == Broken {
		return doc.Set("input", text(r.Input)).Set("message", text(r.Message)).
			Set("error", ecmajson.NewObject().
				Set("code", text(r.ErrorCode)).
				Set("message", text(r.Message)).
				Set("hints", ecmajson.NewStrings(r.Hints)))
	}
	doc.Set("schema_version", orNull(r.SchemaVersion)).
		Set("export_kind", orNull(r.ExportKind)).
		Set("file_count", ecmajson.NewInt(int64(r.FileCount)))
	if r.RepoCount >= 0 {
		doc.Set("repo_count", ecmajson.NewInt(int64(r.RepoCount)))
	}
	findings := make([]*ecmajson.Value, len(r.Findings))
	for i, f := range r.Findings {
		findings[i] = f.json()
	}
	doc.Set("errors", ecmajson.NewStrings(r.Errors)).
		Set("input", text(r.Input)).
		Set("findings", ecmajson.NewArray(findings...)).
		Set("withheld", ecmajson.NewStrings(r.Withheld))
	if r.Message != "" {
		doc.Set("message", text(r.Message))
	}
	return doc
}

func (f Finding) json() *ecmajson.Value {
	v := ecmajson.NewObject().
		Set("code", ecmajson.NewString(string(f.Code))).
		Set("severity", ecmajson.NewString(string(f.Severity))).
		Set("path", ecmajson.NewString(f.Path)).
		Set("message", ecmajson.NewString(f.Message))
	if f.Detail != "" {
		v.Set("detail", ecmajson.NewString(f.Detail))
	}
	return v.Set("offset", ecmajson.NewInt(f.Offset))
}

// WriteJSON writes [Report.JSON], indented by two spaces, and a line feed.
func (r Report) WriteJSON(w io.Writer) error {
	_, err := w.Write(append(ecmajson.AppendIndent(nil, r.JSON(), ""), '\n'))
	return err
}

// WriteText writes the report for people (contract, section 7.1).
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if r.Overall == Broken {
		fmt.Fprintf(&b, "Export verification failed: %s\n", printable(r.Message))
		for _, hint := range r.Hints {
			fmt.Fprintf(&b, "  %s\n", hint)
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "\n  AgentXchain Export Verification\n  %s\n", strings.Repeat("─", 43))
	fmt.Fprintf(&b, "  Input: %s\n", printable(r.Input))
	fmt.Fprintf(&b, "  Export kind: %s\n", printable(orUnknown(r.ExportKind)))
	fmt.Fprintf(&b, "  Schema: %s\n\n", printable(orUnknown(r.SchemaVersion)))
	fmt.Fprintf(&b, "  Overall: %s\n", r.headline())
	fmt.Fprintf(&b, "  Files verified: %d\n", r.FileCount-r.ownWithheld)
	if r.RepoCount > 0 {
		fmt.Fprintf(&b, "  Embedded repos: %d\n", r.RepoCount)
	}
	for _, f := range r.Findings {
		b.WriteString(f.line())
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) headline() string {
	if r.Overall == Pass && len(r.Withheld) > 0 {
		return strings.Replace(r.Message, "pass", "PASS", 1)
	}
	return strings.ToUpper(string(r.Overall))
}

// line is the finding as one line of the report for people.
func (f Finding) line() string {
	sign := map[Severity]string{SeverityFail: "✗", SeverityUnverifiable: "?", SeverityNote: "·"}[f.Severity]
	text := f.Error()
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	return "    " + sign + " " + printable(text) + "\n"
}

// orUnknown is `v || "unknown"`, printed.
func orUnknown(v *ecmajson.Value) string {
	if !v.Truthy() {
		return "unknown"
	}
	return display(v)
}

// printable replaces control characters, with which a hostile bundle could
// repaint the terminal or fake lines of the report.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r >= 0x80 && r <= 0x9F || r == 0x2028 || r == 0x2029 ||
			r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

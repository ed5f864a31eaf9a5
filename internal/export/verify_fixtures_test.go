package export

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"agentxchain/internal/fixtures"
)

// peerCase is what the Node CLI said about one artifact.
type peerCase struct {
	File       string   `json:"file"`
	ExitCode   int      `json:"peer_exit_code"`
	Overall    *string  `json:"peer_overall"`
	Errors     []string `json:"peer_errors"`
	Crash      string   `json:"peer_crash"`
	Schema     any      `json:"peer_schema_version"`
	Kind       any      `json:"peer_export_kind"`
	FileCount  *int     `json:"peer_file_count"`
	RepoCount  *int     `json:"peer_repo_count"`
	VerifyExit int      `json:"verify_exit"`
	Report     struct {
		FileCount *int `json:"file_count"`
		RepoCount *int `json:"repo_count"`
	} `json:"verify_report"`
}

// peerCases reads the manifest of one folder of recorded exports and returns
// the cases whose artifact is there, with the places of the artifacts.
func peerCases(t *testing.T, folder, list string) (files map[string]string, cases []peerCase) {
	t.Helper()
	files = fixtures.Entries(t, "agentxchain/exports/"+folder)
	raw, err := os.ReadFile(files["manifest.json"])
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]json.RawMessage
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(manifest[list], &cases); err != nil {
		t.Fatal(err)
	}
	return files, slices.DeleteFunc(cases, func(c peerCase) bool { return files[c.File] == "" })
}

// verifyBytes verifies a bundle held in memory and checks what holds for
// every report: both forms can be written, and the verdict fits the findings.
func verifyBytes(t testing.TB, b []byte, opts VerifyOptions) Report {
	t.Helper()
	r := Verify(context.Background(), NewSource(bytes.NewReader(b), int64(len(b))), opts)
	var text, doc bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(doc.Bytes()) {
		t.Fatalf("the JSON report is no JSON: %s", doc.String())
	}
	if text.Len() == 0 || strings.Contains(text.String(), "goroutine ") {
		t.Fatalf("bad text report: %q", text.String())
	}
	if (len(r.Errors) > 0) != (r.Overall == Fail) {
		t.Fatalf("verdict %s with errors %q", r.Overall, r.Errors)
	}
	return r
}

func verifyFile(t testing.TB, path string, opts VerifyOptions) Report {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return verifyBytes(t, b, opts)
}

// withheldIn lists what an artifact withholds, found without our reader.
func withheldIn(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if json.Unmarshal(b, &doc) != nil {
		return nil
	}
	return withheldInValue(doc, "")
}

func withheldInValue(doc any, prefix string) []string {
	var list []string
	bundle, _ := doc.(map[string]any)
	files, _ := bundle["files"].(map[string]any)
	for path, v := range files {
		entry, _ := v.(map[string]any)
		if b64, there := entry["content_base64"]; there && b64 == nil && (entry["truncated"] == true || entry["content_base64_skipped"] == true) {
			list = append(list, prefix+path)
		}
	}
	repos, _ := bundle["repos"].(map[string]any)
	for id, v := range repos {
		repo, _ := v.(map[string]any)
		list = append(list, withheldInValue(repo["export"], prefix+"repos."+id+".export: ")...)
	}
	slices.Sort(list)
	return list
}

// quotes reports whether one of our errors is the Node CLI's error, or has its
// fixed prefix where that one quotes its JSON parser.
func quotes(errors []string, peer string) bool {
	prefix := peer
	if i := strings.Index(peer, "invalid JSONL at line "); i >= 0 {
		digits := i + len("invalid JSONL at line ")
		prefix = peer[:digits+strings.Index(peer[digits:], ":")+1]
	} else if strings.HasPrefix(peer, "files.") && strings.Contains(peer, "JSON at position") || strings.HasSuffix(peer, "is not valid JSON") {
		prefix = peer[:strings.Index(peer, ": ")+1]
	}
	return slices.ContainsFunc(errors, func(e string) bool {
		return e == peer || prefix != peer && strings.HasPrefix(e, prefix)
	})
}

// withheldCodes are the findings that a bounded bundle may add to a pass.
func onlyWithheld(r Report) bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code != CodeWithheld })
}

func checkBounded(t *testing.T, path string, withheld []string) {
	t.Helper()
	r := verifyFile(t, path, VerifyOptions{})
	if r.Overall != Unverifiable || r.ExitCode() != 2 || !onlyWithheld(r) {
		t.Errorf("overall %s, findings %v, want unverifiable because of withheld content alone", r.Overall, r.Findings)
	}
	if got := slices.Sorted(slices.Values(r.Withheld)); !slices.Equal(got, withheld) {
		t.Errorf("withheld %q, want %q", got, withheld)
	}
	r = verifyFile(t, path, VerifyOptions{AllowBounded: true})
	if want := "pass (" + plural(len(withheld), "file") + " not verified)"; r.Overall != Pass || r.ExitCode() != 0 || r.Message != want {
		t.Errorf("allowed: overall %s %q, want %q", r.Overall, r.Message, want)
	}
}

func checkPasses(t *testing.T, path string) {
	t.Helper()
	if withheld := withheldIn(t, path); len(withheld) > 0 {
		checkBounded(t, path, withheld)
		return
	}
	if r := verifyFile(t, path, VerifyOptions{}); r.Overall != Pass || weighty(r) > 0 {
		t.Errorf("overall %s, findings %v, want pass", r.Overall, r.Findings)
	}
}

func checkCounts(t *testing.T, r Report, files, repos *int) {
	t.Helper()
	if files != nil && r.FileCount != *files {
		t.Errorf("file_count %d, want %d", r.FileCount, *files)
	}
	if repos != nil && r.RepoCount != *repos {
		t.Errorf("repo_count %d, want %d", r.RepoCount, *repos)
	}
}

func TestValidFixtures(t *testing.T) {
	files, cases := peerCases(t, "valid", "exports")
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) {
			path := files[c.File]
			checkPasses(t, path)
			checkCounts(t, verifyFile(t, path, VerifyOptions{}), c.Report.FileCount, c.Report.RepoCount)
		})
	}
	fixtures.Ran(t, "verify: the Node CLI's valid bundles", len(cases))
}

// weighty counts the findings that are more than a note.
func weighty(r Report) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity != SeverityNote {
			n++
		}
	}
	return n
}

func TestTamperedFixtures(t *testing.T) {
	files, cases := peerCases(t, "tampered", "cases")
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) { checkPeerCase(t, files[c.File], c) })
	}
	fixtures.Ran(t, "verify: the Node CLI's tampered bundles", len(cases))
}

func TestUnverifiableFixtures(t *testing.T) {
	files, cases := peerCases(t, "unverifiable", "cases")
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) { checkPeerCase(t, files[c.File], c) })
	}
	fixtures.Ran(t, "verify: bundles the Node CLI makes and rejects", len(cases))
}

func checkPeerCase(t *testing.T, path string, c peerCase) {
	t.Helper()
	r := verifyFile(t, path, VerifyOptions{})
	switch {
	case c.Crash != "":
		if code := r.ExitCode(); code != 1 && code != 2 || len(r.Findings) == 0 {
			t.Errorf("exit %d with findings %v where the Node CLI crashes (%s)", code, r.Findings, c.Crash)
		}
	case c.ExitCode == 0:
		checkPasses(t, path)
	case c.ExitCode == 2:
		if r.Overall != Broken || r.ExitCode() != 2 || !strings.HasPrefix(r.Message, "Invalid JSON export artifact: ") {
			t.Errorf("overall %s %q, want an error", r.Overall, r.Message)
		}
	default:
		if r.Overall != Fail || r.ExitCode() != 1 {
			t.Errorf("overall %s, want fail", r.Overall)
		}
		for _, e := range c.Errors {
			if !quotes(r.Errors, e) {
				t.Errorf("missing %q\nours: %q", e, r.Errors)
			}
		}
		if withheld := withheldIn(t, path); len(withheld) != len(r.Withheld) {
			t.Errorf("withheld %q, want %q", r.Withheld, withheld)
		}
	}
	checkCounts(t, r, c.FileCount, c.RepoCount)
}

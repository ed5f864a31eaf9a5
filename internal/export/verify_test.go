package export

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"

	"go.uber.org/goleak"
)

// made returns the bundle of makeBundle with n audit lines.
func made(n int) []byte {
	var b bytes.Buffer
	makeBundle(&b, n)
	return b.Bytes()
}

// edited returns made(12) with the first occurrence of each old text replaced
// by the new one after it; a text that is not there is a mistake of the test.
func edited(t testing.TB, oldnew ...string) []byte {
	t.Helper()
	s := string(made(12))
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(s, oldnew[i]) {
			t.Fatalf("%q is not in the bundle", oldnew[i])
		}
		s = strings.Replace(s, oldnew[i], oldnew[i+1], 1)
	}
	return []byte(s)
}

// codes lists what a report found, as "code path", sorted.
func codes(r Report) []string {
	list := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		list[i] = string(f.Code) + " " + f.Path
	}
	slices.Sort(list)
	return list
}

func wantCodes(t *testing.T, r Report, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := codes(r); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestMadeBundlePasses(t *testing.T) {
	r := verifyBytes(t, made(12), VerifyOptions{Strict: true, Input: "stdin"})
	if r.Overall != Pass || len(r.Findings) > 0 {
		t.Fatalf("overall %s, findings %v", r.Overall, r.Findings)
	}
}

// TestBadInput has one mistake per row, each with a message and an exit code
// of its own.
func TestBadInput(t *testing.T) {
	whole := string(made(12))
	content := strings.Index(whole, `"content_base64":"`) + len(`"content_base64":`)
	nested := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	ran := 0
	for _, c := range []struct {
		name, doc, want string
		exit            int
	}{
		{"empty", "", "Invalid JSON export artifact: unexpected end of input at line 1, column 1 (byte 0)", 2},
		{"cut short in a string", whole[:content+40], fmt.Sprintf("Invalid JSON export artifact: string without a closing quote at line 1, column %d (byte %d)", content+1, content), 2},
		{"cut short at the end", whole[:len(whole)-2], fmt.Sprintf("Invalid JSON export artifact: expected ',' or '}', found end of input at line 1, column %d (byte %d)", len(whole)-1, len(whole)-2), 2},
		{"two documents", whole + whole, fmt.Sprintf("Invalid JSON export artifact: unexpected '{' after the end of the document at line 2, column 1 (byte %d)", len(whole)), 2},
		{"byte order mark", "\uFEFF" + whole, "Invalid JSON export artifact: unexpected '\\ufeff' at line 1, column 1 (byte 0)", 2},
		{"invalid UTF-8 outside strings", "\xff" + whole, "Invalid JSON export artifact: unexpected byte 0xff at line 1, column 1 (byte 0)", 2},
		{"nested beyond reason", strings.Repeat("[", maxDepth+1), fmt.Sprintf("Invalid JSON export artifact: nested more than %d levels deep at byte %d", maxDepth, maxDepth), 2},
		{"10,000 nested arrays", nested, "artifact: must be a JSON object", 1},
		{"another document", `{"name":"x"}`, `export_kind: unsupported export kind "undefined"`, 1},
		{"another kind", strings.Replace(whole, "agentxchain_run_export", "agentxchain_backup", 1), `export_kind: unsupported export kind "agentxchain_backup"`, 1},
		{"kind is a list", strings.Replace(whole, `"agentxchain_run_export"`, `[1,[null,"x"],{}]`, 1), `export_kind: unsupported export kind "1,,x,[object Object]"`, 1},
		{"invalid UTF-8 in data", strings.Replace(whole, `"name":"P"},"roles":{},"runtimes":{}},"state"`, "\"name\":\"P\xff\"},\"roles\":{},\"runtimes\":{}},\"state\"", 1), "config: must match files.agentxchain.json.data", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran++
			r := verifyBytes(t, []byte(c.doc), VerifyOptions{})
			if r.ExitCode() != c.exit || r.Message != c.want && !slices.Contains(r.Errors, c.want) {
				t.Errorf("exit %d, %q %q, want %d, %q", r.ExitCode(), r.Message, r.Errors, c.exit, c.want)
			}
		})
	}
	deepUnused := edited(t, `{"schema_version"`, `{"unused":`+nested+`,"schema_version"`)
	if r := verifyBytes(t, deepUnused, VerifyOptions{}); r.Overall != Pass {
		t.Errorf("10,000 nested arrays where nobody looks: %s %v", r.Overall, r.Findings)
	}
	fixtures.Ran(t, "verify: bad input", ran)
}

// TestCrashes holds what the Node CLI dies of: there is a verdict for it.
func TestCrashes(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	state := `"active_turns":{}}`
	withState := func(more string) []byte {
		plain := `{"schema_version":"1.1","run_id":"run_1","project_id":"p","status":"active","phase":"planning",` + state
		next := strings.TrimSuffix(plain, "}") + more + "}"
		b := string(made(12))
		var entry bytes.Buffer
		makeJSONEntry(&entry, statePath, next)
		from := strings.Index(b, `"`+statePath+`"`)
		to := from + strings.Index(b[from:], plain) + len(plain) + 1
		b = b[:from] + entry.String() + b[to:]
		return []byte(strings.Replace(b, `"state":`+plain, `"state":`+next, 1))
	}
	for _, c := range []struct {
		name string
		doc  []byte
		exit int
		code string
	}{
		{"1,200 levels are judged", withState(`,"x":` + deep(1200)), 0, ""},
		{"1,300 levels are not", withState(`,"x":` + deep(1300)), 2, "limit.depth state"},
		{"20,000 levels are not", withState(`,"x":` + deep(20_000)), 2, "limit.depth state"},
		{"no files", edited(t, `"files":{`, `"felis":{`), 1, "files.not_object files"},
		{"null files", edited(t, `"files":{`, `"files":null,"felis":{`), 1, "files.not_object files"},
		{"repo decisions without a summary", edited(t, `"files":{`, `"files":{`+oneJSONL(repoPath, `{"id":"D","status":"active"}`)+`,`, `,"repo_decisions":null`, ""), 1, "summary.repo_decisions_mismatch summary.repo_decisions"},
		{"null history record", edited(t, `"files":{`, `"files":{`+oneJSONL(repoPath, `null`)+`,`), 1, "files.null_record files." + repoPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := verifyBytes(t, c.doc, VerifyOptions{AllowBounded: true})
			if r.ExitCode() != c.exit || c.code != "" && !slices.Contains(codes(r), c.code) {
				t.Errorf("exit %d, %q, want %d, %q", r.ExitCode(), codes(r), c.exit, c.code)
			}
		})
	}
}

// oneJSONL returns a correct JSONL entry as a member of "files".
func oneJSONL(path string, lines ...string) string {
	var b strings.Builder
	makeJSONLEntry(&b, path, len(lines), func(i int) string { return lines[i] })
	return b.String()
}

// TestForged holds the bundles that the Node CLI passes although they were
// forged under cover of withheld content.
func TestForged(t *testing.T) {
	dir := fixtures.Path(t, "agentxchain/exports/tampered")
	ran := 0
	for _, c := range []struct{ file, withheld, detail string }{
		{"147-trunc-jsonl-forged.json", auditPath, "it holds 1 of 1 entries"},
		{"152-trunc-text-forged.json", "TALK.md", ""},
		{"154-trunc-json-forged.json", configPath, ""},
		{"155-skip-json-forged.json", configPath, ""},
	} {
		path := filepath.Join(dir, c.file)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		ran++
		r := verifyFile(t, path, VerifyOptions{})
		wantCodes(t, r, "files.withheld files."+c.withheld)
		if r.Overall != Unverifiable || !slices.Equal(r.Withheld, []string{c.withheld}) {
			t.Errorf("%s: overall %s, withheld %q", c.file, r.Overall, r.Withheld)
		}
		if c.detail != "" && !strings.HasPrefix(r.Findings[0].Detail, "it holds ") {
			t.Errorf("%s: detail %q", c.file, r.Findings[0].Detail)
		}
	}
	if ran == 0 {
		t.Skip("none of the forged bundles is there")
	}
	fixtures.Ran(t, "verify: forged under withheld content", ran)
}

// withheldBundle is made(12) with the content of the audit withheld and one
// of its records forged.
func withheldBundle(t testing.TB, more ...string) []byte {
	t.Helper()
	b := string(made(12))
	from := strings.Index(b, `"`+auditPath+`":`)
	from += strings.Index(b[from:], `"content_base64":`) + len(`"content_base64":`)
	to := from + 1 + strings.IndexByte(b[from+1:], '"') + 1
	b = b[:from] + `null,"truncated":true,"total_entries":12,"retained_entries":12` + b[to:]
	for i := 0; i < len(more); i += 2 {
		b = strings.Replace(b, more[i], more[i+1], 1)
	}
	return []byte(b)
}

func TestWithheld(t *testing.T) {
	withheld := "files.withheld files." + auditPath
	r := verifyBytes(t, withheldBundle(t), VerifyOptions{})
	wantCodes(t, r, withheld)
	if r.Overall != Unverifiable || r.Findings[0].Detail != "it holds 12 of 12 entries" {
		t.Errorf("overall %s, %+v", r.Overall, r.Findings)
	}
	// Every check that needs no withheld byte still fails, allowed or not.
	for _, allow := range []bool{false, true} {
		r = verifyBytes(t, withheldBundle(t, `"notification_audit_entries":12`, `"notification_audit_entries":13`), VerifyOptions{AllowBounded: allow})
		wantCodes(t, r, withheld, "summary.count_mismatch summary.notification_audit_entries")
		if r.Overall != Fail {
			t.Errorf("overall %s", r.Overall)
		}
	}
	// A bundle of ours has no reason to withhold anything.
	ours := withheldBundle(t, `{"schema_version"`, `{"evidence":{"version":1,"complete":true},"schema_version"`)
	if r = verifyBytes(t, ours, VerifyOptions{AllowBounded: true}); r.Overall != Fail {
		t.Errorf("overall %s, want fail", r.Overall)
	}
}

// TestEvidence checks the parts that only our bundles have.
func TestEvidence(t *testing.T) {
	evidence := func(recovered, tail string) []byte {
		return edited(t, `{"schema_version"`, fmt.Sprintf(`{"evidence":{"version":1,"complete":true,"torn_tails":{"a.jsonl":{"offset":5,"bytes":%s,"content_base64":"eA=="}},`+
			`"recovered":{"path":"x","bytes":1,"sha256":"%s","content_base64":"eA=="},"notes":[]},"schema_version"`, tail, recovered))
	}
	const x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
	wantCodes(t, verifyBytes(t, evidence(x, "1"), VerifyOptions{}))
	wantCodes(t, verifyBytes(t, evidence(strings.Repeat("0", 64), "2"), VerifyOptions{}),
		"files.sha256_mismatch evidence.recovered", "files.bytes_mismatch evidence.torn_tails.a.jsonl")
}

// TestFindings has one fault per row and exactly what is found.
func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name   string
		oldnew []string
		want   []string
	}{
		{"a flipped field", []string{`"status_code":204`, `"status_code":200`}, []string{"files.data_mismatch files." + auditPath}},
		{"a dropped record", []string{madeAuditLine(3) + ",", ""}, []string{"files.data_mismatch files." + auditPath, "summary.count_mismatch summary.notification_audit_entries"}},
		{"a flipped digit of the hash", []string{`"sha256":"`, `"sha256":"0`}, []string{"files.sha256_invalid files." + historyPath, "files.sha256_mismatch files." + historyPath}},
		{"an unknown format", []string{`"format":"jsonl"`, `"format":{"toString":1}`}, []string{"files.format_unsupported files." + historyPath}},
		{"a content that is a number", []string{`"content_base64":"`, `"content_base64":7,"was":"`}, []string{"files.content_not_string files." + historyPath}},
		{"bytes as a string", []string{`"bytes":`, `"bytes":"7","was":`}, []string{"files.bytes_invalid files." + historyPath, "files.bytes_mismatch files." + historyPath}},
		{"a repeated entry, the last one counts", []string{`"files":{`, `"files":{"` + statePath + `":5,`}, nil},
		{"files twice, the last one counts", []string{`"files":{`, `"files":{"x":1},"files":{`}, nil},
		{"config twice, the last one counts", []string{`{"schema_version"`, `{"config":5,"schema_version"`}, nil},
		{"an entry named __proto__", []string{`"files":{`, `"files":{"__proto__":null,`}, []string{"files.entry_not_object files.__proto__"}},
		{"a huge count", []string{`"notification_audit_entries":12`, `"notification_audit_entries":1e400`}, []string{"summary.count_mismatch summary.notification_audit_entries"}},
		{"a count that rounds", []string{`"notification_audit_entries":12`, `"notification_audit_entries":12.0000000000000000001`}, nil},
		{
			"a duplicate phase",
			[]string{`"workflow_phase_order":null`, `"workflow_phase_order":["planning","planning",7," x",""]`},
			[]string{"summary.phase_order_invalid summary.workflow_phase_order", "summary.phase_order_invalid summary.workflow_phase_order[2]", "summary.phase_order_invalid summary.workflow_phase_order[3]", "summary.phase_order_invalid summary.workflow_phase_order[4]"},
		},
		{"an empty phase order", []string{`"workflow_phase_order":null`, `"workflow_phase_order":[]`}, []string{"summary.phase_order_invalid summary.workflow_phase_order"}},
		{
			"a bad workspace",
			[]string{`"project_root"`, `"workspace":{"git":{"is_repo":1,"head_sha":2,"dirty_paths":[""],"restore_supported":null,"restore_blockers":{}}},"project_root"`},
			[]string{"workspace.invalid workspace.git.dirty_paths", "workspace.invalid workspace.git.head_sha", "workspace.invalid workspace.git.is_repo", "workspace.invalid workspace.git.restore_blockers", "workspace.invalid workspace.git.restore_supported"},
		},
		{"no summary", []string{`"summary":{`, `"summary":5,"was":{`}, []string{"summary.not_object summary"}},
		{"no state", []string{`"state":{`, `"state":5,"was":{`}, []string{"state.not_object state"}},
	} {
		t.Run(c.name, func(t *testing.T) { wantCodes(t, verifyBytes(t, edited(t, c.oldnew...), VerifyOptions{}), c.want...) })
	}
}

// TestInvalidRecords checks that every line that is no JSON is found, and that
// data which leaves such lines out is compared with the others.
func TestInvalidRecords(t *testing.T) {
	const content = "{\"a\":1}\n\n  \nnope\n{\"b\":\r\n{\"c\":3}"
	entry := oneJSONL("x.jsonl", `{"a":1}`, `{"c":3}`)
	from := strings.Index(entry, `"content_base64":"`) + len(`"content_base64":"`)
	entry = entry[:from] + base64.StdEncoding.EncodeToString([]byte(content)) + entry[from+strings.IndexByte(entry[from:], '"'):]
	r := verifyBytes(t, edited(t, `"files":{`, `"files":{`+entry+","), VerifyOptions{})
	want := []string{
		"files.x.jsonl: x.jsonl: invalid JSONL at line 2: unexpected 'n' at byte 0",
		"files.x.jsonl: x.jsonl: invalid JSONL at line 3: unexpected end of input at byte 5",
	}
	if got := r.Errors[:2]; !slices.Equal(got, want) {
		t.Errorf("errors %q, want %q", got, want)
	}
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == CodeDataMismatch }) {
		t.Errorf("data holds what is JSON, yet %q", r.Errors)
	}
}

// TestStrict has what only strict verification refuses, and what it calls it.
func TestStrict(t *testing.T) {
	for _, c := range []struct {
		name   string
		oldnew []string
		want   []string
	}{
		{"line ends in base64", []string{`"content_base64":"`, `"content_base64":"\n`}, []string{"strict.base64 files." + historyPath}},
		{"an English date", []string{"2026-01-01T00:00:00.000Z", "Jan 1 2026"}, []string{"strict.date exported_at"}},
		{"a repeated key", []string{`"project_root":".",`, `"project_root":"x","project_root":".",`}, []string{"strict.duplicate_key artifact"}},
		{"a repeated key deep inside", []string{`"delegation_chains":[]`, `"x":[{"a":1,"\u0061":2}],"delegation_chains":[]`}, []string{"strict.duplicate_key artifact"}},
		{"bytes that are not UTF-8", []string{`"project_root":"."`, "\"project_root\":\"\xff\""}, []string{"strict.utf8 artifact"}},
		{"a path that leaves the project", []string{`"files":{`, `"files":{` + oneJSONL("../x.jsonl") + ","}, []string{"strict.path files.../x.jsonl"}},
		{"an absolute path", []string{`"files":{`, `"files":{` + oneJSONL("/etc/x.jsonl") + ","}, []string{"strict.path files./etc/x.jsonl"}},
		{"a Windows path", []string{`"files":{`, `"files":{` + oneJSONL("C:x.jsonl") + ","}, []string{"strict.path files.C:x.jsonl"}},
		{"an unknown key", []string{`"project_root"`, `"projekt_root":1,"project_root"`}, []string{"strict.unknown_key projekt_root"}},
		{"a count with decimals", []string{`"notification_audit_entries":12`, `"notification_audit_entries":12.0`}, []string{"strict.integer summary.notification_audit_entries"}},
		{"a negative zero", []string{`"decision_entries":0`, `"decision_entries":-0`}, []string{"strict.integer summary.decision_entries"}},
		{"a size with an exponent", []string{`"bytes":`, `"bytes":9e2,"was":`}, []string{"files.bytes_mismatch files." + historyPath, "strict.integer files." + historyPath}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := edited(t, c.oldnew...)
			wantCodes(t, verifyBytes(t, b, VerifyOptions{Strict: true}), c.want...)
			r := verifyBytes(t, b, VerifyOptions{})
			if slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.HasPrefix(string(f.Code), "strict.") }) {
				t.Errorf("without --strict: %v", r.Findings)
			}
		})
	}
	// Content that repeats a key which its data has once.
	entry := strings.Replace(oneJSONL("x.jsonl", `{"a":1,"a":2}`), `"data":[{"a":1,"a":2}]`, `"data":[{"a":2}]`, 1)
	b := edited(t, `"files":{`, `"files":{`+entry+",")
	wantCodes(t, verifyBytes(t, b, VerifyOptions{Strict: true}), "strict.duplicate_key files.x.jsonl")
	wantCodes(t, verifyBytes(t, b, VerifyOptions{}))
}

// respell writes a document anew: change may reorder an object's members.
func respell(t testing.TB, b []byte, indent bool, change func([]ecmajson.Member)) []byte {
	t.Helper()
	v, err := ecmajson.Parse(b, ecmajson.Options{MaxDepth: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	v = reordered(v, change)
	if indent {
		return ecmajson.AppendIndent(nil, v, "")
	}
	return ecmajson.Append(nil, v)
}

func reordered(v *ecmajson.Value, change func([]ecmajson.Member)) *ecmajson.Value {
	switch v.Kind() {
	case ecmajson.Array:
		items := make([]*ecmajson.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = reordered(item, change)
		}
		return ecmajson.NewArray(items...)
	case ecmajson.Object:
		members := slices.Clone(v.Members())
		change(members)
		out := ecmajson.NewObject()
		for _, m := range members {
			out.Set(m.Key, reordered(m.Value, change))
		}
		return out
	}
	return v
}

// TestSpellingDoesNotMatter checks that neither white space nor the order of
// keys changes a verdict or a finding. The verdict of the summary's order of
// events and phases is untouched: those are arrays.
func TestSpellingDoesNotMatter(t *testing.T) {
	shuffle := rand.New(rand.NewPCG(1, 2))
	ways := []func([]ecmajson.Member){
		func([]ecmajson.Member) {},
		slices.Reverse[[]ecmajson.Member],
		func(m []ecmajson.Member) { shuffle.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] }) },
	}
	ran := 0
	for name, b := range smallBundles(t) {
		want := codes(verifyBytes(t, b, VerifyOptions{}))
		for i, way := range ways {
			for _, indent := range []bool{false, true} {
				if got := codes(verifyBytes(t, respell(t, b, indent, way), VerifyOptions{})); !slices.Equal(got, want) {
					t.Errorf("%s, way %d, indent %v: found %q, want %q", name, i, indent, got, want)
				}
				ran++
			}
		}
	}
	fixtures.Ran(t, "verify: spelling does not matter", ran)
}

// smallBundles are bundles of all kinds: made ones and recorded ones.
func smallBundles(t testing.TB) map[string][]byte {
	t.Helper()
	bundles := map[string][]byte{
		"made": made(12), "withheld": withheldBundle(t),
		"damaged": edited(t, `"status_code":204`, `"status_code":200`, `"history_entries":1`, `"history_entries":2`),
	}
	dir, ok := fixtures.Lookup(t, "agentxchain/exports/tampered")
	if !ok {
		return bundles
	}
	for _, name := range []string{"001-untouched.json", "174-co-untouched.json", "195-co-nested-tamper.json"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			bundles[name] = b
		}
	}
	return bundles
}

// TestFlippedBytes flips bytes of a valid bundle, sampled evenly. Nothing
// panics, and whatever still passes says the same as before wherever the
// format looks: the flip is in a place that the contract leaves unchecked.
func TestFlippedBytes(t *testing.T) {
	b := made(12)
	step := max(len(b)/1500, 1)
	passed := 0
	for i := 0; i < len(b); i += step {
		flipped := slices.Clone(b)
		flipped[i] ^= 1 << (i % 8)
		if r := verifyBytes(t, flipped, VerifyOptions{}); r.Overall == Pass {
			passed++
			if !unchecked(t, b, flipped) {
				t.Errorf("byte %d, %q for %q, passes: …%s…", i, flipped[i], b[i], flipped[max(i-40, 0):min(i+40, len(b))])
			}
		}
	}
	t.Logf("%d of %d flips are irrelevant", passed, len(b)/step)
}

// unchecked reports whether two bundles differ at most in white space, in the
// spelling of the same values, in the other date, in the path of the root and
// in names that mean nothing.
func unchecked(t *testing.T, a, b []byte) bool {
	t.Helper()
	strip := func(b []byte) *ecmajson.Value {
		v, err := ecmajson.Parse(b, ecmajson.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return known(v)
	}
	return ecmajson.Equal(strip(a), strip(b))
}

// known keeps of a run export what verification compares or recomputes.
func known(v *ecmajson.Value) *ecmajson.Value {
	out := ecmajson.NewObject()
	for _, key := range []string{"export_kind", "project", "config", "state"} {
		out.Set(key, v.Get(key))
	}
	summary := ecmajson.NewObject()
	for _, m := range v.Get("summary").Members() {
		switch m.Key {
		case "run_id", "status", "phase", "active_turn_ids", "retained_turn_ids", "history_entries", "decision_entries",
			"hook_audit_entries", "notification_audit_entries", "dispatch_artifact_files", "staging_artifact_files", "intake_present", "coordinator_present":
			summary.Set(m.Key, m.Value)
		case "workflow_phase_order", "repo_decisions", "delegation_summary":
			// In these bundles they say that there is nothing, as their
			// absence does.
		}
	}
	out.Set("summary", summary)
	files := ecmajson.NewObject()
	for _, m := range v.Get("files").Members() {
		entry := ecmajson.NewObject()
		for _, key := range []string{"format", "bytes", "sha256", "content_base64", "data"} {
			entry.Set(key, m.Value.Get(key))
		}
		files.Set(m.Key, entry)
	}
	return out.Set("files", files)
}

// TestRoundTrip verifies what the builder makes of the recorded projects.
func TestRoundTrip(t *testing.T) {
	ran := 0
	for name, dir := range fixtures.Entries(t, "agentxchain/projects") {
		opts := testOptions(dir)
		if _, err := os.Stat(filepath.Join(opts.Root, configPath)); err != nil {
			opts.Kind = Coordinator
		}
		for _, opts.Pretty = range []bool{false, true} {
			var out bytes.Buffer
			opts.Out = &out
			if _, err := Build(context.Background(), opts); err != nil {
				continue // what cannot be exported is the builder's to test
			}
			ran++
			if r := verifyBytes(t, out.Bytes(), VerifyOptions{}); r.Overall != Pass {
				t.Errorf("%s: overall %s, %q", name, r.Overall, r.Errors)
			}
			// What a strict reader refuses can only stand in the project's files.
			r := verifyBytes(t, out.Bytes(), VerifyOptions{Strict: true})
			for _, f := range r.Findings {
				if f.Code != CodeStrictDuplicateKey {
					t.Errorf("%s: strictly %s", name, f)
				}
			}
		}
	}
	fixtures.Ran(t, "verify: bundles made by us", ran)
}

func TestSources(t *testing.T) {
	b := made(1000)
	path := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(name string, src *Source, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := Verify(context.Background(), src, VerifyOptions{}); r.Overall != Pass || src.size != int64(len(b)) {
			t.Errorf("%s: %s %s %v, %d bytes", name, r.Overall, r.Message, r.Findings, src.size)
		}
		if err := src.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	src, err := OpenSource(context.Background(), path)
	check("file", src, err)
	src, err = SpoolSource(context.Background(), io.MultiReader(bytes.NewReader(b)))
	check("stream", src, err)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err = SpoolSource(context.Background(), f)
	check("redirected file", src, err)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		pw.Write(b)
		pw.Close()
	}()
	src, err = SpoolSource(context.Background(), pr)
	check("pipe", src, err)
	pr.Close()
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.json")
	for path, want := range map[string]string{
		missing: "ENOENT: no such file or directory, open '" + missing + "'",
		dir:     "EISDIR: illegal operation on a directory, read",
	} {
		src, err := OpenSource(context.Background(), path)
		if err == nil {
			t.Fatalf("%s was opened, %d bytes", path, src.size)
		}
		r := ErrorReport(path, err)
		if r.Message != want || r.ExitCode() != 2 {
			t.Errorf("%s: exit %d, %q, want %q", path, r.ExitCode(), r.Message, want)
		}
	}
}

// failingReader fails at one offset, and from there on if it shrinks.
type failingReader struct {
	*bytes.Reader
	at  int64
	err error
}

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.at {
		return 0, r.err
	}
	return r.Reader.ReadAt(p, off)
}

// TestReadFaults checks that a fault of the disk, an early end and an
// interruption at any time are errors and neither verdicts nor leaks.
func TestReadFaults(t *testing.T) {
	b := made(3000)
	for _, fault := range []error{errors.New("input/output error"), io.EOF} {
		for _, at := range []int64{0, 100, int64(len(b) / 2), int64(len(b) - 1)} {
			src := NewSource(failingReader{bytes.NewReader(b), at, fault}, int64(len(b)))
			if r := Verify(context.Background(), src, VerifyOptions{}); r.Overall != Broken || r.ErrorCode != "unreadable" {
				t.Errorf("fault %v at %d: %s %q", fault, at, r.Overall, r.Message)
			}
		}
	}
	for reads := range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		src := NewSource(&cancellingReader{Reader: bytes.NewReader(b), cancel: cancel, after: int64(reads)}, int64(len(b)))
		if r := Verify(ctx, src, VerifyOptions{}); r.Overall == Broken && r.ErrorCode != "interrupted" {
			t.Errorf("after %d reads: %s", reads, r.Message)
		}
		cancel()
	}
	goleak.VerifyNone(t)
}

// cancellingReader cancels after a number of reads.
type cancellingReader struct {
	*bytes.Reader
	cancel func()
	after  int64
	reads  atomic.Int64
}

func (r *cancellingReader) ReadAt(p []byte, off int64) (int, error) {
	if r.reads.Add(1) == r.after {
		r.cancel()
	}
	return r.Reader.ReadAt(p, off)
}

// TestChangingBundle verifies a bundle that is another one at every read.
func TestChangingBundle(t *testing.T) {
	a, b := made(12), edited(t, `"status_code":204`, `"status_code":"x"`)
	for seed := range uint64(50) {
		r := changingReader{[2][]byte{a, bytes.Repeat(b, 2)[:len(a)]}, rand.New(rand.NewPCG(seed, 0))}
		Verify(context.Background(), NewSource(r, int64(len(a))), VerifyOptions{Strict: true})
	}
}

type changingReader struct {
	versions [2][]byte
	random   *rand.Rand
}

func (r changingReader) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(r.versions[r.random.IntN(2)]).ReadAt(p[:min(len(p), 1+r.random.IntN(3000))], off)
}

// FuzzVerify shows that whatever comes in, a report comes out, and that what
// passes strictly passes.
func FuzzVerify(f *testing.F) {
	for _, b := range smallBundles(f) {
		f.Add(b, uint8(0))
		f.Add(b, uint8(3))
	}
	f.Add([]byte(`{"export_kind":"agentxchain_coordinator_export","files":{},"repos":{"a":{"ok":true,"export":{"repos":{}}}},"summary":{"aggregated_events":{}}}`), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, flags uint8) {
		opts := VerifyOptions{Strict: flags&1 != 0, AllowBounded: flags&2 != 0}
		r := verifyBytes(t, b, opts)
		opts.Strict = false
		if lenient := verifyBytes(t, b, opts); r.Overall == Pass && lenient.Overall != Pass {
			t.Errorf("strictly %s, leniently %s %v", r.Overall, lenient.Overall, lenient.Findings)
		}
		if _, err := ecmajson.Parse(b, ecmajson.Options{MaxDepth: maxDepth}); (err != nil) != (r.Overall == Broken) {
			t.Errorf("the parser says %v, the report %s %s", err, r.Overall, r.Message)
		}
	})
}

// TestReportJSON checks the order of keys, which belongs to the contract.
func TestReportJSON(t *testing.T) {
	keys := func(r Report) string {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		v, err := ecmajson.Parse(b.Bytes(), ecmajson.Options{UniqueKeys: true, ValidUTF8: true})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(v.OwnKeys(), " ")
	}
	for _, c := range []struct{ doc, want string }{
		{string(made(12)), "overall schema_version export_kind file_count repo_count errors input findings withheld"},
		{"[]", "overall schema_version export_kind file_count errors input findings withheld"},
		{"", "overall input message error"},
	} {
		if got := keys(verifyBytes(t, []byte(c.doc), VerifyOptions{})); got != c.want {
			t.Errorf("keys %s, want %s", got, c.want)
		}
	}
	if got := keys(verifyBytes(t, withheldBundle(t), VerifyOptions{AllowBounded: true})); !strings.HasSuffix(got, " withheld message") {
		t.Errorf("keys %s", got)
	}
}

func TestReportText(t *testing.T) {
	text := func(b []byte, opts VerifyOptions) string {
		var out strings.Builder
		opts.Input = "/x/bundle.json"
		if err := Verify(context.Background(), NewSource(bytes.NewReader(b), int64(len(b))), opts).WriteText(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	head := "\n  AgentXchain Export Verification\n  " + strings.Repeat("─", 43) + "\n  Input: /x/bundle.json\n"
	for _, c := range []struct{ name, got, want string }{
		{"pass", text(made(12), VerifyOptions{}), head + "  Export kind: agentxchain_run_export\n  Schema: 0.3\n\n  Overall: PASS\n  Files verified: 4\n\n"},
		{"fail", text([]byte("7"), VerifyOptions{}), head + "  Export kind: unknown\n  Schema: unknown\n\n  Overall: FAIL\n  Files verified: 0\n    ✗ artifact: must be a JSON object\n\n"},
		{"bounded", text(withheldBundle(t), VerifyOptions{AllowBounded: true}), head + "  Export kind: agentxchain_run_export\n  Schema: 0.3\n\n  Overall: PASS (1 file not verified)\n  Files verified: 3\n" +
			"    · files.agentxchain/notification-audit.jsonl: content is withheld, so neither sha256 nor data can be verified (it holds 12 of 12 entries)\n\n"},
		{"error", text([]byte(`{"a`), VerifyOptions{}), "Export verification failed: Invalid JSON export artifact: string without a closing quote at line 1, column 2 (byte 1)\n"},
		{"hostile", text([]byte(`{"export_kind":"\u001b[2J\n  Overall: PASS"}`), VerifyOptions{}), ""},
	} {
		c.want = strings.ReplaceAll(c.want, "files.agentxchain/", "files..agentxchain/")
		if c.want != "" && c.got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, c.got, c.want)
		}
		if strings.ContainsAny(c.got, "\x1b") || strings.Count(c.got, "\n  Overall: ") > 1 {
			t.Errorf("%s: control characters in %q", c.name, c.got)
		}
	}
}

// TestDocumentedCodes holds the table of docs/verification.md to the list of
// codes, both ways.
func TestDocumentedCodes(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(fixtures.Root(t), "docs", "verification.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("report_codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, line := range strings.Split(string(source), "\n") {
		if _, code, ok := strings.Cut(line, `= "`); ok {
			want = append(want, strings.TrimSuffix(code, `"`))
		}
	}
	var got []string
	for _, line := range strings.Split(string(doc), "\n") {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			if code, _, ok := strings.Cut(rest, "` |"); ok && strings.Contains(code, ".") {
				got = append(got, code)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("documented %q\nin the source %q", got, want)
	}
}

package export

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"

	"github.com/google/go-cmp/cmp"
)

// buildFile builds to a file outside the project.
func buildFile(t testing.TB, opts Options) ([]byte, Result) {
	t.Helper()
	opts.Path = filepath.Join(t.TempDir(), "bundle.json")
	res, err := Build(context.Background(), opts)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	b, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	if res.Bytes != int64(len(b)) {
		t.Errorf("Result.Bytes = %d, the file has %d", res.Bytes, len(b))
	}
	return b, res
}

// checkEntries recomputes every entry of a run bundle.
func checkEntries(t *testing.T, bundle *ecmajson.Value) {
	t.Helper()
	for _, m := range bundle.Get("files").Members() {
		if err := checkEntry(m.Value); err != nil {
			t.Errorf("%s: %v", m.Key, err)
		}
	}
}

// bigProject has files of every format on both sides of what is held in memory.
func bigProject(t *testing.T) string {
	var text, document strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for text.Len() < heldFile+heldFile/4 {
		text.WriteString([]string{"a", "é", "☃", "😀", "\xe2\x98", "\"", "\\", "\x00", "\n", "\u2028"}[random.IntN(10)])
	}
	document.WriteString("{ \"a\" : [\n")
	for i := range 50_000 {
		fmt.Fprintf(&document, "  { \"k\\\"%d\" : \" é \xff\\u2603\" },\n", i)
	}
	document.WriteString("  -0, 1e400 ] }\n")
	lines := auditLines(6_000)
	odd := append(bytes.Clone(lines[:heldFile]), "\n  \ufeff\n not json\n\r\n{\"a\": \"\xff\"}  \r\n[1, 2]\n"...)
	return project(t, minimal(map[string]string{
		auditPath:               string(lines),
		historyPath:             `{"turn_id":"t1","role":"pm","delegations_issued":[{"id":"d1"}]}` + "\n" + string(lines[:heldFile/8]),
		eventsPath:              string(odd),
		".planning/text.md":     text.String(),
		".planning/doc.json":    document.String(),
		".planning/bad.json":    document.String() + "]",
		".planning/small.md":    "small",
		".planning/empty.md":    "",
		".planning/empty.jsonl": "",
	}))
}

func TestFileAndStreamSayTheSame(t *testing.T) {
	opts := testOptions(bigProject(t))
	stream, res := buildBytes(t, opts)
	reference := parseBundle(t, stream)
	checkEntries(t, reference)
	if res.Files != 11 || res.AuditEntries != 6_000 {
		t.Errorf("result %+v", res)
	}
	if n := bytes.Count(stream, []byte("\n")); n != 1 {
		t.Errorf("the compact form has %d lines", n)
	}
	file, _ := buildFile(t, opts)
	if !bytes.Equal(stream, file) {
		t.Error("file and stream differ")
	}
	opts.Pretty = true
	pretty, _ := buildFile(t, opts)
	if !ecmajson.Equal(reference, parseBundle(t, pretty)) {
		t.Error("the indented form differs")
	}
	prettyStream, _ := buildBytes(t, opts)
	if !bytes.Equal(pretty, prettyStream) {
		t.Error("indented file and stream differ")
	}
	if n := bytes.Count(pretty, []byte("\n        {\"event_id\"")); n < 10_000 {
		t.Errorf("%d records have a line of their own", n)
	}
	opts.TempDir = filepath.Join(t.TempDir(), "missing")
	if again, _ := buildBytes(t, opts); !bytes.Equal(pretty, again) {
		t.Error("without room for copies the bundle differs")
	}
}

func TestReadsEachFileAtMostTwice(t *testing.T) {
	root := bigProject(t)
	for _, form := range []string{"file", "stream"} {
		read := map[string]int64{}
		opts := testOptions(root)
		opts.read = func(name string, n int) { read[name] += int64(n) }
		if form == "file" {
			buildFile(t, opts)
		} else {
			buildBytes(t, opts)
		}
		if len(read) < 9 {
			t.Errorf("%s: only %d files counted", form, len(read))
		}
		for name, n := range read {
			info, err := os.Stat(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if n > 2*info.Size() {
				t.Errorf("%s: %s: %d bytes read of %d", form, name, n, info.Size())
			}
		}
	}
}

// TestBuildMemoryIsFlat counts everything that is allocated, not only what is live
// at the end: nothing may be allocated per line.
func TestBuildMemoryIsFlat(t *testing.T) {
	for _, form := range []string{"file", "stream"} {
		var allocated [2]uint64
		for i, lines := range []int{6_000, 24_000} {
			audit := string(auditLines(lines))
			opts := testOptions(project(t, minimal(map[string]string{auditPath: audit, historyPath: audit})))
			out := Options.withPath
			if form == "stream" {
				out = Options.withDiscard
			}
			opts = out(opts, t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			res, err := Build(context.Background(), opts)
			runtime.ReadMemStats(&after)
			if err != nil || res.AuditEntries != int64(lines) {
				t.Fatalf("%+v, %v", res, err)
			}
			allocated[i] = after.TotalAlloc - before.TotalAlloc
		}
		if allocated[1] > allocated[0]+64<<10 || allocated[1] > 4<<20 {
			t.Errorf("%s: %d bytes allocated for 6,000 lines, %d for 24,000", form, allocated[0], allocated[1])
		}
	}
}

func (o Options) withPath(t *testing.T) Options {
	o.Path = filepath.Join(t.TempDir(), "bundle.json")
	return o
}

func (o Options) withDiscard(*testing.T) Options {
	o.Out = discard{}
	return o
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestSameInputSameBytes(t *testing.T) {
	files := minimal(map[string]string{
		auditPath: string(auditLines(10)), "TALK.md": "x", ".planning/b.md": "b", ".planning/A.md": "a", ".planning/a.json": "{",
	})
	first, _ := buildBytes(t, testOptions(project(t, files)))
	second, _ := buildBytes(t, testOptions(project(t, files)))
	if !bytes.Equal(first, second) {
		t.Error("two folders with the same files give two bundles")
	}
	if got := parseBundle(t, first).Get("exported_at").Str(); got != "2026-01-02T03:04:05.678Z" {
		t.Errorf("exported_at %s", got)
	}
}

// TestTornTail cuts an audit at every byte, as kill -9 may.
func TestTornTail(t *testing.T) {
	audit := string(auditLines(2))
	first := strings.Index(audit, "\n") + 1
	root := project(t, minimal(nil))
	for n := range len(audit) + 1 {
		writeFile(t, filepath.Join(root, auditPath), audit[:n])
		b, res := buildBytes(t, testOptions(root))
		bundle := parseBundle(t, b)
		checkEntries(t, bundle)
		// A line that lacks nothing but its line feed is complete.
		kept := 0
		for _, end := range []int{first - 1, first, len(audit) - 1, len(audit)} {
			if n >= end {
				kept = end
			}
		}
		tail := audit[kept:n]
		entry := bundle.Get("files").Get(auditPath)
		content, err := contentOf(entry)
		if err != nil || string(content) != audit[:kept] {
			t.Fatalf("cut at %d: the entry holds %q, %v", n, content, err)
		}
		torn := bundle.Get("evidence").Get("torn_tails").Get(auditPath)
		if (tail == "") != (torn == nil) || (tail == "") != (len(res.Warnings) == 0) {
			t.Fatalf("cut at %d: torn tail %s, warnings %q", n, ecmajson.Append(nil, torn), res.Warnings)
		}
		if tail == "" {
			continue
		}
		saved, err := base64.StdEncoding.DecodeString(torn.Get("content_base64").Str())
		if err != nil || string(saved) != tail || torn.Get("offset").Num() != float64(kept) || torn.Get("bytes").Num() != float64(len(tail)) {
			t.Fatalf("cut at %d: torn tail %s, %v", n, ecmajson.Append(nil, torn), err)
		}
		if c := noteCodes(bundle); !cmp.Equal(c, []string{noteTornTail}) {
			t.Fatalf("notes %q", c)
		}
	}
}

func noteCodes(bundle *ecmajson.Value) []string {
	codes := []string{}
	for _, n := range bundle.Get("evidence").Get("notes").Items() {
		codes = append(codes, n.Get("code").Str())
	}
	return codes
}

func TestForeignLines(t *testing.T) {
	root := project(t, minimal(map[string]string{
		auditPath:  "oops\n" + auditLine(1) + "{\"a\":\n" + strings.Repeat("x\n", 30),
		eventsPath: "{\"a\":1}\ntorn{",
	}))
	b, res := buildBytes(t, testOptions(root))
	bundle := parseBundle(t, b)
	checkEntries(t, bundle)
	if n := bundle.Get("summary").Get("notification_audit_entries").Num(); n != 1 {
		t.Errorf("%v entries", n)
	}
	notes := bundle.Get("evidence").Get("notes").Items()
	if len(notes) != 2 || notes[1].Get("count").Num() != 32 || notes[1].Get("lines").Len() != maxForeignListed ||
		notes[1].Get("lines").Items()[1].Num() != 3 || notes[0].Get("path").Str() != eventsPath {
		t.Errorf("notes %s", ecmajson.Append(nil, bundle.Get("evidence")))
	}
	if len(res.Warnings) != 2 {
		t.Errorf("warnings %q", res.Warnings)
	}
}

func TestStateThatIsNoObject(t *testing.T) {
	for _, c := range []struct {
		name, state string
		want        string
		note        string
		format      string
	}{
		{"broken", `{"run_id":`, "null", noteBrokenJSON, formatText},
		{"array", `[]`, "[]", "", formatJSON},
		{"null", `null`, "null", "", formatJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := buildBytes(t, testOptions(project(t, minimal(map[string]string{statePath: c.state}))))
			bundle := parseBundle(t, b)
			checkEntries(t, bundle)
			if got := string(ecmajson.Append(nil, bundle.Get("state"))); got != c.want {
				t.Errorf("state %s", got)
			}
			if got := bundle.Get("files").Get(statePath).Get("format").Str(); got != c.format {
				t.Errorf("format %s", got)
			}
			if got := strings.Join(noteCodes(bundle), " "); got != c.note {
				t.Errorf("notes %q", got)
			}
			if !bundle.Get("summary").Get("run_id").Is(ecmajson.Null) {
				t.Error("a run id out of nothing")
			}
		})
	}
	files := minimal(nil)
	delete(files, statePath)
	b, res := buildBytes(t, testOptions(project(t, files)))
	if c := noteCodes(parseBundle(t, b)); !cmp.Equal(c, []string{noteState}) || len(res.Warnings) != 1 {
		t.Errorf("notes %q, warnings %q", c, res.Warnings)
	}
}

// TestGrowingAudit exports while another process appends.
func TestGrowingAudit(t *testing.T) {
	root := project(t, minimal(map[string]string{auditPath: string(auditLines(6000))}))
	f, err := os.OpenFile(filepath.Join(root, auditPath), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	done, grown := make(chan struct{}), sync.WaitGroup{}
	grown.Go(func() {
		for i := 6000; i < 12_000; i++ {
			select {
			case <-done:
				return
			default:
				if _, err := f.WriteString(auditLine(i)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	opts := testOptions(root)
	file, _ := buildFile(t, opts)
	stream, _ := buildBytes(t, opts)
	close(done)
	grown.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	final, err := os.ReadFile(filepath.Join(root, auditPath))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{file, stream} {
		bundle := parseBundle(t, b)
		checkEntries(t, bundle)
		content, err := contentOf(bundle.Get("files").Get(auditPath))
		if err != nil || !bytes.HasPrefix(final, content) || len(content) < 6000*100 {
			t.Errorf("%d bytes exported, %v", len(content), err)
		}
	}
}

// TestFileThatChanges touches a big file between the two times it is read.
func TestFileThatChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(path string) error
		want   error
	}{
		{"shrinks", func(path string) error { return os.Truncate(path, 100) }, errShrank},
		{"rewritten", func(path string) error {
			return os.WriteFile(path, bytes.ToUpper(auditLines(5_000)), 0o644)
		}, errChanged},
		{"replaced", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, auditLines(5_001), 0o644))
		}, nil}, // the old file is still open, and whole
	} {
		t.Run(c.name, func(t *testing.T) {
			root := project(t, minimal(map[string]string{auditPath: string(auditLines(5_000)), "TALK.md": "x"}))
			opts := testOptions(root).withPath(t)
			changed := false
			opts.read = func(name string, _ int) {
				// TALK.md sorts behind, so the audit has been read once.
				if name == "TALK.md" && !changed {
					changed = true
					if err := c.change(filepath.Join(root, auditPath)); err != nil {
						t.Error(err)
					}
				}
			}
			_, err := Build(context.Background(), opts)
			if !changed || !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), auditPath) {
				t.Errorf("changed %v, error %v", changed, err)
			}
			if left := listFiles(t, filepath.Dir(opts.Path)); c.want != nil && len(left) != 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func listFiles(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, filepath.ToSlash(path[len(dir)+1:]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFileThatShrinksOnceIsReadAgain(t *testing.T) {
	root := project(t, minimal(map[string]string{eventsPath: string(auditLines(5_000))}))
	opts, shrunk := testOptions(root), false
	opts.read = func(name string, _ int) {
		if name == eventsPath && !shrunk {
			shrunk = true
			if err := os.Truncate(filepath.Join(root, eventsPath), int64(len(auditLine(0)))); err != nil {
				t.Error(err)
			}
		}
	}
	b, _ := buildBytes(t, opts)
	bundle := parseBundle(t, b)
	checkEntries(t, bundle)
	if n := bundle.Get("files").Get(eventsPath).Get("data").Len(); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestFileThatVanishes(t *testing.T) {
	root := project(t, minimal(map[string]string{".planning/z.md": "z", ".planning/a.md": "a"}))
	opts := testOptions(root)
	opts.read = func(name string, _ int) {
		if name == ".planning/a.md" {
			_ = os.Remove(filepath.Join(root, ".planning/z.md"))
		}
	}
	b, res := buildBytes(t, opts)
	bundle := parseBundle(t, b)
	if c := noteCodes(bundle); !cmp.Equal(c, []string{noteVanished}) || res.Files != 3 || bundle.Get("summary").Get("included_files").Num() != 3 {
		t.Errorf("notes %q, %+v", c, res)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("needs a user who can be refused")
	}
	root := project(t, minimal(map[string]string{".planning/a.md": "a"}))
	if err := os.Chmod(filepath.Join(root, ".planning/a.md"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := Build(context.Background(), testOptions(root).withDiscard(t))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), `".planning/a.md"`) || strings.Contains(err.Error(), root) {
		t.Errorf("error %v", err)
	}
}

func TestNothingToExport(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  Kind
		files map[string]string
		want  error
	}{
		{"empty", Run, nil, ErrNoProject},
		{"not JSON", Run, map[string]string{configPath: "{"}, ErrNoProject},
		{"unknown version", Run, map[string]string{configPath: `{"version":"3"}`}, ErrNoProject},
		{"legacy", Run, map[string]string{configPath: `{"version":3}`}, ErrLegacy},
		{"no workspace", Coordinator, nil, ErrNoProject},
		{"workspace not JSON", Coordinator, map[string]string{workspacePath: "nope"}, ErrNoProject},
		{"workspace no object", Coordinator, map[string]string{workspacePath: "[]"}, ErrNoProject},
	} {
		opts := testOptions(project(t, c.files)).withPath(t)
		opts.Kind = c.kind
		if _, err := Build(context.Background(), opts); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if left := listFiles(t, filepath.Dir(opts.Path)); len(left) != 0 {
			t.Errorf("%s: left behind %q", c.name, left)
		}
	}
	opts := testOptions(filepath.Join(t.TempDir(), "missing"))
	if _, err := Build(context.Background(), opts); !errors.Is(err, ErrNoProject) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	opts := testOptions(bigProject(t)).withPath(t)
	opts.read = func(name string, _ int) {
		if name == "TALK.md" || strings.HasPrefix(name, ".planning") {
			cancel()
		}
	}
	if _, err := Build(ctx, opts); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left := listFiles(t, filepath.Dir(opts.Path)); len(left) != 0 {
		t.Errorf("left behind %q", left)
	}
	cancel()
}

// TestReadingChangesNothing compares the project before and after, the files
// of a dead dashboard among them.
func TestReadingChangesNothing(t *testing.T) {
	root := project(t, minimal(map[string]string{
		pidPath: "999999999\n", sessionPath: `{"pid":999999999,"url":"http://127.0.0.1:1","started_at":"2026-01-02T03:04:05.000Z"}`,
		auditPath: string(auditLines(3)) + "{torn",
	}))
	fingerprint := func() map[string]string {
		seen := map[string]string{}
		for _, name := range listFiles(t, root) {
			info, err := os.Stat(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			seen[name] = fmt.Sprint(info.Mode(), info.ModTime(), string(b))
		}
		return seen
	}
	before := fingerprint()
	b, _ := buildBytes(t, testOptions(root))
	buildFile(t, testOptions(root))
	if d := cmp.Diff(before, fingerprint()); d != "" {
		t.Error(d)
	}
	if got := parseBundle(t, b).Get("summary").Get("dashboard_session").Get("status").Str(); got != "not_running" {
		t.Errorf("dashboard %s", got)
	}
}

func TestDashboardSession(t *testing.T) {
	alive := fmt.Sprintf("%d\n", os.Getpid())
	session := `{"pid":7,"url":"http://127.0.0.1:1","started_at":"2026-01-02T03:04:05.000Z"}`
	for _, c := range []struct{ name, pid, session, want string }{
		{"none", "", "", `not_running null null null`},
		{"running", alive, session, fmt.Sprintf(`running %d "http://127.0.0.1:1" "2026-01-02T03:04:05.000Z"`, os.Getpid())},
		{"pid only", alive, "", fmt.Sprintf("pid_only %d null null", os.Getpid())},
		{"stale", "", session, `stale 7 "http://127.0.0.1:1" "2026-01-02T03:04:05.000Z"`},
		{"dead", "999999999", session, `not_running null null null`},
		{"odd pid", "x", session, `stale 7 "http://127.0.0.1:1" "2026-01-02T03:04:05.000Z"`},
		{"odd values", "", `{"pid":"7","url":5,"started_at":"yesterday"}`, `stale null null null`},
		{"odd session", "", `null`, `not_running null null null`},
		{"broken session", "", `{`, `not_running null null null`},
		{"negative pid", "", `{"pid":-1}`, `stale null null null`},
	} {
		files := minimal(nil)
		if c.pid != "" {
			files[pidPath] = c.pid
		}
		if c.session != "" {
			files[sessionPath] = c.session
		}
		b, _ := buildBytes(t, testOptions(project(t, files)))
		d := parseBundle(t, b).Get("summary").Get("dashboard_session")
		got := d.Get("status").Str()
		for _, key := range []string{"pid", "url", "started_at"} {
			got += " " + string(ecmajson.Append(nil, d.Get(key)))
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPhaseOrder(t *testing.T) {
	for _, c := range []struct{ routing, want, note string }{
		{`{"planning":{},"qa":{}}`, `["planning","qa"]`, ""},
		{`{}`, `null`, ""},
		{`null`, `null`, ""},
		{`{"qa":{}}`, `null`, notePhaseOrder},
		{`{"planning":{}," qa":{}}`, `null`, notePhaseOrder},
		{`{"planning":{},"":{}}`, `null`, notePhaseOrder},
	} {
		config := strings.Replace(testConfig, `"roles"`, `"routing":`+c.routing+`,"roles"`, 1)
		b, _ := buildBytes(t, testOptions(project(t, minimal(map[string]string{configPath: config}))))
		bundle := parseBundle(t, b)
		if got := string(ecmajson.Append(nil, bundle.Get("summary").Get("workflow_phase_order"))); got != c.want {
			t.Errorf("%s: %s", c.routing, got)
		}
		if got := strings.Join(noteCodes(bundle), " "); got != c.note {
			t.Errorf("%s: notes %q", c.routing, got)
		}
	}
}

func TestRecoveredBytesTravelUnderEvidence(t *testing.T) {
	recovered := `{"at":"2026-01-02T03:04:05.000Z","offset":1,"bytes":"x"}` + "\n"
	b, res := buildBytes(t, testOptions(project(t, minimal(map[string]string{recoveredPath: recovered, ".agentxchain/notify/outbox/x.json": "{}"}))))
	bundle := parseBundle(t, b)
	entry := bundle.Get("evidence").Get("recovered")
	content, err := contentOf(entry)
	if err != nil || string(content) != recovered || entry.Get("path").Str() != recoveredPath || entry.Get("data") != nil {
		t.Errorf("recovered %s, %v", ecmajson.Append(nil, entry), err)
	}
	if res.Files != 2 {
		t.Errorf("%d files: our own folder is no evidence", res.Files)
	}
}

func TestTime(t *testing.T) {
	now := time.Unix(5, 0)
	for _, c := range []struct{ at, epoch, want string }{
		{"", "", "1970-01-01T00:00:05Z"},
		{"", "1700000000", "2023-11-14T22:13:20Z"},
		{"2026-01-02T03:04:05+01:00", "1700000000", "2026-01-02T02:04:05Z"},
		{"yesterday", "", "error"},
		{"", "1.5", "error"},
		{"", "999999999999", "error"},
	} {
		got, err := Time(c.at, func(string) string { return c.epoch }, now)
		text := got.UTC().Format(time.RFC3339)
		if err != nil {
			text = "error"
		}
		if text != c.want {
			t.Errorf("Time(%q, %q) = %s, %v", c.at, c.epoch, text, err)
		}
	}
}

// TestTooManyBigFilesAreOpenedAgain forces what happens when no more files may
// stay open.
func TestTooManyBigFilesAreOpenedAgain(t *testing.T) {
	content := auditLines(5_000)
	dir := project(t, map[string]string{"big.jsonl": string(content)})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	export := func(change func()) (*ecmajson.Value, error) {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := reader{ctx: context.Background(), keeper: keeper{open: openFiles}}
		e, err := r.read(root, survey{name: "big.jsonl", key: "big.jsonl"})
		if err != nil {
			t.Fatal(err)
		}
		if e.src.file != nil {
			t.Error("the file is still open")
		}
		change()
		d := &document{output: newOutput(nil, diskFile{f})}
		d.open("{")
		if err := r.write(d, e); err != nil {
			return nil, err
		}
		d.close("}")
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return parseBundle(t, b), nil
	}
	v, err := export(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := checkEntry(v.Get("big.jsonl")); err != nil {
		t.Error(err)
	}
	_, err = export(func() {
		other := filepath.Join(dir, "other")
		writeFile(t, other, string(content))
		if err := os.Rename(other, filepath.Join(dir, "big.jsonl")); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, errChanged) {
		t.Errorf("another file in its place: %v", err)
	}
}

func TestNamesThatAreNotUTF8(t *testing.T) {
	root := project(t, minimal(nil))
	if err := os.Mkdir(filepath.Join(root, ".planning"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"\xfe.md", "\xff.md"} {
		if err := os.WriteFile(filepath.Join(root, ".planning", name), []byte("x"), 0o644); err != nil {
			t.Skipf("no such names here: %v", err)
		}
	}
	b, res := buildBytes(t, testOptions(root))
	bundle := parseBundle(t, b)
	checkEntries(t, bundle)
	if c := noteCodes(bundle); !cmp.Equal(c, []string{noteName, noteName}) || res.Files != 3 || !bundle.Get("files").Has(".planning/\ufffd.md") {
		t.Errorf("notes %q, %+v", c, res)
	}
}

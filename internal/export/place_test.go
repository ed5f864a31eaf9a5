package export

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skipf("no links here: %v", err)
	}
}

func TestLinksAreNotFollowedOutOfTheProject(t *testing.T) {
	outside := project(t, map[string]string{"secret.md": "canary", "dir/secret.md": "canary"})
	root := project(t, minimal(map[string]string{"docs/plan.md": "inside", "real.md": "talk", ".agentxchain/intake/a.json": "{}", ".env": "canary"}))
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	link(t, filepath.Join("..", "..", filepath.Base(outside), "secret.md"), at(".agentxchain/SESSION_RECOVERY.md"))
	link(t, filepath.Join(outside, "dir"), at(".agentxchain/reviews"))
	link(t, filepath.Join(outside, "secret.md"), at(".agentxchain/intake/b.json"))
	link(t, "docs", at(".planning"))
	link(t, "real.md", at("TALK.md"))
	link(t, "TALK.md", at("docs/linked.md"))
	link(t, "nowhere", at(".agentxchain/migration-report.md"))
	link(t, "lock.json", at(".agentxchain/lock.json"))
	link(t, "..", at(".agentxchain/missions"))
	b, _ := buildBytes(t, testOptions(root))
	if bytes.Contains(b, []byte("canary")) {
		t.Error("content from outside, or .env, was exported")
	}
	bundle := parseBundle(t, b)
	want := []string{".agentxchain/intake/a.json", statePath, ".planning/plan.md", configPath, "TALK.md"}
	if d := cmp.Diff(want, keysOf(bundle.Get("files"))); d != "" {
		t.Error(d)
	}
	paths := []string{}
	for _, n := range bundle.Get("evidence").Get("notes").Items() {
		paths = append(paths, n.Get("code").Str()+" "+n.Get("path").Str())
	}
	slices.Sort(paths)
	if d := cmp.Diff([]string{
		"link_outside .agentxchain/SESSION_RECOVERY.md", "link_outside .agentxchain/lock.json", "link_outside .agentxchain/reviews",
	}, paths); d != "" {
		t.Error(d)
	}
}

func TestFolderOfEvidenceBehindALink(t *testing.T) {
	outside := project(t, map[string]string{"state.json": testState})
	root := project(t, map[string]string{configPath: testConfig})
	link(t, outside, filepath.Join(root, ".agentxchain"))
	b, res := buildBytes(t, testOptions(root))
	said := slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, "not exported: a link that does not stay inside") })
	if res.Files != 1 || !said || !slices.Contains(noteCodes(parseBundle(t, b)), noteLinkOutside) {
		t.Errorf("%+v, %s", res, b)
	}
}

// TestOutputInsideTheProject exports three times to a place that is itself
// exported: the bundle never swallows itself.
func TestOutputInsideTheProject(t *testing.T) {
	root := project(t, minimal(map[string]string{
		".planning/a.md": "a", ".planning/" + temporaryPrefix + "1" + temporarySuffix: "left behind by a killed export",
	}))
	var first []byte
	for range 3 {
		opts := testOptions(root)
		opts.Path, opts.Pretty = filepath.Join(root, ".planning", "x.json"), true
		res, err := Build(context.Background(), opts)
		if err != nil || res.Files != 3 {
			t.Fatalf("%+v, %v", res, err)
		}
		b, err := os.ReadFile(opts.Path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Error("a second export differs from the first")
		}
	}
	if c := noteCodes(parseBundle(t, first)); !cmp.Equal(c, []string{noteLeftoverExport}) {
		t.Errorf("notes %q", c)
	}
}

// TestEarlierBundlesAreLeftOut exports to other names in a folder that is
// itself exported: no bundle contains another one, in either form.
func TestEarlierBundlesAreLeftOut(t *testing.T) {
	root := project(t, minimal(map[string]string{
		".planning/a.md": "a", ".planning/other.json": `{"schema_version":"1","export_kind":"something_else","x":1}`,
	}))
	for i, pretty := range []bool{true, false, true} {
		opts := testOptions(root)
		opts.Path, opts.Pretty = filepath.Join(root, ".planning", "x"+strconv.Itoa(i)+".json"), pretty
		res, err := Build(context.Background(), opts)
		if err != nil || res.Files != 4 {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	b, res := buildBytes(t, testOptions(root))
	if c := noteCodes(parseBundle(t, b)); res.Files != 4 || !cmp.Equal(c, []string{noteEarlierExport, noteEarlierExport, noteEarlierExport}) {
		t.Errorf("%d files, notes %q", res.Files, c)
	}
}

// TestOutputReplacesNothingGoverned names the project's own files as the
// output, by name and by link: nothing is written.
func TestOutputReplacesNothingGoverned(t *testing.T) {
	root := project(t, minimal(map[string]string{auditPath: string(auditLines(1)), "TALK.md": "x", ".git/config": "x"}))
	link(t, filepath.Join(root, configPath), filepath.Join(root, "innocent.json"))
	if err := os.Link(filepath.Join(root, filepath.FromSlash(auditPath)), filepath.Join(root, "hard.json")); err != nil {
		t.Skip(err)
	}
	before := snapshotOf(t, root)
	for _, name := range []string{
		configPath, statePath, auditPath, "TALK.md", ".git/config", ".agentxchain/new.json",
		".agentxchain/notify/x.json", "innocent.json", "hard.json",
	} {
		opts := testOptions(root)
		opts.Path = filepath.Join(root, filepath.FromSlash(name))
		if _, err := Build(context.Background(), opts); err == nil || !strings.Contains(err.Error(), "choose a place outside the governed files") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := cmp.Diff(before, snapshotOf(t, root)); d != "" {
		t.Error(d)
	}
	opts := testOptions(root)
	opts.Path = filepath.Join(root, ".agentxchain", "reports", "export-1.json")
	if _, err := Build(context.Background(), opts); err != nil {
		t.Errorf("the folder of reports: %v", err)
	}
}

// snapshotOf reads every file below a folder.
func snapshotOf(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestOutputPlaces(t *testing.T) {
	root := project(t, minimal(nil))
	dir := t.TempDir()
	build := func(path string) error {
		opts := testOptions(root)
		opts.Path = path
		_, err := Build(context.Background(), opts)
		return err
	}
	if err := build(filepath.Join(dir, "a", "b", "x.json")); err != nil {
		t.Errorf("new folders: %v", err)
	}
	if err := build(dir); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	writeFile(t, filepath.Join(dir, "file"), "x")
	if err := build(filepath.Join(dir, "file", "x.json")); err == nil {
		t.Error("below a file: no error")
	}
	if runtime.GOOS != "windows" {
		if err := build(os.DevNull); err != nil {
			t.Errorf("a device: %v", err)
		}
		if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
			t.Fatal("the device was replaced")
		}
	}
	writeFile(t, filepath.Join(dir, "old.json"), "old")
	link(t, "old.json", filepath.Join(dir, "link.json"))
	if err := build(filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "old.json")); err != nil || !bytes.HasPrefix(b, []byte(`{"schema_version"`)) {
		t.Errorf("through a link: %.20q, %v", b, err)
	}
}

func TestGeneratedReports(t *testing.T) {
	for name, want := range map[string]bool{
		".agentxchain/reports/report-x.md":       true,
		".agentxchain/reports/export-run_1.json": true,
		".agentxchain/reports/chain-1.json":      true,
		".agentxchain/reports/report-.md":        false,
		".agentxchain/reports/export-a.txt":      false,
		".agentxchain/reports/sub/report-x.md":   false,
		".agentxchain/reviews/report-x.md":       false,
		".agentxchain/reports/report.md":         false,
	} {
		if got := isGeneratedReport(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLiteralSecrets(t *testing.T) {
	config := strings.Replace(testConfig, `"roles"`, `"notifications":{"webhooks":[
		{"name":"a","url":"https://user:canary@example.com/x","headers":{"Authorization":"Bearer canary","X-Trace":"plain","X-Api-Key":"${KEY}","X-OPS-TOKEN":"canary ${"},"env":{"OPS_TOKEN":"canary","REGION":"eu"}},
		{"name":"b","url":"https://hooks.slack.com/services/T/B/canary"},
		{"name":"c","url":"https://example.com/hook?token=canary&x=1"},
		{"name":"d","url":"https://example.com/hook","headers":{"Cookie":"${C}","Monkey":"banana"}}]},"roles"`, 1)
	b, res := buildBytes(t, testOptions(project(t, minimal(map[string]string{configPath: config}))))
	var pointers []string
	for _, w := range res.Warnings {
		pointer, _, _ := strings.Cut(strings.TrimPrefix(w, configPath+"#"), ":")
		pointers = append(pointers, pointer)
		if strings.Contains(w, "canary") || !strings.Contains(w, "${") {
			t.Errorf("warning %q", w)
		}
	}
	at := "/notifications/webhooks/"
	if d := cmp.Diff([]string{
		at + "0/headers/Authorization", at + "0/headers/X-OPS-TOKEN", at + "0/env/OPS_TOKEN", at + "0/url", at + "1/url", at + "2/url",
	}, pointers); d != "" {
		t.Error(d)
	}
	if !bytes.Contains(b, []byte("canary")) {
		t.Error("the file must be exported as it is")
	}
}

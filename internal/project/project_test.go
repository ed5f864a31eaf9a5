package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/fixtures"
)

// tree writes files below a new folder; a name that ends in "/" is a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			mkdir(t, path)
			continue
		}
		mkdir(t, filepath.Dir(path))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindWalksUpToTheNearest(t *testing.T) {
	dir := tree(t, map[string]string{
		"agentxchain.json":                       "{}",
		"src/deep/":                              "",
		"folder/agentxchain.json/":               "",
		"both/agentxchain.json":                  "{}",
		"both/agentxchain-multi.json":            "{}",
		"co/agentxchain-multi.json":              `{"repos":{"web":{"path":"./repos/web"},"10":{"path":"ten"},"x":{}}}`,
		"co/repos/web/agentxchain.json":          "{}",
		"co/repos/empty/":                        "",
		"badco/agentxchain-multi.json":           "{\n]",
		"nobody/agentxchain-multi.json":          "{}",
		"folder/agentxchain.json/below/keep.txt": "",
	})
	tests := []struct {
		start, root string
		kind        Kind
		err         string
	}{
		{".", ".", Run, ""},
		{"src/deep", ".", Run, ""},
		{"folder", "folder", Run, ""},
		{"folder/agentxchain.json/below", "folder", Run, ""},
		{"both", "both", Run, ""},
		{"co/repos/web", "co/repos/web", Run, ""},
		{"co", "co", Coordinator, `run this in one of its projects: "10" (ten), "web" (./repos/web)`},
		{"co/repos/empty", "co", Coordinator, "is a coordinator workspace"},
		{"badco", "badco", Coordinator, "agentxchain-multi.json:2:1: invalid JSON: "},
		{"nobody", "nobody", Coordinator, "and names no project"},
	}
	for _, test := range tests {
		t.Run(test.start, func(t *testing.T) {
			start := filepath.Join(dir, filepath.FromSlash(test.start))
			want := Root{Dir: filepath.Join(dir, filepath.FromSlash(test.root)), Kind: test.kind}
			either, err := FindAny(start)
			if err != nil || either != want {
				t.Errorf("FindAny = %v, %v; want %v", either, err, want)
			}
			got, err := Find(start)
			if test.err == "" {
				if err != nil || got != want {
					t.Errorf("Find = %v, %v; want %v", got, err, want)
				}
				return
			}
			var coordinator *CoordinatorError
			if !errors.As(err, &coordinator) || coordinator.Root != want || !strings.Contains(err.Error(), test.err) {
				t.Errorf("Find = %v, want an error about %s", err, test.err)
			}
		})
	}
}

func TestFindWithoutProject(t *testing.T) {
	dir := tree(t, map[string]string{"a/b/": ""})
	_, err := Find(filepath.Join(dir, "a", "b"))
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "agentxchain.json") {
		t.Errorf("error %v", err)
	}
	if _, err := Find(filepath.Join(dir, "nowhere")); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a start folder that is not there: %v", err)
	}
}

func TestFindTakesARelativeStart(t *testing.T) {
	dir := tree(t, map[string]string{"agentxchain.json": "{}", "a/": ""})
	t.Chdir(filepath.Join(dir, "a"))
	root, err := Find(".")
	if err != nil || root.Dir != dir {
		t.Errorf("Find = %v, %v", root, err)
	}
}

func TestChildrenKnowTheirFolders(t *testing.T) {
	dir := tree(t, map[string]string{})
	other := filepath.Join(dir, "elsewhere")
	root := Root{Dir: dir, Kind: Coordinator}
	src := fmt.Sprintf(`{"repos":{"a":{"path":"./x/../y"},"b":{"path":%q}}}`, filepath.ToSlash(other))
	if err := os.WriteFile(root.ConfigFile(), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := root.Children()
	if err != nil {
		t.Fatal(err)
	}
	want := []Child{{"a", "./x/../y", filepath.Join(dir, "y")}, {"b", filepath.ToSlash(other), other}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadConfigRefusesFolders(t *testing.T) {
	dir := tree(t, map[string]string{"agentxchain.json/": ""})
	if _, err := (Root{Dir: dir, Kind: Run}).ReadConfig(); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("error %v", err)
	}
}

func TestPaths(t *testing.T) {
	r := Root{Dir: filepath.FromSlash("/p"), Kind: Run}
	got := []string{r.ConfigFile(), r.StateFile(), r.AuditFile(), r.RemindersFile(), Root{Dir: r.Dir, Kind: Coordinator}.ConfigFile()}
	want := []string{
		"/p/agentxchain.json", "/p/.agentxchain/state.json", "/p/.agentxchain/notification-audit.jsonl",
		"/p/.agentxchain/sla-reminders.json", "/p/agentxchain-multi.json",
	}
	for i := range want {
		want[i] = filepath.FromSlash(want[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadState(t *testing.T) {
	tests := map[string]struct {
		src, err string
		want     State
	}{
		"whole": {
			src:  `{"run_id":"run_1","status":"blocked","phase":"qa","blocked_on":"human:x","active_turns":{"t":{}},"pending_phase_transition":{"gate":"g"}}`,
			want: State{RunID: "run_1", Status: "blocked", Phase: "qa", BlockedOn: "human:x"},
		},
		"nulls":       {src: `{"run_id":null,"status":"idle","phase":"planning","active_turns":{},"escalation":null}`, want: State{Status: "idle", Phase: "planning"}},
		"empty":       {src: "{}"},
		"wrong types": {src: "{\"run_id\": 5,\n \"active_turns\": [],\"status\":\"active\"}", err: "state.json:1:12: run_id must be a string or null, not a number\n", want: State{Status: "active"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := Root{Dir: tree(t, map[string]string{".agentxchain/state.json": test.src}), Kind: Run}
			got, err := ReadState(root)
			if err == nil != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if !got.Exists || got.Value == nil {
				t.Error("the document is lost")
			}
			want := [...]string{test.want.RunID, test.want.Status, test.want.Phase, test.want.BlockedOn}
			if diff := cmp.Diff(want, [...]string{got.RunID, got.Status, got.Phase, got.BlockedOn}); diff != "" {
				t.Error(diff)
			}
			if name == "whole" && (!got.ActiveTurns.Has("t") || got.PendingPhaseTransition.Get("gate").Str() != "g" || got.RetainedTurns != nil) {
				t.Errorf("objects are lost: %+v", got)
			}
			if name == "wrong types" && !strings.Contains(err.Error(), "state.json:2:18: active_turns must be an object or null, not an array") {
				t.Errorf("only one complaint: %v", err)
			}
		})
	}
}

func TestReadStateErrors(t *testing.T) {
	for src, want := range map[string]string{
		"":           "state.json:1:1: invalid JSON: unexpected end of input",
		"{\n \"a\"}": "state.json:2:5: invalid JSON: expected ':' after a key",
		"[]":         "state.json:1:1: the state must be an object, not an array",
	} {
		root := Root{Dir: tree(t, map[string]string{".agentxchain/state.json": src})}
		if got, err := ReadState(root); err == nil || !strings.Contains(err.Error(), want) || got.Value != nil {
			t.Errorf("%q: %v", src, err)
		}
	}
	for _, files := range []map[string]string{{}, {".agentxchain/": ""}} {
		if got, err := ReadState(Root{Dir: tree(t, files)}); err != nil || got.Exists {
			t.Errorf("absent state: %+v, %v", got, err)
		}
	}
	root := Root{Dir: tree(t, map[string]string{".agentxchain/state.json/": ""})}
	if _, err := ReadState(root); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
}

func TestReadStateOfProjects(t *testing.T) {
	ran := 0
	for _, dir := range fixtures.Entries(t, "agentxchain/projects") {
		file := filepath.Join(dir, ".agentxchain", "state.json")
		before, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a coordinator keeps no run of its own
		}
		if err != nil {
			t.Fatal(err)
		}
		ran++
		state, err := ReadState(Root{Dir: dir, Kind: Run})
		if err != nil || state.Status == "" || state.Phase == "" || state.ActiveTurns == nil {
			t.Errorf("%s: %+v, %v", file, state, err)
		}
		after, err := os.Stat(file)
		if err != nil || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
			t.Errorf("%s was rewritten", file)
		}
	}
	fixtures.Ran(t, "project states", ran)
}

func TestOwnDirIsMadeOnce(t *testing.T) {
	dir := tree(t, map[string]string{})
	root := Root{Dir: dir, Kind: Run}
	for range 2 {
		got, err := root.OwnDir()
		if want := filepath.Join(dir, ".agentxchain", "notify"); err != nil || got != want {
			t.Fatalf("OwnDir = %q, %v", got, err)
		}
		ignore, err := os.ReadFile(filepath.Join(got, ".gitignore"))
		if err != nil || string(ignore) != "*\n" {
			t.Errorf(".gitignore is %q, %v", ignore, err)
		}
	}
}

func TestOwnDirRepairsAnEmptyGitignore(t *testing.T) {
	dir := tree(t, map[string]string{".agentxchain/notify/.gitignore": ""})
	own, err := Root{Dir: dir}.OwnDir()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(own, ".gitignore")); err != nil || string(b) != "*\n" {
		t.Errorf(".gitignore is %q, %v", b, err)
	}
}

func TestOwnDirRefusesWhatStandsInItsWay(t *testing.T) {
	for _, files := range []map[string]string{
		{".agentxchain": "a file"},
		{".agentxchain/notify": "a file"},
		{".agentxchain/notify/.gitignore/": ""},
	} {
		dir := tree(t, files)
		if got, err := (Root{Dir: dir}).OwnDir(); err == nil || !strings.Contains(err.Error(), "notify") {
			t.Errorf("%v: OwnDir = %q, %v", files, got, err)
		}
	}
}

func TestSymbolicLinksAreNotFollowedOut(t *testing.T) {
	outside := tree(t, map[string]string{"state.json": `{"run_id":"theirs"}`})
	for _, link := range []string{".agentxchain", ".agentxchain/notify"} {
		dir := tree(t, map[string]string{})
		path := filepath.Join(dir, filepath.FromSlash(link))
		mkdir(t, filepath.Dir(path))
		if err := os.Symlink(outside, path); err != nil {
			t.Skip("no symbolic links here:", err)
		}
		if _, err := (Root{Dir: dir}).OwnDir(); err == nil {
			t.Errorf("%s: OwnDir follows the link", link)
		}
		if state, err := ReadState(Root{Dir: dir}); link == ".agentxchain" && (err == nil || state.Exists) {
			t.Errorf("ReadState follows the link: %+v", state)
		}
	}
	left, err := os.ReadDir(outside)
	if err != nil || len(left) != 1 {
		t.Errorf("something was written outside: %v, %v", left, err)
	}
}

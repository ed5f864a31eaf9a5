package export

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"

	"github.com/google/go-cmp/cmp"
)

// git runs git for a test, without the user's configuration.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// repository makes a committed repository of files.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	root := project(t, files)
	git(t, root, "init", "-q", "-b", "main")
	git(t, root, "add", "-A")
	git(t, root, "commit", "-q", "-m", "x")
	return root
}

// workspaceGit builds dir and returns workspace.git as compact JSON, with the
// commit replaced by HEAD.
func workspaceGit(t *testing.T, opts Options) string {
	t.Helper()
	b, _ := buildBytes(t, opts)
	g := parseBundle(t, b).Get("workspace").Get("git")
	text := string(ecmajson.Append(nil, g))
	if head := g.Get("head_sha").Str(); len(head) == 40 {
		text = strings.ReplaceAll(text, head, "HEAD")
	}
	return text
}

func TestGit(t *testing.T) {
	root := repository(t, minimal(map[string]string{"src/a.go": "a", ".gitignore": "ignored\n", "b.txt": "b"}))
	clean := `{"is_repo":true,"head_sha":"HEAD","dirty_paths":[],"restore_supported":true,"restore_blockers":[]}`
	if got := workspaceGit(t, testOptions(root)); got != clean {
		t.Errorf("clean: %s", got)
	}
	now := time.Now()
	if err := os.Chtimes(filepath.Join(root, "b.txt"), now, now); err != nil {
		t.Fatal(err)
	}
	index, err := os.Stat(filepath.Join(root, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	if got := workspaceGit(t, testOptions(root)); got != clean {
		t.Errorf("touched: %s", got)
	}
	if after, err := os.Stat(filepath.Join(root, ".git", "index")); err != nil || !after.ModTime().Equal(index.ModTime()) {
		t.Error("the index was written")
	}
	writeFile(t, filepath.Join(root, "src", "a.go"), "changed")
	writeFile(t, filepath.Join(root, "snow☃ man.md"), "new")
	writeFile(t, filepath.Join(root, ".planning", "n.md"), "new")
	writeFile(t, filepath.Join(root, "ignored"), "new")
	writeFile(t, filepath.Join(root, "staged.txt"), "new")
	git(t, root, "add", "staged.txt")
	git(t, root, "mv", "b.txt", "c.txt")
	want := `{"is_repo":true,"head_sha":"HEAD","dirty_paths":[".planning/n.md","b.txt","c.txt","snow☃ man.md","src/a.go","staged.txt"],"restore_supported":false,"restore_blockers":[` +
		`"Dirty path outside governed continuity roots: b.txt","Dirty path outside governed continuity roots: c.txt","Dirty path outside governed continuity roots: snow☃ man.md",` +
		`"Dirty path outside governed continuity roots: src/a.go","Dirty path outside governed continuity roots: staged.txt"]}`
	if got := workspaceGit(t, testOptions(root)); got != want {
		t.Errorf("dirty:\n%s\n%s", got, want)
	}
}

func TestGitOutputInsideTheProjectIsNoDirt(t *testing.T) {
	root := repository(t, minimal(nil))
	var first []byte
	for range 2 {
		opts := testOptions(root)
		opts.Path = filepath.Join(root, "bundle.json")
		if _, err := Build(context.Background(), opts); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(opts.Path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Error("the second export differs from the first")
		}
	}
}

func TestGitProjectInASubfolder(t *testing.T) {
	root := repository(t, map[string]string{"x/proj/" + configPath: testConfig, "x/proj/" + statePath: testState, "top.txt": "", "x/side.txt": "", "x/project.txt": ""})
	for _, name := range []string{"x/proj/.agentxchain/state.json", "x/proj/src.go", "top.txt", "x/side.txt", "x/project.txt"} {
		writeFile(t, filepath.Join(root, filepath.FromSlash(name)), testState+" ")
	}
	b, _ := buildBytes(t, testOptions(filepath.Join(root, "x", "proj")))
	dirty := parseBundle(t, b).Get("workspace").Get("git").Get("dirty_paths")
	want := `["../../top.txt","../project.txt","../side.txt",".agentxchain/state.json","src.go"]`
	if got := string(ecmajson.Append(nil, dirty)); got != want {
		t.Errorf("dirty_paths %s", got)
	}
}

func TestGitWithoutCommit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	root := project(t, minimal(nil))
	git(t, root, "init", "-q")
	want := `{"is_repo":true,"head_sha":null,"dirty_paths":[".agentxchain/state.json","agentxchain.json"],"restore_supported":false,` +
		`"restore_blockers":["Export restore requires a stable git HEAD in the source checkout."]}`
	if got := workspaceGit(t, testOptions(root)); got != want {
		t.Errorf("got %s", got)
	}
}

func TestGitManyUntrackedFiles(t *testing.T) {
	root := repository(t, minimal(nil))
	dir := filepath.Join(root, "untracked")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 6000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s%05d", strings.Repeat("n", 200), i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, _ := buildBytes(t, testOptions(root))
	g := parseBundle(t, b).Get("workspace").Get("git")
	if g.Get("dirty_paths").Len() != 6000 || g.Get("restore_supported").True() {
		t.Errorf("%d dirty paths", g.Get("dirty_paths").Len())
	}
}

// TestGitUnknownIsNeverClean makes git fail in every way.
func TestGitUnknownIsNeverClean(t *testing.T) {
	root := repository(t, minimal(map[string]string{"src/a.go": "a"}))
	fake := func(script string) Git {
		if runtime.GOOS == "windows" {
			t.Skip("needs a shell")
		}
		path := filepath.Join(t.TempDir(), "git")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return Git{Path: path, Timeout: 5 * time.Second}
	}
	ready := "case $1 in version) echo git version 2.40.0;; rev-parse) printf 'true\\n\\n';; esac\n[ $1 = status ] || exit 0\n"
	hangs := fake(ready + "sleep 100")
	hangs.Timeout = 300 * time.Millisecond
	for _, c := range []struct {
		name string
		git  Git
		want string
	}{
		{"absent", Git{Path: filepath.Join(t.TempDir(), "no-git")}, "git version failed"},
		{"fails", fake("exit 3"), "git version failed"},
		{"old", fake("echo git version 2.30.9"), "git 2.30 is too old to be run safely, 2.31 is needed"},
		{"not git", fake("echo hello"), "git did not tell its version"},
		{"hangs", hangs, "git took longer than 300ms"},
		{"overflows", fake(ready + "exec cat /dev/zero"), "git status printed more than 33554432 bytes"},
		{"garbage", fake(ready + "printf 'hello'"), "git status printed what it should not"},
		{"partial", fake(ready + "printf '? a\\0'; exit 1"), "git status failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := testOptions(root)
			opts.Git = c.git
			want := `{"is_repo":true,"head_sha":null,"dirty_paths":[],"restore_supported":false,"restore_blockers":["Export restore requires a work tree that git can describe: ` + c.want + `"]}`
			if got := workspaceGit(t, opts); got != want {
				t.Errorf("got %s", got)
			}
			b, res := buildBytes(t, opts)
			if codes := noteCodes(parseBundle(t, b)); !cmp.Equal(codes, []string{noteGitUnknown}) || len(res.Warnings) != 1 {
				t.Errorf("notes %q, warnings %q", codes, res.Warnings)
			}
		})
	}
}

// TestHostileGit gives git every reason to run a program: each would leave a
// canary behind.
func TestHostileGit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	root := repository(t, minimal(map[string]string{"src/a.go": "a", "src/b.go": "b", ".gitattributes": "* filter=evil diff=evil\n*.go filter=a=b\n"}))
	canary := filepath.Join(t.TempDir(), "canary")
	script := filepath.Join(t.TempDir(), "evil")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$0 $@\" >> "+canary+"\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction"} {
		writeFile(t, filepath.Join(root, ".git", "hooks", hook), "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(filepath.Join(root, ".git", "hooks", hook), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(root, ".git", "included"), "[filter \"evil\"]\n\tclean = "+script+" included\n\trequired = true\n")
	config, err := os.OpenFile(filepath.Join(root, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(config, `
[include]
	path = included
[core]
	fsmonitor = %[1]s fsmonitor
	sshCommand = %[1]s ssh
	pager = %[1]s pager
	editor = %[1]s editor
	askPass = %[1]s askpass
	hooksPath = %[2]s
	repositoryformatversion = 1
[extensions]
	partialClone = origin
[remote "origin"]
	url = ssh://canary.invalid/x
	promisor = true
	uploadpack = %[1]s uploadpack
	partialCloneFilter = blob:none
[alias]
	status = !%[1]s alias
	config = !%[1]s alias
	rev-parse = !%[1]s alias
[diff]
	external = %[1]s diff
[diff "evil"]
	command = %[1]s diff
	textconv = %[1]s textconv
[FILTER "a=b"]
	Clean = %[1]s equals
	process = %[1]s process
	required
[filter "evil"]
	process = %[1]s process
	smudge = %[1]s smudge
[status]
	submoduleSummary = true
[submodule]
	recurse = true
[credential]
	helper = %[1]s credential
[gpg]
	program = %[1]s gpg
`, script, filepath.Join(root, ".git", "hooks"))
	if err := config.Close(); err != nil {
		t.Fatal(err)
	}
	// Same size, other time: git must read the file to compare it.
	writeFile(t, filepath.Join(root, "src", "b.go"), "c")
	later := time.Now().Add(time.Hour)
	for _, name := range []string{"src/a.go", "src/b.go", statePath} {
		if err := os.Chtimes(filepath.Join(root, filepath.FromSlash(name)), later, later); err != nil {
			t.Fatal(err)
		}
	}
	opts := testOptions(root)
	opts.Getenv = func(name string) string {
		return map[string]string{
			"PATH": os.Getenv("PATH"), "GIT_EXTERNAL_DIFF": script, "GIT_SSH_COMMAND": script, "GIT_DIR": "/nowhere", "PAGER": script,
		}[name]
	}
	want := `{"is_repo":true,"head_sha":"HEAD","dirty_paths":["src/b.go"],"restore_supported":false,"restore_blockers":["Dirty path outside governed continuity roots: src/b.go"]}`
	if got := workspaceGit(t, opts); got != want {
		t.Errorf("got %s", got)
	}
	if b, err := os.ReadFile(canary); err == nil {
		t.Errorf("git ran:\n%s", b)
	}
	// A missing object must not be fetched either.
	if err := os.RemoveAll(filepath.Join(root, ".git", "objects")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, ".git", "objects"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := workspaceGit(t, opts); strings.Contains(got, `"restore_supported":true`) {
		t.Errorf("without objects: %s", got)
	}
	if b, err := os.ReadFile(canary); err == nil {
		t.Errorf("git ran:\n%s", b)
	}
	// The canary works: the same repository, asked carelessly, touches it.
	cmd := exec.Command("git", "status")
	cmd.Dir = root
	_ = cmd.Run() // fails: the objects are gone
	if _, err := os.Stat(canary); err != nil {
		t.Error("the repository is not hostile enough to prove anything")
	}
}

func TestGitWorkTreeElsewhere(t *testing.T) {
	root := repository(t, minimal(nil))
	elsewhere := project(t, map[string]string{"private.txt": "x"})
	git(t, root, "config", "core.worktree", elsewhere)
	if got := workspaceGit(t, testOptions(root)); strings.Contains(got, "private") || strings.Contains(got, `"restore_supported":true`) {
		t.Errorf("got %s", got)
	}
	git(t, root, "config", "core.worktree", filepath.Dir(root)) // root is inside it, its .git is not at the top
	if got := workspaceGit(t, testOptions(root)); !strings.Contains(got, "core.worktree points to another folder") {
		t.Errorf("got %s", got)
	}
}

func TestGitSubmodule(t *testing.T) {
	inner := repository(t, map[string]string{"a": "a"})
	root := repository(t, minimal(nil))
	git(t, root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "sub")
	git(t, root, "commit", "-q", "-m", "sub")
	canary := filepath.Join(t.TempDir(), "canary")
	git(t, filepath.Join(root, "sub"), "config", "core.fsmonitor", "touch "+canary)
	writeFile(t, filepath.Join(root, "sub", "a"), "dirty")
	if got := workspaceGit(t, testOptions(root)); !strings.Contains(got, `"dirty_paths":[]`) {
		t.Errorf("got %s", got)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("git ran a program of the submodule")
	}
}

func TestRelativeTo(t *testing.T) {
	for _, c := range [][3]string{
		{"", "a/b", "a/b"}, {"a/", "a/b", "b"}, {"a/", "b", "../b"}, {"a/b/", "a/c", "../c"}, {"a/b/", "ab", "../../ab"}, {"a/", "a.txt", "../a.txt"},
	} {
		if got := relativeTo(c[0], c[1]); got != c[2] {
			t.Errorf("relativeTo(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

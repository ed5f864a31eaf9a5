package cmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGovernedRunIsUndisturbed runs every command in a git checkout and looks
// at what git would show the governed run: nothing new but the audit file.
func TestGovernedRunIsUndisturbed(t *testing.T) {
	needGit(t)
	a := receive(t, nil)
	dir := project(t, to("good", a.URL), to("closed", "http://127.0.0.1:1/closed"))
	commitAll(t, dir)
	before := snapshot(t, dir)
	out := filepath.Join(t.TempDir(), "bundle.json")
	commands := []command{
		{0, []string{"notify", "emit", "run_blocked"}},
		{0, []string{"notify", "emit", "run_completed", "--dry-run"}},
		{0, []string{"notify", "pending"}},
		{1, []string{"notify", "retry"}}, // one target stays closed
		{0, []string{"notify", "discard", "ID"}},
		{2, []string{"notify", "discard", "notif_unknown"}},
		{0, []string{"notify", "emit", "approval_sla_reminder", "--json"}},
		{0, []string{"notify", "log"}},
		{0, []string{"config", "check"}},
		{0, []string{"config", "show"}},
		{0, []string{"export"}},
		{0, []string{"export", "--output", out}},
		{0, []string{"verify", "export", out}},
	}
	for _, c := range commands {
		c.run(t, dir)
		wantUntracked(t, dir, fmt.Sprint(c.args), auditPath)
	}
	mendTornTail(t, dir)
	wantUntracked(t, dir, "mending a torn tail", auditPath)
	after := snapshot(t, dir)
	delete(after, auditPath)
	for p := range after {
		if strings.HasPrefix(p, ".agentxchain/notify/") {
			delete(after, p)
		}
	}
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("files of the project changed: %s", d)
	}
	ran(t, "commands that leave no trace", len(commands)+1)
}

// TestCoordinatorIsUndisturbed exports a coordinator workspace with a child
// that is a checkout of its own: neither shows anything new.
func TestCoordinatorIsUndisturbed(t *testing.T) {
	needGit(t)
	dir := t.TempDir()
	child := filepath.Join(dir, "repos", "api")
	write(t, filepath.Join(dir, "agentxchain-multi.json"), `{"schema_version":"0.1","project":{"id":"all","name":"All"},
		"repos":{"api":{"path":"./repos/api","default_branch":"main","required":true}},
		"workstreams":{"core":{"phase":"planning","repos":["api"],"entry_repo":"api","depends_on":[],"completion_barrier":"all_repos_accepted"}},
		"routing":{"planning":{"entry_workstream":"core"}},"gates":{}}`)
	write(t, filepath.Join(dir, ".gitignore"), "/repos/\n")
	write(t, filepath.Join(dir, ".agentxchain", "multirepo", "state.json"), `{"super_run_id":"srun_1","status":"active","phase":"planning","repo_runs":{}}`)
	if err := os.CopyFS(child, os.DirFS(project(t))); err != nil {
		t.Fatal(err)
	}
	commitAll(t, child)
	commitAll(t, dir)
	before := snapshot(t, dir)
	out := filepath.Join(t.TempDir(), "bundle.json")
	for _, c := range []command{
		{0, []string{"export"}},
		{0, []string{"export", "--kind", "coordinator", "--output", out}},
		{0, []string{"verify", "export", out}},
	} {
		c.run(t, dir)
		wantUntracked(t, dir, fmt.Sprint(c.args))
		wantUntracked(t, child, fmt.Sprint(c.args))
	}
	if b, err := os.ReadFile(out); err != nil || !bytes.Contains(b, []byte(`"agentxchain_coordinator_export"`)) {
		t.Errorf("no coordinator was exported: %.200s, %v", b, err)
	}
	if d := cmp.Diff(before, snapshot(t, dir)); d != "" {
		t.Errorf("files of the workspace changed: %s", d)
	}
}

// command is a command line of ours and the exit code that it should have.
// The argument ID stands for the first undelivered event.
type command struct {
	code int
	args []string
}

func (c command) run(t *testing.T, dir string, env ...string) process {
	t.Helper()
	args := slices.Clone(c.args)
	if i := slices.Index(args, "ID"); i >= 0 {
		args[i] = firstPending(t, dir, env)
	}
	p := execute(t, dir, env, args...)
	if p.code != c.code {
		t.Errorf("%v: exit %d, want %d\nstdout: %s\nstderr: %s", args, p.code, c.code, p.stdout, p.stderr)
	}
	return p
}

func firstPending(t *testing.T, dir string, env []string) string {
	t.Helper()
	p := execute(t, dir, env, "notify", "pending").want(t, 0)
	id, _, found := strings.Cut(p.stdout, " ")
	if !found {
		t.Fatal("nothing is pending")
	}
	return id
}

// mendTornTail leaves half a line at the end of the audit, as a writer that
// was killed does, and wants the next line to stand alone all the same.
func mendTornTail(t *testing.T, dir string) {
	t.Helper()
	audit := filepath.Join(dir, auditPath)
	before := len(auditLines(t, dir))
	f, err := os.OpenFile(audit, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const half = `{"event_id":"notif_torn","event_type":"run_bl`
	if _, err := f.WriteString(half); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	b, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for line := range bytes.Lines(b) {
		if json.Valid(line) {
			whole++
		}
	}
	if whole != before+2 {
		t.Errorf("%d whole lines after a torn one, want %d:\n%s", whole, before+2, b)
	}
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
}

// wantUntracked wants git to show nothing as new but the given paths.
func wantUntracked(t *testing.T, dir, after string, allowed ...string) {
	t.Helper()
	for _, p := range untracked(t, dir) {
		if !slices.Contains(allowed, p) {
			t.Errorf("%s leaves %s behind", after, p)
		}
	}
}

// snapshot reads every file of the project, git's own apart.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		files[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

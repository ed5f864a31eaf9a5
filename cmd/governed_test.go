package cmd_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGovernedRunIsUndisturbed runs every command in a git checkout and looks
// at what git would show the governed run: nothing new but the audit file.
func TestGovernedRunIsUndisturbed(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	a := receive(t, nil)
	dir := project(t, to("good", a.URL), to("closed", "http://127.0.0.1:1/closed"))
	commitAll(t, dir)
	before := snapshot(t, dir)
	out := filepath.Join(t.TempDir(), "bundle.json")
	commands := [][]string{
		{"notify", "emit", "run_blocked"},
		{"notify", "emit", "run_completed", "--dry-run"},
		{"notify", "pending"},
		{"notify", "retry"},
		{"notify", "emit", "approval_sla_reminder", "--json"},
		{"config", "check"},
		{"config", "show"},
		{"export"},
		{"export", "--output", out},
		{"verify", "export", out},
	}
	for _, args := range commands {
		execute(t, dir, nil, args...)
		for _, p := range untracked(t, dir) {
			if p != auditPath {
				t.Errorf("%v leaves %s behind", args, p)
			}
		}
	}
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
	ran(t, "commands that leave no trace", len(commands))
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

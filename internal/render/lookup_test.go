package render

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"agentxchain/internal/events"
)

func TestCandidates(t *testing.T) {
	long := strings.Repeat("a", 300)
	tests := []struct {
		rule, agent string
		event       events.Type
		want        []string
	}{
		{"", "", events.OnComplete, []string{"on_complete.json.j2", "default-completed.json.j2"}},
		{"", "report", events.OnError, []string{"report/on_error.json.j2", "on_error.json.j2", "default-failed.json.j2"}},
		{"sub/x", "report", events.OnTimeout, []string{"sub/x.json.j2", "report/on_timeout.json.j2", "on_timeout.json.j2", "default-timeout.json.j2"}},
		{"", "pm", events.RunBlocked, []string{"pm/run_blocked.json.j2", "run_blocked.json.j2"}},
		{"", "..", events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", ".", events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", "a/b", events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", `a\b`, events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", "/", events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", "a\x00", events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", long, events.RunBlocked, []string{"run_blocked.json.j2"}},
		{"", "..a", events.RunBlocked, []string{"..a/run_blocked.json.j2", "run_blocked.json.j2"}},
	}
	for _, test := range tests {
		if got := candidates(test.rule, test.agent, test.event); !slices.Equal(got, test.want) {
			t.Errorf("%q %q %s: %q, want %q", test.rule, test.agent, test.event, got, test.want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "templates")
	write(t, filepath.Join(dir, "..", "x.json.j2"), "outside")
	write(t, filepath.Join(dir, "a.json.j2"), "a")
	write(t, filepath.Join(dir, "sub", "b.json.j2"), "b")
	write(t, filepath.Join(dir, "folder.json.j2", "inner.json.j2"), "inner")
	write(t, filepath.Join(dir, "large.json.j2"), strings.Repeat("x", maxSource+1))
	write(t, filepath.Join(dir, "default.json.j2"), "default")
	link(t, "a.json.j2", filepath.Join(dir, "inside.json.j2"))
	link(t, "sub", filepath.Join(dir, "subs"))
	link(t, "../x.json.j2", filepath.Join(dir, "out.json.j2"))
	link(t, filepath.Join(dir, "a.json.j2"), filepath.Join(dir, "absolute.json.j2"))
	link(t, "..", filepath.Join(dir, "up"))
	link(t, "nowhere", filepath.Join(dir, "dangling.json.j2"))

	tests := []struct{ rule, used, refused string }{
		{"a", "a.json.j2", ""},
		{"./a", "a.json.j2", ""},
		{"sub/../a", "a.json.j2", ""},
		{"sub//b", "sub/b.json.j2", ""},
		{"subs/b", "subs/b.json.j2", ""},
		{"inside", "inside.json.j2", ""},
		{"folder.json.j2/inner", "folder.json.j2/inner.json.j2", ""},
		{"none", "default.json.j2", ""},
		{"folder", "", "/folder.json.j2: cannot be read: it is not a regular file"},
		{"dangling", "default.json.j2", ""},
		{"a.json.j2/x", "default.json.j2", ""},
		{"a.json.j2/x/y", "default.json.j2", ""},
		{strings.Repeat("n", 300), "default.json.j2", ""},
		{"../x", "", "outside of the templates folder"},
		{"sub/../../x", "", "outside of the templates folder"},
		{"/etc/passwd", "", "outside of the templates folder"},
		{filepath.Join(dir, "a"), "", "outside of the templates folder"},
		{"a\x00", "", "outside of the templates folder"},
		{"out", "", "escapes"},
		{"absolute", "", "escapes"},
		{"up/x", "", "escapes"},
		{"large", "", "longer than 8388608 bytes"},
	}
	for _, test := range tests {
		used, _, err := find(dir, []string{test.rule + suffix, "default.json.j2"})
		if used != test.used {
			t.Errorf("%q: used %q, want %q (%v)", test.rule, used, test.used, err)
		}
		if test.refused == "" && err != nil || test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)) {
			t.Errorf("%q: error %v, want %q", test.rule, err, test.refused)
		}
	}
	if used, _, err := find(dir, nil); used != "" || err != nil {
		t.Errorf("nothing wanted: %q, %v", used, err)
	}
	if _, _, err := find(filepath.Join(dir, "absent"), nil); err == nil || !strings.Contains(err.Error(), "cannot be opened") {
		t.Errorf("no folder: %v", err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

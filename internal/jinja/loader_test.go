package jinja

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What a template can read is its folder and what lies below, nothing else.
func TestFolderLoader(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "templates")
	put(t, filepath.Join(parent, "secret"), "secret")
	put(t, filepath.Join(dir, "a.j2"), "A")
	put(t, filepath.Join(dir, "sub", "b.j2"), "B")
	put(t, filepath.Join(dir, "huge.j2"), strings.Repeat("x", maxFile+1))
	if runtime.GOOS != "windows" {
		link(t, "../secret", filepath.Join(dir, "out"))
		link(t, filepath.Join(parent, "secret"), filepath.Join(dir, "absolute"))
		link(t, "..", filepath.Join(dir, "up"))
		link(t, "a.j2", filepath.Join(dir, "in"))
		found(t, dir, "in", "A")
	}
	for name, want := range map[string]string{
		"a.j2": "A", "./a.j2": "A", "/a.j2": "A", "sub/b.j2": "B", "sub//b.j2": "B", "sub/./b.j2": "B", "a.j2/": "A",
	} {
		found(t, dir, name, want)
	}
	for _, name := range []string{
		"", ".", "/", "sub", "nope", "../secret", "sub/../../secret", "sub/../a.j2", "..", "out", "absolute",
		"up/secret", filepath.Join(parent, "secret"), "/etc/passwd", `..\secret`, `sub\b.j2`, "a.j2\x00",
	} {
		if text, err := FolderLoader(dir).Load(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %q, %v", name, text, err)
		}
	}
	if _, err := FolderLoader(dir).Load("huge.j2"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a huge file: %v", err)
	}
	if _, err := FolderLoader(filepath.Join(parent, "absent")).Load("a.j2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an absent folder: %v", err)
	}
}

func found(t *testing.T, dir, name, want string) {
	t.Helper()
	if got, err := FolderLoader(dir).Load(name); got != want || err != nil {
		t.Errorf("%q: %q, %v", name, got, err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

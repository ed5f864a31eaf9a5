//go:build unix

package jinja

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// Nobody writes to the pipe, so opening it would never end.
func TestFolderLoaderPassesPipesOver(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := FolderLoader(dir).Load("pipe"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%q, %v", text, err)
	}
}

//go:build unix

package project

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestModesDoNotDependOnTheUmask(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o277} {
		dir := tree(t, map[string]string{})
		old := syscall.Umask(mask)
		own, err := Root{Dir: dir}.OwnDir()
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %o: %v", mask, err)
		}
		for path, want := range map[string]os.FileMode{filepath.Dir(own): 0o700, own: 0o700, filepath.Join(own, ".gitignore"): 0o600} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("umask %o: %s has %v, %v", mask, path, info.Mode(), err)
			}
		}
	}
}

func TestPipesAreRefusedNotOpened(t *testing.T) {
	dir := tree(t, map[string]string{".agentxchain/": ""})
	root := Root{Dir: dir, Kind: Run}
	for _, path := range []string{root.ConfigFile(), root.StateFile(), filepath.Join(dir, ".env")} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, config := root.ReadConfig()
	_, state := ReadState(root)
	_, env := LoadEnv(nil, root, dir)
	for name, err := range map[string]error{"config": config, "state": state, "env": env} {
		if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

//go:build unix

package config

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipesAreNotOpened: nobody writes into these pipes, so opening one would
// hang the test.
func TestPipesAreNotOpened(t *testing.T) {
	dir := write(t, map[string]string{"ok/gateway.yaml": "", "ok/agents/a/README.md": ""})
	for _, pipe := range []string{"gateway.yaml", "ok/agents/a/AGENT.md"} {
		if err := syscall.Mkfifo(filepath.Join(dir, filepath.FromSlash(pipe)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"gateway.yaml", "ok/gateway.yaml"} {
		_, problems := LoadGateway(filepath.Join(dir, filepath.FromSlash(file)), GatewayOptions{})
		if !problems.Bad() || !strings.Contains(problems.Error(), "no regular file") {
			t.Errorf("%s: %v", file, problems)
		}
	}
}

package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		name, files, start, root, gateway string
		kind                              Kind
	}{
		{"governed alone", "p/agentxchain.json p/sub/x", "p/sub", "p", "", Run},
		{"both in one folder", "p/agentxchain.json p/gateway.yaml", "p", "p", "p/gateway.yaml", Run},
		{"gateway in workspace", "p/agentxchain.json p/workspace/gateway.yaml", "p", "p", "p/workspace/gateway.yaml", Run},
		{"called in workspace", "p/workspace/gateway.yaml", "p/workspace", "p", "p/workspace/gateway.yaml", Plain},
		{"gateway below the project", "p/agentxchain.json p/sub/gateway.yaml", "p/sub", "p", "p/sub/gateway.yaml", Run},
		{"gateway above the project", "gateway.yaml p/agentxchain.json", "p", "p", "", Run},
		{"gateway alone", "g/gateway.yaml", "g", "g", "g/gateway.yaml", Plain},
		{"a file called workspace", "p/agentxchain.json p/workspace p/sub/workspace p/gateway.yaml", "p/sub", "p", "p/gateway.yaml", Run},
		{"its own gateway", "g/gateway.yaml g/h/gateway.yaml", "g/h", "g/h", "g/h/gateway.yaml", Plain},
		{"gateway below a coordinator", "c/agentxchain-multi.json c/g/gateway.yaml", "c/g", "c/g", "c/g/gateway.yaml", Plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t, empty(c.files))
			p, err := Locate(filepath.Join(dir, c.start))
			if err != nil || p.GatewayErr != nil {
				t.Fatal(err, p.GatewayErr)
			}
			gateway := ""
			if c.gateway != "" {
				gateway = filepath.Join(dir, c.gateway)
			}
			if p.Root.Dir != filepath.Join(dir, c.root) || p.Root.Kind != c.kind || p.Gateway != gateway {
				t.Errorf("place %+v", p)
			}
		})
	}
}

func TestLocateRefuses(t *testing.T) {
	dir := tree(t, empty("above/gateway.yaml above/start/x empty/x two/gateway.yaml two/workspace/gateway.yaml c/agentxchain-multi.json c/gateway.yaml"))
	if _, err := Locate(filepath.Join(dir, "empty")); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "gateway.yaml") {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Locate(filepath.Join(dir, "above/start")); !errors.Is(err, ErrNotFound) {
		t.Errorf("a gateway.yaml above, without a project: %v", err)
	}
	p, err := Locate(filepath.Join(dir, "two"))
	if err != nil || p.GatewayErr == nil || p.Gateway != "" || !strings.Contains(p.GatewayErr.Error(), "remove one") {
		t.Errorf("two files: %+v, %v", p, err)
	}
	var coordinator *CoordinatorError
	if _, err := Locate(filepath.Join(dir, "c")); !errors.As(err, &coordinator) {
		t.Errorf("coordinator: %v", err)
	}
}

// A folder that can't be looked into ends the search: the file above it might
// not be the one that counts. Nor does it say that there is none.
func TestLocateStopsAtError(t *testing.T) {
	dir := tree(t, empty("p/agentxchain.json p/gateway.yaml p/sub/x alone/x"))
	for _, start := range []string{"p/sub", "alone"} {
		loop := filepath.Join(dir, start, GatewayName)
		if err := os.Symlink(loop, loop); err != nil {
			t.Fatal(err)
		}
		p, err := Locate(filepath.Join(dir, start))
		if start == "p/sub" && err == nil {
			err = p.GatewayErr
		}
		if err == nil || errors.Is(err, ErrNotFound) || p.Gateway != "" || !strings.Contains(err.Error(), loop) {
			t.Errorf("%s: %+v, %v", start, p, err)
		}
	}
}

// empty lists files without content, for tree.
func empty(names string) map[string]string {
	files := map[string]string{}
	for _, name := range strings.Fields(names) {
		files[name] = "{}"
	}
	return files
}

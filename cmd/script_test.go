package cmd_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"agentxchain/cmd"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"agentxchain": func() { os.Exit(cmd.Main()) },
	})
}

// binaryDir names the folder of the built binary to the tests.
const binaryDir = "AGENTXCHAIN_TEST_BINARY_DIR"

// tidy gives the built binary a folder and removes it after the tests.
type tidy struct{ *testing.M }

// Run runs the tests.
func (m tidy) Run() int {
	dir, err := os.MkdirTemp("", "agentxchain-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(binaryDir, dir); err != nil {
		panic(err)
	}
	return m.M.Run()
}

// TestScripts runs the command line as a user types it, one file per command
// or kind of mistake. $OK and $ILL are receivers that answer 204 and 503.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for name, status := range map[string]int{"OK": http.StatusNoContent, "ILL": http.StatusServiceUnavailable} {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
				env.Defer(s.Close)
				env.Setenv(name, s.URL)
			}
			return writeInputs(env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// writeInputs adds the inputs that no text file can hold to every script's
// folder p, where there is one.
func writeInputs(dir string) error {
	p := filepath.Join(dir, "p")
	if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for name, content := range map[string]string{
		"latin1.json": "{\"a\": \"\xe9\"}",
		"deep.json":   `{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"large.json":  `{"a":"` + strings.Repeat("x", 8<<20) + `"}`,
	} {
		if err := os.WriteFile(filepath.Join(p, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// exits runs a program and wants one exit code: exits 2 agentxchain ...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

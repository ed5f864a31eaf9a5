//go:build linux

package cmd_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretsStayOnTheWire plants secrets wherever a project may hold them
// and looks for them wherever they must not be.
func TestSecretsStayOnTheWire(t *testing.T) {
	const (
		inEnv    = "sEcReT-from-environment"
		inDotEnv = "sEcReT-from-dotenv"
		inHeader = "sEcReT-literal-header"
		inPath   = "sEcReT-url-path"
		inQuery  = "sEcReT-url-query"
		inUser   = "sEcReT-url-user"
	)
	secrets := []string{inEnv, inDotEnv, inHeader, inPath, inQuery, inUser}
	var argv string
	var headers http.Header
	a := receive(t, func(_ http.ResponseWriter, q *http.Request) {
		headers = q.Header.Clone()
		argv = allCommandLines(t)
	})
	headed := to("good", a.URL+"/"+inPath+"?token="+inQuery)
	headed.Headers = map[string]string{"Authorization": "Bearer ${TOKEN_A}", "X-B": "${TOKEN_B}", "X-C": inHeader}
	broken := to("broken", a.URL)
	broken.Headers = map[string]string{"X-Bad": inHeader + "\r\nX: ${TOKEN_A}"}
	missing := to("missing", a.URL)
	missing.Headers = map[string]string{"X-Missing": inHeader + "${NO_SUCH_VARIABLE}"}
	dir := project(t, headed, broken, missing,
		to("closed", "http://127.0.0.1:1/"+inPath+"?token="+inQuery),
		to("nowhere", "http://no-such-host.invalid/"+inPath),
		to("user", "http://"+inUser+":"+inQuery+"@127.0.0.1:1/"+inPath),
		to("nonsense", "http://127.0.0.1:99999/"+inPath))
	write(t, filepath.Join(dir, ".env"), "TOKEN_B="+inDotEnv+"\n")
	env := []string{"TOKEN_A=" + inEnv}

	bundleFile := filepath.Join(t.TempDir(), "bundle.json")
	var said strings.Builder
	runs := 0
	for _, c := range []command{
		{0, []string{"notify", "emit", "run_blocked", "--log-level", "debug"}},
		{0, []string{"notify", "emit", "run_blocked", "--json", "--log-format", "json", "--log-level", "debug"}},
		{0, []string{"notify", "emit", "run_blocked", "--dry-run"}},
		{1, []string{"notify", "retry"}},
		{1, []string{"notify", "retry", "--json"}},
		{0, []string{"notify", "pending", "--json"}},
		{0, []string{"notify", "discard", "ID"}},
		{0, []string{"notify", "discard", "ID", "--json"}},
		{0, []string{"notify", "log"}},
		{0, []string{"notify", "log", "--json"}},
		{0, []string{"config", "check"}},
		{0, []string{"config", "check", "--json"}},
		{0, []string{"config", "show"}},
		{0, []string{"config", "show", "--json"}},
		{0, []string{"export", "--output", bundleFile, "--log-level", "debug"}},
		{0, []string{"verify", "export", bundleFile}},
		{0, []string{"verify", "export", bundleFile, "--json"}},
	} {
		p := c.run(t, dir, env...)
		fmt.Fprintf(&said, "%v: %s%s\n", c.args, p.stdout, p.stderr)
		runs++
	}
	if got := headers.Get("Authorization") + headers.Get("X-B") + headers.Get("X-C"); !strings.Contains(got, inEnv+inDotEnv+inHeader) {
		t.Errorf("the receiver got headers %q", got)
	}
	kept := everyFile(t, filepath.Join(dir, ".agentxchain"))
	bundle := execute(t, dir, env, "export")
	if !strings.Contains(bundle.stderr, "${") || strings.Contains(bundle.stderr, "sEcReT") {
		t.Errorf("export should warn about literal secrets, name the ${ENV} remedy and show none: %s", bundle.stderr)
	}
	for _, s := range secrets {
		for where, text := range map[string]string{"argv": argv, "output": said.String(), "files": kept} {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s is in %s: …%s…", s, where, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
	for _, s := range []string{inEnv, inDotEnv} {
		if strings.Contains(bundle.stdout, s) {
			t.Errorf("%s is in the bundle", s)
		}
	}
	ran(t, "secrets planted", len(secrets)*runs)
}

// allCommandLines is what every local user can read of running processes.
func allCommandLines(t *testing.T) string {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(paths) == 0 {
		t.Errorf("no command lines to look at: %v", err)
	}
	var all strings.Builder
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err == nil { // a process that has just ended has no command line
			all.Write(b)
		}
	}
	return all.String()
}

func everyFile(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		all.WriteString(p)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestStartUpDoesNoWork reads the runtime's own account of package
// initialisation: nothing but jsonschema/v5 may cost anything worth measuring.
func TestStartUpDoesNoWork(t *testing.T) {
	c := exec.Command(binary(t), "version")
	c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	p := finish(t, c).want(t, 0)
	packages := 0
	for line := range strings.Lines(p.stderr) {
		var name string
		var at, took float64
		var bytes, allocs int
		if n, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &took, &bytes, &allocs); n != 5 || err != nil {
			t.Errorf("not an init line: %s", line)
			continue
		}
		packages++
		if allocs > 1000 && name != "github.com/santhosh-tekuri/jsonschema/v5" {
			t.Errorf("%s allocates %d times before main", name, allocs)
		}
	}
	ran(t, "package initialisations", packages)
	if p := execute(t, t.TempDir(), nil, "version").want(t, 0); p.stderr != "" {
		t.Errorf("version writes to stderr: %s", p.stderr)
	}
}

package cmd_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/cmd"

	"github.com/google/go-cmp/cmp"
)

// variables are the environment variables that the binary reads; there is no
// other switch. Header placeholders name further ones, for expansion alone.
var variables = []string{
	"AGENTXCHAIN_DIR", "AGENTXCHAIN_EGRESS", "AGENTXCHAIN_EGRESS_ALLOW",
	"AGENTXCHAIN_LOG_FORMAT", "AGENTXCHAIN_LOG_LEVEL",
	"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "REQUEST_METHOD",
	"PATH", "SLACK_API_URL", "SOURCE_DATE_EPOCH", "SSL_CERT_DIR", "SSL_CERT_FILE",
}

// gitVariables are handed on to the git that `export` asks for the state of
// the checkout; they are not read here.
var gitVariables = []string{
	"HOME", "XDG_CONFIG_HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "SYSTEMROOT", "TMPDIR", "TEMP",
}

// TestEveryVariableIsKnown runs every command in a world that writes down
// which variables it is asked for: all that are listed, and no others.
func TestEveryVariableIsKnown(t *testing.T) {
	needGit(t)
	t.Setenv("TMPDIR", t.TempDir()) // the demo leaves its folder
	a := receive(t, nil)
	headed := to("good", a.URL)
	headed.Headers = map[string]string{"X": "${PLACEHOLDER}"}
	encrypted := httptest.NewTLSServer(nil) // nobody knows its certificate, so roots are looked for
	defer encrypted.Close()
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	dir := project(t, headed, to("tls", encrypted.URL))
	slack := "notifications:\n  slack: {enabled: true, bot_token: \"${TOKEN}\", default_channel: \"#x\"}\n"
	if err := os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(slack), 0o600); err != nil {
		t.Fatal(err)
	}
	commitAll(t, dir)
	bundle := filepath.Join(t.TempDir(), "bundle.json")
	w := &watched{asked: map[string]bool{}, lookedUp: map[string]bool{}}
	for _, c := range []command{
		{0, []string{"notify", "emit", "run_blocked"}},
		{0, []string{"notify", "pending"}},
		{1, []string{"notify", "retry"}},
		{2, []string{"notify", "discard", "notif_x"}},
		{0, []string{"notify", "remind"}},
		{0, []string{"notify", "log"}},
		{0, []string{"notify", "route", "run_blocked"}},
		{0, []string{"notify", "emit", "on_error", "--agent", "a", "--execution-id", "e"}},
		{1, []string{"template", "render", "gateway.yaml", "--channel", "webhook"}},
		{0, []string{"config", "check"}},
		{0, []string{"config", "show"}},
		{0, []string{"export", "--output", bundle}},
		{0, []string{"verify", "export", bundle}},
		{0, []string{"version"}},
		{0, []string{"schema"}},
		{0, []string{"demo"}},
		{2, []string{"step"}},
		{0, []string{"help", "egress"}},
	} {
		var out bytes.Buffer
		code := cmd.Run(t.Context(), cmd.World{
			Args: c.args, Dir: dir, Getenv: w.getenv, LookupEnv: w.lookupEnv, Environ: w.environ,
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now, Entropy: rand.Reader,
		})
		if code != c.code {
			t.Errorf("%v: exit %d, want %d: %s", c.args, code, c.code, out.String())
		}
	}
	known := map[string]bool{}
	for _, name := range slices.Concat(variables, gitVariables) {
		// There the system keeps the roots, and no variable replaces them.
		known[name] = !strings.HasPrefix(name, "SSL_") || runtime.GOOS != "darwin" && runtime.GOOS != "windows"
	}
	maps.DeleteFunc(known, func(_ string, read bool) bool { return !read })
	if d := cmp.Diff(known, w.asked); d != "" {
		t.Errorf("variables that are read (-listed +read): %s", d)
	}
	if d := cmp.Diff(map[string]bool{"PLACEHOLDER": true, "TOKEN": true}, w.lookedUp); d != "" {
		t.Errorf("looked up for placeholders: %s", d)
	}
	if !w.listed {
		t.Error("nobody asked for the variables that begin with AGENT_GATEWAY_")
	}
	help := execute(t, dir, nil, "help", "environment").want(t, 0).stdout
	for _, name := range append(variables[:len(variables):len(variables)], "AGENT_GATEWAY_") {
		if name == strings.ToUpper(name) && !strings.Contains(help, name) {
			t.Errorf("`help environment` lacks %s", name)
		}
	}
}

// watched is an environment that writes down what it is asked for. Only PATH
// is set, so that what is read does not depend on where the test runs.
type watched struct {
	mu              sync.Mutex
	asked, lookedUp map[string]bool
	listed          bool
}

// environ has no variable whose name begins with AGENT_GATEWAY_; nothing else
// in it is looked at.
func (w *watched) environ() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed = true
	return []string{"AGENTXCHAIN_EGRESS=public", "agent_gatewa=x"}
}

func (w *watched) getenv(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[name] = true
	if name == "PATH" {
		return os.Getenv(name)
	}
	return ""
}

func (w *watched) lookupEnv(name string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookedUp[name] = true
	return "", false
}

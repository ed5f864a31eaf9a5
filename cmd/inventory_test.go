package cmd_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
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
	"PATH", "SOURCE_DATE_EPOCH", "SSL_CERT_DIR", "SSL_CERT_FILE",
}

// gitVariables are handed on to the git that `export` asks for the state of
// the checkout; they are not read here.
var gitVariables = []string{"HOME", "XDG_CONFIG_HOME", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "USERPROFILE"}

// TestEveryVariableIsKnown runs every command in a world that writes down
// which variables it is asked for.
func TestEveryVariableIsKnown(t *testing.T) {
	a := receive(t, nil)
	headed := to("good", a.URL)
	headed.Headers = map[string]string{"X": "${PLACEHOLDER}"}
	dir := project(t, headed, to("tls", "https://127.0.0.1:1/"))
	bundle := filepath.Join(t.TempDir(), "bundle.json")
	asked := map[string]bool{}
	var mu sync.Mutex
	getenv := func(name string) string {
		mu.Lock()
		defer mu.Unlock()
		asked[name] = true
		return os.Getenv(name)
	}
	lookedUp := map[string]bool{}
	for _, args := range [][]string{
		{"notify", "emit", "run_blocked"},
		{"notify", "pending"},
		{"notify", "retry"},
		{"notify", "discard", "notif_x"},
		{"config", "check"},
		{"config", "show"},
		{"export", "--output", bundle},
		{"verify", "export", bundle},
		{"version"},
		{"schema"},
		{"demo"},
		{"step"},
		{"help", "egress"},
	} {
		var out bytes.Buffer
		cmd.Run(context.Background(), cmd.World{
			Args: args, Dir: dir, Getenv: getenv,
			LookupEnv: func(name string) (string, bool) {
				mu.Lock()
				defer mu.Unlock()
				lookedUp[name] = true
				return "", false
			},
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Now: time.Now,
			Entropy: bytes.NewReader(make([]byte, 1<<16)),
		})
	}
	for name := range asked {
		if !slices.Contains(variables, name) && !slices.Contains(gitVariables, name) {
			t.Errorf("%s is read, and no document says so", name)
		}
	}
	if d := cmp.Diff(map[string]bool{"PLACEHOLDER": true}, lookedUp); d != "" {
		t.Errorf("looked up for placeholders: %s", d)
	}
	help := execute(t, dir, nil, "help", "environment").want(t, 0).stdout
	for _, name := range variables {
		if name == strings.ToUpper(name) && !strings.Contains(help, name) {
			t.Errorf("`help environment` lacks %s", name)
		}
	}
}

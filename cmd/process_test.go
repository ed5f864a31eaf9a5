package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"agentxchain/internal/fixtures"
)

// buildBinary makes the real binary, once for all tests of this package.
var buildBinary = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(os.Getenv(binaryDir), "agentxchain")
	c := exec.Command("go", "build", "-o", bin, "agentxchain")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

func binary(t testing.TB) string {
	t.Helper()
	bin, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// process is one run of the real binary and what came of it.
type process struct {
	stdout, stderr string
	code           int
}

// execute runs the binary in dir with extra environment.
func execute(t testing.TB, dir string, env []string, args ...string) process {
	t.Helper()
	c := exec.Command(binary(t), args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	return finish(t, c)
}

func finish(t testing.TB, c *exec.Cmd) process {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", c.Args, err)
	}
	return process{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

func (p process) want(t testing.TB, code int) process {
	t.Helper()
	if p.code != code {
		t.Fatalf("exit %d, want %d\nstdout: %s\nstderr: %s", p.code, code, p.stdout, p.stderr)
	}
	return p
}

// hook is one webhook of a test project.
type hook struct {
	Name      string            `json:"name"`
	URL       string            `json:"url"`
	Events    []string          `json:"events"`
	TimeoutMS int               `json:"timeout_ms"`
	Headers   map[string]string `json:"headers,omitempty"`
}

// everyEvent subscribes to all nine.
var everyEvent = []string{
	"run_blocked", "operator_escalation_raised", "escalation_resolved", "human_escalation_raised",
	"human_escalation_resolved", "phase_transition_pending", "run_completion_pending", "run_completed", "approval_sla_reminder",
}

func to(name, url string) hook {
	return hook{Name: name, URL: url, Events: everyEvent, TimeoutMS: 5000}
}

// project makes a governed folder with an active run.
func project(t testing.TB, hooks ...hook) string {
	t.Helper()
	dir := t.TempDir()
	if hooks == nil {
		hooks = []hook{}
	}
	config := map[string]any{
		"schema_version": "1.0",
		"project":        map[string]string{"id": "demo", "name": "Demo"},
		"roles":          map[string]any{},
		"runtimes":       map[string]any{},
		"notifications":  map[string]any{"webhooks": hooks},
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "agentxchain.json"), string(b))
	write(t, filepath.Join(dir, ".agentxchain", "state.json"), `{"schema_version":"1.1","run_id":"run_0123456789abcdef",
		"project_id":"demo","status":"blocked","phase":"planning","turn_sequence":1,"blocked_on":"dispatch:exit-3",
		"active_turns":{"turn_a":{"turn_id":"turn_a","assigned_role":"pm","status":"running","attempt":1,"runtime_id":"m","assigned_sequence":1}},
		"blocked_reason":{"category":"dispatch_error","blocked_at":"2026-01-01T00:00:00.000Z","turn_id":"turn_a",
		"recovery":{"typed_reason":"dispatch_error","owner":"human","recovery_action":"Fix it","turn_retained":true,"detail":"exit 3"}}}`)
	return dir
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

const auditPath = ".agentxchain/notification-audit.jsonl"

// auditLines reads the audit; every line must be one JSON object.
func auditLines(t testing.TB, dir string) []map[string]any {
	t.Helper()
	return parseLines(t, readAudit(t, dir))
}

func readAudit(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, auditPath))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}

func parseLines(t testing.TB, b []byte) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range bytes.Lines(b) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("audit line %q: %v", line, err)
		}
		list = append(list, m)
	}
	return list
}

// receiver is a real HTTP server that remembers the event ids it was sent.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	events map[string]int
	bodies [][]byte
}

// receive starts a receiver that answers with the given handler after it has
// noted the event; nil answers 200.
func receive(t testing.TB, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{events: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err == nil {
			r.note(body)
		}
		if answer != nil {
			answer(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) note(body []byte) {
	var envelope struct {
		EventID string `json:"event_id"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[envelope.EventID]++
	r.bodies = append(r.bodies, body)
}

// seen returns how often each event id arrived.
func (r *receiver) seen() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]int, len(r.events))
	for id, n := range r.events {
		out[id] = n
	}
	return out
}

// untracked lists what git would show as new in the folder.
func untracked(t testing.TB, dir string) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", dir, "ls-files", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func commitAll(t testing.TB, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "-A"},
		{"-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qm", "start"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
}

// inNamespace runs a shell script with a mount namespace of its own, in which
// it may mount what it likes; it skips where the system does not allow that.
func inNamespace(t testing.TB, dir, script string) process {
	t.Helper()
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		t.Skipf("no mount namespaces here: %v", err)
	}
	c := exec.CommandContext(context.Background(), "unshare", "-rm", "sh", "-ec", script)
	c.Dir = dir
	c.Env = append(os.Environ(), "AGENTXCHAIN="+binary(t), "PROJECT="+dir)
	return finish(t, c)
}

func ran(t testing.TB, row string, n int) {
	t.Helper()
	fixtures.Ran(t, row, n)
}

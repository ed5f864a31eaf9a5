package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver answers as Slack and as webhooks do, and keeps what it got.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string][]string
	// headers are those of the last request.
	headers http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.got[req.URL.Path] = append(r.got[req.URL.Path], string(b))
		r.headers = req.Header
		r.mu.Unlock()
		switch {
		case strings.HasPrefix(req.URL.Path, "/down"):
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasPrefix(req.URL.Path, "/later"):
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = io.WriteString(w, `{"ok":true,"ts":"1.1","channel":"C1"}`)
	}))
	t.Cleanup(r.Close)
	return r
}

// open makes a gateway that reaches the receiver.
func open(t *testing.T, dir string) *gateway.Gateway {
	t.Helper()
	gw, err := gateway.New(gateway.Options{Dir: dir, Warn: func(text string) { t.Log("warning: " + text) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})
	gateway.SendThrough(gw, &http.Transport{DisableKeepAlives: true})
	return gw
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEmit(t *testing.T) {
	r := newReceiver(t)
	t.Setenv("SLACK_API_URL", r.URL+"/api/")
	dir := t.TempDir()
	gw := open(t, dir).
		UseSlackNotifications(gateway.Slack{BotToken: "xoxb-1", DefaultChannel: "#alerts"}).
		UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/hook", Secret: "s3cret"}).
		UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/errors", Name: "errors", Events: []string{"execution.failed"}})
	result, err := gw.Emit(t.Context(), gateway.Event{
		Type: gateway.OnComplete, Agent: "a", ExecutionID: "e", Message: "m", Output: map[string]any{"n": 1}, Duration: 1500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, o := range result.Outcomes {
		targets = append(targets, o.Channel+" "+o.Target)
		if !o.Delivered || o.Attempts != 1 || o.Reason != "delivered" {
			t.Errorf("%+v", o)
		}
	}
	if !slices.Equal(targets, []string{"slack #alerts", "webhook default"}) {
		t.Errorf("targets %q", targets)
	}
	want := `{"event": "execution.completed", "execution_id": "e", "agent_id": "a", "status": "completed", "message": "m", "output": {"n": 1}, "duration_ms": 1500}`
	if got := r.got["/hook"]; len(got) != 1 || got[0] != want {
		t.Errorf("webhook got %q", got)
	}
	audit, err := os.ReadFile(filepath.Join(dir, ".agentxchain", "notification-audit.jsonl"))
	if err != nil || strings.Count(string(audit), result.EventID) != 2 || strings.Contains(string(audit), "s3cret") {
		t.Errorf("audit %s, %v", audit, err)
	}
	if _, err := gw.UseWebhookNotifications(gateway.Webhook{URL: r.URL}).Emit(t.Context(), gateway.Event{Type: gateway.OnError}); !errors.Is(err, gateway.ErrStarted) {
		t.Errorf("configured after the start: %v", err)
	}
}

// Code adds to gateway.yaml, and wins where both use a name.
func TestCodeAndFile(t *testing.T) {
	r := newReceiver(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "gateway.yaml"), `notifications:
  webhooks:
    - {name: default, url: "`+r.URL+`/file", secret: x}
    - {name: other, url: "`+r.URL+`/other", secret: x}
`)
	write(t, filepath.Join(dir, "workspace/agents/ruled/AGENT.md"), "---\nnotifications:\n  on_error:\n    - {channel: webhook, target: added}\n---\nHello.\n")
	gw := open(t, dir).
		UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/code", Secret: "y"}).
		UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/added", Name: "added", Secret: "y"})
	for _, e := range []gateway.Event{{Type: gateway.OnError, Agent: "ruled", ExecutionID: "1"}, {Type: gateway.OnComplete, Agent: "free", ExecutionID: "2"}} {
		if _, err := gw.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{"/file": 0, "/code": 1, "/other": 1, "/added": 2} {
		if got := len(r.got[path]); got != want {
			t.Errorf("%s got %d events, want %d", path, got, want)
		}
	}
}

// The rules of agents need a gateway.yaml to belong to, be it empty.
func TestRulesOfAgents(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want map[string]int
	}{
		"no gateway.yaml":     {"", map[string]int{"/other": 1, "/ruled": 1}},
		"an empty one":        {"gateway.yaml", map[string]int{"/other": 0, "/ruled": 1}},
		"empty, in workspace": {"workspace/gateway.yaml", map[string]int{"/other": 0, "/ruled": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			dir := t.TempDir()
			if c.file != "" {
				write(t, filepath.Join(dir, c.file), "")
			}
			write(t, filepath.Join(dir, "workspace/agents/a/AGENT.md"), "---\nnotifications:\n  on_error:\n    - {channel: webhook, target: ruled}\n---\nHello.\n")
			gw := open(t, dir).
				UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/other", Name: "other", Secret: "y"}).
				UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/ruled", Name: "ruled", Secret: "y"})
			result, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError, Agent: "a", ExecutionID: "e"})
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range c.want {
				if got := len(r.got[path]); got != want {
					t.Errorf("%s got %d events, want %d: %+v", path, got, want, result.Outcomes)
				}
			}
		})
	}
}

// A receiver that is down is tried three times, and kept for a retry.
func TestThreeAttempts(t *testing.T) {
	r := newReceiver(t)
	dir := t.TempDir()
	gw := open(t, dir).UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/down", Secret: "y"})
	result, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnTimeout, Agent: "a", ExecutionID: "e"})
	if err != nil {
		t.Fatal(err)
	}
	if o := result.Outcomes[0]; o.Delivered || o.Attempts != 3 || o.Reason != "server_error" {
		t.Errorf("%+v", o)
	}
	if got := r.got["/down"]; len(got) != 3 || got[0] != got[1] || got[1] != got[2] {
		t.Errorf("got %q", got)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "gateway.yaml"), "notifications: [\n")
	if _, err := gateway.New(gateway.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "gateway.yaml:") {
		t.Errorf("broken file: %v", err)
	}
	gw := open(t, t.TempDir())
	if _, err := gw.Emit(t.Context(), gateway.Event{Type: "on_eror"}); err == nil || !strings.Contains(err.Error(), `did you mean "on_error"`) {
		t.Errorf("unknown event: %v", err)
	}
	if _, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError, Output: func() {}}); err == nil {
		t.Error("an output that is no JSON is accepted")
	}
	for _, w := range []gateway.Webhook{{URL: "ftp://x"}, {URL: "https://x.example", Secret: "whsec_%%"}, {URL: "https://x.example", Events: []string{"run_failed"}}} {
		gw := open(t, t.TempDir()).UseWebhookNotifications(w)
		if _, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError}); err == nil || strings.Contains(err.Error(), "%%") {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

package dispatch_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/dispatch"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/queue"
	"agentxchain/internal/render"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func now() time.Time { return noon }

// world is a dispatcher whose targets all lead to one receiver.
type world struct {
	*dispatch.Dispatcher
	gateway *dispatch.Gateway
	// got are the requests that came, by path.
	got map[string]*request
	url string
}

type request struct {
	header http.Header
	body   string
}

func newWorld(t *testing.T, change func(*dispatch.Options)) *world {
	t.Helper()
	w := &world{got: map[string]*request{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.got[r.URL.Path] = &request{r.Header, string(b)}
		_, _ = io.WriteString(rw, `{"ok":true,"ts":"1.2","channel":"C1"}`)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	transport := &http.Transport{DisableKeepAlives: true}
	hook := func(name string, events ...string) webhook.Config {
		return webhook.Config{Name: name, URL: secret.New(server.URL + "/" + name), Timeout: 5 * time.Second, Events: events}
	}
	signed := hook("default")
	signed.Secrets = []secret.Text{secret.New("s3cret")}
	shaped := hook("shaped", "on_error", "run_blocked")
	shaped.PayloadTemplate = `{"summary": "{{ agent_name }} failed: {{ error }}"}`
	spoiled := hook("spoiled", "on_timeout")
	spoiled.PayloadTemplate = `{"summary": {{ error }}}`
	gateway := &dispatch.Gateway{
		Webhooks:       []webhook.Config{signed, shaped, spoiled},
		WebhookSecrets: []secret.Text{secret.New("shared")},
		Renderer:       render.New(render.Options{TemplatesDir: templates(t), Now: now}),
		Routing: &routing.Gateway{File: "gateway.yaml", Slack: true, DefaultChannel: "#alerts", Agents: []routing.Agent{
			{Name: "ruled", File: "workspace/agents/ruled/AGENT.md", Rules: map[events.Type][]routing.Rule{
				events.OnComplete: {
					{Channel: delivery.Slack, Target: "#custom", Template: "custom"},
					{Channel: delivery.Webhook, URL: secret.New(server.URL + "/inline"), PayloadTemplate: `[{{ output | tojson }}]`},
					{Channel: delivery.Webhook, Target: "nobody"},
				},
			}},
		}},
	}
	gateway.WebhookSender = webhook.NewSender(webhook.Options{Transport: transport, Now: now, EventID: true, Version: "test"})
	gateway.SlackSender = slack.NewSender(slack.Options{
		Config: slack.Config{Enabled: true, BotToken: secret.New("xoxb-1")}, BaseURL: server.URL + "/api", Transport: transport, Now: now,
	})
	for _, h := range gateway.Webhooks {
		target := delivery.Target{File: "gateway.yaml", Channel: delivery.Webhook, Name: h.Name}
		gateway.Routing.Webhooks = append(gateway.Routing.Webhooks, routing.Subscription{Target: target, Events: h.Events})
	}
	ops := hook("ops", "run_blocked")
	o := dispatch.Options{
		File: "agentxchain.json", Governed: []webhook.Config{ops}, GatewayFile: "gateway.yaml", Gateway: gateway,
		Sender: webhook.NewSender(webhook.Options{Webhooks: []webhook.Config{ops}, Transport: transport, Now: now, Version: "test"}),
	}
	if change != nil {
		change(&o)
	}
	w.gateway, w.Dispatcher = gateway, dispatch.New(o)
	return w
}

// templates makes a folder with Slack templates.
func templates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"custom.json.j2":     `[{"type":"section","text":{"type":"mrkdwn","text":"*{{ agent_name }}* said {{ output }}"}}]`,
		"on_timeout.json.j2": `[{"type":"header"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// agentRun is the end of an agent's run.
func agentRun(t *testing.T, typ events.Type, agent string) events.Event {
	t.Helper()
	e, _, err := events.Mint(events.Input{Type: typ, Now: noon, Agent: &events.AgentRun{
		Name: agent, ExecutionID: "e-1", Message: "do it", Error: `say "no"`, Output: ecmajson.NewString(`a "b"`), DurationMS: 45000,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// send makes one attempt at every target of an event.
func (w *world) send(t *testing.T, e events.Event) (messages map[string]queue.Message, results map[string]delivery.Result, warnings []error) {
	t.Helper()
	list, warnings := w.Messages(t.Context(), e, w.Routes(events.Type(e.Type), dispatch.Agent(e)))
	messages, results = map[string]queue.Message{}, map[string]delivery.Result{}
	for _, m := range list {
		d := delivery.Delivery{Event: e, Target: m.Target, Body: m.Body, ContentType: m.ContentType, FallbackBody: m.FallbackBody}
		if d.Body == nil {
			d.Body = e.Body
		}
		messages[m.Target.Name], results[m.Target.Name] = m, w.Sender(m.Target).Send(t.Context(), d)
	}
	return messages, results, warnings
}

// The end of an agent run is sent again for as long as it is configured, a
// governed event for an hour.
func TestMaxAge(t *testing.T) {
	w := newWorld(t, func(o *dispatch.Options) { o.Gateway.MaxAge = 90 * time.Second })
	blocked, _, err := events.Mint(events.Input{Type: events.RunBlocked, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	for e, want := range map[*events.Event]time.Duration{
		new(agentRun(t, events.OnError, "anybody")): 90 * time.Second,
		&blocked: time.Hour,
	} {
		messages, _ := w.Messages(t.Context(), *e, w.Routes(events.Type(e.Type), dispatch.Agent(*e)))
		if len(messages) == 0 {
			t.Errorf("%s goes nowhere", e.Type)
		}
		for _, m := range messages {
			if got := m.ExpiresAt.Sub(noon); got != want {
				t.Errorf("%s to %s expires after %s, want %s", e.Type, m.Target.Name, got, want)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	w := newWorld(t, nil)
	e := agentRun(t, events.OnError, "anybody")
	messages, results, warnings := w.send(t, e)
	if len(messages) != 3 || len(warnings) != 0 {
		t.Fatalf("messages %v, warnings %v", messages, warnings)
	}
	for name, r := range results {
		if !r.Delivered {
			t.Errorf("%s: %+v", name, r)
		}
		if m := messages[name]; m.Attempts != 3 || m.FallbackBody || !m.ExpiresAt.Equal(noon.Add(72*time.Hour)) {
			t.Errorf("%s: message %+v", name, m)
		}
	}
	if got := w.got["/default"]; !strings.HasPrefix(got.body, `{"event": "execution.failed", "execution_id": "e-1", "agent_id": "anybody", "status": "failed"`) ||
		!strings.HasPrefix(got.header.Get("X-AgentGateway-Signature"), "sha256=") || got.header.Get("webhook-id") != e.ID {
		t.Errorf("default got %+v", got)
	}
	if got := w.got["/shaped"].body; got != `{"summary": "anybody failed: say \"no\""}` {
		t.Errorf("shaped got %s", got)
	}
	got := w.got["/api/chat.postMessage"]
	if got.header.Get("Authorization") != "Bearer xoxb-1" || !strings.Contains(got.body, `"channel":"#alerts"`) {
		t.Errorf("slack got %+v", got)
	}
}

func TestRules(t *testing.T) {
	w := newWorld(t, nil)
	messages, results, warnings := w.send(t, agentRun(t, events.OnComplete, "ruled"))
	if len(messages) != 3 || len(warnings) != 0 {
		t.Fatalf("messages %v, warnings %v", messages, warnings)
	}
	if got := w.got["/api/chat.postMessage"].body; !strings.Contains(got, `*ruled* said a \"b\"`) {
		t.Errorf("slack got %s", got)
	}
	inline := w.got["/inline"]
	if inline.body != `["a \"b\""]` || inline.header.Get("X-AgentGateway-Signature") == "" {
		t.Errorf("inline got %+v", inline)
	}
	gone := results["nobody"]
	if gone.Delivered || gone.Reason != delivery.ReasonTargetGone || !strings.Contains(gone.Message, `gateway.yaml has no webhook "nobody"`) {
		t.Errorf("unknown webhook: %+v", gone)
	}
	if messages["nobody"].Attempts != 1 {
		t.Errorf("a target that can't be sent to gets %d attempts", messages["nobody"].Attempts)
	}
}

// A template that gives no usable body never keeps the event back.
func TestFallback(t *testing.T) {
	w := newWorld(t, nil)
	messages, results, warnings := w.send(t, agentRun(t, events.OnTimeout, "anybody"))
	for _, name := range []string{"spoiled", "#alerts"} {
		if !messages[name].FallbackBody || !results[name].Delivered {
			t.Errorf("%s: %+v %+v", name, messages[name], results[name])
		}
	}
	if messages["default"].FallbackBody {
		t.Error("default has no template to fall back from")
	}
	if len(warnings) != 2 {
		t.Errorf("warnings %v", warnings)
	}
	for _, warning := range warnings {
		if strings.Contains(warning.Error(), `say "no"`) {
			t.Errorf("a warning shows a value: %v", warning)
		}
	}
	if got := w.got["/spoiled"].body; !strings.HasPrefix(got, `{"event": "execution.timeout"`) {
		t.Errorf("spoiled got %s", got)
	}
}

// Governed events reach the gateway as envelopes, their own webhooks as ever.
func TestGovernedEvents(t *testing.T) {
	w := newWorld(t, nil)
	e := render.Sample(events.RunBlocked)
	messages, results, warnings := w.send(t, e)
	var names []string
	for name, r := range results {
		names = append(names, name)
		if !r.Delivered {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if len(names) != 2 || len(warnings) != 0 {
		t.Fatalf("told %v, warnings %v", names, warnings)
	}
	if m := messages["ops"]; m.Attempts != 1 || m.Body != nil || !m.ExpiresAt.Equal(e.EmittedAt.Add(time.Hour)) {
		t.Errorf("ops: %+v", m)
	}
	if d := cmp.Diff(string(e.Body), w.got["/ops"].body); d != "" {
		t.Error(d)
	}
	if w.got["/ops"].header.Get("webhook-id") != "" {
		t.Error("a governed webhook got a header that its contract does not have")
	}
	var shaped struct{ Summary string }
	if err := json.Unmarshal([]byte(w.got["/shaped"].body), &shaped); err != nil || !strings.Contains(shaped.Summary, " failed: ") {
		t.Errorf("shaped got %s, %v", w.got["/shaped"].body, err)
	}
}

// What can't be sent to says why, and never is a silent success.
func TestRefusals(t *testing.T) {
	target := func(file string, c delivery.Channel, name string) delivery.Target {
		return delivery.Target{File: file, Channel: c, Name: name}
	}
	for _, c := range []struct {
		name   string
		change func(*dispatch.Options)
		target delivery.Target
		want   string
	}{
		{"governed webhook gone", nil, target("agentxchain.json", delivery.Webhook, "x"), "no longer in the configuration"},
		{"gateway webhook gone", nil, target("gateway.yaml", delivery.Webhook, "x"), "no longer in the configuration"},
		{"rule gone", nil, target("workspace/agents/x/AGENT.md", delivery.Webhook, "on_error[0]-00000000"), "no longer in the configuration"},
		{"slack off", func(o *dispatch.Options) { o.Gateway.SlackSender = nil }, target("gateway.yaml", delivery.Slack, "#x"), "Slack is not enabled in gateway.yaml"},
		{"no gateway", func(o *dispatch.Options) { o.Gateway = nil }, target("gateway.yaml", delivery.Webhook, "default"), "There is no gateway.yaml"},
		{"broken gateway", func(o *dispatch.Options) { o.Gateway, o.Broken = nil, "gateway.yaml can't be used" }, target("gateway.yaml", delivery.Slack, "#x"), "gateway.yaml can't be used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newWorld(t, c.change).Sender(c.target).Send(t.Context(), delivery.Delivery{Target: c.target})
			if r.Delivered || r.Reason != delivery.ReasonTargetGone || !strings.Contains(r.Message, c.want) {
				t.Errorf("result %+v, want %q", r, c.want)
			}
		})
	}
}

// A target that can't be used has no body yet. When it can be, it gets the one
// that the event would have had, and never the event's own record.
func TestMake(t *testing.T) {
	w := newWorld(t, func(o *dispatch.Options) {
		o.Gateway.Routing.SlackProblem = "gateway.yaml:2:9: bot_token must be a string"
		o.Gateway.Webhooks[0].Missing = []string{"SECRET"}
	})
	e := agentRun(t, events.OnError, "anybody")
	messages, results, _ := w.send(t, e)
	for name, reason := range map[string]delivery.Reason{"#alerts": delivery.ReasonTargetGone, "default": delivery.ReasonHeaderEnv} {
		if !messages[name].Unmade || results[name].Reason != reason {
			t.Errorf("%s: %+v, %+v", name, messages[name], results[name])
		}
	}
	stored := e
	stored.Agent = nil // what a store keeps of it
	keep := func(name string, channel delivery.Channel) delivery.Delivery {
		return delivery.Delivery{Event: stored, Body: stored.Body, Unmade: true, Target: delivery.Target{File: "gateway.yaml", Channel: channel, Name: name}}
	}
	mended := newWorld(t, nil)
	for _, d := range []delivery.Delivery{keep("default", delivery.Webhook), keep("#alerts", delivery.Slack), keep("shaped", delivery.Webhook)} {
		made := mended.Make(t.Context(), d)
		fresh, _ := mended.Messages(t.Context(), e, mended.Routes(events.OnError, "anybody"))
		at := slices.IndexFunc(fresh, func(m queue.Message) bool { return m.Target == d.Target })
		if made.Unmade || string(made.Body) != string(fresh[at].Body) || made.ContentType != fresh[at].ContentType {
			t.Errorf("%s: made %+v", d.Target.Name, made)
		}
		if r := mended.Sender(d.Target).Send(t.Context(), made); !r.Delivered {
			t.Errorf("%s: %+v", d.Target.Name, r)
		}
	}
	// Where no rule sends it any more, nothing is sent.
	gone := keep("spoiled", delivery.Webhook)
	if made := mended.Make(t.Context(), gone); !made.Unmade {
		t.Errorf("made %+v", made)
	}
	if r := mended.Sender(gone.Target).Send(t.Context(), gone); r.Delivered || !strings.Contains(r.Message, "sends on_error there no more") {
		t.Errorf("gone: %+v", r)
	}
}

// A rule's own URL is sent nothing unsigned when the secret is not known.
func TestSecretNotKnown(t *testing.T) {
	w := newWorld(t, func(o *dispatch.Options) {
		o.Gateway.WebhookSecrets, o.Gateway.SecretProblem = nil, "webhook_secret must be a string"
	})
	messages, results, _ := w.send(t, agentRun(t, events.OnComplete, "ruled"))
	refused := 0
	for name, r := range results {
		if strings.HasPrefix(name, "on_complete-") && messages[name].Unmade && r.Message == "webhook_secret must be a string" {
			refused++
		}
	}
	if refused != 1 || w.got["/inline"] != nil {
		t.Errorf("results %+v", results)
	}
}

// What is tried out is what would be sent.
func TestTry(t *testing.T) {
	dir := templates(t)
	target := delivery.Target{File: "gateway.yaml", Channel: delivery.Slack, Name: "#x"}
	body, why, err := dispatch.Try(t.Context(), dir, filepath.Join(dir, "custom.json.j2"), render.Sample(events.OnComplete), target, nil)
	if err != nil || why != nil || !strings.Contains(string(body), `"channel":"#x"`) {
		t.Errorf("good: %s, %v, %v", body, why, err)
	}
	body, why, err = dispatch.Try(t.Context(), dir, filepath.Join(dir, "on_timeout.json.j2"), render.Sample(events.OnTimeout), target, nil)
	if err != nil || why == nil || !json.Valid(body) {
		t.Errorf("bad: %s, %v, %v", body, why, err)
	}
	if _, _, err = dispatch.Try(t.Context(), dir, filepath.Join(dir, "absent"), render.Sample(events.OnTimeout), target, nil); err == nil {
		t.Error("an absent file is no error")
	}
}

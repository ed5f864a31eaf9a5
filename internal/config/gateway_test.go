package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/secret"
)

// set is the lookup of a world in which one variable has a value.
func set(name string) (string, bool) { return "S3CRET-VALUE", name == "SET" }

// workingGateway is a gateway.yaml without a problem.
const workingGateway = `notifications:
  slack: {enabled: true, bot_token: "${SET}", default_channel: "#alerts", templates_dir: templates}
  webhook_secret: "${SET}"
  webhooks:
    - {name: ops, url: "https://h.example/x"}
    - {name: pager, url: "https://h.example/y", events: [on_timeout]}
`

// TestGatewayMistakes holds the problems of each file in testdata/gateway, one
// mistake a file, to the text beside it. UPDATE=1 writes the texts.
func TestGatewayMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/gateway/*.*")
	if err != nil {
		t.Fatal(err)
	}
	mistakes := 0
	for _, file := range files {
		extension := filepath.Ext(file)
		if extension == ".txt" {
			continue
		}
		mistakes++
		t.Run(filepath.Base(file), func(t *testing.T) {
			content := map[string]string{"gateway.yaml": string(read(t, file))}
			if extension == ".md" {
				content = map[string]string{"gateway.yaml": strings.Replace(workingGateway, `"${SET}", def`, `"xoxb-${SET}", def`, 1), "workspace/agents/agent/AGENT.md": string(read(t, file)), "templates/README": ""}
			}
			dir := write(t, content)
			_, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), GatewayOptions{
				Root: dir, Governed: []string{"governed_ops"}, Lookup: set, Advise: true,
			})
			got := strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), "") + "\n"
			golden(t, strings.TrimSuffix(file, extension)+".txt", filepath.ToSlash(got))
			if len(problems) == 0 || strings.Contains(got, "S3CRET-VALUE") || strings.Contains(got, "hunter2") {
				t.Errorf("no problem, or one that shows a secret: %s", got)
			}
		})
	}
	if mistakes < 40 {
		t.Errorf("only %d mistakes", mistakes)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, file)), got); diff != "" {
		t.Errorf("%s: %s", file, diff)
	}
}

// load reads a gateway.yaml and files beside it.
func load(tb testing.TB, files map[string]string, o GatewayOptions) (*Gateway, Problems) {
	tb.Helper()
	dir := write(tb, files)
	if o.Lookup == nil {
		o.Lookup = set
	}
	g, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), o)
	if g == nil {
		tb.Fatal(problems)
	}
	return g, problems
}

func TestGatewaySections(t *testing.T) {
	g, problems := load(t, map[string]string{"gateway.yaml": `
notifications:
  slack: {enabled: yes, bot_token: xoxb-1, templates_dir: templates/slack, threads: true}
  webhook_secret: shared
  webhooks:
    - name: plain
      url: https://h.example/a
    - name: rotating
      url: https://h.example/b
      secret: new
      secrets: ["${SET}", old]
      signature_format: hex
      events: [execution.failed, run_blocked]
      payload_template: '{"k": "${SET}"}'
persistence: {backend: postgres, url: "postgresql://u:p@h/db", table_prefix: ag_, db_schema: s}
queue: {backend: database}
auth:
  api_keys:
    - {name: ci, key: k1, scopes: [notifications:read]}
    - {name: all, key: k2}
  oauth2: null
dashboard:
  enabled: true
  title: Ops
  auth: {admin_username: root, admin_password: pw, password: user, session_secret: ss}
`, "templates/slack/README": ""}, GatewayOptions{Advise: true})
	if len(problems) > 0 {
		t.Error(problems)
	}
	var got []string
	for _, w := range g.Webhooks {
		got = append(got, fmt.Sprint(w.Name, " ", reveal(w.Secrets), " ", w.Signature, " ", w.Events, " ", w.PayloadTemplate, " ", w.Timeout))
	}
	want := []string{
		"plain [shared] sha256 []  10s",
		`rotating [new S3CRET-VALUE old] hex [on_error run_blocked] {"k": "S3CRET-VALUE"} 10s`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !g.Slack.Threads || g.TemplatesDirLine != 3 || g.Slack.TemplatesDir != filepath.Join(filepath.Dir(g.File), "templates", "slack") {
		t.Errorf("slack: %+v", g.Slack)
	}
	if len(g.Auth.Keys) != 2 || g.Auth.Keys[0].Scopes[0] != "notifications:read" || g.Auth.Keys[1].Scopes[0] != "*" || g.Auth.OAuth2 || !g.Auth.Enabled {
		t.Errorf("auth: %+v", g.Auth)
	}
	if !g.Persistence.Configured || g.Persistence.Schema != "s" || g.Persistence.URL.Reveal() != "postgresql://u:p@h/db" || g.Queue.Backend != "database" {
		t.Errorf("persistence: %+v, queue: %+v", g.Persistence, g.Queue)
	}
	if d := g.Dashboard; !d.Enabled || d.Title != "Ops" || d.Auth.AdminUsername != "root" || d.Auth.SessionSecret.Reveal() != "ss" || !d.Auth.Enabled {
		t.Errorf("dashboard: %+v", d)
	}
	if len(g.Routing.Webhooks) != 2 || g.Routing.Webhooks[1].Target.ID() != "gateway.yaml#webhook/rotating" || !g.Routing.Slack || g.Routing.DefaultChannel != "#agent-alerts" {
		t.Errorf("routing: %+v", g.Routing)
	}
}

func reveal(list []secret.Text) []string {
	var texts []string
	for _, s := range list {
		texts = append(texts, s.Reveal())
	}
	return texts
}

// TestNothingFallsBack: what is wrong must not turn into a default that tells
// somebody else, or nobody, or without a signature.
func TestNothingFallsBack(t *testing.T) {
	for name, c := range map[string]struct {
		yaml  string
		holds func(g *Gateway) bool
	}{
		"events of another type":   {"notifications: {webhooks: [{name: a, url: u, events: on_error}, {name: b, url: u}]}", func(g *Gateway) bool { return len(g.Webhooks) == 1 && g.Webhooks[0].Name == "b" }},
		"a secret of another type": {"notifications: {webhooks: [{name: a, url: u, secret: 5}]}", func(g *Gateway) bool { return len(g.Webhooks) == 0 }},
		"a shared secret of another type": {"notifications: {webhook_secret: 5, webhooks: [{name: a, url: u}, {name: b, url: u, secret: s}]}", func(g *Gateway) bool {
			return g.SecretProblem != "" && g.MissingSecret == nil && len(g.Webhooks) == 1 && g.Webhooks[0].Name == "b" && g.Routing.Webhooks[0].Problem == g.SecretProblem
		}},
		"a shared secret without value": {`notifications: {webhook_secret: "${UNSET}", webhooks: [{name: a, url: u}]}`, func(g *Gateway) bool {
			return slices.Equal(g.MissingSecret, []string{"UNSET"}) && slices.Equal(g.Webhooks[0].Missing, []string{"UNSET"})
		}},
		"a channel of another type":  {"notifications: {slack: {enabled: true, bot_token: t, default_channel: 5}}", func(g *Gateway) bool { return !g.Slack.Enabled && g.Routing.Slack && g.Routing.SlackProblem != "" }},
		"enabled without value":      {`notifications: {slack: {enabled: "${UNSET}"}}`, func(g *Gateway) bool { return g.Slack.Enabled && len(g.Slack.Missing) == 1 }},
		"a database of another type": {"persistence: {url: 5}", func(g *Gateway) bool { return g.Persistence.Configured && g.Persistence.Backend == "" }},
		"an unknown database":        {"persistence: {backend: mysql}", func(g *Gateway) bool { return g.Persistence.Backend == "" }},
		"no database":                {"{}", func(g *Gateway) bool { return !g.Persistence.Configured && g.Persistence.Backend == "sqlite" }},
	} {
		if g, _ := load(t, map[string]string{"gateway.yaml": c.yaml}, GatewayOptions{}); !c.holds(g) {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

// TestTemplateVariablesAreEscaped: no value of a variable can add a key to a
// template, or a tag.
func TestTemplateVariablesAreEscaped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := strings.ToValidUTF8(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`","k2":"v`, "a\"b\n{{ x }}{% y %}", `\`})).Draw(t, "value"), "?")
		text := `{"k": "` + jsonText(value) + `"}`
		doc, err := ecmajson.Parse([]byte(text), ecmajson.Options{UniqueKeys: true})
		if err != nil || doc.Len() != 1 || doc.Get("k").Str() != value {
			t.Fatalf("%q gives %s: %v", value, text, err)
		}
		if strings.Contains(jsonText(value), "{") {
			t.Fatalf("%q may begin a tag", value)
		}
	})
}

func TestAgentsAreFound(t *testing.T) {
	const prompt = "---\nname: Titled\nnotifications: {on_error: [{channel: slack}], run_blocked: [{channel: webhook, target: ops}]}\n---\nPrompt.\n"
	files := map[string]string{
		"p/gateway.yaml":                      workingGateway,
		"p/workspace/agents/b/AGENT.md":       "Prompt.",
		"p/workspace/agents/a/AGENT.md":       prompt,
		"p/workspace/agents/.hidden/AGENT.md": prompt,
		"p/workspace/agents/Upper/AGENT.md":   prompt,
		"p/workspace/agents/none/README.md":   prompt,
		"p/workspace/agents/file":             "x",
	}
	dir := write(t, files)
	if err := os.Symlink(filepath.Join(dir, "p/workspace/agents/a"), filepath.Join(dir, "p/workspace/agents/linked")); err != nil {
		t.Fatal(err)
	}
	g, problems := LoadGateway(filepath.Join(dir, "p/gateway.yaml"), GatewayOptions{Root: dir, Lookup: set})
	var got []string
	for _, a := range g.Routing.Agents {
		got = append(got, fmt.Sprintf("%s %q %s %d %d", a.Name, a.Title, a.File, len(a.Rules[events.OnError]), len(a.Rules[events.RunBlocked])))
	}
	want := []string{`a "Titled" p/workspace/agents/a/AGENT.md 1 1`, `b "" p/workspace/agents/b/AGENT.md 0 0`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || problems[0].Code != "agent_id" || len(g.Warnings) != 1 {
		t.Error(problems)
	}
}

func TestWorkspace(t *testing.T) {
	for _, c := range []struct{ gateway, agents, want string }{
		{"gateway.yaml", "workspace/agents/a", "workspace/agents/a/AGENT.md"},
		{"gateway.yaml", "agents/a", "agents/a/AGENT.md"},
		{"gateway.yaml", "agents/x workspace/agents/a", "workspace/agents/a/AGENT.md"},
		{"workspace/gateway.yaml", "workspace/agents/a", "agents/a/AGENT.md"},
	} {
		files := map[string]string{c.gateway: ""}
		for _, folder := range strings.Fields(c.agents) {
			files[folder+"/AGENT.md"] = "Prompt."
		}
		g, problems := LoadGateway(filepath.Join(write(t, files), filepath.FromSlash(c.gateway)), GatewayOptions{})
		if g == nil || len(g.Routing.Agents) != 1 || g.Routing.Agents[0].File != c.want {
			t.Errorf("%+v: %+v, %v", c, g, problems)
		}
	}
}

func TestGatewayWithoutFile(t *testing.T) {
	if g, problems := LoadGateway(filepath.Join(t.TempDir(), "gateway.yaml"), GatewayOptions{}); g != nil || !problems.Bad() {
		t.Errorf("%+v, %v", g, problems)
	}
	dir := t.TempDir()
	if g, problems := LoadGateway(dir, GatewayOptions{}); g != nil || !strings.Contains(problems.Error(), "no regular file") {
		t.Errorf("a folder: %v", problems)
	}
	big := write(t, map[string]string{"gateway.yaml": strings.Repeat("# \n", maxGatewayFile/3+1)})
	if g, problems := LoadGateway(filepath.Join(big, "gateway.yaml"), GatewayOptions{}); g != nil || !strings.Contains(problems.Error(), "larger than") {
		t.Errorf("a large file: %v", problems)
	}
}

func TestGatewaySettings(t *testing.T) {
	g, _ := load(t, map[string]string{"gateway.yaml": `notifications:
  slack: {enabled: true, bot_token: "${SET}"}
  webhooks:
    - name: ops
      url: https://h.example/token/${SET}
      secret: "${UNSET}"
      secrets: [s1]
      events: [execution.failed]
      payload_template: "{}"
`}, GatewayOptions{Environ: []string{"AGENT_GATEWAY_NOTIFICATIONS__SLACK__DEFAULT_CHANNEL=#env"}})
	var got []string
	for _, s := range g.Settings() {
		if strings.HasPrefix(s.Key, "notifications") {
			got = append(got, fmt.Sprintf("%s = %s (%s)", s.Key, s.Value, strings.TrimPrefix(s.Source, g.File)))
		}
	}
	want := []string{
		"notifications.webhook_secret =  (default)",
		"notifications.slack.enabled = true (:2)",
		"notifications.slack.bot_token = [secret] (:2)",
		"notifications.slack.bot_token.${SET} = [secret] (environment)",
		"notifications.slack.default_channel = #env (environment)",
		"notifications.slack.templates_dir =  (default)",
		"notifications.slack.threads = false (default)",
		"notifications.webhooks[0].name = ops (:4)",
		"notifications.webhooks[0].url = https://h.example/… (:5)",
		"notifications.webhooks[0].url.${SET} = [secret] (environment)",
		"notifications.webhooks[0].secret = [secret] (:6)",
		"notifications.webhooks[0].secret.${UNSET} =  (not set)",
		"notifications.webhooks[0].secrets[0] = [secret] (:7)",
		"notifications.webhooks[0].signature_format = sha256 (default)",
		"notifications.webhooks[0].events = on_error (:8)",
		"notifications.webhooks[0].payload_template = (2 characters) (:9)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestGatewayShowsNoSecret prints a configuration that is full of secrets in
// every way there is.
func TestGatewayShowsNoSecret(t *testing.T) {
	g, problems := load(t, map[string]string{"gateway.yaml": strings.ReplaceAll(`notifications:
  slack: {enabled: true, bot_token: HIDE}
  webhook_secret: HIDE
  webhooks: [{name: ops, url: "https://h.example/HIDE", secret: HIDE, secrets: [HIDE]}, {name: bad, url: "nope:HIDE"}]
persistence: {backend: postgres, url: "postgresql://u:HIDE@h/db"}
auth: {api_keys: [{name: a, key: HIDE}]}
dashboard: {enabled: true, auth: {password: HIDE, admin_password: HIDE, session_secret: HIDE}}
`, "HIDE", "S3CRET-VALUE")}, GatewayOptions{Advise: true})
	if text := fmt.Sprintf("%v %+v %#v %v %v", g, *g, g, g.Settings(), problems); strings.Contains(text, "S3CRET") {
		t.Error(text)
	}
}

func FuzzGateway(f *testing.F) {
	files, err := filepath.Glob("testdata/gateway/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(string(read(f, file)), `[{"name":"a"}]`)
	}
	f.Fuzz(func(t *testing.T, text, env string) {
		dir := write(t, map[string]string{"gateway.yaml": text, "workspace/agents/a/AGENT.md": text})
		o := GatewayOptions{Lookup: set, Advise: true, Environ: []string{"AGENT_GATEWAY_NOTIFICATIONS__WEBHOOKS=" + env, "AGENT_GATEWAY_AUTH=" + env}}
		g, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), o)
		if g == nil && !problems.Bad() {
			t.Fatal("neither a gateway nor an error")
		}
		for _, p := range problems {
			if p.Message == "" || p.File == "" || p.Code == "" {
				t.Fatalf("%#v", p)
			}
		}
		if g == nil {
			return
		}
		for _, w := range g.Webhooks {
			if w.Timeout != 10*time.Second || w.Signature == "" {
				t.Fatalf("%+v", w)
			}
		}
	})
}

func BenchmarkLoadGateway(b *testing.B) {
	dir := write(b, map[string]string{
		"gateway.yaml":                workingGateway,
		"workspace/agents/a/AGENT.md": "---\nnotifications: {on_error: [{channel: slack}]}\n---\nPrompt.\n",
		"workspace/agents/b/AGENT.md": "Prompt.\n",
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), GatewayOptions{Lookup: set}); problems.Bad() {
			b.Fatal(problems)
		}
	}
}

package config

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/pyyaml"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/schemas"
)

// jsonLines reads a file of one JSON document a line.
func jsonLines(tb testing.TB, name string) []*ecmajson.Value {
	tb.Helper()
	var list []*ecmajson.Value
	lines := bufio.NewScanner(bytes.NewReader(read(tb, fixtures.Path(tb, name))))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			list = append(list, parse(tb, lines.Bytes()))
		}
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return list
}

// write puts files into a new folder and returns it.
func write(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// options makes the variables of a case both ways of reading them.
func options(env *ecmajson.Value) GatewayOptions {
	o := GatewayOptions{Lookup: lookupIn(env)}
	for _, m := range env.Members() {
		o.Environ = append(o.Environ, m.Key+"="+m.Value.Str())
	}
	return o
}

// TestGatewayConfigCases holds the loader to what Agent Gateway's own does
// with a file. Where we decided otherwise, the decision is one of the rules
// below, which recognise the kind of a case.
func TestGatewayConfigCases(t *testing.T) {
	cases := jsonLines(t, "agent-gateway/config-cases.jsonl")
	for _, c := range cases {
		t.Run(c.Get("id").Str(), func(t *testing.T) {
			dir := write(t, map[string]string{"gateway.yaml": c.Get("yaml").Str()})
			g, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), options(c.Get("env")))
			switch {
			case !c.Has("error"):
				accepted(t, c, g, problems)
			case c.Has("error_locs"):
				compareFaults(t, c, problems)
			default:
				refusedWhole(t, c, g, problems)
			}
		})
	}
	fixtures.Ran(t, "gateway-config-cases", len(cases))
}

// decisions are the errors of files that Agent Gateway takes: it would send
// nothing, to nobody, without a word.
func decisions() []string { return []string{"unknown_event", "unknown_backend", "unknown_format"} }

func accepted(t *testing.T, c *ecmajson.Value, g *Gateway, problems Problems) {
	for _, p := range problems {
		if p.Severity == Error && !slices.Contains(decisions(), p.Code) {
			t.Errorf("%v", p)
		}
	}
	if g == nil {
		t.Fatalf("no gateway: %v", problems)
	}
	if diff := cmp.Diff(wantGateway(c, refused(g)), gotGateway(g, c.Get("env"))); diff != "" {
		t.Error(diff)
	}
}

// refused names the webhooks that a decision keeps from sending.
func refused(g *Gateway) []string {
	var names []string
	for _, w := range g.Routing.Webhooks {
		if w.Problem != "" {
			names = append(names, w.Target.Name)
		}
	}
	return names
}

// wantGateway writes what was recorded, with our decisions: an event has one
// spelling, stands once, and of webhooks with one name the last counts, unless
// it is refused.
func wantGateway(c *ecmajson.Value, refused []string) []string {
	n, p := c.Get("notifications"), c.Get("persistence")
	backend := p.Get("backend").Str()
	if !slices.Contains([]string{"sqlite", "postgres", "postgresql"}, backend) {
		backend = "" // A decision: Agent Gateway goes on and keeps nothing.
	}
	shared := n.Get("webhook_secret").Str()
	want := []string{
		fmt.Sprint("slack ", n.Get("slack").Get("enabled").True(), " ", n.Get("slack").Get("bot_token").Str(), " ", n.Get("slack").Get("default_channel").Str()),
		"secret " + shared,
		fmt.Sprint("persistence ", p.Get("enabled").True(), " ", backend, " ", p.Get("url").Str(), " ", p.Get("table_prefix").Str(), " ", p.Get("db_schema").Str()),
		"queue " + c.Get("queue_backend").Str(),
		fmt.Sprint("dashboard ", c.Get("dashboard_enabled").True()),
	}
	hooks := n.Get("webhooks").Items()
	for i, w := range hooks {
		if slices.ContainsFunc(hooks[i+1:], func(later *ecmajson.Value) bool { return later.Get("name").Str() == w.Get("name").Str() }) {
			continue
		}
		if slices.Contains(refused, w.Get("name").Str()) {
			continue
		}
		signer := w.Get("secret").Str()
		if signer == "" {
			signer = shared
		}
		want = append(want, fmt.Sprintf("webhook %q %q %q %q %q", w.Get("name").Str(), w.Get("url").Str(), signer, guideNames(texts(w.Get("events"))), w.Get("payload_template").Str()))
	}
	return want
}

func guideNames(names []string) []string {
	list := []string{}
	for _, name := range names {
		if t, err := events.ParseType(name); err == nil {
			name = string(t)
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// gotGateway writes a Gateway in the same way. The values of variables are
// escaped in a template, which is a decision: here that is undone.
func gotGateway(g *Gateway, env *ecmajson.Value) []string {
	got := []string{
		fmt.Sprint("slack ", g.Slack.Enabled, " ", g.Slack.BotToken.Reveal(), " ", g.Slack.DefaultChannel),
		"secret " + first(g.WebhookSecrets),
		fmt.Sprint("persistence ", g.Persistence.Enabled, " ", g.Persistence.Backend, " ", g.Persistence.URL.Reveal(), " ", g.Persistence.TablePrefix, " ", g.Persistence.Schema),
		"queue " + g.Queue.Backend,
		fmt.Sprint("dashboard ", g.Dashboard.Enabled),
	}
	for _, w := range g.Webhooks {
		template := w.PayloadTemplate
		for _, m := range env.Members() {
			if escaped := jsonText(m.Value.Str()); escaped != "" {
				template = strings.ReplaceAll(template, escaped, m.Value.Str())
			}
		}
		got = append(got, fmt.Sprintf("webhook %q %q %q %q %q", w.Name, w.URL.Reveal(), first(w.Secrets), append([]string{}, w.Events...), template))
	}
	return got
}

func first(list []secret.Text) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Reveal()
}

// compareFaults compares places and pydantic's names of faults, those left
// out that lie in what we do not read.
func compareFaults(t *testing.T, c *ecmajson.Value, problems Problems) {
	var want, got []string
	for _, e := range c.Get("error_locs").Items() {
		loc := []string{""}
		for _, part := range e.Get("loc").Items() {
			loc = append(loc, escape(toString(part)))
		}
		if e.Get("type").Str() == "extra_forbidden" || weRead(loc[1:]) {
			want = append(want, strings.Join(loc, "/")+" "+e.Get("type").Str())
		}
	}
	for _, p := range problems {
		if p.Severity == Error && !slices.Contains(decisions(), p.Code) {
			got = append(got, p.Pointer+" "+p.Code)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// weRead reports whether we take the value at a place.
func weRead(loc []string) bool {
	fields := map[string][]string{
		"notifications": nil,
		"persistence":   nil,
		"queue":         {"backend"},
		"server":        {"allowed_hosts"},
		"auth":          {"enabled", "mode", "api_keys", "public_paths"},
		"dashboard":     {"enabled", "title", "auth"},
	}
	known, ok := fields[loc[0]]
	if !ok || len(loc) == 1 || known == nil {
		return ok
	}
	unread := loc[0] == "dashboard" && len(loc) > 2 && (loc[2] == "login_button_text" || loc[2] == "oauth2" && len(loc) > 3)
	oauth := loc[0] == "auth" && loc[1] == "oauth2" && len(loc) == 2
	return oauth || slices.Contains(known, loc[1]) && !unread
}

// refusedWhole is about files that Agent Gateway refuses for one reason.
func refusedWhole(t *testing.T, c *ecmajson.Value, g *Gateway, problems Problems) {
	message := c.Get("message").Str()
	switch kind := c.Get("error").Str(); {
	case strings.HasPrefix(message, "Environment variable '${"):
		unset(t, c, g, problems, message)
	case strings.HasPrefix(message, "Invalid timezone"):
		if g == nil || slices.ContainsFunc(problems, func(p Problem) bool { return p.Pointer == "/timezone" }) {
			t.Errorf("a section that we do not read is judged: %v", problems)
		}
	case kind == "SettingsError":
		if !hasCode(problems, "settings_error") {
			t.Errorf("want settings_error, got %v", problems)
		}
	case kind == "TypeError":
		if !hasCode(problems, "mapping") && !hasCode(problems, "extra_forbidden") {
			t.Errorf("want a refusal, got %v", problems)
		}
	default:
		brokenYAML(t, g, problems, message)
	}
}

// unset: a variable without a value fails what uses it and nothing else; in
// what we do not read it has no effect.
func unset(t *testing.T, c *ecmajson.Value, g *Gateway, problems Problems, message string) {
	if g == nil || slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error && p.Code == "unset_variable" }) {
		t.Fatalf("one variable refuses the file: %v", problems)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(message, "Environment variable '${"), "}' is not defined. Set it or remove the reference from gateway.yaml.")
	at := slices.IndexFunc(problems, func(p Problem) bool { return p.Message == message })
	if at < 0 {
		t.Logf("%q is in nothing that we read", name)
		return
	}
	missing := slices.Concat(g.MissingSecret, g.Slack.Missing, g.Persistence.Missing, g.Queue.Missing, g.Auth.Missing, g.Dashboard.Missing)
	for _, w := range g.Webhooks {
		missing = append(missing, w.Missing...)
	}
	named := slices.ContainsFunc(g.Routing.Webhooks, func(w routing.Subscription) bool { return strings.Contains(w.Problem, name) })
	if !slices.Contains(missing, name) && !named && !problems.Bad() && !hasCode(problems, "repeated") { // what is left out fails nothing
		t.Errorf("%q fails nothing", name)
	}
	_, strict := LoadGateway(g.File, func() GatewayOptions { o := options(c.Get("env")); o.RequireEnv = true; return o }())
	if !strict.Bad() {
		t.Error("RequireEnv does not make it an error")
	}
}

func brokenYAML(t *testing.T, g *Gateway, problems Problems, message string) {
	if g != nil || len(problems) != 1 || problems[0].Code != "yaml" {
		t.Fatalf("want broken YAML, got %v", problems)
	}
	places := regexp.MustCompile(`line (\d+), column (\d+)`).FindAllStringSubmatch(message, -1)
	if len(places) == 0 {
		return
	}
	place := places[len(places)-1]
	if got := []string{strconv.Itoa(problems[0].Line), strconv.Itoa(problems[0].Column)}; !slices.Equal(got, place[1:]) {
		t.Errorf("%v, want %s", problems[0], message)
	}
}

func hasCode(problems Problems, code string) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == code })
}

// TestAgentMarkdownCases holds the reader of AGENT.md to what Agent Gateway's
// own finds in a file.
func TestAgentMarkdownCases(t *testing.T) {
	cases := jsonLines(t, "agent-gateway/agent-md-cases.jsonl")
	for _, c := range cases {
		t.Run(c.Get("id").Str(), func(t *testing.T) {
			dir := write(t, map[string]string{"gateway.yaml": "", "workspace/agents/a/AGENT.md": c.Get("agent_md").Str()})
			g, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), GatewayOptions{})
			if hasCode(problems, "empty") && !c.Get("loaded").True() {
				return // A decision: the rules of an agent without a prompt count all the same.
			}
			if loaded := len(g.Routing.Agents) == 1; loaded != c.Get("loaded").True() {
				t.Fatalf("loaded %v: %v", loaded, problems)
			}
			var want, got []string
			for _, event := range events.Types(events.Agent) {
				for _, r := range c.Get("notifications").Get(string(event)).Items() {
					if followed(r) {
						want = append(want, string(event)+wantRule(r))
					}
				}
				for _, a := range g.Routing.Agents {
					for _, r := range a.Rules[event] {
						if r.Problem != "" {
							continue // A decision: Agent Gateway passes over it, or fails when it sends.
						}
						got = append(got, string(event)+fmt.Sprintf(" %q %q %q %q %q", r.Channel, r.Target, r.Template, r.URL.Reveal(), r.PayloadTemplate))
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n%v", diff, problems)
			}
		})
	}
	fixtures.Ran(t, "agent-md-cases", len(cases))
}

// followed reports whether a recorded rule can be: one with a value that is
// no string has a Problem with us.
func followed(r *ecmajson.Value) bool {
	return !slices.ContainsFunc(r.Members(), func(m ecmajson.Member) bool {
		optional := m.Key != "channel" && m.Value.Is(ecmajson.Null)
		return !m.Value.Is(ecmajson.String) && !optional
	})
}

func wantRule(r *ecmajson.Value) string {
	return fmt.Sprintf(" %q %q %q %q %q", r.Get("channel").Str(), r.Get("target").Str(), r.Get("template").Str(), r.Get("url").Str(), r.Get("payload_template").Str())
}

// TestGatewaySchema holds the published schema to the loader: what loads
// without an error is valid, and what has a fault is not.
func TestGatewaySchema(t *testing.T) {
	schema, err := schemas.Compile("gateway")
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, c := range jsonLines(t, "agent-gateway/config-cases.jsonl") {
		doc, err := pyyaml.Parse([]byte(c.Get("yaml").Str()), pyyaml.Limits{})
		if err != nil || doc.Root.Kind != pyyaml.Mapping || slices.ContainsFunc(options(c.Get("env")).Environ, func(v string) bool { return strings.HasPrefix(strings.ToUpper(v), "AGENT_GATEWAY_") }) {
			continue
		}
		dir := write(t, map[string]string{"gateway.yaml": c.Get("yaml").Str()})
		_, problems := LoadGateway(filepath.Join(dir, "gateway.yaml"), options(c.Get("env")))
		issues, err := schema.Validate(asJSON(doc.Root))
		if err != nil {
			t.Fatal(err)
		}
		judged++
		if len(issues) == 0 && strings.Contains(c.Get("yaml").Str(), "${") {
			continue // The schema cannot know what a variable holds.
		}
		if problems.Bad() != (len(issues) > 0) {
			t.Errorf("%s: %s\nschema: %v\nloader: %v", c.Get("id").Str(), c.Get("yaml").Str(), issues, problems)
		}
	}
	fixtures.Ran(t, "gateway-schema", judged)
}

// asJSON is what a YAML document is to a JSON Schema.
func asJSON(n *pyyaml.Node) *ecmajson.Value {
	switch n.Kind {
	case pyyaml.Bool:
		return ecmajson.NewBool(n.True())
	case pyyaml.Int:
		return ecmajson.NewInt(n.Int().Int64())
	case pyyaml.Float:
		return ecmajson.NewInt(int64(n.Float()))
	case pyyaml.String, pyyaml.Binary:
		return ecmajson.NewString(n.Text)
	case pyyaml.Sequence:
		var items []*ecmajson.Value
		for _, item := range n.Items {
			items = append(items, asJSON(item))
		}
		return ecmajson.NewArray(items...)
	case pyyaml.Mapping:
		object := ecmajson.NewObject()
		for _, m := range n.Members {
			object.Set(m.Key.Text, asJSON(m.Value))
		}
		return object
	}
	return ecmajson.NewNull()
}

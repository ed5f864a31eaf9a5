package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/pyyaml"
	"agentxchain/schemas"
)

// digest is the SHA-256 of "k".
const digest = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a"

// TestServeSections: what serve needs, written as people and variables write it.
func TestServeSections(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"DAYS": "30", "DIGEST": strings.ToUpper(digest)}[name]
		return value, ok
	}
	g, problems := load(t, map[string]string{"gateway.yaml": `
persistence: {url: "postgresql+asyncpg://h/db", retention_days: "${DAYS}"}
queue: {backend: database, max_age_s: 60}
server: {host: 0.0.0.0, port: 8000, reload: yes, allowed_hosts: [Deliveries.example.com, 192.0.2.1, "2001:db8::1"]}
auth:
  api_keys:
    - {name: a, key_sha256: "${DIGEST}", scopes: [notifications:write]}
    - {name: b, key: k}
`}, GatewayOptions{Advise: true, Lookup: lookup})
	if len(problems) > 0 {
		t.Error(problems)
	}
	got := []string{
		fmt.Sprint(g.Persistence.Backend, " ", g.Persistence.RetentionDays, " ", g.Queue.MaxAge),
		fmt.Sprint(g.Server.AllowedHosts),
	}
	for _, k := range g.Auth.Keys {
		got = append(got, fmt.Sprint(k.Name, " ", k.Key.Reveal(), " ", k.KeySHA256, " ", k.Scopes))
	}
	want := []string{
		"postgresql 30 1m0s", "[deliveries.example.com 192.0.2.1 2001:db8::1]",
		"a  " + digest + " [notifications:write]", "b k  [*]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	g, _ = load(t, map[string]string{"gateway.yaml": ""}, GatewayOptions{
		Environ: []string{
			"AGENT_GATEWAY_PERSISTENCE__RETENTION_DAYS=7", "AGENT_GATEWAY_SERVER__ALLOWED_HOSTS=[\"a.example\"]",
			"AGENT_GATEWAY_SERVER__PORT=1", `AGENT_GATEWAY_AUTH__API_KEYS=[{"name":"e","key_sha256":"` + digest + `"}]`,
		},
	})
	if g.Persistence.RetentionDays != 7 || !slices.Equal(g.Server.AllowedHosts, []string{"a.example"}) || len(g.Auth.Keys) != 1 || g.Auth.Keys[0].KeySHA256 != digest {
		t.Errorf("from the environment: %+v %+v %+v", g.Persistence, g.Server, g.Auth)
	}
	if g.Queue.MaxAge != 72*time.Hour {
		t.Errorf("max_age_s is %s without a setting", g.Queue.MaxAge)
	}
	var shown []string
	for _, s := range g.Settings() {
		if strings.Contains(s.Key, "retention") || strings.Contains(s.Key, "max_age") || strings.Contains(s.Key, "hosts") || strings.Contains(s.Key, "sha256") {
			shown = append(shown, s.Key+" = "+s.Value+" ("+s.Source+")")
		}
	}
	if diff := cmp.Diff([]string{
		"persistence.retention_days = 7 (environment)", "queue.max_age_s = 259200 (default)",
		"server.allowed_hosts = a.example (environment)", "auth.api_keys[0].key_sha256 = [secret] (environment)",
	}, shown); diff != "" {
		t.Error(diff)
	}
}

// TestWrongKeysLetNobodyIn: a key with a wrong value is no key at all.
func TestWrongKeysLetNobodyIn(t *testing.T) {
	for _, entry := range []string{
		`{name: a}`, `{name: a, key: ""}`, `{name: a, key: 5}`, `{key: k}`, `{name: a, key: k, key_sha256: ` + digest + `}`,
		`{name: a, key_sha256: x}`, `{name: a, key_sha256: ""}`, `{name: a, key_sha256: "${UNSET}"}`, `{name: a, key: k, scopes: x}`,
	} {
		g, _ := load(t, map[string]string{"gateway.yaml": "auth: {api_keys: [" + entry + ", {name: good, key: k}]}"}, GatewayOptions{})
		if len(g.Auth.Keys) != 1 || g.Auth.Keys[0].Name != "good" {
			t.Errorf("%s: %+v", entry, g.Auth.Keys)
		}
	}
}

// TestServeSchema: the schema and the loader judge our own keys alike.
func TestServeSchema(t *testing.T) {
	schema, err := schemas.Compile("gateway")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, yaml := range []string{
		"persistence: {retention_days: 1}", "persistence: {retention_days: 36500}", `persistence: {retention_days: "30"}`, `persistence: {retention_days: "${SET}"}`,
		"persistence: {retention_days: 0}", "persistence: {retention_days: 36501}", "persistence: {retention_days: -1}", "persistence: {retention_days: x}",
		"persistence: {retention_days: null}", "persistence: {retention_days: [1]}", "persistence: {retention_days: true}",
		"queue: {max_age_s: 60}", "queue: {max_age_s: 31536000}", "queue: {max_age_s: 59}", "queue: {max_age_s: 31536001}", `queue: {max_age_s: ""}`,
		"server: {}", "server: {allowed_hosts: []}", "server: {allowed_hosts: [a.example]}", "server: {allowed_hosts: a.example}", "server: {allowed_hosts: [5]}", "server: 5",
		"auth: {api_keys: [{name: a, key: k}]}", "auth: {api_keys: [{name: a, key_sha256: " + digest + "}]}", "auth: {api_keys: [{name: a}]}",
		"auth: {api_keys: [{name: a, key: k, key_sha256: " + digest + "}]}", "auth: {api_keys: [{name: a, key_sha256: x" + digest[1:] + "}]}",
		`auth: {api_keys: [{name: a, key_sha256: "${UNSET}"}]}`,
	} {
		doc, err := pyyaml.Parse([]byte(yaml), pyyaml.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, problems := load(t, map[string]string{"gateway.yaml": yaml}, GatewayOptions{Lookup: func(string) (string, bool) { return "5", true }})
		issues, err := schema.Validate(asJSON(doc.Root))
		if err != nil {
			t.Fatal(err)
		}
		if problems.Bad() != (len(issues) > 0) && !strings.Contains(yaml, "${") {
			t.Errorf("%s\nschema: %v\nloader: %v", yaml, issues, problems)
		}
		if problems.Bad() {
			refused++
		}
	}
	if refused < 15 {
		t.Errorf("only %d refused", refused)
	}
}

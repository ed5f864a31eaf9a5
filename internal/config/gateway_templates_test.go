package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/config"
)

// Every template is tried out with every event that it can meet, and its
// problems name the line that it really stands on.
func TestUses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"gateway.yaml": `notifications:
  slack: {enabled: true, bot_token: xoxb-1}
  webhooks:
    - name: block
      url: https://hooks.example.com
      payload_template: |
        {"a": 1}
    - {name: flow, url: "https://hooks.example.com", events: [on_error, run_blocked], payload_template: "{}"}
    - {name: plain, url: "https://hooks.example.com"}
`,
		"workspace/agents/a/AGENT.md": `---
notifications:
  run_completed:
    - {channel: webhook, target: block}
  on_error:
    - channel: webhook
      target: plain
      payload_template: >
        {"b": 2}
    - {channel: slack, template: custom}
---
Hello.
`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g, problems := config.LoadGateway(filepath.Join(dir, "gateway.yaml"), config.GatewayOptions{Root: dir})
	if problems.Bad() {
		t.Fatal(problems)
	}
	var got []string
	for _, use := range g.Uses() {
		file, err := filepath.Rel(dir, use.Source.Name)
		if err != nil || use.Source.Name == "" {
			file = ""
		}
		got = append(got, fmt.Sprintf("%s:%d %s %s %q %v", filepath.ToSlash(file), use.Source.Line, use.Target.Channel, use.Target.Target, use.Target.Template, use.Events))
	}
	want := []string{
		`gateway.yaml:7 webhook block "" [on_complete on_error on_timeout run_completed]`,
		`gateway.yaml:8 webhook flow "" [on_error run_blocked]`,
		`:0 slack #agent-alerts "" [on_complete on_error on_timeout]`,
		`workspace/agents/a/AGENT.md:9 webhook plain "" [on_error]`,
		`workspace/agents/a/AGENT.md:0 slack  "custom" [on_error]`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

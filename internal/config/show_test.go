package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettingsMaskSecretsAndSaySources(t *testing.T) {
	const src = `{"schema_version":"1.0","project":{"id":"p","name":"P"},"roles":{},"runtimes":{},
"notifications":{"webhooks":[
 {"name":"ops","url":"https://me:hunter2@ops.example:8443/hunter2?k=hunter2#hunter2",
  "events":["run_blocked","run_completed"],
  "timeout_ms":5000,
  "headers":{
   "Authorization":"Bearer ${TOKEN}",
   "X-Mixed":"hunter2-${OWN}${FILE}",
   "X-Team":"hunter2","X-Gone":"${GONE}"},
  "env":{"OWN":"hunter2"}}],
 "approval_sla":{"reminder_after_seconds":[300,3600]}}}`
	root := projectOf(t, []byte(src))
	if err := os.WriteFile(filepath.Join(root.Dir, ".env"), []byte("\nFILE=hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := envOf(t, root, func(name string) (string, bool) { return "hunter2", name == "TOKEN" })
	cfg, err := Load(root, env)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range cfg.Settings() {
		got = append(got, fmt.Sprintf("%s = %s (%s)", s.Key, s.Value, strings.TrimPrefix(s.Source, root.Dir+string(filepath.Separator))))
	}
	const w = "notifications.webhooks[0]."
	want := []string{
		"project.id = p (agentxchain.json:1)",
		"project.name = P (agentxchain.json:1)",
		"template = generic (default)",
		w + "name = ops (agentxchain.json:3)",
		w + "url = https://[secret]@ops.example:8443/… (agentxchain.json:3)",
		w + "events = run_blocked, run_completed (agentxchain.json:4)",
		w + "timeout_ms = 5000 (agentxchain.json:5)",
		w + "headers.Authorization = Bearer ${TOKEN} (agentxchain.json:7)",
		w + "headers.X-Mixed = [secret]${OWN}${FILE} (agentxchain.json:8)",
		w + "headers.X-Team = [secret] (agentxchain.json:9)",
		w + "headers.X-Gone = ${GONE} (agentxchain.json:9)",
		w + "env.OWN = [secret] (agentxchain.json:10)",
		w + "${TOKEN} = [secret] (environment)",
		w + "${OWN} = [secret] (agentxchain.json:10)",
		w + "${FILE} = [secret] (.env:2)",
		w + "${GONE} =  (not set)",
		"notifications.approval_sla.enabled = true (default)",
		"notifications.approval_sla.reminder_after_seconds = 300, 3600 (agentxchain.json:11)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMaskURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://x.example":           "https://x.example",
		"https://x.example/":          "https://x.example/",
		"https://x.example/a":         "https://x.example/…",
		"https://x.example?a":         "https://x.example/…",
		"http://127.0.0.1:8080/hooks": "http://127.0.0.1:8080/…",
		"http://h:notaport/":          "[secret]",
		"http:// ":                    "[secret]",
		"https://me:pa/ss@x.example/": "[secret]",
	} {
		if got := maskURL(raw); got != want {
			t.Errorf("maskURL(%q) = %q, want %q", raw, got, want)
		}
	}
}

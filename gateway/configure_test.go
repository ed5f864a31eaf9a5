package gateway_test

import (
	"path/filepath"
	"strings"
	"testing"

	"agentxchain/gateway"
)

// webhook_secret signs for a webhook of the code that has no secret. Where its
// variable isn't set, nothing may go out, least of all signed with its name.
func TestWebhookSecretOfFile(t *testing.T) {
	for _, c := range []struct {
		name, secret, reason string
		got                  int
	}{
		{"set", "s3cret", "delivered", 1},
		{"variable not set", "${GATEWAY_TEST_UNSET}", "header_env", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t)
			dir := t.TempDir()
			write(t, filepath.Join(dir, "gateway.yaml"), "notifications:\n  webhook_secret: \""+c.secret+"\"\n")
			gw := open(t, dir).UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/hook"})
			result, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError, Agent: "a"})
			if err != nil {
				t.Fatal(err)
			}
			if o := result.Outcomes[0]; o.Reason != c.reason || len(r.got["/hook"]) != c.got {
				t.Errorf("%+v, received %q", o, r.got["/hook"])
			}
			if signed := r.headers.Get("X-AgentGateway-Signature") != ""; c.got > 0 && !signed {
				t.Errorf("unsigned: %v", r.headers)
			}
		})
	}
}

func TestUnusableWebhookSecret(t *testing.T) {
	gw := open(t, t.TempDir())
	gateway.SetSecretProblem(gw, "webhook_secret must be a string")
	gw.UseWebhookNotifications(gateway.Webhook{URL: "https://hooks.example.com"})
	_, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError})
	if err == nil || !strings.Contains(err.Error(), "webhook_secret must be a string") {
		t.Errorf("error %v", err)
	}
}

// Rules could not tell two webhooks of one name in two files apart.
func TestNameOfGovernedWebhook(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "agentxchain.json"), `{"schema_version": "1.0", "project": {"id": "p", "name": "p"}, "runtimes": {}, "roles": {}, "notifications": {"webhooks": [
		{"name": "ops", "url": "https://ops.example.com", "timeout_ms": 1000, "events": ["run_blocked"]}]}}`)
	for name, fails := range map[string]bool{"ops": true, "other": false} {
		gw := open(t, dir).UseWebhookNotifications(gateway.Webhook{URL: "https://hooks.example.com", Name: name, Events: []string{"on_error"}})
		_, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnComplete})
		if (err != nil) != fails || fails && !strings.Contains(err.Error(), `"ops": agentxchain.json has a webhook of the same name`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

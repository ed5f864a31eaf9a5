package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/events"
	"agentxchain/internal/routing"
)

// TestUnreadableFiles: what is no regular file is named as a whole, without a
// line. A pipe in the place of a file is in the tests of Unix.
func TestUnreadableFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(write(t, map[string]string{"gateway.yaml": strings.Repeat("# \n", maxGatewayFile/3+1)}), "gateway.yaml")
	for file, want := range map[string]string{
		folder: folder + ": this is no regular file",
		large:  large + ": the file is larger than 1048576 bytes",
	} {
		g, problems := LoadGateway(file, GatewayOptions{})
		if g != nil || len(problems) != 1 || problems[0].String() != want || problems[0].Line != 0 {
			t.Errorf("got %v, want %s", problems, want)
		}
	}
}

// TestWrongWebhooksStay: a webhook with a wrong value takes its events and
// fails them, in the words of the file and without a secret.
func TestWrongWebhooksStay(t *testing.T) {
	all := ruleEvents()
	for name, c := range map[string]struct {
		yaml string
		want routing.Subscription
	}{
		"secret":        {`{name: a, url: u, events: [on_error], secret: 5}`, problem("a", []string{"on_error"}, ":4:53: notifications.webhooks[0].secret must be a string, not an integer")},
		"secrets":       {`{name: a, url: u, secrets: [5]}`, problem("a", nil, ":4:35: notifications.webhooks[0].secrets[0] must be a string, not an integer")},
		"url":           {`{name: a, url: 5}`, problem("a", nil, ":4:22: notifications.webhooks[0].url must be a string, not an integer")},
		"no url":        {`{name: a}`, problem("a", nil, ":4:7: notifications.webhooks[0].url is missing")},
		"format":        {`{name: a, url: u, signature_format: md5}`, problem("a", nil, ":4:43: notifications.webhooks[0].signature_format must be one of: sha256, hex")},
		"template":      {`{name: a, url: u, payload_template: 5}`, problem("a", nil, ":4:43: notifications.webhooks[0].payload_template must be a string, not an integer")},
		"events":        {`{name: a, url: u, events: on_error}`, problem("a", all, ":4:33: notifications.webhooks[0].events must be a list, not a string")},
		"an event":      {`{name: a, url: u, events: [5]}`, problem("a", all, ":4:34: notifications.webhooks[0].events[0] must be a string, not an integer")},
		"unset event":   {`{name: a, url: u, events: ["${UNSET}"]}`, problem("a", all, ":4:34: notifications.webhooks[0]: events uses the variable UNSET, which is not set")},
		"misspelt":      {`{name: a, url: u, events: [on_eror, on_timeout]}`, problem("a", []string{"on_timeout", "on_error"}, `:4:34: notifications.webhooks[0]: events contains unknown event "on_eror"`)},
		"unknown event": {`{name: a, url: u, events: [all]}`, problem("a", all, `:4:34: notifications.webhooks[0]: events contains unknown event "all"`)},
		"name":          {`{name: 5, url: u}`, problem("notifications.webhooks[0]", nil, ":4:14: notifications.webhooks[0].name must be a string, not an integer")},
		"no mapping":    {`ops`, problem("notifications.webhooks[0]", all, ":4:7: notifications.webhooks[0] must be a mapping, not a string")},
	} {
		g, _ := load(t, map[string]string{"gateway.yaml": "notifications:\n  webhook_secret: s\n  webhooks:\n    - " + c.yaml + "\n"}, GatewayOptions{})
		if diff := cmp.Diff([]routing.Subscription{c.want}, g.Routing.Webhooks); diff != "" || len(g.Webhooks) > 0 {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func problem(name string, events []string, text string) routing.Subscription {
	return routing.Subscription{Target: hookTarget(name), Events: events, Problem: "gateway.yaml" + text}
}

// TestWrongListsStay: where it is not known which webhooks there are, what
// stands for them takes every event; null says that there are none.
func TestWrongListsStay(t *testing.T) {
	for yaml, want := range map[string][]routing.Subscription{
		"notifications: ops":              {problem("notifications", ruleEvents(), ":1:16: notifications must be a mapping, not a string")},
		"notifications: {webhooks: ops}":  {problem("notifications.webhooks", ruleEvents(), ":1:27: notifications.webhooks must be a list, not a string")},
		"notifications:":                  nil,
		"notifications: {webhooks: null}": nil,
		"notifications: {webhooks: [{name: a, url: u}, {name: a, url: 5}]}": {problem("a", nil, ":1:62: notifications.webhooks[1].url must be a string, not an integer")},
	} {
		g, _ := load(t, map[string]string{"gateway.yaml": yaml}, GatewayOptions{})
		if diff := cmp.Diff(want, g.Routing.Webhooks); diff != "" || len(g.Webhooks) > 0 {
			t.Errorf("%s: %s", yaml, diff)
		}
	}
}

// TestWrongSlackStays: Slack with a wrong value keeps its routes and sends
// nothing, unless nobody wanted it.
func TestWrongSlackStays(t *testing.T) {
	for yaml, want := range map[string]string{
		"{enabled: true, bot_token: 5}":          "gateway.yaml:1:51: notifications.slack.bot_token must be a string, not an integer",
		"{enabled: maybe}":                       "gateway.yaml:1:34: notifications.slack.enabled must be true or false",
		"on":                                     "gateway.yaml:1:24: notifications.slack must be a mapping, not a boolean",
		"{bot_token: 5}":                         "",
		"{enabled: false, bot_token: 5}":         "",
		"null":                                   "",
		`{enabled: "${UNSET}", bot_token: [hi]}`: "gateway.yaml:1:57: notifications.slack.bot_token must be a string, not a list",
	} {
		g, _ := load(t, map[string]string{"gateway.yaml": "notifications: {slack: " + yaml + "}"}, GatewayOptions{})
		if r := g.Routing; r.SlackProblem != want || r.Slack != (want != "") || g.Slack.Enabled {
			t.Errorf("%s: %+v", yaml, r)
		}
	}
}

// TestSharedSecretOfAnotherType says what is wrong, and no longer that a
// variable is missing.
func TestSharedSecretOfAnotherType(t *testing.T) {
	g, _ := load(t, map[string]string{"gateway.yaml": "notifications: {webhook_secret: 5, webhooks: [{name: a, url: u}]}"}, GatewayOptions{})
	want := "gateway.yaml:1:33: notifications.webhook_secret must be a string, not an integer"
	if g.SecretProblem != want || g.Routing.Webhooks[0].Problem != want || g.MissingSecret != nil {
		t.Errorf("%q, %+v", g.SecretProblem, g.Routing.Webhooks)
	}
}

// TestWrongRulesStay: a rule that cannot be followed keeps its place, and all
// rules know theirs.
func TestWrongRulesStay(t *testing.T) {
	const agent = "workspace/agents/a/AGENT.md"
	for rules, want := range map[string][]string{
		"[{channel: slack}, {target: x}, {channel: webhook, target: ops}]": {"0 slack ", "1  notifications.on_error[1] has no channel", "2 webhook "},
		"[slack]":                     {"0  notifications.on_error[0] must be a mapping, not a string"},
		"[null, {channel: slack}]":    {"0  notifications.on_error[0] must be a mapping, not null", "1 slack "},
		"[{channel: slack, url: 5}]":  {"0  notifications.on_error[0]: url must be a string, not an integer, so the rule fails"},
		"[{channel: null, url: [5]}]": {"0  notifications.on_error[0]: channel must be a string, not null, so the rule fails"},
		"x":                           {"0  notifications.on_error must be a list, not a string"},
		"[]":                          nil,
	} {
		g, _ := load(t, map[string]string{"gateway.yaml": workingGateway, agent: "---\nname: a\nnotifications:\n  on_error: " + rules + "\n---\nPrompt.\n"}, GatewayOptions{Advise: true})
		var got []string
		for _, r := range g.Routing.Agents[0].Rules[events.OnError] {
			got = append(got, fmt.Sprint(r.Index, " ", r.Channel, " ", r.Problem))
		}
		if diff := cmp.Diff(want, got); diff != "" || g.Routing.Agents[0].Problem != "" {
			t.Errorf("%s: %s", rules, diff)
		}
	}
}

// TestAgentsWhoseRulesAreNotKnown have a problem instead of none.
func TestAgentsWhoseRulesAreNotKnown(t *testing.T) {
	const file = "workspace/agents/a/AGENT.md"
	for text, want := range map[string]string{
		"---\nname: [\n---\nPrompt.\n":                    file + ":3:1: invalid YAML: ",
		"---\nnotifications: {}\nPrompt.\n":               file + ":2:1: the frontmatter is never closed",
		"---\nnotifications: [on_error]\n---\nPrompt.\n":  file + ":2:16: notifications must be a mapping, not a list",
		"---\nname: \xff\n---\nPrompt.\n":                 file + ": the file is not UTF-8",
		strings.Repeat("# \n", maxGatewayFile/3+1):        file + ": the file is larger than",
		"---\nname: a\n\nNo rules, and never closed.\n":   "",
		"---\nname: a\nnotifications: null\n---\nPrompt.": "",
	} {
		g, problems := load(t, map[string]string{"gateway.yaml": "", file: text}, GatewayOptions{})
		if len(g.Routing.Agents) != 1 {
			t.Errorf("%.40q: %v", text, problems)
			continue
		}
		got := g.Routing.Agents[0].Problem
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") || problems.Bad() != (want != "") {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

// TestAgentsWithoutPrompt: the package does not load them; their rules count.
func TestAgentsWithoutPrompt(t *testing.T) {
	g, problems := load(t, map[string]string{
		"gateway.yaml":                "",
		"workspace/agents/a/AGENT.md": "---\nnotifications: {on_error: [{channel: slack}]}\n---\n",
		"workspace/agents/b/AGENT.md": " \n",
	}, GatewayOptions{})
	if a := g.Routing.Agents; len(a) != 1 || a[0].Name != "a" || len(a[0].Rules[events.OnError]) != 1 {
		t.Errorf("%+v", a)
	}
	if len(problems) != 2 || problems.Bad() || problems[0].Code != "empty" || problems[1].Code != "empty" {
		t.Error(problems)
	}
}

package slack

import (
	"fmt"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/slack/slacktest"
)

func TestBodyFromTemplate(t *testing.T) {
	e := events.Event{Type: "on_error", EmittedAt: noon(), Agent: &events.AgentRun{Name: "a", ExecutionID: "e"}}
	const blocks = `[ {"type":"section","new_field":1.50,"text":{"type":"mrkdwn","text":"<!here> \u00e9","verbatim":false}},{"type":"brand_new"} ]`
	body, err := BodyFromTemplate(e, Post{Channel: "C1", Thread: "1.2"}, []byte(blocks))
	const want = `{"channel":"C1","text":"Agent 'a' execution failed: e","blocks":[{"type":"section","new_field":1.50,` +
		`"text":{"type":"mrkdwn","text":"<!here> é","verbatim":false}},{"type":"brand_new"}],"thread_ts":"1.2"}`
	if err != nil || string(body) != want {
		t.Errorf("%v\n%s", err, body)
	}
}

// refused are blocks that Slack would refuse, and what is said of them.
func refused() map[string]string {
	text := func(n int) string { return strings.Repeat("é", n) }
	section := func(s string) string { return `[{"type":"section","text":{"type":"mrkdwn","text":"` + s + `"}}]` }
	many := func(n int, s string) string { return "[" + strings.TrimSuffix(strings.Repeat(s+",", n), ",") + "]" }
	return map[string]string{
		``:                                 "blocks are not JSON: unexpected end",
		`[{"type":"divider"}`:              "blocks are not JSON",
		`[{"type":"divider","type":1}]`:    "blocks are not JSON",
		`{"type":"divider"}`:               "blocks must be a list, not an object",
		`[]`:                               "blocks must be 1 to 50, not 0",
		many(51, `{"type":"divider"}`):     "blocks must be 1 to 50, not 51",
		`["x"]`:                            "block 1: it must be an object with a type",
		`[{"type":"divider"},{"type":""}]`: "block 2: it must be an object with a type",
		`[{"type":"header"}]`:              "block 1: text must be an object of type plain_text",
		`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`:                     "block 1: text must be an object of type plain_text",
		`[{"type":"header","text":{"type":"plain_text","text":"` + text(151) + `"}}]`: "block 1: text is longer than 150 characters",
		`[{"type":"header","text":{"type":"plain_text","text":7}}]`:                   "block 1: text must have a text that is not empty",
		`[{"type":"section"}]`:             "block 1: a section needs text or fields",
		section(""):                        "block 1: text must have a text that is not empty",
		section(text(3001)):                "block 1: text is longer than 3000 characters",
		`[{"type":"section","fields":[]}]`: "block 1: fields must be a list of 1 to 10",
		`[{"type":"section","fields":{}}]`: "block 1: fields must be a list of 1 to 10",
		`[{"type":"section","fields":` + many(11, `{"type":"mrkdwn","text":"x"}`) + `}]`: "block 1: fields must be a list of 1 to 10",
		`[{"type":"section","fields":[{"type":"mrkdwn","text":"` + text(2001) + `"}]}]`:  "block 1: fields[0] is longer than 2000 characters",
		`[{"type":"context","elements":[{"type":"image"},{"type":"button"}]}]`:           "block 1: elements[1] must be an object of type mrkdwn",
		`[{"type":"context"}]`: "block 1: elements must be a list of 1 to 10",
	}
}

func TestTemplateRefused(t *testing.T) {
	e := governed("run_blocked", nil)
	for blocks, want := range refused() {
		body, err := BodyFromTemplate(e, Post{Channel: "C1"}, []byte(blocks))
		if err == nil || body != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", blocks, err, want)
		}
	}
}

// At the limits, what we let pass the double takes, and what we refuse it
// refuses.
func TestTemplateAgainstDouble(t *testing.T) {
	var cases []string
	for blocks := range refused() {
		cases = append(cases, blocks)
	}
	for _, n := range []int{1, 149, 150, 151, 1999, 2000, 2001, 2999, 3000, 3001} {
		for _, text := range []string{strings.Repeat("x", n), strings.Repeat("😀", n/2)} {
			if text == "" {
				continue
			}
			cases = append(cases,
				fmt.Sprintf(`[{"type":"header","text":{"type":"plain_text","text":%q}}]`, text),
				fmt.Sprintf(`[{"type":"section","text":{"type":"mrkdwn","text":%q}}]`, text),
				fmt.Sprintf(`[{"type":"section","fields":[{"type":"mrkdwn","text":%q}]}]`, text),
				fmt.Sprintf(`[{"type":"context","elements":[{"type":"mrkdwn","text":%q}]}]`, text))
		}
	}
	for _, blocks := range cases {
		if blocks == "[]" || blocks == `[{"type":"divider","type":1}]` {
			continue // Slack would take an empty list, and the last of two keys
		}
		root, err := ecmajson.Parse([]byte(blocks), ecmajson.Options{})
		ours := err == nil && checkBlocks(root) == nil
		theirs := len(slacktest.Check("x", []byte(blocks))) == 0
		if ours != theirs {
			t.Errorf("we say %v, the double %v: %.80s", ours, theirs, blocks)
		}
	}
}

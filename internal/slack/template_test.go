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
	section := func(s string) string { return `[{"type":"section","text":{"type":"mrkdwn","text":"` + s + `"}}]` }
	many := func(n int, s string) string { return "[" + strings.TrimSuffix(strings.Repeat(s+",", n), ",") + "]" }
	return map[string]string{
		``:                              "blocks are not JSON: unexpected end",
		`[{"type":"divider"}`:           "blocks are not JSON",
		`[{"type":"divider","type":1}]`: "blocks are not JSON",
		`{"type":"divider"}`:            "blocks must be a list, not an object",
		`[]`:                            "blocks must be 1 to 50, not 0",
		many(5, strings.Trim(section(strings.Repeat("x", 3001)), "[]")): "blocks hold 15000 characters of text; together they may have 13000",
		many(51, `{"type":"divider"}`):                                  "blocks must be 1 to 50, not 51",
		`["x"]`:                                                         "block 1: it must be an object with a type",
		`[{"type":"divider"},{"type":""}]`:                              "block 2: it must be an object with a type",
		`[{"type":"header"}]`:                                           "block 1: text must be an object of type plain_text",
		`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`:       "block 1: text must be an object of type plain_text",
		`[{"type":"header","text":{"type":"plain_text","text":7}}]`:     "block 1: text must have a text that is not empty",
		`[{"type":"section"}]`:                                          "block 1: a section needs text or fields",
		section(""):                                                     "block 1: text must have a text that is not empty",
		`[{"type":"section","fields":[]}]`:                              "block 1: fields must be a list of 1 to 10",
		`[{"type":"section","fields":{}}]`:                              "block 1: fields must be a list of 1 to 10",
		`[{"type":"section","fields":` + many(11, `{"type":"mrkdwn","text":"x"}`) + `}]`: "block 1: fields must be a list of 1 to 10",
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

// Texts are cut to what Slack takes, and nothing in them is cut in two.
func TestTemplateShortened(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ text, want string }{
		{x(150), x(150)},
		{x(151), x(149) + "…"},
		{x(145) + "&lt;&lt;", x(145) + "&lt;…"},
		{x(146) + "&lt;&lt;", x(146) + "…"},
		{x(145) + "& b; &amp", x(145) + "& b;…"},
		{x(140) + "<!channel> y", x(140) + "…"},
		{x(130) + "<https://x.example/|x> y", x(130) + "…"},
		{x(146) + "<a\n>b", x(146) + "<a\n…"},
		{x(130) + "```" + x(30), x(130) + "```" + x(13) + "…```"},
		{x(147) + "```" + x(30), x(147) + "…"},
		{"```" + x(142) + "```" + x(30), "```" + x(142) + "```x…"},
		{strings.Repeat("😀", 76), strings.Repeat("😀", 74) + "…"},
		{x(148) + "\xff\xff\xff", x(148) + "\ufffd…"},
		{"<" + x(160) + ">", "…"},
	} {
		if got := strings.ToValidUTF8(shortened(c.text, 150), "\ufffd"); got != c.want && ecmajson.UTF16Len(c.text) > 150 {
			t.Errorf("%q\ngives %q\nwant  %q", c.text, got, c.want)
		}
	}
	e := governed("run_blocked", nil)
	long := strings.Repeat("é", 3001)
	blocks := fmt.Sprintf(`[{"type":"header","text":{"type":"plain_text","text":%q}},{"type":"section","text":{"type":"mrkdwn","text":%q},`+
		`"fields":[{"type":"mrkdwn","text":%q}]},{"type":"context","elements":[{"type":"mrkdwn","text":%q}]}]`, long, long, long, long)
	body, err := BodyFromTemplate(e, Post{Channel: "C1"}, []byte(blocks))
	if err != nil {
		t.Fatal(err)
	}
	got := texts(read(t, body).Blocks)
	for i, limit := range []int{150, 2000, 3000, 2000} {
		if want := strings.Repeat("é", limit-1) + "…"; len(got) != 4 || got[i] != want {
			t.Errorf("text %d of %d: %.20q", i, len(got), got[i])
		}
	}
}

// What we let pass the double takes as we write it, and what we refuse it
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
		written := []byte(blocks)
		if ours {
			written = ecmajson.Append(nil, root)
		}
		theirs := len(slacktest.Check("x", written)) == 0
		if ours != theirs {
			t.Errorf("we say %v, the double %v: %.80s", ours, theirs, blocks)
		}
	}
}

package slack

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a & b <!channel>":  "a &amp; b &lt;!channel&gt;",
		"@here, @Channel!":  "@\u200bhere, @\u200bChannel!",
		"bob@example.com":   "bob@example.com",
		"```x``` ``y`` `z`": "``\u200b`x``\u200b` ``y`` `z`",
		"`````":             "``\u200b``\u200b`",
		"@everyone@group":   "@\u200beveryone@\u200bgroup",
		"a\xffb\ud7ff":      "a\ufffdb\ud7ff",
		"":                  "",
	} {
		if got := plain(in, 100); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := plain("&&&&", 12); got != "&amp;&amp;…" {
		t.Errorf("an entity is cut: %q", got)
	}
	if got := plain("😀😀😀", 5); got != "😀😀…" {
		t.Errorf("units: %q", got)
	}
}

func TestCode(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		" \n ":                   "",
		"a\nb  c":                "`a b c`",
		"a`b":                    "`aˋb`",
		strings.Repeat("x", 200): "`" + strings.Repeat("x", 97) + "…`",
	} {
		if got := span(in, 100); got != want {
			t.Errorf("span of %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"":                       "",
		" run --name 'a  b' ":    "`run --name 'a  b'`",
		"echo `id`":              "```\u200becho `id`\u200b```",
		"a <b> & c":              "`a &lt;b&gt; &amp; c`",
		"a\nb":                   "```a\nb```",
		strings.Repeat("x", 200): "```" + strings.Repeat("x", 78) + "\n... (truncated)```",
	} {
		if got := command(in, 100); got != want {
			t.Errorf("command of %q: %q, want %q", in, got, want)
		}
	}
}

func TestCommandIn(t *testing.T) {
	for in, want := range map[string]string{
		"Resolve the issue, then run agentxchain step --resume":                                                   "agentxchain step --resume",
		"Increase budget with agentxchain config --set budget.per_run_max_usd <usd>, then run agentxchain resume": "agentxchain resume",
		"agentxchain approve-transition":                                                                          "agentxchain approve-transition",
		"Run `agentxchain resume`.":                                                                               "agentxchain resume",
		"Ask somebody.":                                                                                           "",
		"":                                                                                                        "",
		"my-agentxchain x":                                                                                        "",
		"agentxchain":                                                                                             "",
		"Run agentxchain resume\nand then rest":                                                                   "agentxchain resume",
	} {
		if got := commandIn(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestElapsed(t *testing.T) {
	for s, want := range map[int64]string{
		0: "0 s", 59: "59 s", 60: "1 min", 701: "11 min 41 s", 7200: "2 h", 7201: "2 h", 7260: "2 h 1 min", 86400: "1 d", 273600: "3 d 4 h",
	} {
		if got := elapsed(s); got != want {
			t.Errorf("%d: %q, want %q", s, got, want)
		}
	}
}

// Every writer keeps to its limit, counted as Slack could count it at most.
func TestLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := hostile().Draw(t, "text")
		limit := rapid.IntRange(40, 400).Draw(t, "limit")
		for name, got := range map[string]string{
			"plain": plain(s, limit), "line": line(s, limit), "fence": fence(s, limit), "span": span(s, limit), "command": command(s, limit),
		} {
			if n := units(got); n > limit {
				t.Fatalf("%s: %d units of %d", name, n, limit)
			}
		}
	})
}

// hostile draws texts that mean something to Slack, to JSON or to nobody.
func hostile() *rapid.Generator[string] {
	parts := rapid.SampledFrom([]string{
		"<!channel>", "<!here|x>", "<@U123>", "<#C1|general>", "<!subteam^S1>", "<https://x.example|y>", "@here", "@channel", "@everyone",
		"`", "``", "```", "\n", "\r\n", "*", "_", "~", ">", "<", "&", "&amp;", "&lt;", ":smile:", "😀", "👩‍👩‍👧", "\u200b", "\x00", "\x1b[0m", "\x7f",
		"\u2028", "\xff", "\xed\xa0\x80", "\"", "\\", "\",\"x\":\"", " ", "\t", "agentxchain step --resume", "https://x.example/a?b=c", "None",
		strings.Repeat("&", 4000), strings.Repeat("`", 5000), strings.Repeat("é", 3000), strings.Repeat("\n", 3000), strings.Repeat(" ", 9000),
	})
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOfN(parts, 0, 12), func(p []string) string { return strings.Join(p, "") }))
}

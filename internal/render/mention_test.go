package render_test

import (
	"path/filepath"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/render"
)

// However a template prints them, values mention nobody; its own text may.
func TestNoValueMentions(t *testing.T) {
	e := render.Sample(events.OnError)
	run := *e.Agent
	run.Message, run.Error = "<!channel>", "see <https://evil.example|here> & <@U1>"
	run.Output = ecmajson.NewObject().Set("list", ecmajson.NewStrings([]string{"<!here>"})).Set("<!channel>", ecmajson.NewBool(true))
	e.Agent = &run
	for _, expression := range []string{
		`"{{ error }}"`, `{{ error | tojson }}`, `"{{ error | safe }}"`, `"{{ event.message }}"`, `{{ event.message | tojson }}`,
		`"{{ output.list[0] }}"`, `{{ output | tojson | tojson }}`, `"{{ event.result.output.list | join }}"`, `{{ event.result.raw_text | tojson }}`,
		`"{{ '%s' % error }}"`, `"{% for c in error %}{{ c }}{% endfor %}"`, `"{{ error | upper }}"`, `"{{ output }}"`, `"{{ output.keys() | join }}"`,
		`"{{ error | e }}"`, `"{{ error | reverse }}"`, `"{{ (error | list)[4:] | join }}"`, `"{{ event.result.raw_text }}"`,
		`"{% macro m(x) %}{{ x }}{% endmacro %}{{ m(error) }}"`, `"{% filter safe %}{{ error }}{% endfilter %}"`,
	} {
		template := `[{"type":"section","text":{"type":"mrkdwn","text":` + expression + `}}]`
		v := render.Vars{Event: e, Target: render.TargetVars{Channel: "slack"}}
		blocks := rendered(t, template, v)
		if strings.ContainsAny(blocks, "<>") || !strings.Contains(blocks, "&lt;") {
			t.Errorf("%s gives %s", expression, blocks)
		}
	}
}

// What a message for Slack says, with an error that tries everything.
func TestSlackTexts(t *testing.T) {
	e := render.Sample(events.OnError)
	run := *e.Agent
	run.Error = "<!channel> & ```` `b`"
	e.Agent = &run
	v := render.Vars{Event: e, Target: render.TargetVars{Channel: "slack"}}
	for template, want := range map[string]string{
		`["<!channel> {{ error }}"]`:                                                      `["<!channel> &lt;!channel&gt; & ` + "`\\u200b`\\u200b`` `b`" + `"]`,
		`["{{ error | upper | truncate(13, true) }}"]`:                                    `["&lt;!CHANNEL&gt;..."]`,
		`["{{ error | truncate(5, true, '') }}", {{ error | length }}]`:                   `["&lt;!cha", 21]`,
		`["{% macro m(x) %}<!here> {{ x[:10] }}{% endmacro %}{{ m(error) }}"]`:            `["<!here> &lt;!channel&gt;"]`,
		`["{% set s %}<!here> {{ error[:1] }}{% endset %}{{ s }}{{ '<!here>' if s }}"]`:   `["<!here> &lt;<!here>"]`,
		`[{"{{ error[:1] }}": 1, "url": "https://x.example/?q={{ error[:1] }}&a=1&b=2"}]`: `[{"&lt;": 1, "url": "https://x.example/?q=%3C&a=1&b=2"}]`,
		`["https://x.example/?q={{ error[:10] | urlencode }}"]`:                           `["https://x.example/?q=%3C%21channel%3E"]`,
		`[{{ {error[:1]: error[:1]} | tojson | tojson }}]`:                                `["{\"&lt;\": \"&lt;\"}"]`,
		`["{{ {error[:1]: error[13:14]} }}"]`:                                             `["{'&lt;': '` + "`" + `'}"]`,
	} {
		if got := rendered(t, template, v); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", template, got, want)
		}
	}
}

// A variable that is replaced for a trial is no more trusted than an event's,
// and the output is shown to the author as it was written.
func TestTrialMentions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json.j2")
	v := render.Vars{Event: render.Sample(events.OnError), Target: render.TargetVars{Channel: "slack"}}
	c := &render.Context{Name: "c", Text: []byte(`{"error": "<!channel>", "event": {"message": "<@U1>"}}`)}
	writeFile(t, filepath.Dir(file), filepath.Base(file), `["<!here> {{ error }} {{ event.message }}"]`)
	out, err := render.New(render.Options{}).File(t.Context(), file, v, c)
	if err != nil || string(out.Body) != `["<!here> &lt;!channel&gt; &lt;@U1&gt;"]` || out.Output != `["<!here> <!channel> <@U1>"]` {
		t.Errorf("%s, %s, %v, %v", out.Body, out.Output, out.Fallback, err)
	}
}

// rendered is what the template of a message gives.
func rendered(t *testing.T, template string, v render.Vars) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "x.json.j2", template)
	blocks, used, err := render.New(render.Options{TemplatesDir: dir}).Blocks(t.Context(), "x", v)
	if err != nil || used == "" {
		t.Fatalf("%s: used %q, %v", template, used, err)
	}
	return string(blocks)
}

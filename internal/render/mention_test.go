package render_test

import (
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
	run.Output = ecmajson.NewObject().Set("list", ecmajson.NewStrings([]string{"<!here>"}))
	e.Agent = &run
	for _, expression := range []string{
		`"{{ error }}"`, `{{ error | tojson }}`, `"{{ error | safe }}"`, `"{{ event.message }}"`, `{{ event.message | tojson }}`,
		`"{{ output.list[0] }}"`, `{{ output | tojson | tojson }}`, `"{{ event.result.output.list | join }}"`, `{{ event.result.raw_text | tojson }}`,
		`"{{ '%s' % error }}"`, `"{% for c in error %}{{ c }}{% endfor %}"`,
	} {
		template := `[{"type":"section","text":{"type":"mrkdwn","text":` + expression + `}}]`
		v := render.Vars{Event: e, Target: render.TargetVars{Channel: "slack"}}
		blocks := rendered(t, template, v)
		if strings.ContainsAny(blocks, "<>") || !strings.Contains(blocks, "&lt;") {
			t.Errorf("%s gives %s", expression, blocks)
		}
	}
	v := render.Vars{Event: e, Target: render.TargetVars{Channel: "slack"}}
	if blocks := rendered(t, `[{"type":"section","text":{"type":"mrkdwn","text":"<!channel> {{ error }}"}}]`, v); !strings.Contains(blocks, `"<!channel> see &lt;https`) {
		t.Errorf("the author's own mention is lost: %s", blocks)
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

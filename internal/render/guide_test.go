package render_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/render"
)

// The two examples of the guide (seeds/000, "Custom Slack Templates" and
// "Custom Webhook Payload").
const (
	slackExample = `[
  {
    "type": "section",
    "text": {
      "type": "mrkdwn",
      "text": "*{{ agent_name }}* finished at {{ timestamp }}\n{{ output | truncate(200) }}"
    }
  }
]
`
	pagerDutyExample = `{
  "routing_key": "your-routing-key",
  "event_action": "trigger",
  "payload": {
    "summary": "{{ agent_name }} failed: {{ error }}",
    "severity": "error",
    "source": "agent-gateway"
  }
}
`
)

func webhook(text string) render.Source {
	return render.Source{Name: "gateway.yaml", Text: text, Line: 12}
}

func run(typ events.Type, change func(*events.AgentRun)) render.Vars {
	e := render.Sample(typ)
	agent := *e.Agent
	change(&agent)
	e.Agent = &agent
	return render.Vars{Event: e, Target: render.TargetVars{Channel: "webhook", Target: "default"}}
}

// anyText draws texts that are meant to break out of JSON.
func anyText() *rapid.Generator[string] {
	hostile := rapid.SampledFrom([]string{
		`"`, `\`, `\"`, "\n", "\r\n", "\t", "\x00", "\x1f", "\x7f", `","severity":"info`, `"}`, `}}`, `{{ error }}`, `{% raw %}`,
		"é", "😀", "\u2028", "\ufeff", "\ufffd", "\xed\xa0\xbd", "\xed\xb8\x80", "\xff", "\xe2\x82", `\u0022`, `\ud83d`, "None", "'", "<b>",
	})
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOf(hostile), func(parts []string) string { return strings.Join(parts, "") }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

// Whatever the values are, PagerDuty gets the document that the guide promises.
func TestPagerDutyExampleHoldsEveryValue(t *testing.T) {
	r := render.New(render.Options{})
	rapid.Check(t, func(t *rapid.T) {
		agent, failure := anyText().Draw(t, "agent"), anyText().Draw(t, "error")
		body, err := r.Payload(t.Context(), webhook(pagerDutyExample), run(events.OnError, func(a *events.AgentRun) {
			a.Name, a.Error = agent, failure
		}))
		if err != nil {
			t.Fatal(err)
		}
		doc := parse(t, body)
		want := ecmajson.NewObject().
			Set("routing_key", ecmajson.NewString("your-routing-key")).
			Set("event_action", ecmajson.NewString("trigger")).
			Set("payload", ecmajson.NewObject().
				Set("summary", ecmajson.NewString(asText(t, agent)+" failed: "+asText(t, failure))).
				Set("severity", ecmajson.NewString("error")).
				Set("source", ecmajson.NewString("agent-gateway")))
		if a, b := string(ecmajson.Append(nil, doc)), string(ecmajson.Append(nil, want)); a != b {
			t.Fatal(cmp.Diff(b, a))
		}
	})
}

// And Slack its section, for texts and for values of every other kind that
// truncate takes.
func TestSlackExampleHoldsEveryValue(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "on_complete.json.j2", slackExample)
	r := render.New(render.Options{TemplatesDir: dir})
	rapid.Check(t, func(t *rapid.T) {
		agent, output := anyText().Draw(t, "agent"), anyText().Draw(t, "output")
		value := rapid.SampledFrom([]func() *ecmajson.Value{
			func() *ecmajson.Value { return ecmajson.NewString(output) },
			func() *ecmajson.Value { return ecmajson.NewStrings([]string{output, agent}) },
			func() *ecmajson.Value { return ecmajson.NewObject().Set(output, ecmajson.NewString(output)) },
			func() *ecmajson.Value { return nil },
		}).Draw(t, "kind")()
		blocks, used, err := r.Blocks(t.Context(), "", run(events.OnComplete, func(a *events.AgentRun) {
			a.Name, a.Output = agent, value
		}))
		if err != nil || used != "on_complete.json.j2" {
			t.Fatalf("%q: %v", used, err)
		}
		doc := parse(t, blocks)
		section := doc.Items()[0]
		if keys := strings.Join(section.OwnKeys(), " ") + " " + strings.Join(section.Get("text").OwnKeys(), " "); keys != "type text type text" {
			t.Fatalf("keys %s in %s", keys, blocks)
		}
		start := "*" + asSlackShows(asText(t, agent)) + "* finished at 2026-04-04T10:00:00.123Z\n"
		if text := section.Get("text").Get("text").Str(); !strings.HasPrefix(text, start) || value == nil && text != start {
			t.Fatalf("text %q does not begin with %q", text, start)
		}
	})
}

func parse(t rapid.TB, body []byte) *ecmajson.Value {
	doc, err := ecmajson.Parse(body, ecmajson.Options{UniqueKeys: true, ValidUTF8: true})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, c := range body {
		if c < 0x20 || c > 0x7e {
			t.Fatalf("%q has byte 0x%02x, which Python escapes", body, c)
		}
	}
	return doc
}

// asText is a text as JSON can carry it.
func asText(t rapid.TB, s string) string {
	v, err := ecmajson.Parse(ecmajson.AppendString(nil, s), ecmajson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Str()
}

// asSlackShows is how a value stands in a message: it mentions nobody and ends
// no fence.
func asSlackShows(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "```", "`\u200b`\u200b`", "\u16eb", "·", "\u16ec", ":", "\u16ed", "+").Replace(s)
}

// No error repeats a value, whatever a template does with it.
func TestErrorsHoldNoValues(t *testing.T) {
	r := render.New(render.Options{})
	templates := []string{
		`{{ error | int + error }}`, `{{ error.nope.nope }}`, `{{ {}[error] }}`, `{{ {}[error].x }}`, `{{ {error: 1}.nope.x }}`,
		`{% include error %}`, `{% import error as x %}`, `{% extends error %}`, `{{ error | attr(error) | upper + 1 }}`, `{{ error % 1 }}`,
		`{{ error.format() }}`, `{{ ("{" ~ error ~ "}").format(1) }}`, `{{ ("%" ~ error) % 1 }}`, `{{ error[error] }}`, `{{ error() }}`,
		`{{ error | round }}`, `{{ [error, 1] | sort }}`, `{{ [error] | sum }}`, `{{ range(error) }}`, `{{ error * error }}`, `{{ error < 1 }}`,
		`{{ "x".join(1) ~ error.x.y }}`, `{{ error | replace(1) }}`, `{{ error.index("nope") }}`, `{{ [1].index(error) }}`, `{{ {}.pop(error) }}`,
		`{{ error }}`, `{"a": {{ error }} }`, `{"{{ error }}": 1, "{{ error }}": 2}`, `[{{ error | tojson }} {{ error | tojson }}]`, `{{ error | fromjson }}`,
		`{{ error | indent(error) }}`, `{{ error | truncate(1, error, error, error) }}`, `{{ dict(error) }}`, `{{ dict([error]) }}`, `{{ error | dictsort }}`,
		`{{ error | items }}`, `{{ error | batch(error) }}`, `{{ error | map(error) | list }}`, `{{ [1] | map(error) | list }}`, `{{ [1] | select(error) | list }}`,
		`{{ range(3)[error] }}`, `{{ error | float(error) + error }}`, `{{ event[error].x }}`, `{{ (error | int(base=99)) }}`, `{{ error.encode(error) }}`,
	}
	for filter := range strings.FieldsSeq("abs attr batch capitalize center count default dictsort e escape filesizeformat first float forceescape format groupby indent int items join last length list lower map max min pprint random reject rejectattr replace reverse round safe select selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode urlize wordcount wordwrap xmlattr") {
		for _, args := range []string{"", "(error)", "(1, error)", "(error, error, error, error, error)", "(nope=error)", "(attribute=error)"} {
			for _, value := range []string{"error", "[error]", "{error: error}", "[[error]]", "1", "event", "payload"} {
				templates = append(templates, "{{ "+value+" | "+filter+args+" }}", "{{ ("+value+" | "+filter+args+").nope.nope }}", "{{ "+value+" | "+filter+args+" + 1 }}")
			}
		}
	}
	for method := range strings.FieldsSeq("capitalize casefold center count encode endswith expandtabs find format format_map index join ljust lstrip maketrans partition removeprefix replace rfind rindex rjust rsplit split splitlines startswith strip translate zfill append clear copy extend insert pop remove reverse sort fromkeys get items keys popitem setdefault update values bit_length to_bytes nope") {
		for _, args := range []string{"()", "(error)", "(1, error)", "(error, 1)", "(nope=error)"} {
			for _, value := range []string{"error", "[error]", "{error: error}", "5", "(error ~ '{' ~ error ~ '}')"} {
				templates = append(templates, "{{ "+value+"."+method+args+" }}", "{{ "+value+"."+method+args+".nope.nope }}")
			}
		}
	}
	for _, secret := range []string{"s3cret-s3cret", `it's "s3cret-s3cret"`, "s3cret-s3cret\ns3cret", "98765432101"} {
		for _, text := range templates {
			_, err := r.Payload(t.Context(), webhook(text), run(events.OnError, func(a *events.AgentRun) { a.Error = secret }))
			if err == nil {
				continue
			}
			var failed *render.Error
			if !errors.As(err, &failed) || failed.File != "gateway.yaml" || failed.Line != 12 {
				t.Errorf("%s: %v has no place", text, err)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "98765") {
				t.Errorf("%s: %v tells the value", text, err)
			}
		}
	}
}

package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/jinja"
	"agentxchain/internal/pyvalue"
)

// readLines decodes every line of a vector file.
func readLines[T any](t *testing.T, name string) []T {
	t.Helper()
	src, err := os.ReadFile(fixtures.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	lines := bufio.NewScanner(bytes.NewReader(src))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var c T
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// payloadCase is a line of webhook-payload-templates.jsonl.
type payloadCase struct {
	ID       string
	Template string `json:"payload_template"`
	Body     *string
	Error    string
	Stage    string
}

// settings are what our decisions change about the package's rendering.
type settings struct {
	guide  bool // the guide's variables and target, besides event
	escape bool // values inside of string literals are escaped
	strict bool // the output must be JSON with unique keys
}

// With the settings of the package, every recorded body and error comes out.
// With ours, what differs comes from one of our three decisions, and is a body
// where the package sends none, or the built-in body where the package sends
// what is no JSON or says things twice.
func TestPayloadTemplatesAsRecorded(t *testing.T) {
	n := 0
	for _, c := range readLines[payloadCase](t, "agent-gateway/webhook-payload-templates.jsonl") {
		n++
		if c.Template == "" {
			continue // No template: the built-in body, see package webhook.
		}
		if got := c.run(t, settings{}); got != c.recorded() {
			t.Errorf("%s: as the package: %s, recorded %s", c.ID, got, c.recorded())
		}
		ours := c.run(t, settings{true, true, true})
		body, err := New(Options{}).payload(t, c.Template)
		if (err == nil) != (ours.failed == "") || string(body) != ours.body {
			t.Errorf("%s: Payload: %s, %v, want %s", c.ID, body, err, ours)
		}
		if ours != c.recorded() {
			c.explain(t, ours)
		}
	}
	fixtures.Ran(t, "webhook-payload-templates", n)
}

// explain finds the decision that makes the difference.
func (c payloadCase) explain(t *testing.T, ours outcome) {
	t.Helper()
	recorded := c.recorded()
	switch {
	case c.run(t, settings{guide: true}) != recorded:
		if !mentions(c.Template, "agent_name", "execution_id", "session_id", "output", "error", "timestamp", "target") {
			t.Errorf("%s: the guide's variables make a difference to a template that has none", c.ID)
		}
	case c.run(t, settings{guide: true, escape: true}) != recorded:
		if ours.failed != "" || !strings.Contains(c.Template, "{{") {
			t.Errorf("%s: escaping gives %s", c.ID, ours)
		}
	case ours.failed != "json":
		t.Errorf("%s: strictness gives %s, recorded %s", c.ID, ours, recorded)
	}
}

func mentions(template string, names ...string) bool {
	for _, name := range names {
		if strings.Contains(template, name) {
			return true
		}
	}
	return false
}

// outcome is a body, or the stage that failed: "template" or "json".
type outcome struct{ body, failed, class string }

func (o outcome) String() string { return o.body + o.failed + " " + o.class }

func (c payloadCase) recorded() outcome {
	if c.Body != nil {
		return outcome{body: *c.Body}
	}
	if c.Stage == "json" {
		return outcome{failed: c.Stage}
	}
	return outcome{failed: c.Stage, class: c.Error}
}

// run renders a template with some of our decisions.
func (c payloadCase) run(t *testing.T, s settings) outcome {
	t.Helper()
	text, err := renderRaw(t, c.Template, s)
	var failed *jinja.Error
	if errors.As(err, &failed) {
		return outcome{failed: "template", class: failed.Class}
	}
	if s.strict && strictJSON(text) != nil {
		return outcome{failed: "json"}
	}
	v, err := pyvalue.FromJSON([]byte(text), pyvalue.JSONLimits{})
	if err != nil {
		return outcome{failed: "json"}
	}
	body, err := pyvalue.AppendJSON(nil, nil, v, pyvalue.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return outcome{body: string(body)}
}

func strictJSON(text string) error {
	_, err := finish(text, anyJSON, nil)
	return err
}

func renderRaw(t *testing.T, template string, s settings) (string, error) {
	t.Helper()
	o := jinja.Options{}
	if s.escape {
		o.Escaper = newEscaper
	}
	compiled, err := jinja.Compile("gateway.yaml", template, o)
	if err != nil {
		return "", err
	}
	vars, err := recordedJob(template).values()
	if err != nil {
		t.Fatal(err)
	}
	if !s.guide {
		only := pyvalue.NewDict(1)
		event, _ := vars.GetStr("event")
		only.SetStr("event", event)
		vars = only
	}
	return compiled.Render(t.Context(), vars)
}

// recordedJob is the event of the recording.
func recordedJob(template string) job {
	return job{
		source: Source{Name: "gateway.yaml", Text: template}, name: "gateway.yaml",
		vars: Vars{
			Event: events.Event{
				Type: "on_complete", EmittedAt: time.Date(2026, 2, 25, 9, 0, 0, 0, time.UTC),
				Agent: &events.AgentRun{Name: "report-agent", ExecutionID: "e-1", Message: "say \"hi\"\n& <b>", DurationMS: 1234},
			},
			Target: TargetVars{Channel: "webhook", Target: "default"},
		},
		context: &Context{Name: "context", Text: []byte(`{"output": {"k": [1]}, "event": {
			"result": {"output": {"k": [1]}, "raw_text": "ok", "stop_reason": "completed", "usage": {"input_tokens": 7}},
			"usage": {"input_tokens": 7}}}`)},
	}
}

func (r *Renderer) payload(t *testing.T, template string) ([]byte, error) {
	t.Helper()
	out := r.run(t.Context(), recordedJob(template))
	return out.Body, out.err()
}

// resolutionCase is a line of slack-template-resolution.jsonl.
type resolutionCase struct {
	ID, Dir          string
	Template, Status string
	Blocks           json.RawMessage
	Error            string
}

// What the package looks up, we look up; and where we differ, a decision says
// so: the guide's paths come before the defaults, other templates are included
// from the whole folder, and what Slack would refuse or nobody can render is
// replaced by the built-in message.
func TestSlackTemplatesAsRecorded(t *testing.T) {
	folders := resolutionFolders(t)
	n := 0
	for _, c := range readLines[resolutionCase](t, "agent-gateway/slack-template-resolution.jsonl") {
		folder, known := folders[c.Dir]
		if !known {
			t.Errorf("%s: folder %q is new to us", c.ID, c.Dir)
			continue
		}
		n++
		blocks, used, err := New(Options{TemplatesDir: folder}).Blocks(t.Context(), c.Template, c.vars(t))
		switch {
		case strings.HasSuffix(used, string(c.event())+suffix):
			// The guide's paths. The package has no such lookup: it went on to
			// the defaults or to the built-in message.
			if want, found := documentedPath(folder, c); used != want || !found {
				t.Errorf("%s: used %s, want %s", c.ID, used, want)
			}
		case c.Error == "TemplateNotFound":
			// Included from the whole folder.
			if !sameJSON(t, blocks, []byte(`[[{"which":"a","t":"#c"}]]`)) || err != nil {
				t.Errorf("%s: %s, %v", c.ID, blocks, err)
			}
		case c.Error != "":
			if blocks != nil || err == nil || used == "" {
				t.Errorf("%s: %s, %v, recorded %s", c.ID, blocks, err, c.Error)
			}
		case string(c.Blocks) == `"BUILTIN"`:
			if blocks != nil || used != "" || (err != nil) != c.leaves() {
				t.Errorf("%s: %s %q, %v, recorded the built-in message", c.ID, blocks, used, err)
			}
		case c.Blocks[0] != '[':
			// The package sends blocks that are no list, which Slack refuses.
			if blocks != nil || err == nil || !strings.Contains(err.Error(), "list of blocks") {
				t.Errorf("%s: %s, %v, recorded %s", c.ID, blocks, err, c.Blocks)
			}
		case !sameJSON(t, blocks, c.Blocks) || err != nil:
			t.Errorf("%s: %s, %v, recorded %s", c.ID, blocks, err, c.Blocks)
		}
	}
	fixtures.Ran(t, "slack-template-resolution", n)
}

// leaves reports whether the rule's template names a file outside of an
// existing folder.
func (c resolutionCase) leaves() bool {
	return c.Dir != "no templates_dir" && (path.IsAbs(c.Template) || strings.HasPrefix(path.Clean(c.Template), ".."))
}

func (c resolutionCase) event() events.Type {
	for _, typ := range events.Types(events.Agent) {
		if c.Status == events.RunStatus(typ) {
			return typ
		}
	}
	return events.OnError
}

func (c resolutionCase) vars(t *testing.T) Vars {
	t.Helper()
	e := sample(c.event(), "report-agent")
	e.Agent.Status = c.Status
	return Vars{Event: e, Target: TargetVars{Channel: "slack", Target: "#c", Template: c.Template}}
}

// documentedPath is where the guide finds a template, if a file is there.
func documentedPath(folder string, c resolutionCase) (string, bool) {
	for _, name := range []string{"report-agent/" + string(c.event()) + suffix, string(c.event()) + suffix} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return name, true
		}
	}
	return "", false
}

// resolutionFolders makes the folders of the recording, by their descriptions.
func resolutionFolders(t *testing.T) map[string]string {
	t.Helper()
	src, err := os.ReadFile(fixtures.Path(t, "agent-gateway/slack-template-files.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]string
	if err := json.Unmarshal(src, &files); err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	folders := map[string]string{
		"full":              filepath.Join(base, "full"),
		"without default-*": filepath.Join(base, "without"),
		"empty directory":   filepath.Join(base, "empty"),
		"no templates_dir":  "",
	}
	write(t, filepath.Join(base, "x.json.j2"), `[{"which":"outside"}]`)
	for name, text := range files {
		write(t, filepath.Join(base, "full", name), text)
		if !strings.HasPrefix(name, "default-") {
			write(t, filepath.Join(base, "without", name), text)
		}
	}
	if err := os.Mkdir(filepath.Join(base, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	return folders
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	x, errX := ecmajson.Parse(a, ecmajson.Options{})
	y, errY := ecmajson.Parse(b, ecmajson.Options{})
	return errX == nil && errY == nil && ecmajson.Equal(x, y)
}

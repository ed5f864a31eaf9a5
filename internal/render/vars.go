package render

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pyvalue"
)

// Vars is what a template is about. See the package comment for the variables
// that templates see.
type Vars struct {
	// Event is a minted event: an agent-run event with its Agent, or a governed
	// one with its envelope as Body.
	Event events.Event
	// Target is where the message goes.
	Target TargetVars
}

// TargetVars are the attributes of the variable target, as a rule has them. An
// empty Template, URL or PayloadTemplate is None in the template.
type TargetVars struct {
	// Channel is "slack" or "webhook".
	Channel string
	// Target is Slack's channel or the name of the webhook.
	Target string
	// Template is the rule's Slack template, without ".json.j2".
	Template string
	// URL and PayloadTemplate are those of a webhook written into the rule.
	URL, PayloadTemplate string
}

// The types of the two objects, as messages name them.
const (
	eventType  = "NotificationEvent"
	targetType = "NotificationTarget"
)

// The names of the two objects.
const (
	eventName  = "event"
	targetName = "target"
)

// timeLayout is ISO 8601 in UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// facts are what an event says, in the words of the variables.
type facts struct {
	agent, execution, kind, status, message string
	session, output, result, failure        pyvalue.Value
	duration                                int64
	// envelope is that of a governed event, else nil.
	envelope *pyvalue.Dict
}

// values returns the variables, made anew: a template may change them.
func (v Vars) values() (*pyvalue.Dict, error) {
	f, err := v.facts()
	if err != nil {
		return nil, err
	}
	if v.Target.Channel == slackChannel {
		f.mark()
	}
	vars := pyvalue.NewDict(12)
	vars.SetStr("agent_name", text(f.agent))
	vars.SetStr(eventName, f.event(v.Event.Type))
	vars.SetStr("execution_id", text(f.execution))
	vars.SetStr("session_id", f.session)
	vars.SetStr("output", orEmpty(f.output))
	vars.SetStr("error", orEmpty(f.failure))
	vars.SetStr("timestamp", pyvalue.NewStr(v.Event.EmittedAt.UTC().Format(timeLayout)))
	vars.SetStr(targetName, v.Target.object())
	for _, key := range envelopeKeys() {
		if part, ok := f.part(key); ok {
			vars.SetStr(key, part)
		}
	}
	return vars, nil
}

// envelopeKeys returns the variables that only governed events have.
func envelopeKeys() []string { return []string{"project", "run", "turn", "payload"} }

func (f *facts) part(key string) (pyvalue.Value, bool) {
	if f.envelope == nil {
		return nil, false
	}
	return f.envelope.GetStr(key)
}

// event is the object that prints as and equals the event's name and has the
// attributes of the Python package.
func (f *facts) event(name string) *pyvalue.Object {
	like := pyvalue.NewStr(name)
	return lazy(&pyvalue.Object{Type: eventType, Like: &like}, func() *pyvalue.Dict {
		attrs := pyvalue.NewDict(12)
		attrs.SetStr("type", pyvalue.NewStr(f.kind))
		attrs.SetStr("execution_id", text(f.execution))
		attrs.SetStr("agent_id", text(f.agent))
		attrs.SetStr("status", text(f.status))
		attrs.SetStr("message", text(f.message))
		attrs.SetStr("result", f.result)
		attrs.SetStr("error", f.failure)
		attrs.SetStr("usage", pyvalue.None{})
		attrs.SetStr("started_at", pyvalue.None{})
		attrs.SetStr("completed_at", pyvalue.None{})
		attrs.SetStr("duration_ms", pyvalue.Int(f.duration))
		attrs.SetStr("input", pyvalue.None{})
		return attrs
	})
}

func (t TargetVars) object() *pyvalue.Object {
	return lazy(&pyvalue.Object{Type: targetType}, func() *pyvalue.Dict {
		attrs := pyvalue.NewDict(5)
		attrs.SetStr("channel", text(t.Channel))
		attrs.SetStr(targetName, text(t.Target))
		attrs.SetStr("template", textOrNone(t.Template))
		attrs.SetStr("url", textOrNone(t.URL))
		attrs.SetStr("payload_template", textOrNone(t.PayloadTemplate))
		return attrs
	})
}

// lazy gives an object its attributes when the first is asked for; most
// templates ask for none.
func lazy(o *pyvalue.Object, attributes func() *pyvalue.Dict) *pyvalue.Object {
	o.Get = func(*pyvalue.Meter, string) (pyvalue.Value, bool, error) {
		if o.Attrs == nil {
			o.Attrs = attributes()
		}
		return nil, false, nil // Attrs is asked next.
	}
	return o
}

// agent returns the variable agent_name; "" when there is none.
func (v Vars) agent() string {
	f, err := v.facts()
	if err != nil {
		return ""
	}
	return f.agent
}

func (v Vars) facts() (*facts, error) {
	if v.Event.Agent != nil {
		return agentFacts(v.Event)
	}
	return governedFacts(v.Event)
}

func agentFacts(e events.Event) (*facts, error) {
	a := e.Agent
	f := &facts{
		agent: a.Name, execution: a.ExecutionID, kind: events.Type(e.Type).ExecutionName(),
		status: a.EndStatus(events.Type(e.Type)), message: a.Message, duration: a.DurationMS,
		session: textOrNone(a.SessionID), failure: textOrNone(a.Error),
		output: pyvalue.None{}, result: pyvalue.None{},
	}
	if a.Output.Is(ecmajson.Null) || a.Output == nil {
		return f, nil
	}
	var err error
	if f.output, err = fromJSON(a.Output); err == nil {
		f.result, err = f.agentResult(a)
	}
	return f, err
}

// agentResult is the package's result: what the agent answered, as a value and
// as text. Lists and dicts are made anew for it, as two variables that share
// one would be a surprise.
func (f *facts) agentResult(a *events.AgentRun) (pyvalue.Value, error) {
	output, err := fromJSON(a.Output)
	if err != nil {
		return nil, err
	}
	raw := output
	if !pyvalue.IsString(output) {
		dumped, err := pyvalue.AppendJSON(nil, nil, output, pyvalue.JSONOptions{})
		if err != nil {
			return nil, err
		}
		raw = pyvalue.NewStr(string(dumped))
	}
	result := pyvalue.NewDict(5)
	result.SetStr("output", output)
	result.SetStr("raw_text", raw)
	result.SetStr("stop_reason", text(f.status))
	result.SetStr("usage", pyvalue.None{})
	if a.Error != "" {
		result.SetStr("error", f.failure)
	}
	return result, nil
}

// governedFacts reads the envelope that receivers get.
func governedFacts(e events.Event) (*facts, error) {
	v, err := pyvalue.FromJSON(e.Body, pyvalue.JSONLimits{Bytes: MaxBytes, Depth: MaxDepth + 1})
	if err != nil {
		return nil, fmt.Errorf("the body of the event is no envelope: %w", err)
	}
	envelope, ok := v.(*pyvalue.Dict)
	if !ok {
		return nil, errors.New("the body of the event is no envelope")
	}
	run, turn, payload := dict(envelope, "run"), dict(envelope, "turn"), dict(envelope, "payload")
	f := &facts{
		agent: str(turn, "role_id"), execution: str(run, "run_id"), kind: e.Type, status: str(run, "status"),
		session: pyvalue.None{}, output: pyvalue.None{}, result: pyvalue.None{},
		failure: textOrNone(str(payload, "detail")), envelope: envelope,
	}
	return f, nil
}

// dict returns a member of d that is a dict, else an empty one.
func dict(d *pyvalue.Dict, key string) *pyvalue.Dict {
	v, _ := d.GetStr(key)
	if member, ok := v.(*pyvalue.Dict); ok {
		return member
	}
	return pyvalue.NewDict(0)
}

// str returns a member of d that is a text, else "".
func str(d *pyvalue.Dict, key string) string {
	v, _ := d.GetStr(key)
	if member, ok := v.(pyvalue.Str); ok {
		return member.String()
	}
	return ""
}

// fromJSON makes a Python value of a JSON one, numbers as they are written.
func fromJSON(v *ecmajson.Value) (pyvalue.Value, error) {
	value, err := pyvalue.FromJSON(ecmajson.Append(nil, v), pyvalue.JSONLimits{Bytes: MaxBytes, Depth: MaxDepth})
	if err != nil {
		return nil, fmt.Errorf("the value is none of Python's: %w", err)
	}
	return value, nil
}

// text makes a str. Bytes that are not UTF-8 become U+FFFD; lone surrogates, as
// ecmajson keeps them, stay.
func text(s string) pyvalue.Value {
	if utf8.ValidString(s) {
		return pyvalue.NewStr(s)
	}
	v, err := ecmajson.Parse(ecmajson.AppendString(nil, s), ecmajson.Options{})
	if err != nil {
		return pyvalue.NewStr(ecmajson.DecodeText([]byte(s)))
	}
	return pyvalue.NewStr(v.Str())
}

func textOrNone(s string) pyvalue.Value {
	if s == "" {
		return pyvalue.None{}
	}
	return text(s)
}

func orEmpty(v pyvalue.Value) pyvalue.Value {
	if _, none := v.(pyvalue.None); none {
		return pyvalue.NewStr("")
	}
	return v
}

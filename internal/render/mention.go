package render

import (
	"strings"

	"agentxchain/internal/pyvalue"
)

// disarm writes every "<" and ">" of what an event says as Slack's entities. In
// Slack's text they begin mentions and links (<!channel>, <https://…>): only
// the author of a template may write those, not an agent. Slack shows the
// entities as the characters.
func (f *facts) disarm() {
	for _, text := range []*string{&f.agent, &f.execution, &f.kind, &f.status, &f.message} {
		*text = disarmText(*text)
	}
	for _, value := range []*pyvalue.Value{&f.session, &f.output, &f.result, &f.failure} {
		*value = disarmValue(*value)
	}
	if f.envelope != nil {
		disarmDict(f.envelope)
	}
}

func disarmText(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(s)
}

// disarmValue returns a text anew, and changes lists and dicts, which are the
// render's own.
func disarmValue(v pyvalue.Value) pyvalue.Value {
	switch v := v.(type) {
	case pyvalue.Str:
		return pyvalue.NewStr(disarmText(v.String()))
	case *pyvalue.List:
		for i := range v.Items {
			v.Items[i] = disarmValue(v.Items[i])
		}
	case *pyvalue.Dict:
		disarmDict(v)
	}
	return v
}

// disarmDict leaves the keys alone: templates name them.
func disarmDict(d *pyvalue.Dict) {
	for _, key := range d.Keys() {
		if name, ok := pyvalue.AsStr(key); ok {
			value, _ := d.GetStr(name)
			d.SetStr(name, disarmValue(value))
		}
	}
}

package webhook

import (
	"math"
	"strconv"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pyvalue"
)

// maxMessage is how much of a run's message is sent, in code points.
const maxMessage = 4096

// Body returns what a webhook of gateway.yaml receives of an event unless a
// template makes it: the envelope of a governed event as it was minted, and
// Agent Gateway's default payload of an agent run, byte for byte as that
// program writes it (contract/agent-gateway.md, section 4.3).
func Body(e events.Event) ([]byte, error) {
	if e.Agent == nil {
		return e.Body, nil
	}
	t := events.Type(e.Type)
	return agentBody(t.ExecutionName(), e.Agent.EndStatus(t), e.Agent)
}

// agentBody writes the default payload of a run that ended with an event and a
// status of these names.
func agentBody(event, status string, run *events.AgentRun) ([]byte, error) {
	w := pythonJSON{dst: make([]byte, 0, 512)}
	w.raw(`{"event": `).text(event)
	w.raw(`, "execution_id": `).text(run.ExecutionID)
	w.raw(`, "agent_id": `).text(run.Name)
	w.raw(`, "status": `).text(status)
	w.raw(`, "message": `).text(firstCodePoints(run.Message, maxMessage))
	w.raw(`, "output": `).value(run.Output)
	w.raw(`, "duration_ms": `).raw(strconv.FormatInt(run.DurationMS, 10))
	if run.Error != "" {
		w.raw(`, "error": `).text(run.Error)
	}
	w.raw(`}`)
	return w.dst, w.err
}

// pythonJSON writes JSON as Python's json.dumps does. It keeps its first error.
type pythonJSON struct {
	dst []byte
	err error
}

// raw writes what is JSON already.
func (w *pythonJSON) raw(s string) *pythonJSON {
	w.dst = append(w.dst, s...)
	return w
}

func (w *pythonJSON) text(s string) { w.python(pyvalue.NewStr(s)) }

func (w *pythonJSON) python(v pyvalue.Value) {
	if w.err == nil {
		w.dst, w.err = pyvalue.AppendJSON(nil, w.dst, v, pyvalue.JSONOptions{})
	}
}

// value writes a parsed value; a nil one is null.
func (w *pythonJSON) value(v *ecmajson.Value) {
	switch v.Kind() {
	case ecmajson.String:
		w.text(v.Str())
	case ecmajson.Number:
		w.number(v)
	case ecmajson.Array:
		w.raw("[")
		for i, item := range v.Items() {
			w.comma(i).value(item)
		}
		w.raw("]")
	case ecmajson.Object:
		w.raw("{")
		for i, m := range v.Members() {
			w.comma(i).text(m.Key)
			w.raw(": ").value(m.Value)
		}
		w.raw("}")
	default:
		w.dst = ecmajson.Append(w.dst, v)
	}
}

// comma writes what stands before element i.
func (w *pythonJSON) comma(i int) *pythonJSON {
	if i > 0 {
		w.raw(", ")
	}
	return w
}

// number writes a number as Python reads and prints it. One that it cannot hold
// would come out as Infinity, which no receiver can parse, or not at all; it
// stays as it was written.
func (w *pythonJSON) number(v *ecmajson.Value) {
	n, err := pyvalue.FromJSON([]byte(v.Literal()), pyvalue.JSONLimits{})
	if err != nil || math.IsInf(v.Num(), 0) {
		w.raw(v.Literal())
		return
	}
	w.python(n)
}

// firstCodePoints cuts s to n code points.
func firstCodePoints(s string, n int) string {
	if len(s) <= n {
		return s
	}
	runes := pyvalue.Runes(s)
	return pyvalue.FromRunes(runes[:min(n, len(runes))])
}

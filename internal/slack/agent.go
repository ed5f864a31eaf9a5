package slack

import (
	"strconv"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pyvalue"
)

// How much of an agent run is shown, in characters (contract/agent-gateway.md,
// section 3.3).
const (
	maxAgentMessage = 300
	maxAgentError   = 1000
	maxAgentObject  = 2000
	// maxID bounds names and ids, which the contract does not.
	maxID = 256
)

// agentText is the line beside the blocks (contract/agent-gateway.md, section 3.2).
func agentText(e events.Event) string {
	a := e.Agent
	return "Agent '" + line(a.Name, maxID) + "' execution " + line(a.EndStatus(events.Type(e.Type)), maxID) + ": " + line(a.ExecutionID, maxID)
}

// agentBlocks are the blocks that Agent Gateway builds (contract/agent-gateway.md,
// section 3.3), less what would show "None", with nothing in them that Slack
// would obey or refuse.
func agentBlocks(e events.Event) []*ecmajson.Value {
	blocks := []*ecmajson.Value{header(agentTitle(e)), divider()}
	if fields := agentFields(e.Agent); len(fields) > 0 {
		blocks = append(blocks, fieldSection(fields))
	}
	if m := e.Agent.Message; m != "" {
		m, more := firstRunes(m, maxAgentMessage)
		if more {
			m += "..."
		}
		const label = "*Input*\n>"
		blocks = append(blocks, section(mrkdwn(label+plain(m, maxText-len(label)))))
	}
	if label, text := agentOutcome(e); label != "" {
		blocks = append(blocks, section(mrkdwn(label+fence(text, maxText-len(label)))))
	}
	footer := "agent-gateway | " + e.EmittedAt.UTC().Format(timeLayout)
	return append(blocks, contextBlock(mrkdwn(footer)))
}

// timeLayout is how people read a time, in UTC.
const timeLayout = "2006-01-02 15:04:05 UTC"

func agentTitle(e events.Event) string {
	const middle = "  Agent Execution "
	emoji := ":bell:"
	word := line(e.Agent.EndStatus(events.Type(e.Type)), maxHeader-len(emoji)-len(middle))
	switch events.Type(e.Type) {
	case events.OnComplete:
		emoji, word = ":white_check_mark:", "Completed"
	case events.OnError:
		emoji, word = ":x:", "Failed"
	case events.OnTimeout:
		emoji, word = ":warning:", "Timed Out"
	}
	return emoji + middle + word
}

func agentFields(a *events.AgentRun) []*ecmajson.Value {
	var fields []*ecmajson.Value
	add := func(label, text string) {
		if text != "" {
			fields = append(fields, mrkdwn("*"+label+"*\n"+text))
		}
	}
	add("Agent", span(a.Name, maxID))
	add("Execution ID", span(a.ExecutionID, maxID))
	add("Duration", duration(a.DurationMS))
	return fields
}

// duration writes milliseconds as seconds, from 60 on as minutes, with one
// decimal; "" for 0, which means that it is not known. It is the binary value
// that is rounded, so 150 ms are 0.1 s.
func duration(ms int64) string {
	seconds := float64(ms) / 1000
	switch {
	case ms == 0:
		return ""
	case seconds < 60:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + "s"
	}
	return strconv.FormatFloat(seconds/60, 'f', 1, 64) + "m"
}

// agentOutcome returns what the run came to: the output of one that completed,
// else its error, else nothing.
func agentOutcome(e events.Event) (label, text string) {
	a := e.Agent
	if events.Type(e.Type) == events.OnComplete && a.Output != nil && !a.Output.Is(ecmajson.Null) {
		return "*Result*\n", outputText(a.Output)
	}
	if a.Error != "" {
		text, _ = firstRunes(a.Error, maxAgentError)
		return "*Error*\n", text
	}
	return "", ""
}

// outputText writes an output as Python does: a text as it is, an object as
// JSON, anything else as str() prints it.
func outputText(v *ecmajson.Value) string {
	if v.Is(ecmajson.String) {
		return v.Str()
	}
	text, err := pythonText(v)
	if err != nil {
		text = string(ecmajson.Append(nil, v)) // too deep for Python
	}
	if !v.Is(ecmajson.Object) {
		return text
	}
	text, more := firstRunes(text, maxAgentObject)
	if more {
		text += truncated
	}
	return text
}

func pythonText(v *ecmajson.Value) (string, error) {
	value, err := pyvalue.FromJSON(ecmajson.Append(nil, v), pyvalue.JSONLimits{})
	if err != nil {
		return "", err
	}
	if !v.Is(ecmajson.Object) {
		return pyvalue.Text(nil, value)
	}
	text, err := pyvalue.AppendJSON(nil, nil, value, pyvalue.JSONOptions{Indent: 2})
	return string(text), err
}

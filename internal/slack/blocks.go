package slack

import "agentxchain/internal/ecmajson"

// A block of the Block Kit reference. All texts are finished: escaped and cut.

func header(text string) *ecmajson.Value {
	return block("header").Set("text", textObject("plain_text", text).Set("emoji", ecmajson.NewBool(true)))
}

func divider() *ecmajson.Value { return block("divider") }

func section(text *ecmajson.Value) *ecmajson.Value { return block("section").Set("text", text) }

func fieldSection(fields []*ecmajson.Value) *ecmajson.Value {
	return block("section").Set("fields", ecmajson.NewArray(fields...))
}

func contextBlock(elements ...*ecmajson.Value) *ecmajson.Value {
	return block("context").Set("elements", ecmajson.NewArray(elements...))
}

func block(kind string) *ecmajson.Value {
	return ecmajson.NewObject().Set("type", ecmajson.NewString(kind))
}

func mrkdwn(text string) *ecmajson.Value { return textObject("mrkdwn", text) }

// verbatim is mrkdwn in which Slack looks for no links and names by itself.
func verbatim(text string) *ecmajson.Value {
	return mrkdwn(text).Set("verbatim", ecmajson.NewBool(true))
}

func textObject(kind, text string) *ecmajson.Value {
	return block(kind).Set("text", ecmajson.NewString(text))
}

// compose returns the body of chat.postMessage.
func compose(p Post, text string, blocks *ecmajson.Value) []byte {
	body := ecmajson.NewObject().
		Set("channel", ecmajson.NewString(valid(p.Channel))).
		Set("text", ecmajson.NewString(text)).
		Set("blocks", blocks)
	if validTS(p.Thread) {
		body.Set("thread_ts", ecmajson.NewString(p.Thread))
	}
	return ecmajson.Append(nil, body)
}

// Package slack makes one attempt to post an event to Slack as one message.
//
// # The message
//
// [Body] writes the built-in message and [BodyFromTemplate] one whose blocks a
// template made; both are pure, and what they write never changes afterwards,
// so that every retry sends the same bytes. A body is the JSON object of the
// method chat.postMessage:
//
//	{"channel":"#alerts","text":"…","blocks":[…],"thread_ts":"1760000000.000100"}
//
// The channel goes out as it is configured, with or without "#". The text is
// what a phone shows in its notification. "thread_ts" is there only for a
// message that continues a thread, see [Threads].
//
// Whatever an event says is shown and never obeyed: "&", "<" and ">" are
// escaped, so nothing becomes a link or a mention; a bare @here, @channel or
// @everyone is broken by an invisible character; backticks cannot end the
// fence around a text. Every text is cut to the length that Slack takes.
//
// # The answer
//
// Slack answers 200 to nearly everything, and says in the body whether the
// message was posted: {"ok":true,"ts":"…"} or {"ok":false,"error":"word"}. Only
// the former delivers. The [Result]'s message for the latter is the word alone.
// The words, the limits and the shapes are those of Slack's documentation, its
// pages "chat.postMessage", "Rate limits", "Formatting message text" and the
// Block Kit reference.
//
// [Result]: delivery.Result
package slack

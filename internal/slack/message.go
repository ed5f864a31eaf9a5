package slack

import (
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// Post is where a message goes.
type Post struct {
	// Channel is a channel's name, with or without "#", or its id; it is
	// passed on as written.
	Channel string
	// Thread is the "ts" of the message whose thread the new one continues;
	// empty means that it stands for itself. See [Threads.For].
	Thread string
}

// Body returns the body that posts the built-in message of an event: for an
// agent run the message of Agent Gateway, block for block; for a governed
// event what is blocked, why, since when or when it was reported, who owns it
// and which command goes on. Whatever the event holds, Slack accepts the message and nobody is
// mentioned by it.
func Body(e events.Event, p Post) []byte {
	if e.Agent != nil {
		return compose(p, agentText(e), ecmajson.NewArray(agentBlocks(e)...))
	}
	n := noticeOf(e)
	return compose(p, n.text(), ecmajson.NewArray(n.blocks()...))
}

// Text returns the message without its blocks, one line that notifications and
// screen readers show.
func Text(e events.Event) string {
	if e.Agent != nil {
		return agentText(e)
	}
	n := noticeOf(e)
	return n.text()
}

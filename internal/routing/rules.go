package routing

import (
	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/secret"
)

// Rule is one entry of an agent's notifications, the frontmatter of its
// AGENT.md, as it is written there: nothing in it has been compared with the
// channels that exist.
type Rule struct {
	// Channel is "slack" or "webhook"; anything else fails its own delivery.
	Channel delivery.Channel
	// Target is a Slack channel, with or without "#", or the name of a
	// webhook; empty means the channel's default.
	Target string
	// Template names a file of the Slack templates, without ".json.j2".
	Template string
	// URL is an address of the rule's own, instead of a named webhook's.
	URL secret.Text
	// PayloadTemplate makes the body of a webhook; empty means the webhook's own.
	PayloadTemplate string
	// PayloadTemplateLine is the line of the file on which PayloadTemplate
	// begins, from 1, for messages.
	PayloadTemplateLine int
	// Index is the rule's place in the list of its event, from 0, as the file
	// counts.
	Index int
	// Problem says why the rule can't be followed, in the words of its file;
	// empty when it can be. The other fields then mean nothing.
	Problem string
}

// Agent holds the rules of one agent.
type Agent struct {
	// Name is the agent's directory; Title is the name in its frontmatter,
	// empty when it has none.
	Name, Title string
	// File is the AGENT.md, slash-separated, relative to the project's root,
	// or to the folder of gateway.yaml where there is no project.
	File string
	// Rules are the rules of each event, in the order of the file.
	Rules map[events.Type][]Rule
	// Problem says why the rules are not known, such as broken YAML; empty when
	// they are. Every event of the agent then fails on the record: it must not
	// go where its rules do not say.
	Problem string
}

// Gateway is what routing knows of a gateway.yaml.
type Gateway struct {
	// File is its name in targets, "gateway.yaml".
	File string
	// Slack says that Slack is enabled.
	Slack bool
	// SlackProblem says why nothing can be sent to Slack although it is, or may
	// be, enabled; empty when something can.
	SlackProblem string
	// DefaultChannel is where Slack messages go that name no channel.
	DefaultChannel string
	// Webhooks are the named webhooks with the events they take, in the order
	// of the file. No Events means the three agent-run events.
	Webhooks []Subscription
	// Agents are those with a file, sorted by Name.
	Agents []Agent
}

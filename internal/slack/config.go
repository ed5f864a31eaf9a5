package slack

import "agentxchain/internal/secret"

// DefaultChannel is where messages go when the configuration names no channel
// (contract, section 1.1).
const DefaultChannel = "#agent-alerts"

// Config is the section notifications.slack of gateway.yaml, checked.
type Config struct {
	// Enabled says that messages may be sent.
	Enabled bool
	// BotToken authenticates every request; it begins with "xoxb-".
	BotToken secret.Text
	// DefaultChannel is where messages go that name no channel.
	DefaultChannel string
	// TemplatesDir is the absolute path of the folder with the message
	// templates; empty means that there are none.
	TemplatesDir string
	// Threads puts the messages of one run into one thread.
	Threads bool
	// Missing names the environment variables that the section needs and that
	// are not set. While there are any, every message fails.
	Missing []string
}

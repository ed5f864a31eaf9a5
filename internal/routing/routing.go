// Package routing decides which targets an event goes to. It sends nothing
// and knows no addresses: a target is a reference.
package routing

import (
	"slices"

	"agentxchain/internal/delivery"
)

// Subscription is a target with the events it asked for.
type Subscription struct {
	// Target is where the events go.
	Target delivery.Target
	// Events are the event types wanted, in the contract's spelling.
	Events []string
}

// Match returns the targets that take an event of this type, in the order of
// the subscriptions, each once.
func Match(eventType string, subscriptions []Subscription) []delivery.Target {
	var targets []delivery.Target
	for _, s := range subscriptions {
		if slices.Contains(s.Events, eventType) && !slices.Contains(targets, s.Target) {
			targets = append(targets, s.Target)
		}
	}
	return targets
}

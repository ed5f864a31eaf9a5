package routing_test

import (
	"testing"

	"agentxchain/internal/delivery"
	"agentxchain/internal/routing"

	"github.com/google/go-cmp/cmp"
)

func TestMatchKeepsOrderAndTakesEachTargetOnce(t *testing.T) {
	target := func(name string) delivery.Target {
		return delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: name}
	}
	subscriptions := []routing.Subscription{
		{Target: target("b"), Events: []string{"run_blocked", "run_blocked", "run_completed"}},
		{Target: target("a"), Events: []string{"run_completed"}},
		{Target: target("c"), Events: []string{"run_blocked"}},
		{Target: target("b"), Events: []string{"run_blocked"}},
	}
	for event, want := range map[string][]delivery.Target{
		"run_blocked":      {target("b"), target("c")},
		"run_completed":    {target("b"), target("a")},
		"phase_transition": nil,
	} {
		if d := cmp.Diff(want, routing.Match(event, subscriptions)); d != "" {
			t.Errorf("%s: %s", event, d)
		}
	}
}

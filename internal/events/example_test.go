package events_test

import (
	"fmt"
	"strings"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// A state says which gate waits; the event says it to the world.
func Example() {
	state, err := ecmajson.Parse([]byte(`{
		"run_id": "run_1", "status": "paused", "phase": "planning", "active_turns": {},
		"pending_phase_transition": {"from": "planning", "to": "build", "gate": "signoff", "requested_by_turn": null}
	}`), ecmajson.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	facts, _, err := events.FromState(state, events.Query{Type: events.PhaseTransitionPending})
	if err != nil {
		fmt.Println(err)
		return
	}
	event, warnings, err := events.Mint(events.Input{
		Type:    events.PhaseTransitionPending,
		Now:     time.Date(2026, 4, 4, 2, 0, 0, 0, time.UTC),
		Entropy: strings.NewReader("0123456789"),
		Project: events.Project{ID: "shop", Name: "Shop", Root: "/srv/shop"},
		Facts:   facts,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.ReplaceAll(string(event.Body), `,"`, ",\n\""))
	fmt.Println(warnings)
	// Output:
	// {"schema_version":"0.1",
	// "event_id":"notif_01KNB3FW8060RK4CSM6MV3EE1S",
	// "event_type":"phase_transition_pending",
	// "emitted_at":"2026-04-04T02:00:00.000Z",
	// "project":{"id":"shop",
	// "name":"Shop",
	// "root":"/srv/shop"},
	// "run":{"run_id":"run_1",
	// "status":"paused",
	// "phase":"planning"},
	// "turn":null,
	// "payload":{"from":"planning",
	// "to":"build",
	// "gate":"signoff",
	// "requested_by_turn":null}}
	// [{payload.requested_by_turn not known from the project's state; it is null}]
}

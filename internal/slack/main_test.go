package slack

import (
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sent is a body as Slack reads it.
type sent struct {
	Channel  string          `json:"channel"`
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks"`
	ThreadTS string          `json:"thread_ts"`
}

func read(t testing.TB, body []byte) sent {
	t.Helper()
	var s sent
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("%v: %.200q", err, body)
	}
	return s
}

func noon() time.Time { return time.Date(2026, 4, 4, 12, 0, 0, 0, time.UTC) }

// parse reads JSON that the test wrote.
func parse(t testing.TB, src string) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
	if err != nil {
		t.Fatalf("%v in %s", err, src)
	}
	return v
}

// governed mints an event with a payload.
func governed(kind events.Type, payload *ecmajson.Value) events.Event {
	attempt := int64(2)
	env := events.Envelope{
		ID: "notif_01KNBYYSBV60RK4CSM6MV3EE1S", Type: kind, EmittedAt: noon(),
		Project: events.Project{ID: "billing-worker", Name: "Billing Worker", Root: "/srv/demo/billing-worker"},
		Run:     events.Run{ID: "run_46b4485adac9d14a", Status: "blocked", Phase: "planning"},
		Turn:    &events.Turn{ID: "turn_85aa11df33294725", Role: "pm", Attempt: &attempt},
		Payload: payload,
	}
	return event(env)
}

func event(env events.Envelope) events.Event {
	return events.Event{ID: env.ID, Type: string(env.Type), EmittedAt: env.EmittedAt, RunID: env.Run.ID, Body: env.Append(nil)}
}

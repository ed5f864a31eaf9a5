package webhook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
)

// payload is one recorded default payload.
type payload struct {
	ID    string
	Event struct {
		Type        string
		ExecutionID string `json:"execution_id"`
		AgentID     string `json:"agent_id"`
		Status      string
		Message     string
		Result      json.RawMessage
		Error       string
		DurationMS  int64 `json:"duration_ms"`
	}
	Body      string
	Signature struct{ Secret, Timestamp, Hex string }
}

// Every recorded payload is ours, byte for byte, and so is its signature.
func TestDefaultPayloads(t *testing.T) {
	f, err := os.Open(fixtures.Path(t, "agent-gateway/webhook-default-payloads.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 8<<20); lines.Scan(); n++ {
		line := lines.Bytes()
		if !json.Valid(line) {
			// Only Python reads NaN and Infinity; to us no such output can come.
			if _, err := ecmajson.Parse(line, ecmajson.Options{}); err == nil {
				t.Errorf("line %d is read by one parser only", n+1)
			}
			continue
		}
		checkPayload(t, line)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	fixtures.Ran(t, "webhook-default-payloads", n)
}

func checkPayload(t *testing.T, line []byte) {
	t.Helper()
	var v payload
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatal(err)
	}
	run := &events.AgentRun{
		Name: v.Event.AgentID, ExecutionID: v.Event.ExecutionID, Message: v.Event.Message,
		Error: v.Event.Error, DurationMS: v.Event.DurationMS,
	}
	if len(v.Event.Result) > 0 {
		result, err := ecmajson.Parse(v.Event.Result, ecmajson.Options{})
		if err != nil {
			t.Fatal(err)
		}
		run.Output = result.Get("output")
	}
	got, err := agentBody(v.Event.Type, v.Event.Status, run)
	if err != nil || string(got) != v.Body {
		t.Errorf("%s: %v\n got %s\nwant %s", v.ID, err, got, v.Body)
	}
	if digest := Sign([]byte(v.Signature.Secret), v.Signature.Timestamp, got); digest != v.Signature.Hex {
		t.Errorf("%s: signature %s, want %s", v.ID, digest, v.Signature.Hex)
	}
}

// What the recordings do not have. The wanted texts are Python's own.
func TestAgentBody(t *testing.T) {
	for output, want := range map[string]string{
		`1.0`: `1.0`, `1E5`: `100000.0`, `-0`: `0`, `-0.0`: `-0.0`, `1e16`: `1e+16`, `0.0000001`: `1e-07`, `1e22`: `1e+22`,
		`12345678901234567890123`: `12345678901234567890123`, `1e999`: `1e999`, `-1e999`: `-1e999`,
		`[]`: `[]`, `{}`: `{}`, `[1,{"b":null,"a":[true,false]}]`: `[1, {"b": null, "a": [true, false]}]`,
		`{"1":1,"0":2,"1":3}`: `{"1": 3, "0": 2}`, `"\ud800"`: `"\ud800"`, `"\ud83d\ude00"`: `"\ud83d\ude00"`, `"\u00e9/\u007f<&>"`: `"\u00e9/\u007f<&>"`,
		strings.Repeat("9", 5000): strings.Repeat("9", 5000),
	} {
		v, err := ecmajson.Parse([]byte(output), ecmajson.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Body(events.Event{Type: string(events.OnError), Agent: &events.AgentRun{Name: "a", ExecutionID: "e", Output: v, Error: "x", DurationMS: 7}})
		full := `{"event": "execution.failed", "execution_id": "e", "agent_id": "a", "status": "failed", "message": "", "output": ` + want + `, "duration_ms": 7, "error": "x"}`
		if err != nil || string(got) != full {
			t.Errorf("%s: %v\n got %s\nwant %s", output, err, got, full)
		}
	}
	body := []byte(`{"schema_version":"0.1"}`)
	if got, err := Body(events.Event{Type: string(events.RunBlocked), Body: body}); err != nil || !bytes.Equal(got, body) {
		t.Errorf("a governed event became %s: %v", got, err)
	}
}

// Whatever a run says, its payload is JSON with the same values.
func TestAgentBodyIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.String().Draw(t, "message")
		output, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.Float64()).Draw(t, "output"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := ecmajson.Parse(output, ecmajson.Options{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := agentBody("execution.completed", "completed", &events.AgentRun{Message: message, Output: v})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ecmajson.Parse(body, ecmajson.Options{UniqueKeys: true})
		if err != nil || got.Get("message").Str() != message {
			t.Fatalf("%v: %s", err, body)
		}
		for _, m := range v.Members() {
			if got.Get("output").Get(m.Key).Num() != m.Value.Num() {
				t.Errorf("%q changed in %s", m.Key, body)
			}
		}
		for _, c := range body {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is not ASCII", body)
			}
		}
	})
}

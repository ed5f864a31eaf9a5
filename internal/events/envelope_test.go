package events_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

const goodEnvelope = `{"schema_version":"0.1","event_id":"notif_0123456789abcdef","event_type":"run_blocked",` +
	`"emitted_at":"2026-04-04T02:00:00.000Z","project":{"id":"p","name":"P","root":"/p"},` +
	`"run":{"run_id":"run_1","status":"blocked","phase":"implementation"},` +
	`"turn":{"turn_id":"turn_1","role_id":"dev","attempt":2,"assigned_sequence":7},"payload":{"category":"x"}}`

func TestParseIsStrict(t *testing.T) {
	const millis = "emitted_at must be a UTC time with milliseconds, such as 2026-04-04T02:00:00.000Z"
	// at is the text on which the message points.
	tests := []struct{ name, old, new, at, want string }{
		{"no object", goodEnvelope, "[]", "[", "the envelope must be an object, not an array"},
		{"nothing", goodEnvelope, "", "", "unexpected end of input"},
		{"two", `"x"}}`, `"x"}} {}`, `{}`, "unexpected '{' after the end of the document"},
		{"other version", `"0.1"`, `"0.2"`, `"0.2"`, `schema_version must be "0.1"`},
		{"missing key", `"run_id":"run_1",`, ``, `{"status"`, `run lacks the key "run_id"`},
		{"unknown key", `"phase"`, `"x":1,"phase"`, `1,"phase"`, `run has the unknown key "x"`},
		{"duplicate key", `"phase"`, `"status":"x","phase"`, `"status":"x"`, `duplicate key "status"`},
		{"not UTF-8", `"P"`, "\"\xff\"", "\xff", "byte 0xff is not UTF-8"},
		{"agent-run event", `run_blocked`, `on_complete`, `"on_complete"`, "event_type must be a governed event"},
		{"identity", `notif_01`, `evt_01`, `"evt_01`, `event_id must be "notif_" followed by letters and digits`},
		{"no milliseconds", `00.000Z`, `00Z`, `"2026`, millis},
		{"comma", `00.000Z`, `00,000Z`, `"2026`, millis},
		{"no such day", `04-04T`, `04-31T`, `"2026`, millis},
		{"empty text", `"/p"`, `""`, `""`, "root must be a string that is not empty"},
		{"number for text", `"dev"`, `5`, `5,"attempt"`, "role_id must be a string that is not empty"},
		{"fraction", `"attempt":2`, `"attempt":2.0`, `2.0`, "attempt must be an integer or null"},
		{"huge number", `"attempt":2`, `"attempt":1e30`, `1e30`, "attempt must be an integer or null"},
		{"turn a list", `{"turn_id":"turn_1","role_id":"dev","attempt":2,"assigned_sequence":7}`, `[]`, `[]`, "turn must be an object, not an array"},
		{"payload a list", `{"category":"x"}`, `[]`, `[]`, "payload must be an object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := strings.Replace(goodEnvelope, test.old, test.new, 1)
			_, err := events.Parse([]byte(src))
			var input *events.InputError
			if !errors.As(err, &input) || input.Message != test.want {
				t.Fatalf("error %v, want %s", err, test.want)
			}
			if column := strings.Index(src, test.at) + 1; input.Line != 1 || input.Column != column {
				t.Errorf("error %v, want it at column %d", err, column)
			}
		})
	}
	_, err := events.Parse(bytes.Repeat([]byte(" "), events.MaxBytes+1))
	var size *events.SizeError
	if !errors.As(err, &size) {
		t.Errorf("error %v", err)
	}
}

func TestParseAcceptsAnyOrderAndNulls(t *testing.T) {
	src := `{"payload":{}, "turn":{"assigned_sequence":null,"attempt":null,"role_id":null,"turn_id":null},
		"run":{"phase":null,"status":null,"run_id":null}, "project":{"root":null,"name":"N","id":"i"},
		"emitted_at":"2026-04-04T02:00:00.999Z", "event_type":"run_completed", "event_id":"notif_x", "schema_version":"0.1"}`
	e, err := events.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema_version":"0.1","event_id":"notif_x","event_type":"run_completed","emitted_at":"2026-04-04T02:00:00.999Z",` +
		`"project":{"id":"i","name":"N","root":null},"run":{"run_id":null,"status":null,"phase":null},` +
		`"turn":{"turn_id":null,"role_id":null,"attempt":null,"assigned_sequence":null},"payload":{}}`
	if got := string(e.Append(nil)); got != want {
		t.Errorf("written again\n%s\nwant\n%s", got, want)
	}
}

// FuzzParse checks that writing undoes reading: what was accepted is written
// so that it is accepted again, as the same envelope and the same bytes.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodEnvelope))
	f.Add([]byte(strings.Replace(goodEnvelope, `"x"`, `["\ud800","\u0000é",-0,1e400,{"":[]}]`, 1)))
	f.Add([]byte(strings.Replace(goodEnvelope, `"2026-`, `"0000-`, 1)))
	f.Fuzz(func(t *testing.T, src []byte) {
		e, err := events.Parse(src)
		if err != nil {
			return
		}
		written := e.Append(nil)
		again, err := events.Parse(written)
		if err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		if !bytes.Equal(again.Append(nil), written) {
			t.Fatalf("%s became %s", written, again.Append(nil))
		}
		if !ecmajson.Equal(e.Payload, again.Payload) {
			t.Fatalf("payload of %s changed in %s", src, written)
		}
		e.Payload, again.Payload = nil, nil
		if !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}

// FuzzPayload checks that a payload that was accepted always makes an envelope
// that is accepted.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"a":1.0,"b":["é"]}`), "a=2", "run")
	f.Add([]byte(`{}`), `k={"x":[1,{}]}`, "\xff\"")
	f.Fuzz(func(t *testing.T, src []byte, assignment, runID string) {
		p, err := events.ParsePayload("payload", src)
		if err != nil {
			return
		}
		if err := events.SetPayload(p, assignment); err != nil {
			return
		}
		in := events.Input{Type: events.RunBlocked, Now: noon}
		in.Payload, in.Run.ID = p, runID
		e, _, err := events.Mint(in)
		if err != nil {
			t.Fatalf("%v from %s", err, src)
		}
		parsed, err := events.Parse(e.Body)
		if err != nil {
			t.Fatalf("%v in %s", err, e.Body)
		}
		if !ecmajson.Equal(parsed.Payload, p) || !bytes.Equal(parsed.Append(nil), e.Body) {
			t.Fatalf("%s became %s", ecmajson.Append(nil, p), e.Body)
		}
	})
}

package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

const wholeEvent = `{"event":"execution.failed","agent":"report-agent","execution_id":"abc-123","session_id":"s-1",
	"status":"cancelled","message":"Write\nthe report \ud83d\ude00","output":{"z":1,"a":[1.50,null]},"error":"gone","duration_ms":5120}`

func TestEmit(t *testing.T) {
	w := start(t, nil)
	got := w.do(http.MethodPost, "/v1/events", wholeEvent, header("Content-Type", `Application/JSON; charset="UTF-8"`))
	const want = `{"event_id":"notif_00000000000000000000000001","event_type":"on_error","emitted_at":"2026-04-04T12:00:00.120Z",` +
		`"deliveries":[{"id":"01A","channel":"slack","target":"#alerts","status":"pending"},{"id":"01B","channel":"webhook","target":"ops","status":"pending"}]}` + "\n"
	if got.status != http.StatusAccepted || got.body != want || got.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	e := w.log.last
	output := string(ecmajson.Append(nil, e.Run.Output))
	e.Run.Output = nil
	run := events.AgentRun{
		Name: "report-agent", ExecutionID: "abc-123", SessionID: "s-1", Status: "cancelled",
		Message: "Write\nthe report \U0001F600", Error: "gone", DurationMS: 5120,
	}
	if e.Event != events.OnError || !cmp.Equal(e.Run, run) || output != `{"z":1,"a":[1.50,null]}` || e.Key != [32]byte{} || e.Request == [32]byte{} {
		t.Errorf("%+v with output %s", e, output)
	}
	if talk := w.talk.String(); !strings.Contains(talk, `"msg":"an event was accepted"`) ||
		!strings.Contains(talk, `"client":"all","event_id":"notif_00000000000000000000000001","deliveries":2,"replayed":false`) {
		t.Errorf("not logged: %s", talk)
	}
	// What is null is as good as absent.
	w.do(http.MethodPost, "/v1/events", `{"event":"on_timeout","agent":null,"output":null,"duration_ms":null}`)
	if e := w.log.last; e.Event != events.OnTimeout || !cmp.Equal(e.Run, events.AgentRun{}) {
		t.Errorf("%+v", e)
	}
}

func TestEmitRefuses(t *testing.T) {
	w := start(t, nil)
	for _, tt := range []struct {
		body   string
		status int
		code   code
		want   string // parts of the answer, separated by " … "
	}{
		{`{`, 400, malformedBody, "line 1, column 2"},
		{``, 415, unsupportedType, ""},
		{` `, 400, malformedBody, "end of input"},
		{`{"event":"on_error"} {}`, 400, malformedBody, "after the end"},
		{`{"event":"on_error","event":"on_error"}`, 400, malformedBody, "line 1"},
		{"{\"event\":\"on_error\",\n\"message\":\"\xff\"}", 400, malformedBody, "line 2"},
		{`{"event":"on_error","output":` + strings.Repeat("[", 513) + strings.Repeat("]", 513) + `}`, 400, malformedBody, ""},
		{`[]`, 422, invalidEvent, "an array, not an object"},
		{`{}`, 422, invalidEvent, `"pointer":"/event" … on_complete`},
		{`{"event":1}`, 422, invalidEvent, `"pointer":"/event"`},
		{`{"event":"on_errors"}`, 422, invalidEvent, `did you mean \"on_error\"?`},
		{`{"event":"run_failed"}`, 422, invalidEvent, "must be one of on_complete, execution.completed"},
		{`{"event":"run_blocked"}`, 422, governedEvent, "agentxchain notify emit"},
		{`{"event":"on_error","agnet":"x"}`, 422, invalidEvent, `"pointer":"/agnet" … did you mean \"agent\"?`},
		{`{"event":"on_error","a/b~c":"x"}`, 422, invalidEvent, `"pointer":"/a~1b~0c"`},
		{`{"event":"on_error","agent":7}`, 422, invalidEvent, "is a number, not a string"},
		{`{"event":"on_error","agent":"a\u0000b"}`, 422, invalidEvent, "control character"},
		{`{"event":"on_error","agent":"\ud800"}`, 422, invalidEvent, "surrogate"},
		{`{"event":"on_error","agent":"` + strings.Repeat("x", 256) + `"}`, 422, invalidEvent, "longer than 255 bytes"},
		{`{"event":"on_error","status":"` + strings.Repeat("x", 65) + `"}`, 422, invalidEvent, "longer than 64 bytes"},
		{`{"event":"on_error","message":{}}`, 422, invalidEvent, "is an object, not a string"},
		{`{"event":"on_error","duration_ms":-1}`, 422, invalidEvent, "0 or more"},
		{`{"event":"on_error","duration_ms":1.5}`, 422, invalidEvent, "whole milliseconds"},
		{`{"event":"on_error","duration_ms":1e400}`, 422, invalidEvent, "whole milliseconds"},
		{`{"event":"on_error","duration_ms":"5"}`, 422, invalidEvent, "whole milliseconds"},
		{`{"event":"nope","agent":1,"extra":2,"duration_ms":-1}`, 422, invalidEvent, "/event … /agent … /duration_ms"},
		{`{"event":"on_error","output":[` + strings.Repeat("0,", maxValues) + `0]}`, 413, bodyTooLarge, "200000 values"},
	} {
		got := w.do(http.MethodPost, "/v1/events", tt.body)
		got.problem(t, tt.status, tt.code)
		rest := got.body
		for part := range strings.SplitSeq(tt.want, " … ") {
			_, after, ok := strings.Cut(rest, part)
			if !ok {
				t.Errorf("%.80s: %s, want %q", tt.body, got.body, part)
			}
			rest = after
		}
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/json;;;", "application/jsonp"} {
		w.do(http.MethodPost, "/v1/events", `{"event":"on_error"}`, header("Content-Type", kind)).problem(t, 415, unsupportedType)
	}
	w.do(http.MethodPost, "/v1/events", `{"event":"on_error"}`, header("Content-Encoding", "gzip")).problem(t, 415, unsupportedType)
	if w.log.minted != 0 {
		t.Errorf("%d events were accepted", w.log.minted)
	}
}

// TestEmitTheLargest accepts what the limits allow.
func TestEmitTheLargest(t *testing.T) {
	w := start(t, nil)
	head, tail := `{"event":"on_complete","output":"`, `"}`
	body := head + strings.Repeat("x", maxBody-len(head)-len(tail)) + tail
	if got := w.do(http.MethodPost, "/v1/events", body); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := w.do(http.MethodPost, "/v1/events", body[:len(body)-2]+"xx\"}"); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", got.status, got.body)
	}
	// Commas in a text are no values, and an escaped quote does not end it.
	table := `{"event":"on_complete","output":"\"` + strings.Repeat(",[:", maxValues) + `"}`
	if got := w.do(http.MethodPost, "/v1/events", table); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}
	deep := `{"event":"on_complete","output":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `}`
	if got := w.do(http.MethodPost, "/v1/events", deep); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := start(t, nil)
	const event = `{"event":"on_error","output":{"a":1}}`
	first := w.do(http.MethodPost, "/v1/events", event, header("Idempotency-Key", "k-1"))
	for _, again := range []struct{ key, body string }{
		{"k-1", event},
		{`"k-1"`, event}, // as the draft writes it
		{"k-1", "{ \"output\":{\"a\" : 1},\n\"event\":\"execution.failed\", \"agent\":null}"},
	} {
		got := w.do(http.MethodPost, "/v1/events", again.body, header("Idempotency-Key", again.key))
		if got.status != first.status || got.body != first.body || got.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%+v: %d %s %v", again, got.status, got.body, got.header)
		}
	}
	if w.log.minted != 1 {
		t.Errorf("%d events", w.log.minted)
	}
	for _, other := range []string{`{"event":"on_error","output":{"a":2}}`, `{"event":"on_error","output":{"a":1},"agent":"x"}`, `{"event":"on_timeout","output":{"a":1}}`} {
		w.do(http.MethodPost, "/v1/events", other, header("Idempotency-Key", "k-1")).problem(t, http.StatusUnprocessableEntity, keyReused)
	}
	// Another caller's key of the same name is another key.
	if got := w.do(http.MethodPost, "/v1/events", event, header("Idempotency-Key", "k-1"), bearerKey(writeKey)); got.header.Get("Idempotency-Replayed") != "" || w.log.minted != 2 {
		t.Errorf("%v, %d minted", got.header, w.log.minted)
	}
	for _, bad := range [][]string{{""}, {`""`}, {"a b"}, {`"a"b"`}, {`a\b`}, {strings.Repeat("k", 256)}, {"a", "a"}, {"ä"}, {`"`}} {
		w.do(http.MethodPost, "/v1/events", event, header("Idempotency-Key", bad...)).problem(t, http.StatusBadRequest, invalidKey)
	}
	if got := w.do(http.MethodPost, "/v1/events", event, header("Idempotency-Key", strings.Repeat("k", 255))); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, tt := range []struct {
		err    error
		status int
		code   code
	}{
		{fmt.Errorf("accept: %w", delivery.ErrBusy), http.StatusConflict, keyInProgress},
		{fmt.Errorf("accept: %w", &InvalidError{Pointer: "/output", Detail: "makes a record of more than 8 MiB"}), 422, invalidEvent},
		{&InvalidError{Detail: "is too large"}, 422, invalidEvent},
	} {
		w.log.refusal = tt.err
		w.do(http.MethodPost, "/v1/events", event, header("Idempotency-Key", "k-2")).problem(t, tt.status, tt.code)
	}
}

func FuzzEvent(f *testing.F) {
	for _, s := range []string{wholeEvent, `{"event":"on_error"}`, `{"event":"on_error","output":[[[]]]}`, `[]`, `{"event":"run_blocked"}`, `{"event":"on_error","duration_ms":1e3}`, "\"", `{"a":{},"event":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := readEmission(body)
		if err != nil {
			p, ok := err.(*problem) //nolint:errorlint // the very type is what is promised
			if !ok || p.Status < 400 || p.Status > 499 || p.Detail == "" || len(p.Errors) > maxMistakes {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		if e.Event.Family() != events.Agent || e.Run.DurationMS < 0 || !plain(e.Run.Name) || len(e.Run.Name) > maxName {
			t.Errorf("%q gives %+v", body, e)
		}
		// What was read says the same when it is written and read again.
		again := ecmajson.NewObject().Set("event", ecmajson.NewString(string(e.Event))).
			Set("agent", ecmajson.NewString(e.Run.Name)).Set("execution_id", ecmajson.NewString(e.Run.ExecutionID)).
			Set("session_id", ecmajson.NewString(e.Run.SessionID)).Set("status", ecmajson.NewString(e.Run.Status)).
			Set("message", ecmajson.NewString(e.Run.Message)).Set("output", e.Run.Output).
			Set("error", ecmajson.NewString(e.Run.Error)).Set("duration_ms", ecmajson.NewInt(e.Run.DurationMS))
		second, err := readEmission(ecmajson.Append(nil, again))
		if err != nil || second.Request != e.Request {
			t.Errorf("%q: %v", body, err)
		}
	})
}

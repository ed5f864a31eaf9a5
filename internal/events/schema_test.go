package events_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
	"agentxchain/schemas"
)

// schemaCache compiles each schema once.
var schemaCache sync.Map

func schema(t *testing.T, name string) *schemas.Schema {
	t.Helper()
	if s, ok := schemaCache.Load(name); ok {
		return s.(*schemas.Schema)
	}
	s, err := schemas.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	schemaCache.Store(name, s)
	return s
}

// schemaKeys lists the properties of a schema in the order in which it has them.
func schemaKeys(t *testing.T, name string) []string {
	t.Helper()
	src, err := schemas.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ecmajson.Parse(src, ecmajson.Options{UniqueKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	return v.Get("properties").OwnKeys()
}

// validate returns what a schema has against a value, nil when nothing.
func validate(t *testing.T, name string, v *ecmajson.Value) error {
	t.Helper()
	issues, err := schema(t, name).Validate(v)
	if err == nil && len(issues) > 0 {
		err = fmt.Errorf("%v", issues)
	}
	return err
}

func validateBytes(t *testing.T, name string, src []byte) error {
	t.Helper()
	v, err := ecmajson.Parse(src, ecmajson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return validate(t, name, v)
}

func TestCapturedEnvelopesMatchTheirSchemas(t *testing.T) {
	n := 0
	for _, c := range captures(t) {
		n++
		if err := validateBytes(t, "envelope", c.body); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		if !complete(c) {
			continue
		}
		name := "event-" + string(c.Type)
		if err := validate(t, name, c.Payload); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		checkOrder(t, c.file, c.Payload, schemaKeys(t, name))
	}
	fixtures.Ran(t, "captured envelopes against their schemas", n)
}

func TestAuditLinesMatchTheirSchema(t *testing.T) {
	n := 0
	for _, p := range projectFiles(t, "notification-audit.jsonl") {
		for _, line := range lines(t, p) {
			n++
			if err := validate(t, "audit-line", line); err != nil {
				t.Errorf("%s: %v", p, err)
			}
			checkOrder(t, p, line, schemaKeys(t, "audit-line"))
		}
	}
	fixtures.Ran(t, "audit lines against their schema", n)
	ours := `{"event_id":"notif_01","event_type":"run_blocked","notification_name":"ops","transport":"slack",` +
		`"delivered":false,"status_code":null,"timed_out":false,"duration_ms":0,"message":"m",` +
		`"emitted_at":"2026-03-04T05:06:07.089Z","attempted_at":"2026-03-04T05:06:08.589Z","run_id":null,"attempt":1,` +
		`"reason":"template","phase":null,"body_sha256":null,"target_id":"agentxchain.json#slack/ops","fallback_body":true}`
	if err := validateBytes(t, "audit-line", []byte(ours)); err != nil {
		t.Error(err)
	}
	if validateBytes(t, "audit-line", []byte(strings.Replace(ours, `"template"`, `"bad luck"`, 1))) == nil {
		t.Error("a reason outside the closed list passed")
	}
}

// The published schemas and the checks of Mint must say the same.
func TestChecksSayWhatTheSchemasSay(t *testing.T) {
	for _, typ := range events.Types(events.Governed) {
		t.Run(string(typ), func(t *testing.T) {
			name := "event-" + string(typ)
			keys := schemaKeys(t, name)
			rapid.Check(t, func(rt *rapid.T) {
				payload := somePayload(rt, keys)
				_, warnings, err := events.Mint(events.Input{Type: typ, Now: noon, Facts: events.Facts{Payload: payload}})
				if err != nil {
					rt.Fatal(err)
				}
				fault := validate(t, name, payload)
				if (fault == nil) != (len(warnings) == 0) {
					rt.Fatalf("payload %s: schema says %v, check says %v", ecmajson.Append(nil, payload), fault, warnings)
				}
			})
		})
	}
}

// Every key that the schema knows is known to the check, and required by both
// or by neither.
func TestChecksKnowEveryKey(t *testing.T) {
	for _, typ := range events.Types(events.Governed) {
		name := "event-" + string(typ)
		keys := schemaKeys(t, name)
		for _, key := range keys {
			without := nulls(keys)
			wrong := nulls(keys).Set(key, ecmajson.NewBool(true))
			without = omit(without, key)
			for _, payload := range []*ecmajson.Value{without, wrong} {
				warned := warnsAbout(t, typ, payload, "payload."+key)
				if refused := validate(t, name, payload) != nil; warned != refused {
					t.Errorf("%s: %s: warned %v, schema refuses %v", typ, ecmajson.Append(nil, payload), warned, refused)
				}
			}
		}
	}
}

func nulls(keys []string) *ecmajson.Value {
	o := ecmajson.NewObject()
	for _, key := range keys {
		o.Set(key, ecmajson.NewNull())
	}
	return o
}

func omit(v *ecmajson.Value, key string) *ecmajson.Value {
	o := ecmajson.NewObject()
	for _, m := range v.Members() {
		if m.Key != key {
			o.Set(m.Key, m.Value)
		}
	}
	return o
}

func warnsAbout(t *testing.T, typ events.Type, payload *ecmajson.Value, field string) bool {
	t.Helper()
	_, warnings, err := events.Mint(events.Input{Type: typ, Now: noon, Facts: events.Facts{Payload: payload}})
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(warnings, func(w events.Warning) bool { return w.Field == field })
}

// somePayload draws a payload that is nearly right: now and then a key is
// missing or has another type, and now and then there is one more.
func somePayload(t *rapid.T, keys []string) *ecmajson.Value {
	o := ecmajson.NewObject()
	for _, key := range keys {
		if rapid.IntRange(0, 15).Draw(t, key+" missing") == 0 {
			continue
		}
		o.Set(key, someValue(t, key))
	}
	if rapid.Bool().Draw(t, "one more") {
		o.Set("more", someValue(t, "more"))
	}
	return o
}

func someValue(t *rapid.T, key string) *ecmajson.Value {
	usual := ecmajson.NewString(rapid.String().Draw(t, key))
	switch {
	case strings.HasSuffix(key, "seconds") || key == "reminder_index" || key == "total_thresholds":
		usual = ecmajson.NewInt(int64(rapid.Int32().Draw(t, key)))
	case key == "human_escalation":
		usual = somePayload(t, []string{"escalation_id", "type", "service", "action", "resolution_command"})
	case key == "previous_escalation":
		usual = somePayload(t, []string{"source", "reason"})
	}
	switch rapid.IntRange(0, 30).Draw(t, key+" kind") {
	case 0:
		return ecmajson.NewBool(true)
	case 1:
		return ecmajson.NewNumber(rapid.SampledFrom([]float64{0, 1, 1.5, -2, 1e21}).Draw(t, key+" number"))
	case 2:
		return ecmajson.NewArray()
	case 3:
		return ecmajson.NewObject()
	case 4:
		return ecmajson.NewString("s")
	case 5, 6:
		return ecmajson.NewNull()
	}
	return usual
}

// What Parse accepts, the schema accepts.
func TestEnvelopeSchemaAgreesWithParse(t *testing.T) {
	good := `{"schema_version":"0.1","event_id":"notif_0","event_type":"run_completed","emitted_at":"2026-01-01T00:00:00.000Z",` +
		`"project":{"id":"p","name":"P","root":null},"run":{"run_id":null,"status":null,"phase":null},"turn":null,"payload":{}}`
	n := 0
	for _, edit := range envelopeEdits() {
		src := []byte(strings.Replace(good, edit[0], edit[1], 1))
		_, err := events.Parse(src)
		if fault := validateBytes(t, "envelope", src); (err == nil) != (fault == nil) {
			t.Errorf("%s: Parse says %v, the schema %v", src, err, fault)
		}
		n++
	}
	if err := validateBytes(t, "envelope", []byte(good)); err != nil || n == 0 {
		t.Errorf("after %d edits: %v", n, err)
	}
}

func envelopeEdits() [][2]string {
	edits := [][2]string{
		{`"0.1"`, `"0.2"`},
		{`notif_0`, `notif_`},
		{`notif_0`, `evt_0`},
		{`run_completed`, `on_complete`},
		{`.000Z`, `Z`},
		{`"id":"p"`, `"id":""`},
		{`"id":"p"`, `"id":null`},
		{`"root":null`, `"root":"/p"`},
		{`"root":null`, `"root":""`},
		{`"root":null`, `"root":null,"x":1`},
		{`"run_id":null`, `"run_id":1`},
		{`"payload":{}`, `"payload":[]`},
		{`"payload":{}`, `"payload":{},"more":1`},
		{`"turn":null,`, ``},
		{`"turn":null`, `"turn":{}`},
		{`"turn":null`, `"turn":[]`},
	}
	for _, attempt := range []string{"1", "null", "1.5", `"1"`} {
		turn := fmt.Sprintf(`"turn":{"turn_id":"t","role_id":null,"attempt":%s,"assigned_sequence":2}`, attempt)
		edits = append(edits, [2]string{`"turn":null`, turn})
	}
	return edits
}

func TestAgentRunMatchesItsSchema(t *testing.T) {
	for _, typ := range events.Types(events.Agent) {
		for _, run := range []events.AgentRun{{}, {
			Name: "report-agent", ExecutionID: "e", SessionID: "s", Message: "m", Error: "x",
			Output: ecmajson.NewArray(ecmajson.NewInt(1)), DurationMS: 12,
		}} {
			e := mint(t, events.Input{Type: typ, Now: noon, Agent: &run})
			if err := validateBytes(t, "event-agent_run", e.Body); err != nil {
				t.Errorf("%s: %v", e.Body, err)
			}
		}
	}
}

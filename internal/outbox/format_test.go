package outbox

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/delivery"
)

var noon = time.Date(2026, 11, 21, 12, 30, 0, 123_000_000, time.UTC)

// example is an event with one delivery per body; a nil body is the envelope.
func example(id string, bodies ...[]byte) delivery.Intent {
	in := delivery.Intent{AuditOffset: 42}
	for i, body := range bodies {
		d := delivery.Delivery{
			ID: id + "." + string(rune('1'+i)), ContentType: "application/json", Body: body,
			Target: delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: "ops"},
			Status: delivery.Sending, Attempts: 1, NextAt: noon, ExpiresAt: noon.Add(time.Hour),
		}
		d.Event.ID, d.Event.Type, d.Event.RunID, d.Event.EmittedAt = id, "run_blocked", "run_1", noon
		d.Event.Body = []byte(`{"payload":"ü\u2028<"}`)
		if body == nil {
			d.Body = d.Event.Body
		}
		in.Deliveries = append(in.Deliveries, d)
	}
	return in
}

// The first line is a contract with later versions: this is how it looks.
func TestFormat(t *testing.T) {
	b, err := encode(intent{expiresAt: noon.Add(time.Minute), Intent: example("notif_1", nil, []byte(`{"other":1}`))})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format":1,"event_id":"notif_1","event_type":"run_blocked","emitted_at":"2026-11-21T12:30:00.123Z","run_id":"run_1",` +
		`"expires_at":"2026-11-21T12:31:00.123Z","audit_offset":42,"envelope_bytes":23,"deliveries":[` +
		`{"id":"notif_1.1","file":"agentxchain.json","channel":"webhook","name":"ops","content_type":"application/json",` +
		`"attempt":1,"state":"sending","next_at":"2026-11-21T12:30:00.123Z","retry_until":"2026-11-21T13:30:00.123Z"},` +
		`{"id":"notif_1.2","file":"agentxchain.json","channel":"webhook","name":"ops","content_type":"application/json",` +
		`"attempt":1,"state":"sending","next_at":"2026-11-21T12:30:00.123Z","retry_until":"2026-11-21T13:30:00.123Z","body_bytes":11}]}` + "\n" +
		`{"payload":"ü\u2028<"}` + `{"other":1}`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Errorf("entry (-want +got):\n%s", d)
	}
}

// Each mistake is reported as what it is.
func TestDecodeMistakes(t *testing.T) {
	b, err := encode(intent{Intent: example("notif_1", nil, []byte("other"))})
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for _, c := range []struct{ name, entry, want string }{
		{"empty", "", "no complete first line"},
		{"torn first line", good[:50], "no complete first line"},
		{"not JSON", "x\n", "invalid character"},
		{"not an object", "[]\n", "cannot unmarshal"},
		{"null", "null\n", "no format version"},
		{"no version", "{}\n", "no format version"},
		{"version 0", `{"format":0}` + "\n", "no format version"},
		{"newer", `{"format":2,"anything":true}` + "\n", "format version 2 is newer"},
		{"unknown key", strings.Replace(good, `"run_id"`, `"url"`, 1), "unknown field"},
		{"no event id", strings.Replace(good, `"event_id":"notif_1"`, `"event_id":""`, 1), "no event id"},
		{"no deliveries", `{"format":1,"event_id":"notif_1"}` + "\n", "no deliveries"},
		{"two with one id", strings.Replace(good, "notif_1.2", "notif_1.1", 1), "repeated delivery id"},
		{"no delivery id", strings.Replace(good, `"id":"notif_1.1"`, `"id":""`, 1), "missing or repeated"},
		{"final state", strings.Replace(good, "sending", "delivered", 1), `unexpected state "delivered"`},
		{"sending in no attempt", strings.Replace(good, `"attempt":1`, `"attempt":0`, 1), "attempt 0 in state"},
		{"negative attempt", strings.Replace(strings.Replace(good, `"attempt":1`, `"attempt":-1`, 1), "sending", "failed", 1), "attempt -1 in state"},
		{"negative offset", strings.Replace(good, `"audit_offset":42`, `"audit_offset":-1`, 1), "negative audit offset"},
		{"negative size", strings.Replace(good, `"envelope_bytes":23`, `"envelope_bytes":-1`, 1), "bad envelope size"},
		{"huge size", strings.Replace(good, `"body_bytes":5`, `"body_bytes":9000000000`, 1), "bad body size"},
		{"body too short", good[:len(good)-1], "shorter than its first line says"},
		{"trailing bytes", good + "\n", "longer than its first line says"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := decode(strings.NewReader(c.entry)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want …%s…", err, c.want)
			}
		})
	}
}

func TestEncodeTooLarge(t *testing.T) {
	in := example("notif_1", nil)
	in.Deliveries[0].LastMessage = strings.Repeat("x", maxHeader)
	if _, err := encode(intent{Intent: in}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error is %v", err)
	}
}

// What decodes encodes to something that decodes to the same.
func FuzzDecode(f *testing.F) {
	for _, bodies := range [][][]byte{{nil}, {nil, []byte("x")}, {[]byte{}}, {[]byte("\n\xff{}"), nil, nil}} {
		b, err := encode(intent{expiresAt: noon, Intent: example("notif_1", bodies...)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	odd := example("notif_\xff", nil)
	odd.Deliveries[0].Target.Name, odd.Deliveries[0].Status = "caf\xe9", delivery.Failed
	b, err := encode(intent{Intent: odd})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, entry []byte) {
		in, err := decode(bytes.NewReader(entry))
		h, headErr := readHeader(bytes.NewReader(entry))
		if err != nil {
			return
		}
		if headErr != nil {
			t.Fatalf("an entry that decodes has no first line: %v", headErr)
		}
		if len(h.Deliveries) != len(in.Deliveries) {
			t.Fatal("list and claim see different deliveries")
		}
		b, err := encode(in)
		if err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
		again, err := decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if d := cmp.Diff(in, again, cmp.AllowUnexported(intent{})); d != "" {
			t.Fatalf("changed by a round trip:\n%s", d)
		}
	})
}

func TestNames(t *testing.T) {
	seen := make(map[string]string)
	for _, id := range []string{"notif_01JD", "a", "a.", ".a", "a~1", "a~1-x", "a/b", "a%2Fb", `a\b`, "a\x00", "a b", "..", "a.intent", "é", "a:b", strings.Repeat("~", maxID)} {
		name, ok := fileName(id)
		if !ok {
			t.Errorf("%q has no file name", id)
		}
		if strings.ContainsAny(name, `/\:~ `+"\x00") || strings.HasPrefix(name, hiddenPrefix) || len(name) > 220 {
			t.Errorf("%q gives %q", id, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q have one name", id, other)
		}
		seen[name] = id
		base, lease := splitName(leased(name, noon))
		if base != name || !lease.Equal(noon) {
			t.Errorf("lease of %q: %q until %v", name, base, lease)
		}
		if base, lease := splitName(name); base != name || !lease.IsZero() {
			t.Errorf("no lease of %q: %q until %v", name, base, lease)
		}
	}
	for _, id := range []string{"", strings.Repeat("a", maxID+1)} {
		if name, ok := fileName(id); ok {
			t.Errorf("%q gives %q", id, name)
		}
	}
}

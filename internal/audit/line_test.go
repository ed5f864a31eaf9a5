package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
)

// keys are those of every line, in order; fallback_body may follow.
var keys = []string{
	"event_id", "event_type", "notification_name", "transport", "delivered", "status_code",
	"timed_out", "duration_ms", "message", "emitted_at",
	"attempted_at", "run_id", "attempt", "reason", "phase", "body_sha256", "target_id",
}

func ExampleLine() {
	fmt.Printf("%s", Line(attempt("notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P", 1)))
	// Output:
	// {"event_id":"notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P","event_type":"run_blocked","notification_name":"ops","transport":"webhook","delivered":false,"status_code":503,"timed_out":false,"duration_ms":12,"message":"Webhook returned HTTP 503","emitted_at":"2026-03-04T05:06:07.089Z","attempted_at":"2026-03-04T05:06:08.589Z","run_id":"run_0123456789abcdef","attempt":1,"reason":"server_error","phase":"read","body_sha256":"6453227e8baa5cef6a69516631a9d85cf5c5b3bfe81b67d5cadd4758f58ba8fa","target_id":"agentxchain.json#webhook/ops"}
}

// The document and the package comment show the line of ExampleLine.
func TestExampleIsDocumented(t *testing.T) {
	line := strings.TrimSpace(string(Line(attempt("notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P", 1))))
	if doc := read(t, fixtures.Root(t)+"/docs/audit-format.md"); !strings.Contains(doc, line) {
		t.Errorf("docs/audit-format.md does not show\n%s", line)
	}
	comment := strings.NewReplacer("//\t", "", "\n", "").Replace(read(t, "doc.go"))
	if !strings.Contains(comment, line) {
		t.Errorf("the package comment does not show\n%s", line)
	}
}

func TestLineShapes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*delivery.Attempt)
		want   map[string]any
	}{
		"delivered": {
			func(a *delivery.Attempt) {
				a.Result = delivery.Result{Delivered: true, StatusCode: 204, Reason: delivery.ReasonDelivered, Phase: delivery.PhaseRead, Message: "Delivered"}
			},
			map[string]any{"delivered": true, "status_code": 204.0, "message": "Delivered", "duration_ms": 0.0, "reason": "delivered"},
		},
		"no answer": {
			func(a *delivery.Attempt) {
				a.Result = delivery.Result{TimedOut: true, Reason: delivery.ReasonTimeout, Phase: delivery.PhaseWait, Duration: 5 * time.Second}
			},
			map[string]any{"delivered": false, "status_code": nil, "timed_out": true, "duration_ms": 5000.0, "phase": "wait"},
		},
		"nothing sent": {
			func(a *delivery.Attempt) {
				a.Delivery.Body = nil
				a.Result = delivery.Result{Reason: delivery.ReasonTemplate}
			},
			map[string]any{"phase": nil, "body_sha256": nil, "reason": "template"},
		},
		"body not made": {
			func(a *delivery.Attempt) { a.Delivery.Unmade = true },
			map[string]any{"body_sha256": nil},
		},
		"no run": {
			func(a *delivery.Attempt) { a.Delivery.Event.RunID = "" },
			map[string]any{"run_id": nil},
		},
		"built-in body": {
			func(a *delivery.Attempt) { a.Delivery.FallbackBody = true },
			map[string]any{"fallback_body": true},
		},
		"slack, another zone, microseconds": {
			func(a *delivery.Attempt) {
				a.Delivery.Target = delivery.Target{File: "gateway.yaml", Channel: delivery.Slack, Name: "#alerts"}
				a.At = time.Date(2026, 1, 1, 0, 30, 0, 999_999_999, time.FixedZone("", 3600))
			},
			map[string]any{"transport": "slack", "target_id": "gateway.yaml#slack/#alerts", "attempted_at": "2025-12-31T23:30:00.999Z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := attempt("notif_x", 3)
			c.change(&a)
			var got map[string]any
			if err := json.Unmarshal(Line(a), &got); err != nil {
				t.Fatal(err)
			}
			for key, want := range c.want {
				if diff := cmp.Diff(want, got[key]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			if _, has := got["fallback_body"]; has != a.Delivery.FallbackBody {
				t.Errorf("fallback_body present: %v", has)
			}
		})
	}
}

// Strings are escaped as the contract's program escapes them, so that its
// re-serialised data equals our bytes.
func TestLineEscapesLikeJSONStringify(t *testing.T) {
	a := attempt("notif_x", 1)
	a.Result.Message = "<a href=\"x\">&\u2028\u007f\b\n\x01\\\xff é"
	want := `"message":"<a href=\"x\">&` + "\u2028\u007f" + `\b\n\u0001\\` + "\uFFFD é" + `",`
	if line := string(Line(a)); !strings.Contains(line, want) {
		t.Errorf("%s lacks %s", line, want)
	}
}

func TestLineProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := attempt(rapid.String().Draw(t, "id"), rapid.IntRange(1, 1<<40).Draw(t, "number"))
		a.Result.Message = string(rapid.SliceOf(rapid.Byte()).Draw(t, "message"))
		a.Delivery.Event.RunID = rapid.String().Draw(t, "run")
		a.Delivery.FallbackBody = rapid.Bool().Draw(t, "fallback")

		line := Line(a)
		body, rest, found := strings.Cut(string(line), "\n")
		if !found || rest != "" || !utf8.Valid(line) {
			t.Fatalf("not one line of UTF-8: %q", line)
		}
		v, err := ecmajson.Parse([]byte(body), ecmajson.Options{UniqueKeys: true, ValidUTF8: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range v.Members() {
			got = append(got, m.Key)
		}
		want := keys
		if a.Delivery.FallbackBody {
			want = append(want[:len(want):len(want)], "fallback_body")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("keys (-want +got):\n%s", diff)
		}
		e, ok := RawLine{Bytes: []byte(body)}.Entry()
		if !ok || e.EventID != a.Delivery.Event.ID || e.RunID != a.Delivery.Event.RunID || e.Attempt != a.Number ||
			e.Message != ecmajson.DecodeText([]byte(a.Result.Message)) {
			t.Fatalf("read back %+v", e)
		}
		if again := ecmajson.Append(nil, v); string(again) != body {
			t.Fatalf("not as JSON.stringify writes it:\n%s\n%s", body, again)
		}
	})
}

// Lines of ours begin with the keys of the lines that the Node CLI wrote.
func TestLineBeginsLikeTheContract(t *testing.T) {
	n := 0
	for _, path := range recordedAudits(t) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for r := NewReader(f, 0); ; n++ {
			line, err := r.Next()
			if err != nil {
				break
			}
			v, err := ecmajson.Parse(line.Bytes, ecmajson.Options{})
			if err != nil {
				t.Fatalf("%s at byte %d: %v", path, line.Offset, err)
			}
			for i, m := range v.Members() {
				if i < 10 && m.Key != keys[i] {
					t.Errorf("%s at byte %d: key %d is %q, ours %q", path, line.Offset, i, m.Key, keys[i])
				}
			}
		}
	}
	fixtures.Ran(t, "audit lines of the contract", n)
}

func TestLineAllocations(t *testing.T) {
	a := attempt("notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P", 1)
	if n := testing.AllocsPerRun(100, func() { Line(a) }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}

package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// archive keeps what is imported, and can be full.
type archive struct {
	at      map[string]int64
	batches [][]delivery.Record
	full    bool
}

var errFull = errors.New("full")

func (a *archive) ImportedTo(_ context.Context, source string) (int64, error) {
	return a.at[source], nil
}

func (a *archive) Import(_ context.Context, source string, offset int64, records []delivery.Record) error {
	if a.full {
		return errFull
	}
	if a.at == nil {
		a.at = map[string]int64{}
	}
	a.at[source] = offset
	a.batches = append(a.batches, records)
	return nil
}

const (
	nodeLine = `{"event_id":"notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P","event_type":"run_completed","notification_name":"node","transport":"webhook","delivered":true,"status_code":200,"timed_out":false,"duration_ms":7,"message":"Delivered","emitted_at":"2026-03-04T05:06:07.089Z"}`
	ourLine  = `{"event_id":"notif_2","event_type":"run_blocked","notification_name":"ops","transport":"webhook","delivered":false,"status_code":503,"timed_out":false,"duration_ms":12,"message":"Webhook returned HTTP 503","emitted_at":"2026-03-04T05:06:07.089Z","attempted_at":"2026-03-04T05:06:08.589Z","run_id":"run_1","attempt":%d,"reason":"server_error","phase":"read","body_sha256":"64","target_id":"agentxchain.json#webhook/ops"}`
)

func TestImport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a := &archive{}
	step := func(want int) {
		t.Helper()
		if n, err := Import(t.Context(), path, "here", a); err != nil || n != want {
			t.Fatalf("imported %d (%v), want %d", n, err, want)
		}
	}
	step(0) // there is no file yet
	write(t, path, nodeLine+"\n"+fmt.Sprintf(ourLine, 1)+"\n\nnot JSON\n{\"event_id\":\"\"}\n"+fmt.Sprintf(ourLine, 2)[:40])
	step(5)
	step(0) // the torn line is none
	write(t, path, nodeLine+"\n"+fmt.Sprintf(ourLine, 1)+"\n\nnot JSON\n{\"event_id\":\"\"}\n"+fmt.Sprintf(ourLine, 2)+"\n")
	step(1)

	at := time.Date(2026, 3, 4, 5, 6, 8, 589e6, time.UTC)
	event := events.Event{ID: "notif_2", Type: "run_blocked", EmittedAt: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC), RunID: "run_1"}
	to := delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: "ops"}
	want := delivery.Record{
		CreatedAt: event.EmittedAt, StatusCode: 503, Imported: true,
		Delivery: delivery.Delivery{
			ID: delivery.NewID(event, to), Event: event, Target: to, ExecutionID: "run_1", Label: "ops",
			Status: delivery.Failed, Attempts: 2, LastReason: delivery.ReasonServerError, LastMessage: "Webhook returned HTTP 503",
			Tries: []delivery.Try{{Number: 2, At: at, Result: delivery.Result{
				StatusCode: 503, Duration: 12 * time.Millisecond, Reason: delivery.ReasonServerError, Phase: delivery.PhaseRead, Message: "Webhook returned HTTP 503",
			}}},
		},
	}
	if d := cmp.Diff([]delivery.Record{want}, a.batches[1]); d != "" {
		t.Errorf("second batch (-want +got):\n%s", d)
	}
	node := a.batches[0][0]
	if node.Status != delivery.Delivered || node.Target.Name != "node" || node.Target.File != "agentxchain.json" || !node.DeliveredAt.Equal(event.EmittedAt) || !node.Tries[0].At.Equal(event.EmittedAt) || node.Tries[0].Number != 0 {
		t.Errorf("the Node CLI's line: %+v", node)
	}

	write(t, path, nodeLine+"\n")
	if _, err := Import(t.Context(), path, "here", a); err == nil || !strings.Contains(err.Error(), "shortened") {
		t.Errorf("a shortened file: %v", err)
	}
	write(t, path, "another file")
	step(0)
	write(t, path, "another file\n"+fmt.Sprintf(ourLine, 3)+"\n")
	step(2)
	write(t, path, fmt.Sprintf(ourLine, 4)+strings.Repeat(" ", beginningSize)+"\n")
	step(1)
	step(0)
}

// TestImportGathers puts the lines of one delivery into one record, and a
// later failure never takes back a delivery.
func TestImportGathers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	delivered := strings.NewReplacer(`"delivered":false`, `"delivered":true`, `"status_code":503`, `"status_code":200`).Replace(fmt.Sprintf(ourLine, 2))
	write(t, path, fmt.Sprintf(ourLine, 1)+"\n"+delivered+"\n"+fmt.Sprintf(ourLine, 3)+"\n")
	a := &archive{}
	if _, err := Import(t.Context(), path, "here", a); err != nil {
		t.Fatal(err)
	}
	r := a.batches[0]
	if len(r) != 1 || len(r[0].Tries) != 3 || r[0].Attempts != 3 || r[0].Status != delivery.Delivered || r[0].StatusCode != http.StatusOK {
		t.Errorf("%+v", r)
	}
}

func TestImportStopsWhereItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, path, strings.Repeat(nodeLine+"\n", 2*importLines+1))
	a := &archive{full: true}
	if n, err := Import(t.Context(), path, "here", a); !errors.Is(err, errFull) || n != 0 {
		t.Errorf("imported %d (%v)", n, err)
	}
	a.full = false
	if n, err := Import(t.Context(), path, "here", a); err != nil || n != 2*importLines+1 || len(a.batches) != 3 {
		t.Errorf("imported %d in %d batches (%v)", n, len(a.batches), err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package store

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// A line of foreign evidence with names that no index holds must not keep the
// lines beside it out.
func TestImportLongNames(t *testing.T) {
	noise := make([]byte, 8_000)
	_, _ = rand.Read(noise) // never fails
	long := hex.EncodeToString(noise)
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			var warned int
			s := openStore(t, e.fresh(t), Options{Warn: func(error) { warned++ }})
			var records []delivery.Record
			spoil := []func(*delivery.Record){
				func(*delivery.Record) {},
				func(r *delivery.Record) { r.Agent = long },
				func(r *delivery.Record) { r.ExecutionID = strings.Repeat("\x00é", 4_000) },
				func(r *delivery.Record) { r.Label, r.Agent, r.Event.Type = long, long, long },
				func(r *delivery.Record) { r.Event.RunID = long },
				func(r *delivery.Record) { r.Event.ID = long },
				func(r *delivery.Record) { r.Target.Name = long },
			}
			const good = 5
			for i, f := range spoil {
				r := delivery.Record{Delivery: benchIntent(int64(i), time.Now()).Deliveries[0], CreatedAt: time.Now()}
				r.Status = delivery.Failed
				f(&r)
				records = append(records, r)
			}
			if err := s.Import(t.Context(), "audit", 4711, records); err != nil {
				t.Fatal(err)
			}
			n, err := s.Total(t.Context(), delivery.Filter{})
			if err != nil || n != good || warned != len(spoil)-good {
				t.Errorf("%d records, %v, %d warnings", n, err, warned)
			}
			if at, err := s.ImportedTo(t.Context(), "audit"); err != nil || at != 4711 {
				t.Errorf("imported up to %d, %v", at, err)
			}
		})
	}
}

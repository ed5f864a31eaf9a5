package outbox

import (
	"fmt"
	"testing"

	"agentxchain/internal/delivery"
)

// BenchmarkEvent is what one delivered event costs the outbox.
func BenchmarkEvent(b *testing.B) {
	o := openTest(b.TempDir())
	defer o.Close()
	b.ReportAllocs()
	for i := range b.N {
		in := example(fmt.Sprintf("notif_%d", i), nil, nil, nil)
		if err := o.Add(b.Context(), in); err != nil {
			b.Fatal(err)
		}
		for j := range in.Deliveries {
			in.Deliveries[j].Status = delivery.Delivered
		}
		if err := o.Finish(b.Context(), in.Deliveries...); err != nil {
			b.Fatal(err)
		}
	}
}

package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// BenchmarkSend is one attempt on a connection of its own, the receiver
// included.
func BenchmarkSend(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	hook := at(srv.Listener.Addr().String())
	hook.Name, hook.Timeout = "ops", 5*time.Second
	s := NewSender(Options{Webhooks: []Config{hook}, Transport: newTransport()})
	d := delivery.Delivery{Target: delivery.Target{Name: "ops"}, Body: make([]byte, 500)}
	b.ReportAllocs()
	for b.Loop() {
		if res := s.Send(b.Context(), d); !res.Delivered {
			b.Fatal(res)
		}
	}
}

package dashboard

import (
	"time"

	"agentxchain/internal/delivery"
)

// spoil puts a script into every text of a record.
func spoil(r *delivery.Record) {
	const evil = `"><script>window.pwned=1</script><img src=x onerror=window.pwned=1>'` + "`${window.pwned=1}`"
	r.Event.ID, r.Event.Type, r.Event.RunID = evil, evil, evil
	r.Agent, r.ExecutionID, r.Label, r.Target.File, r.ContentType = evil, evil, evil, evil, evil
	r.Target.Channel = delivery.Channel(evil)
	r.Body = []byte(`{"output":"` + `</pre><script>window.pwned=1</script>` + `"}`)
	r.LastReason, r.LastMessage = delivery.Reason(evil), evil
	r.Tries = []delivery.Try{{Number: 1, At: testNow(), Result: delivery.Result{
		Reason: delivery.Reason(evil), Message: evil, Address: evil, Phase: delivery.Phase(evil), Duration: time.Second,
	}}}
}

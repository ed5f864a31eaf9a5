package dashboard

import (
	"fmt"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// failure is one way in which a sample delivery ends.
type failure struct {
	reason  delivery.Reason
	phase   delivery.Phase
	status  int
	message string
	took    time.Duration
}

func failures() []failure {
	return []failure{
		{delivery.ReasonRefused, delivery.PhaseConnect, 0, "connection refused", 2 * time.Millisecond},
		{delivery.ReasonServerError, delivery.PhaseRead, 503, "Webhook returned HTTP 503", 184 * time.Millisecond},
		{delivery.ReasonTimeout, delivery.PhaseWait, 0, "Timed out after 5000ms", 5 * time.Second},
		{delivery.ReasonRejected, delivery.PhaseRead, 404, "channel_not_found", 131 * time.Millisecond},
		{delivery.ReasonThrottled, delivery.PhaseRead, 429, "Webhook returned HTTP 429", 58 * time.Millisecond},
		{delivery.ReasonDNS, delivery.PhaseResolve, 0, "no such host", 12 * time.Millisecond},
		{delivery.ReasonTLS, delivery.PhaseTLS, 0, "certificate has expired or is not yet valid", 77 * time.Millisecond},
		{delivery.ReasonBlocked, delivery.PhaseNone, 0, "169.254.169.254 is a cloud metadata address", 0},
		{delivery.ReasonReset, delivery.PhaseWrite, 0, "connection reset by peer", 340 * time.Millisecond},
		{delivery.ReasonRedirect, delivery.PhaseRead, 302, "Webhook returned HTTP 302", 66 * time.Millisecond},
		{delivery.ReasonProtocol, delivery.PhaseRead, 0, "malformed HTTP response", 21 * time.Millisecond},
		{delivery.ReasonTemplate, delivery.PhaseNone, 0, "line 3: 'outptu' is undefined", 0},
		{delivery.ReasonHeaderEnv, delivery.PhaseNone, 0, "header Authorization: RELAY_TOKEN has no value", 0},
		{delivery.ReasonTooLarge, delivery.PhaseNone, 0, "the body has 9437184 bytes, 8388608 are allowed", 0},
		{delivery.ReasonInterrupted, delivery.PhaseWait, 0, "interrupted", 900 * time.Millisecond},
		{delivery.ReasonTargetGone, delivery.PhaseNone, 0, "gateway.yaml has no webhook \"old-relay\"", 0},
		{delivery.ReasonUnknownOutcome, delivery.PhaseNone, 0, "the process ended during the attempt", 0},
	}
}

// sample is a log as a busy team would have it: four agents and two governed
// runs, six targets, every kind of failure.
func sample() *memory {
	m := &memory{sent: map[string]int{}, version: 1}
	targets := []delivery.Target{
		{File: "gateway.yaml", Channel: delivery.Slack, Name: "#alerts"},
		{File: "gateway.yaml", Channel: delivery.Webhook, Name: "pagerduty"},
		{File: "agentxchain.json", Channel: delivery.Webhook, Name: "ops_webhook"},
		{File: "gateway.yaml", Channel: delivery.Slack, Name: "#reports"},
		{File: "agentxchain.json", Channel: delivery.Webhook, Name: "audit_sink"},
		{File: "gateway.yaml", Channel: delivery.Webhook, Name: "data-platform-event-collector-eu-west-1"},
	}
	agents := []string{"report-agent", "triage-bot", "code-reviewer", "invoice-reconciliation"}
	kinds := []string{"on_complete", "on_error", "on_complete", "on_timeout", "on_complete"}
	governed := []events.Type{events.RunBlocked, events.PhaseTransitionPending, events.ApprovalSLAReminder, events.HumanEscalationRaised, events.RunCompleted}
	fail := 0
	for i := range 140 {
		gap := time.Duration(i*i)*20*time.Second + time.Duration(i)*3*time.Minute
		r := record(i, delivery.Delivered)
		r.CreatedAt = testNow().Add(-gap - 40*time.Second)
		r.Event.EmittedAt = r.CreatedAt
		r.Target = targets[(i*5+i/4)%len(targets)]
		r.Agent, r.Event.Type = agents[(i*3+i/5)%len(agents)], kinds[(i*7+i/3)%len(kinds)]
		r.ExecutionID = fmt.Sprintf("%08x-4c1e-4b7a-9d21-%012x", 0x5f3a91c2+i*7919, 0xa11ce+i*104729)
		r.Body = fmt.Appendf(nil, `{"event":"%s","execution_id":"%s","agent_id":"%s","status":"completed","message":"Summarise yesterday's incidents","result":{"output":"3 incidents, 1 open: checkout latency above 800 ms"},"duration_ms":%d,"timestamp":"%s"}`,
			events.Type(r.Event.Type).ExecutionName(), r.ExecutionID, r.Agent, 1200+i*37, r.CreatedAt.Format(time.RFC3339))
		if r.Target.File == "agentxchain.json" {
			r.Event.Type, r.Agent = string(governed[i%len(governed)]), []string{"pm", "dev", "qa"}[i%3]
			r.ExecutionID = fmt.Sprintf("run_%016x", 0x9d3c51f0aa+i/8)
			r.Event.RunID = r.ExecutionID
			r.Body = fmt.Appendf(nil, `{"schema_version":"0.1","event_id":"%s","event_type":"%s","emitted_at":"%s","project":{"id":"checkout-revamp","name":"Checkout revamp","root":"/srv/checkout"},"run":{"run_id":"%s","status":"blocked","phase":"implementation"},"turn":null,"payload":{"category":"needs_decision","detail":"Two designs for the retry queue; pick one."}}`,
				r.Event.ID, r.Event.Type, r.CreatedAt.Format("2006-01-02T15:04:05.000Z"), r.ExecutionID)
		}
		switch {
		case i == 1:
			r.Status, r.Attempts = delivery.Sending, 1
		case i == 2:
			r.Status, r.NextAt = delivery.Pending, testNow()
		case i == 6:
			sampleFail(&r, failures()[4], 2)
			r.Status, r.NextAt, r.ExpiresAt = delivery.Pending, testNow().Add(4*time.Minute+10*time.Second), testNow().Add(71*time.Hour)
		case i == 17:
			sampleFail(&r, failure{delivery.ReasonExpired, delivery.PhaseNone, 0, "older than three days", 0}, 5)
			r.Status = delivery.Discarded
		case i%3 == 0 && i < 50 || i%11 == 0:
			sampleFail(&r, failures()[fail%len(failures())], 1+fail%3)
			fail++
		case i == 10:
			sampleFail(&r, failures()[1], 1)
			sampleDeliver(&r)
		default:
			sampleDeliver(&r)
		}
		m.records = append(m.records, r)
	}
	return m
}

func sampleFail(r *delivery.Record, f failure, n int) {
	r.Status, r.LastReason, r.LastMessage, r.StatusCode = delivery.Failed, f.reason, f.message, f.status
	at := r.CreatedAt.Add(120 * time.Millisecond)
	for range n {
		r.Attempts++
		result := delivery.Result{Reason: f.reason, Phase: f.phase, StatusCode: f.status, Duration: f.took * time.Duration(4+r.Attempts) / 5, Message: f.message}
		if f.phase != delivery.PhaseNone && f.phase != delivery.PhaseResolve {
			result.Address = "203.0.113.24:443"
		}
		r.Tries = append(r.Tries, delivery.Try{Number: r.Attempts, At: at, Result: result})
		at = at.Add(time.Duration(r.Attempts*r.Attempts) * 31 * time.Second)
	}
}

func sampleDeliver(r *delivery.Record) {
	at := r.CreatedAt.Add(90 * time.Millisecond)
	if len(r.Tries) > 0 {
		at = at.Add(30 * time.Second)
	}
	r.Attempts++
	took := time.Duration(38+r.CreatedAt.Second()*3) * time.Millisecond
	r.Tries = append(r.Tries, delivery.Try{Number: r.Attempts, At: at, Result: delivery.Result{
		Delivered: true, StatusCode: 200, Reason: delivery.ReasonDelivered, Phase: delivery.PhaseRead, Duration: took, Address: "203.0.113.24:443", Message: "Delivered",
	}})
	r.Status, r.DeliveredAt, r.StatusCode = delivery.Delivered, at.Add(took), 200
	r.LastReason, r.LastMessage = delivery.ReasonDelivered, "Delivered"
}

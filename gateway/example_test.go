package gateway_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"agentxchain/gateway"
)

// The guide's configuration in code. The address of the webhook is not public,
// so nothing is sent to it, whatever anybody configures.
func Example() {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	gw, err := gateway.New(gateway.Options{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer gw.Close()
	gw.UseWebhookNotifications(gateway.Webhook{
		URL:    "http://127.0.0.1/agent-events",
		Name:   "default",
		Secret: "s3cret",
		Events: []string{"on_complete", "on_error"},
	})

	result, err := gw.Emit(context.Background(), gateway.Event{
		Type: gateway.OnError, Agent: "report-agent", ExecutionID: "abc-123", Error: "it broke",
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range result.Outcomes {
		fmt.Println(o.Target, o.Delivered, o.Reason, o.Attempts)
	}
	// Output: default false blocked 1
}

// What is wrong with the configuration is said by the first Emit, all at once.
func ExampleGateway_UseSlackNotifications() {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	gw, err := gateway.New(gateway.Options{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	gw.UseSlackNotifications(gateway.Slack{DefaultChannel: "#alerts"}).
		UseWebhookNotifications(gateway.Webhook{URL: "https://hooks.example.com", Events: []string{"on_eror"}})
	_, err = gw.Emit(context.Background(), gateway.Event{Type: gateway.OnComplete})
	fmt.Println(err)
	// Output:
	// UseSlackNotifications: BotToken is empty
	// UseWebhookNotifications: webhook "default": unknown event "on_eror"; did you mean "on_error"? events are run_blocked, operator_escalation_raised, escalation_resolved, human_escalation_raised, human_escalation_resolved, phase_transition_pending, run_completion_pending, run_completed, approval_sla_reminder, on_complete, on_error, on_timeout
}

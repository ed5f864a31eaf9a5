package dispatch

import (
	"context"
	"fmt"

	"agentxchain/internal/delivery"
	"agentxchain/internal/webhook"
)

// bound delivers to one webhook, whatever it is called.
type bound struct {
	sender *webhook.Sender
	config webhook.Config
}

// Send makes one attempt.
func (b bound) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	return b.sender.SendTo(ctx, b.config, d)
}

// refusal is the sender of a target that can't be sent to: each attempt fails
// with the reason target_gone and these words, which hold no secret.
type refusal string

// Send fails.
func (r refusal) Send(context.Context, delivery.Delivery) delivery.Result {
	return delivery.Result{Reason: delivery.ReasonTargetGone, Message: string(r)}
}

func gone(t delivery.Target) refusal {
	return refusal(fmt.Sprintf("Target %q is no longer in the configuration", t.ID()))
}

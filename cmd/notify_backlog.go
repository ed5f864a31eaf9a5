package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/queue"

	"github.com/spf13/cobra"
)

func newPending(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "pending",
		Short: "List what is undelivered",
		Long: `List what is undelivered, the oldest event first. What a killed process left is
settled first: it is recorded as unknown_outcome, once, and listed.
` + exitStatus("0  listed\n  2  an entry could not be read, or evidence not be written"),
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runPending(c.Context(), a, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runPending(ctx context.Context, a *app, asJSON bool) error {
	return a.withPipeline(func(_ *site, p *pipeline.Pipeline) error {
		recoverErr := a.recover(ctx, p)
		list, listErr := p.Pending(ctx)
		failed := errors.Join(recoverErr, listErr)
		if asJSON {
			items := make([]*ecmajson.Value, len(list))
			for i, d := range list {
				items[i] = pendingDocument(d)
			}
			a.printJSON(withError(ecmajson.NewObject().Set("pending", ecmajson.NewArray(items...)), failed))
		} else {
			for _, d := range list {
				fmt.Fprintf(a.Stdout, "%s  %s  %s  %s  %s  %s  %s\n",
					d.Event.ID, d.Event.Type, d.Target.Name, d.Status, count(d.Attempts, "attempt"), d.LastReason, d.LastMessage)
			}
		}
		if len(list) == 0 && failed == nil { // else it is not known
			fmt.Fprintln(a.Stderr, "agentxchain: nothing is undelivered")
		}
		if failed != nil {
			fmt.Fprintf(a.Stderr, "agentxchain: %v\n", failed)
			return verdict(exitCannot)
		}
		return nil
	})
}

// count prints a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func pendingDocument(d delivery.Delivery) *ecmajson.Value {
	next := ecmajson.NewNull()
	if !d.NextAt.IsZero() && d.Status == delivery.Pending {
		next = ecmajson.NewString(stamp(d.NextAt))
	}
	return ecmajson.NewObject().
		Set("event_id", ecmajson.NewString(d.Event.ID)).
		Set("event_type", ecmajson.NewString(d.Event.Type)).
		Set("emitted_at", ecmajson.NewString(stamp(d.Event.EmittedAt))).
		Set("run_id", ecmajson.NewStringOrNull(d.Event.RunID)).
		Set("notification_name", ecmajson.NewString(d.Target.Name)).
		Set("target_id", ecmajson.NewString(d.Target.ID())).
		Set("status", ecmajson.NewString(string(d.Status))).
		Set("attempts", ecmajson.NewInt(int64(d.Attempts))).
		Set("next_attempt_at", next).
		Set("reason", ecmajson.NewStringOrNull(string(d.LastReason))).
		Set("message", ecmajson.NewStringOrNull(d.LastMessage))
}

func newRetry(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "retry [EVENT_ID...]",
		Short: "Send what is undelivered again: the same bytes, the same event id",
		Long: `Send what is undelivered again, or only the named events: the same bytes and the
same event id, so that a receiver can drop what it has already seen. Each attempt
is a new line of the audit with the next attempt number.
` + exitStatus("0  everything is delivered now\n  1  something stays undelivered\n  2  unknown event id, or evidence that could not be written"),
		Args: args(cobra.ArbitraryArgs),
		RunE: func(c *cobra.Command, ids []string) error { return runRetry(c.Context(), a, ids, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runRetry(ctx context.Context, a *app, ids []string, asJSON bool) error {
	return a.withPipeline(func(_ *site, p *pipeline.Pipeline) error {
		recoverErr := a.recover(ctx, p)
		reports, retryErr := p.Retry(ctx, ids...)
		if len(ids) > 0 && len(reports) == 0 && retryErr != nil {
			return backlogFailure(errors.Join(retryErr, recoverErr))
		}
		busy := 0
		if len(ids) == 0 {
			busy = beingSent(ctx, p)
		}
		return a.answerRetry(reports, busy, errors.Join(recoverErr, retryErr), asJSON)
	})
}

// beingSent counts what another process is sending right now. A list that
// can't be read was told of by the retry already.
func beingSent(ctx context.Context, p *pipeline.Pipeline) int {
	list, _ := p.Pending(ctx)
	n := 0
	for _, d := range list {
		if d.Status == delivery.Sending {
			n++
		}
	}
	return n
}

func backlogFailure(err error) error {
	switch {
	case errors.Is(err, delivery.ErrUnknown):
		return cannot("unknown_event_id", err, "`agentxchain notify pending` lists them")
	case errors.Is(err, delivery.ErrBusy):
		return cannot("busy", err, "try again when that process is done")
	}
	return cannot("outbox", err)
}

func (a *app) answerRetry(reports []queue.Report, busy int, failed error, asJSON bool) error {
	undelivered, unwritten := busy > 0, false
	var docs []*ecmajson.Value
	for _, r := range reports {
		undelivered = undelivered || r.Count(queue.StateDelivered) < len(r.Outcomes)
		unwritten = unwritten || r.Err != nil
		a.warnReport(r)
		if asJSON {
			docs = append(docs, withError(resultDocument(r, 0), r.Err))
		} else {
			a.printOutcomes(r, r.Event.Type, r.Event.ID)
		}
		a.sayUnwritable(r)
	}
	if asJSON {
		a.printJSON(withError(ecmajson.NewObject().Set("events", ecmajson.NewArray(docs...)), failed))
	}
	switch {
	case busy > 0:
		fmt.Fprintf(a.Stderr, "agentxchain: not touched, because another process is sending it: %s\n", count(busy, "target"))
	case len(reports) == 0 && failed == nil:
		fmt.Fprintln(a.Stderr, "agentxchain: nothing is undelivered")
	}
	if failed != nil {
		fmt.Fprintf(a.Stderr, "agentxchain: %v\n", failed)
	}
	switch {
	case failed != nil || unwritten:
		return verdict(exitCannot)
	case undelivered:
		return verdict(exitBad)
	}
	return nil
}

func newDiscard(a *app) *cobra.Command {
	var reason string
	var asJSON bool
	c := &cobra.Command{
		Use:   "discard EVENT_ID",
		Short: "Give up on an undelivered event, on the record",
		Long: `Give up on an undelivered event. The audit gets a line with reason "discarded"
for each target that did not have it.
` + exitStatus("0  discarded\n  2  unknown event id, or evidence that could not be written"),
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, ids []string) error { return runDiscard(c.Context(), a, ids[0], reason, asJSON) },
	}
	c.PreRunE = func(*cobra.Command, []string) error {
		if strings.TrimSpace(reason) == "" || strings.ContainsFunc(reason, unicode.IsControl) {
			return usagef("--reason must be one line of text")
		}
		return nil
	}
	c.Flags().StringVar(&reason, "reason", "discarded by an operator", "why, one line for the record")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runDiscard(ctx context.Context, a *app, id, reason string, asJSON bool) error {
	return a.withPipeline(func(_ *site, p *pipeline.Pipeline) error {
		if err := a.recover(ctx, p); err != nil {
			return cannot("outbox", err)
		}
		attempts, err := p.Discard(ctx, id, reason)
		if err != nil && len(attempts) == 0 {
			return backlogFailure(err)
		}
		lines := make([]*ecmajson.Value, len(attempts))
		for i, at := range attempts {
			lines[i] = auditFields(at)
			if !asJSON {
				fmt.Fprintf(a.Stdout, "%s  discarded  after %s\n", at.Delivery.Target.Name, count(at.Number-1, "attempt"))
			}
		}
		if asJSON {
			a.printJSON(withError(ecmajson.NewObject().Set("event_id", ecmajson.NewString(id)).Set("targets", ecmajson.NewArray(lines...)), err))
		}
		if err != nil { // recorded, but still in the outbox
			fmt.Fprintf(a.Stderr, "agentxchain: %v\n", err)
			return verdict(exitCannot)
		}
		return nil
	})
}

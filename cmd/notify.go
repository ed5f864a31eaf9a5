package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/queue"

	"github.com/spf13/cobra"
)

func newNotify(a *app) *cobra.Command {
	return group(a, "notify", "Tell webhooks and Slack about an event, and handle what is undelivered",
		newEmit(a), newPending(a), newRetry(a), newDiscard(a), newRemind(a), newRoute(a), newLog(a))
}

// printOutcomes prints one line per target. more are further columns.
func (a *app) printOutcomes(r queue.Report, more ...string) {
	for _, o := range r.Outcomes {
		fmt.Fprintln(a.Stdout, strings.Join(append(outcomeFields(o), more...), "  "))
	}
}

// outcomeFields are the columns of one target: name, state, status or reason,
// and the time of a success or the cause of a failure.
func outcomeFields(o queue.Outcome) []string {
	result := o.Last.Result
	status := string(result.Reason)
	if result.StatusCode > 0 {
		status = strconv.Itoa(result.StatusCode)
	}
	switch o.State {
	case queue.StateDelivered:
		return []string{o.Target.Name, string(o.State), status, fmt.Sprintf("%dms", result.Duration.Milliseconds())}
	case queue.StateSkipped:
		return []string{o.Target.Name, string(o.State), "no time was left to call it; kept for `agentxchain notify retry`"}
	case queue.StateQueued:
		if o.Attempts == 0 {
			return []string{o.Target.Name, string(o.State), "for `agentxchain serve` to send"}
		}
		return []string{o.Target.Name, string(o.State), status, result.Message + "; to be tried again from " + stamp(o.NextAt)}
	default:
		return []string{o.Target.Name, string(o.State), status, result.Message}
	}
}

// stamp prints a time as the evidence does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// resultDocument is the JSON answer about one event. Targets that were not
// called have no audit line, and so only count.
func resultDocument(r queue.Report, filtered int) *ecmajson.Value {
	var targets []*ecmajson.Value
	for _, o := range r.Outcomes {
		if o.Attempts > 0 {
			targets = append(targets, auditFields(o.Last))
		}
	}
	count := func(s queue.State, more int) *ecmajson.Value { return ecmajson.NewInt(int64(r.Count(s) + more)) }
	return ecmajson.NewObject().
		Set("event_id", ecmajson.NewString(r.Event.ID)).
		Set("event_type", ecmajson.NewString(r.Event.Type)).
		Set("emitted_at", ecmajson.NewString(stamp(r.Event.EmittedAt))).
		Set("targets", ecmajson.NewArray(targets...)).
		Set("delivered", count(queue.StateDelivered, 0)).
		Set("failed", count(queue.StateFailed, 0)).
		Set("skipped", count(queue.StateSkipped, filtered)).
		Set("queued", count(queue.StateQueued, 0))
}

// auditFields are the fields of an attempt's audit line.
func auditFields(at delivery.Attempt) *ecmajson.Value {
	v, err := ecmajson.Parse(bytes.TrimSpace(audit.Line(at)), ecmajson.Options{})
	if err != nil {
		return nil // Line writes JSON whatever it is given; its property test holds it to that
	}
	return v
}

// sayUnwritable prints what the evidence could not take: the audit lines
// whole, on stderr, where the caller's log keeps them.
func (a *app) sayUnwritable(r queue.Report) {
	if r.Err == nil {
		return
	}
	printed := map[delivery.AttemptKey]bool{}
	say := func(at delivery.Attempt) {
		if at.Number > 0 && !printed[at.Key()] {
			printed[at.Key()] = true
			fmt.Fprintf(a.Stderr, "%s", audit.Line(at))
		}
	}
	for _, at := range r.Unrecorded {
		say(at)
	}
	switch {
	case len(printed) == 0 && errors.Is(r.Err, pipeline.ErrOutboxOnly):
		fmt.Fprintf(a.Stderr, "agentxchain: every attempt is in the audit, and what is undelivered is kept for `notify retry`; but the event is %v\n", r.Err)
		return
	case len(printed) == 0:
		fmt.Fprintf(a.Stderr, "agentxchain: every attempt is recorded, but what is undelivered could not be kept for `notify retry`: %v\n", r.Err)
		return
	}
	fmt.Fprintf(a.Stderr, "agentxchain: the evidence could not be written: %v\n", r.Err)
	fmt.Fprintln(a.Stderr, "  hint: keep the lines above; they belong into "+auditName)
}

// warnReport prints what could not be read on the side.
func (a *app) warnReport(r queue.Report) {
	if r.Warning != nil {
		a.log.Warn(r.Warning.Error())
	}
}

const auditName = ".agentxchain/notification-audit.jsonl"

// withError adds the error of unwritable evidence to a JSON answer.
func withError(doc *ecmajson.Value, err error) *ecmajson.Value {
	if err == nil {
		return doc
	}
	return doc.Set("error", ecmajson.NewObject().
		Set("code", ecmajson.NewString("evidence")).
		Set("message", ecmajson.NewString(err.Error())).
		Set("hints", ecmajson.NewArray()))
}

// printJSON prints a command's answer. What is wrong with a gateway.yaml that
// was used all the same is told in it, too.
func (a *app) printJSON(doc *ecmajson.Value) {
	if a.broken != nil && !doc.Has("error") {
		doc.Set("error", a.broken.document())
	}
	fmt.Fprintf(a.Stdout, "%s\n", ecmajson.Append(nil, doc))
}

package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/queue"
	"agentxchain/internal/reminder"
	"agentxchain/internal/routing"

	"github.com/spf13/cobra"
)

// remindOptions are the flags of `notify remind`.
type remindOptions struct {
	deadline time.Duration
	dryRun   bool
	json     bool
}

func newRemind(a *app) *cobra.Command {
	var o remindOptions
	c := &cobra.Command{
		Use:   "remind",
		Short: "Remind of approvals that have waited too long; for cron",
		Long: `Look once at the approvals that the run waits for, and send approval_sla_reminder
about those that have waited for longer than a threshold of
notifications.approval_sla. Each threshold is told of once for each approval,
however many processes look at once. When several have passed it is one message,
about the last of them.

What was sent stands in .agentxchain/sla-reminders.json, which the Node CLI
keeps too. An undelivered reminder is kept for ` + "`agentxchain notify retry`" + `, and not
sent anew. A phase transition waits since its requested_at or, because the Node
CLI does not write one, since this command first saw it.

Nothing is printed when nothing is due.
` + exitStatus(`0  nothing was due, or what was due was sent, delivered or not
  2  usage or configuration; what is due or what was sent is not known, and
     nothing was sent; or evidence that could not be written, after every target
     was still called once and each audit line printed to stderr`),
		Example: `  agentxchain notify remind
  agentxchain notify remind --dry-run
  * * * * * cd /srv/project && agentxchain notify remind`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.deadline <= 0 {
				return usagef("--deadline must be positive, not %s", o.deadline)
			}
			return runRemind(c.Context(), a, o)
		},
	}
	f := c.Flags()
	f.DurationVar(&o.deadline, "deadline", 35*time.Second, "upper bound for the whole command")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the envelopes and the targets; send nothing, write nothing")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	return c
}

func runRemind(ctx context.Context, a *app, o remindOptions) error {
	ctx, cancel := context.WithTimeout(ctx, o.deadline)
	defer cancel()
	a.advisory = !o.json && !o.dryRun
	return a.withPipeline(func(s *site, p *pipeline.Pipeline) error {
		a.sayUnreminded(s, p)
		if o.dryRun {
			return a.remindDryRun(s, p, o.json)
		}
		reports, err := a.remind(ctx, s, p)
		return a.answerRemind(reports, err, o.json)
	})
}

// sayUnreminded tells why there never is a reminder.
func (a *app) sayUnreminded(s *site, p *pipeline.Pipeline) {
	switch {
	case len(s.config.Reminders()) == 0:
		fmt.Fprintln(a.Stderr, "agentxchain: no reminders are configured: notifications.approval_sla is missing or not enabled")
	case len(reminderRoutes(p)) == 0:
		fmt.Fprintf(a.Stderr, "agentxchain: no target is subscribed to %s\n", events.ApprovalSLAReminder)
	}
}

// reminderRoutes lists where reminders go.
func reminderRoutes(p *pipeline.Pipeline) []routing.Route {
	var routes []routing.Route
	for _, r := range p.Routes(events.ApprovalSLAReminder, "") {
		if r.Skip == "" {
			routes = append(routes, r)
		}
	}
	return routes
}

// reminders is what is looked at. Nothing is due where nobody would be told,
// so that nothing is remembered as sent either.
func (a *app) reminders(s *site, routes []routing.Route) reminder.Options {
	o := reminder.Options{
		Root: s.root, Now: a.Now, Entropy: a.Entropy,
		Project: events.Project{ID: s.config.Project.ID, Name: s.config.Project.Name, Root: s.root.Dir},
	}
	if len(routes) > 0 {
		o.Thresholds = s.config.Reminders()
	}
	return o
}

// remind sends the reminders that are due and returns what became of each.
// It holds the reminders' lock only until they are stored. The error says why
// it is not known what is due, or what was sent; every report has its own.
func (a *app) remind(ctx context.Context, s *site, p *pipeline.Pipeline) ([]queue.Report, error) {
	r := reminding{audit: s.root.AuditFile(), pipeline: p, routes: reminderRoutes(p)}
	o := a.reminders(s, r.routes)
	if len(o.Thresholds) == 0 {
		return nil, nil
	}
	err := reminder.Send(ctx, o, r.store)
	reports := r.drain(ctx)
	a.warnAll(r.warnings)
	for _, report := range reports {
		if report.Err != nil {
			return reports, err // what can't be written now can't be settled now
		}
	}
	if len(reports) > 0 {
		if err := a.recover(context.WithoutCancel(ctx), p); err != nil {
			a.log.Warn(err.Error())
		}
	}
	return reports, err
}

// remindServing hands the reminders that are due over to a process that serves.
func (a *app) remindServing(ctx context.Context, s *site, p *pipeline.Pipeline, accept func(context.Context, events.Event, []routing.Route) error) error {
	routes := reminderRoutes(p)
	o := a.reminders(s, routes)
	if len(o.Thresholds) == 0 {
		return nil
	}
	return reminder.Send(ctx, o, func(ctx context.Context, due reminder.Reminder) error {
		if due.Again {
			if told, err := recorded(s.root.AuditFile(), due.Event.ID); told || err != nil {
				return err
			}
		}
		err := accept(ctx, due.Event, routes)
		if errors.Is(err, delivery.ErrExists) {
			return nil // The process that died came as far as this.
		}
		return err
	})
}

// reminding stores reminders and then sends them.
type reminding struct {
	// audit is the evidence's file.
	audit    string
	pipeline *pipeline.Pipeline
	routes   []routing.Route
	batches  []*pipeline.Submitted
	warnings []error
}

// store puts one reminder on disk. As with every event, one that can't be put
// there is sent all the same, and the report tells.
func (r *reminding) store(ctx context.Context, due reminder.Reminder) error {
	if due.Again {
		if told, err := recorded(r.audit, due.Event.ID); told || err != nil {
			return err
		}
	}
	messages, warnings := r.pipeline.Messages(ctx, due.Event, r.routes)
	batch, err := r.pipeline.Submit(ctx, due.Event, messages)
	if errors.Is(err, delivery.ErrExists) {
		return nil // The process that died came as far as this.
	}
	r.warnings = append(r.warnings, warnings...)
	r.batches = append(r.batches, batch)
	return nil
}

// drain sends what was stored, side by side.
func (r *reminding) drain(ctx context.Context) []queue.Report {
	reports := make([]queue.Report, len(r.batches))
	var running sync.WaitGroup
	for i, batch := range r.batches {
		running.Go(func() { reports[i] = batch.Drain(ctx) })
	}
	running.Wait()
	return reports
}

// recorded reports whether the evidence has an attempt to send an event.
func recorded(path, eventID string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	for lines := audit.NewReader(f, 0); ; {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read %q: %w", path, err)
		}
		if !bytes.Contains(line.Bytes, []byte(eventID)) {
			continue
		}
		if e, ok := line.Entry(); ok && e.EventID == eventID {
			return true, nil
		}
	}
}

// remindFailure says what can be done about reminders that are not known.
func remindFailure(err error) error {
	if err == nil {
		return nil
	}
	f := cannot("reminders", err)
	var file *reminder.FileError
	if errors.As(err, &file) {
		f = f.hint("correct the file, or remove it: a reminder may then be sent a second time")
	}
	return f
}

// answerRemind prints what became of each reminder and picks the exit code.
func (a *app) answerRemind(reports []queue.Report, failed error, asJSON bool) error {
	if len(reports) == 0 && failed != nil {
		return remindFailure(failed)
	}
	unwritten := failed != nil
	docs := make([]*ecmajson.Value, len(reports))
	for i, r := range reports {
		unwritten = unwritten || r.Err != nil
		a.warnReport(r)
		if asJSON {
			docs[i] = withError(resultDocument(r, 0), r.Err)
		} else {
			a.printOutcomes(r, r.Event.Type, r.Event.ID)
		}
		a.sayUnwritable(r)
	}
	if asJSON {
		a.printJSON(withError(ecmajson.NewObject().Set("events", ecmajson.NewArray(docs...)), failed))
	}
	if failed != nil {
		fmt.Fprintf(a.Stderr, "agentxchain: %v\n", failed)
	}
	if unwritten {
		return verdict(exitCannot)
	}
	return nil
}

// remindDryRun prints what would be sent.
func (a *app) remindDryRun(s *site, p *pipeline.Pipeline, asJSON bool) error {
	routes := reminderRoutes(p)
	due, err := reminder.Due(a.reminders(s, routes))
	if err != nil {
		return remindFailure(err)
	}
	docs := make([]*ecmajson.Value, len(due))
	for i, d := range due {
		if docs[i], err = dryRunDocument(d.Event, routes); err != nil {
			return err
		}
		if !asJSON {
			a.printDryRun(docs[i], routes)
		}
	}
	if asJSON {
		a.printJSON(ecmajson.NewObject().
			Set("dry_run", ecmajson.NewBool(true)).
			Set("events", ecmajson.NewArray(docs...)))
	}
	return nil
}

// Package service is what a process that serves a project does beside
// answering requests: it delivers, takes over what commands left in the
// outbox, takes in the evidence of other programs, reminds of approvals, and
// forgets what it need not keep.
//
// Several processes may serve one project, and many one database. They share
// the deliveries; the chores of a project are done by one of them at a time.
package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"agentxchain/internal/pipeline"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/store"
)

const (
	// choresEvery is how often the outbox and the evidence are looked at.
	choresEvery = time.Second
	// remindEvery is how often approvals are looked at; their thresholds are
	// minutes at least.
	remindEvery = 30 * time.Second
	// forgetEvery is how often old rows are deleted, forgetRows how many of
	// them in one transaction.
	forgetEvery = time.Minute
	forgetRows  = 500
	// chief is the name of the lock of the process that does the chores.
	chief = "chores.lock"
)

// Options are what a [Service] is made of.
type Options struct {
	// Root is the project. Required.
	Root project.Root
	// Pipeline is the project's, with a database. Required; the caller closes it.
	Pipeline *pipeline.Pipeline
	// Run says how deliveries are made.
	Run queue.RunOptions
	// Import takes the project's evidence into the log, whoever wrote it.
	Import bool
	// Retention is how long delivered and discarded rows are kept; 0 means
	// for ever.
	Retention time.Duration
	// Remind sends the reminders that are due; nil when there are none. It is
	// never called twice at a time.
	Remind func(context.Context) error
	// Now is the clock. Required.
	Now func() time.Time
	// Log takes what there is to say. Required.
	Log *slog.Logger
}

// Service is one process's. Its methods are safe for concurrent use.
type Service struct {
	opts   Options
	kept   pipeline.Stores
	runner *queue.Runner
}

// New opens the database. The error says why it can't be had.
func New(ctx context.Context, o Options) (*Service, error) {
	kept, err := o.Pipeline.Open(ctx)
	if err != nil {
		return nil, err
	}
	run := &runs{root: o.Root, now: o.Now}
	o.Run.Superseded = run.movedOn
	return &Service{opts: o, kept: kept, runner: queue.NewRunner(kept.Rows, kept.Queue, o.Run)}, nil
}

// Log is the delivery log.
func (s *Service) Log() *store.Store { return s.kept.Rows }

// Run serves until ctx ends, then lets what is being sent end, and returns
// when everything is recorded and given back. The error is what kept it from
// serving.
func (s *Service) Run(ctx context.Context) error {
	quit, err := pipeline.Serving(ctx, s.opts.Root)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Right when it ends: what is emitted while the last attempts run is not
	// begun here any more.
	quit = sync.OnceValue(quit)
	defer context.AfterFunc(ctx, func() { _ = quit() })() // its error comes below
	var chores sync.WaitGroup
	chores.Go(func() { s.chores(ctx) })
	err = s.runner.Run(ctx)
	cancel()
	chores.Wait()
	return errors.Join(err, quit())
}

// chores does what one process of the project has to do, from when it is that
// process. None of them waits for another: taking in a long file must not keep
// a reminder waiting.
func (s *Service) chores(ctx context.Context) {
	ticks := time.NewTicker(choresEvery)
	defer ticks.Stop()
	unlock := s.lead()
	for unlock == nil {
		select {
		case <-ticks.C:
			unlock = s.lead()
		case <-ctx.Done():
			return
		}
	}
	var doing sync.WaitGroup
	for _, c := range s.list() {
		doing.Go(func() { c.keep(ctx, s.opts.Log) })
	}
	doing.Wait()
	if err := unlock(); err != nil {
		s.opts.Log.Warn("give back the project's chores", "error", err)
	}
}

// lead takes the lock of the chores; nil means that another process has it.
// Without locks every process does them: each of them may be done twice.
func (s *Service) lead() (unlock func() error) {
	unlock, err := s.opts.Root.TryLock(chief, project.Exclusive)
	switch {
	case err == nil:
		return unlock
	case errors.Is(err, errors.ErrUnsupported):
		return func() error { return nil }
	case !errors.Is(err, project.ErrLocked):
		s.opts.Log.Warn("take on the project's chores", "error", err)
	}
	return nil
}

// chore is one of them. What it can't do is said when that changes, not at
// every try.
type chore struct {
	name  string
	every time.Duration
	work  func(context.Context) error
}

// keep does the chore again and again until ctx ends.
func (c *chore) keep(ctx context.Context, log *slog.Logger) {
	ticks := time.NewTicker(c.every)
	defer ticks.Stop()
	before := ""
	for {
		said := ""
		if err := c.work(ctx); err != nil && ctx.Err() == nil {
			said = err.Error()
		}
		if said != "" && said != before {
			log.Warn(c.name + ": " + said)
		}
		before = said
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) list() []*chore {
	list := []*chore{{name: "take over the outbox", every: choresEvery, work: s.takeOver}}
	if s.opts.Import {
		list = append(list, &chore{name: "take in the evidence", every: choresEvery, work: s.takeIn})
	}
	if s.opts.Remind != nil {
		list = append(list, &chore{name: "send reminders", every: remindEvery, work: s.opts.Remind})
	}
	if s.opts.Retention > 0 {
		list = append(list, &chore{name: "delete old records", every: forgetEvery, work: s.forget})
	}
	return list
}

func (s *Service) takeOver(ctx context.Context) error {
	warnings, err := s.opts.Pipeline.RecoverFiles(ctx)
	for _, w := range warnings {
		s.opts.Log.Warn(w.Error())
	}
	n, takeErr := TakeOver(ctx, s.kept.Outbox, s.kept.Rows)
	if n > 0 {
		s.opts.Log.Info("took over deliveries from the outbox", "deliveries", n)
	}
	return errors.Join(err, takeErr)
}

func (s *Service) takeIn(ctx context.Context) error {
	site, err := s.opts.Root.Site()
	if err != nil {
		return err
	}
	n, err := Import(ctx, s.opts.Root.AuditFile(), site, s.kept.Rows)
	if n > 0 {
		s.opts.Log.Debug("took in lines of the evidence", "lines", n)
	}
	return err
}

// forget deletes old rows until there are none, a few at a time, so that
// deliveries never wait for it.
func (s *Service) forget(ctx context.Context) error {
	before := s.opts.Now().Add(-s.opts.Retention)
	for {
		n, err := s.kept.Rows.Expire(ctx, before, forgetRows)
		if err != nil || n < forgetRows {
			return err
		}
	}
}

// Retry sends a delivery again at once, the same bytes, see [queue.Runner.Retry].
func (s *Service) Retry(ctx context.Context, id string) error { return s.runner.Retry(ctx, id) }

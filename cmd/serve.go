package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"agentxchain/internal/config"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/server"
	"agentxchain/internal/service"

	"github.com/spf13/cobra"
)

// closeTime is how long answers that are being given may take at the end.
const closeTime = 5 * time.Second

// serveOptions are the flags of `serve`.
type serveOptions struct {
	listen  string
	workers int
	check   bool
	json    bool
}

func newServe(a *app) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Deliver what is queued, and serve the delivery log: REST, dashboard, metrics",
		Long: `Deliver what is queued or was left undelivered, send reminders, and serve the
delivery log: REST below /v1, the dashboard at /dashboard/notifications, metrics at
/metrics, the API's description at /openapi.yaml.

Deliveries are kept in the database of the section persistence of gateway.yaml, or
else in .agentxchain/notify/deliveries.db. Any number of processes may share a
PostgreSQL database, all on one machine an SQLite file.

Without gateway.yaml, or without keys in it, only this machine may ask; a link to log
in to the dashboard, good for one use, is then printed to stderr.

SIGTERM and SIGINT end it: what is being sent ends first and is recorded. SIGHUP
reads the configuration again; one with an error is refused and the old one stays.
` + exitStatus(`0    --check found nothing wrong
  2    usage, configuration, or a database or address that can't be had
  130  ended by SIGINT
  143  ended by SIGTERM`),
		Example: `  agentxchain serve
  agentxchain serve --listen 127.0.0.1:0 --json
  agentxchain serve --check && systemctl reload agentxchain`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.workers < 1 || o.workers > 1024 {
				return usagef("--workers must be between 1 and 1024, not %d", o.workers)
			}
			return runServe(c.Context(), a, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8787", "the `ADDRESS` to listen on; port 0 takes a free one")
	f.IntVar(&o.workers, "workers", 64, "how many deliveries are sent at once")
	f.BoolVar(&o.check, "check", false, "only check the configuration and templates; open nothing")
	f.BoolVar(&o.json, "json", false, "print a JSON document with the address once it answers")
	return c
}

func runServe(ctx context.Context, a *app, o serveOptions) error {
	s, plan, err := a.openServe(ctx, o.listen)
	if err != nil || o.check {
		return err
	}
	if plan.database != nil {
		plan.database.Store.Warn = func(err error) { a.log.Warn(err.Error()) }
	}
	p, err := newPipeline(a, s, plan.database)
	if err != nil {
		return err
	}
	f := &face{app: a, options: o, pipeline: p, metrics: server.NewMetrics(), closing: ctx.Done()}
	err = f.run(ctx, s, plan)
	if closeErr := p.Close(); err == nil && closeErr != nil {
		err = cannot("close", closeErr)
	}
	return err
}

// openServe opens a site as `serve` wants it: without any error, templates
// included. A process that runs for weeks must not begin half configured.
func (a *app) openServe(ctx context.Context, listen string) (*site, servePlan, error) {
	s, err := a.open()
	if err != nil {
		return nil, servePlan{}, err
	}
	if s.broken {
		return nil, servePlan{}, verdict(exitCannot) // told already
	}
	if err := a.refuseErrors(ctx, s); err != nil {
		return nil, servePlan{}, err
	}
	plan, err := s.plan(listen)
	return s, plan, err
}

// refuseErrors looks at gateway.yaml and its templates as `config check` does.
// An error in the AGENT.md of one agent fails that agent's events, on the
// record, and nobody else's.
func (a *app) refuseErrors(ctx context.Context, s *site) error {
	if s.gateway == nil {
		return nil
	}
	guards, err := a.guards()
	if err != nil {
		return err
	}
	checked := *s
	var errs config.Problems
	for _, p := range a.checkGateway(ctx, &checked, project.Place{Root: s.root, Gateway: s.gateway.File}, guards, false) {
		if p.Severity == config.Error && !p.OfAgent() {
			errs = append(errs, p)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return configFailure(a, errs)
}

// face is what one process shows and does while it serves.
type face struct {
	app      *app
	options  serveOptions
	pipeline *pipeline.Pipeline
	metrics  *server.Metrics
	// service is nil where nothing is kept.
	service *service.Service
	pages   pages
	// keeps is where deliveries are kept since the start: no reload changes it.
	keeps keeping
	// site is the newest configuration.
	site atomic.Pointer[site]
	// closing is closed when nothing new is to be begun: pages that watch would
	// keep the listener open.
	closing <-chan struct{}
	// handler answers requests; a reload puts another in its place.
	handler atomic.Pointer[http.Handler]
}

// ServeHTTP implements [http.Handler].
func (f *face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*f.handler.Load()).ServeHTTP(w, r)
}

func (f *face) run(ctx context.Context, s *site, plan servePlan) error {
	if err := f.open(ctx, s, plan); err != nil {
		return err
	}
	handler, err := f.show(plan)
	if err != nil {
		return err
	}
	f.handler.Store(&handler)
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.options.listen)
	if err != nil {
		return cannot("listen", err, "another process may have the port; --listen names another")
	}
	f.announce(l.Addr(), plan)
	return f.serve(ctx, l)
}

// open opens the database, unless nothing is kept.
func (f *face) open(ctx context.Context, s *site, plan servePlan) error {
	f.keeps = plan.keeps()
	if plan.database == nil {
		return nil
	}
	var err error
	f.site.Store(s)
	f.service, err = service.New(ctx, service.Options{
		Root: s.root, Pipeline: f.pipeline, Import: plan.takeIn, Retention: plan.retention,
		Now: f.app.Now, Log: f.app.log, Remind: f.remind,
		Run: queue.RunOptions{
			Workers: f.options.workers, Log: f.app.log,
			Accepted: f.metrics.Accepted, Attempted: f.metrics.Attempted, Lost: f.metrics.Lost,
		},
	})
	if err != nil {
		return cannot("database", fmt.Errorf("the delivery log can't be opened: %w", err))
	}
	return nil
}

// remind accepts the reminders that are due by the newest configuration.
func (f *face) remind(ctx context.Context) error {
	return f.app.remindServing(ctx, f.site.Load(), f.pipeline, f.service.Send)
}

// announce says where to look, and how to get in.
func (f *face) announce(at net.Addr, plan servePlan) {
	url := "http://" + at.String()
	fmt.Fprintln(f.app.Stderr, "agentxchain: serving on "+url)
	if plan.pages {
		fmt.Fprintln(f.app.Stderr, "  dashboard: "+url+"/dashboard/notifications")
	}
	login := f.pages.login(url)
	if login != "" {
		fmt.Fprintln(f.app.Stderr, "  log in, once: "+login)
	}
	if f.options.json {
		f.app.printJSON(servingDocument(url, plan.pages))
	}
}

// serve answers and delivers until ctx ends or one of both can't go on. Then
// nobody is let in any more, while what is being sent ends.
func (f *face) serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	srv := server.HTTP(f, f.app.log)
	var others sync.WaitGroup
	var answering, closing error
	others.Go(func() {
		defer stop()
		if answering = srv.Serve(l); errors.Is(answering, http.ErrServerClosed) {
			answering = nil
		}
	})
	others.Go(func() {
		<-ctx.Done()
		closing = shut(srv)
	})
	others.Go(func() { f.reloads(ctx) })
	delivering := f.deliver(ctx)
	stop()
	others.Wait()
	if err := errors.Join(delivering, answering, closing); err != nil {
		return cannot("serve", err)
	}
	return nil
}

// shut closes the address and lets answers end that are being given.
func shut(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return srv.Close()
}

// deliver works until ctx ends.
func (f *face) deliver(ctx context.Context) error {
	if f.service != nil {
		return f.service.Run(ctx)
	}
	return f.deliverFiles(ctx)
}

// reloads reads the configuration again at each SIGHUP.
func (f *face) reloads(ctx context.Context) {
	if f.app.Hangups == nil {
		return
	}
	hangups := f.app.Hangups()
	for {
		select {
		case <-hangups:
			f.reload(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// reload takes over the new configuration whole, or leaves the old one whole.
func (f *face) reload(ctx context.Context) {
	quiet := *f.app
	quiet.Stderr = io.Discard // what is wrong goes into the log, once and whole
	s, plan, err := quiet.openServe(ctx, f.options.listen)
	if quiet.broken != nil {
		err = quiet.broken
	}
	if err == nil {
		err = f.take(s, plan)
	}
	if err != nil {
		f.app.log.Error("the new configuration is refused, the old one stays", "error", err.Error())
		return
	}
	f.app.log.Warn("the configuration was read again")
}

func (f *face) take(s *site, plan servePlan) error {
	if plan.keeps() != f.keeps {
		// Commands go by the new file at once: what they enqueue would wait
		// where nobody looks.
		return errors.New("persistence names another database; only a restart changes that")
	}
	handler, err := f.show(plan)
	if err != nil {
		return err
	}
	if err := f.pipeline.Reload(pipelineOptions(f.app, s, plan.database)); err != nil {
		return err
	}
	f.site.Store(s)
	f.handler.Store(&handler)
	return nil
}

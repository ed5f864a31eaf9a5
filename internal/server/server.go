package server

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"agentxchain/internal/delivery"
)

// Log is the delivery log as lists and details show it.
type Log interface {
	// Page returns a part of the records that f chooses, the newest first.
	Page(ctx context.Context, f delivery.Filter, p delivery.Page) ([]delivery.Record, error)
	// Total counts the records that f chooses.
	Total(ctx context.Context, f delivery.Filter) (int64, error)
	// Record returns one record whole, with its Tries in order, or
	// [delivery.ErrUnknown].
	Record(ctx context.Context, id string) (delivery.Record, error)
}

// Overview sums the delivery log up.
type Overview interface {
	// Health compares what was accepted with what was attempted.
	Health(ctx context.Context) (delivery.Health, error)
}

// Desk takes orders.
type Desk interface {
	// Retry has a delivery sent again at once, byte for byte. It returns
	// [delivery.ErrUnknown], [delivery.ErrBusy] while it is being sent,
	// [delivery.ErrDone] when it was delivered or discarded, and
	// [delivery.ErrBodyless] when its bytes are not known.
	Retry(ctx context.Context, id string) error
	// Accept mints the event and returns when its deliveries are durable. It
	// returns [delivery.ErrKeyReused] when the emission's Key came with
	// another Request before, [delivery.ErrBusy] while the first request with
	// the Key is still in progress, and an [*InvalidError] when the event
	// can't be accepted as it is.
	Accept(ctx context.Context, e Emission) (Accepted, error)
}

// Options says what the server serves and to whom.
type Options struct {
	// Log, Overview and Desk are the delivery log; all three are needed unless
	// Unkept says why there is none.
	Log      Log
	Overview Overview
	Desk     Desk
	// Unkept says, as one sentence for people, why deliveries are not kept.
	// Lists are empty then, and what would need the log is refused with it.
	Unkept string
	// Keys are the keys that open the API. Without any, and unless Open, only
	// public paths answer.
	Keys []Key
	// Open lets everybody in. The caller sets it only for a listener on loopback.
	Open bool
	// PublicPaths need no key, such as "/metrics"; nil means "/v1/health".
	PublicPaths []string
	// Hosts are the host names, with or without a port, that requests may name
	// besides those of loopback. Any other is refused, so that a page whose
	// name was made to resolve to this machine can't talk to it.
	Hosts []string
	// Dashboard serves everything below /dashboard/; nil means there is none.
	Dashboard http.Handler
	// Metrics counts; nil means counters of the server's own.
	Metrics *Metrics
	// Logger hears of every request at debug and of failures at error; nil
	// means nobody does. It never hears of keys, queries and bodies.
	Logger *slog.Logger
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

const (
	// askTime bounds how long a handler waits for the log.
	askTime = 20 * time.Second
	// readTime bounds how long a client may take to send a body.
	readTime = 30 * time.Second
)

// New returns the handler of everything that is served. It starts nothing.
func New(opts Options) http.Handler {
	if opts.PublicPaths == nil {
		opts.PublicPaths = []string{"/v1/health"}
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Unkept == "" && (opts.Log == nil || opts.Overview == nil || opts.Desk == nil) {
		opts.Unkept = "This server has no delivery log."
	}
	a := &api{Options: opts, foreign: http.NewCrossOriginProtection(), health: newHealthCache(opts.Overview, opts.Now)}
	return &door{next: a.mux(), hosts: readHosts(opts.Hosts), metrics: opts.Metrics, logger: opts.Logger, readTime: readTime}
}

// HTTP returns a server for the handler with limits for slow and greedy
// clients. An answer may take a minute; what streams for longer moves its own
// deadline with [http.ResponseController.SetWriteDeadline].
func HTTP(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// api is the REST API and what stands beside it.
type api struct {
	Options
	foreign *http.CrossOriginProtection
	health  *healthCache
}

// route is one operation of openapi.yaml.
type route struct {
	method, path string
	// scope is what a key needs; empty means that none is asked for.
	scope string
	// bare says that query parameters are refused; a handler that knows some
	// reads them itself, and one that is asked by machines lets them pass.
	bare bool
	// serve answers, or returns a [*problem] or an error of the log.
	serve func(w http.ResponseWriter, r *http.Request) error
}

func (a *api) routes() []route {
	return []route{
		{method: http.MethodGet, path: "/v1/notifications", scope: ScopeRead, serve: a.list},
		{method: http.MethodGet, path: "/v1/notifications/{id}", scope: ScopeRead, bare: true, serve: a.show},
		{method: http.MethodPost, path: "/v1/notifications/{id}/retry", scope: ScopeWrite, bare: true, serve: a.retry},
		{method: http.MethodPost, path: "/v1/events", scope: ScopeWrite, bare: true, serve: a.emit},
		{method: http.MethodGet, path: "/v1/health", scope: ScopeRead, serve: a.showHealth},
		{method: http.MethodGet, path: "/metrics", scope: ScopeRead, serve: a.showMetrics},
		{method: http.MethodGet, path: "/openapi.yaml", serve: a.showDocument},
	}
}

// mux answers for every path: what no route takes is a problem too.
func (a *api) mux() *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range a.routes() {
		mux.HandleFunc(rt.method+" "+rt.path, a.operation(rt))
		methods[rt.path] = append(methods[rt.path], rt.method)
		if rt.method == http.MethodGet {
			methods[rt.path] = append(methods[rt.path], http.MethodHead)
		}
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			newProblem(methodNotAllowed, "This path answers to "+strings.Join(allowed, ", ")+".").write(w)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		newProblem(notFound, "Nothing is served here; /openapi.yaml lists what is.").write(w)
	})
	if a.Dashboard != nil {
		mux.Handle("/dashboard/", a.Dashboard)
		mux.Handle("GET /{$}", http.RedirectHandler("/dashboard/", http.StatusFound))
	}
	return mux
}

// operation wraps a route in the checks that all share.
func (a *api) operation(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		limit := askTime
		if r.ContentLength != 0 {
			limit += readTime
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		err := a.admit(w, r, rt)
		if err == nil {
			err = rt.serve(w, r.WithContext(ctx))
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	}
}

// admit decides whether the request may reach the route's handler.
func (a *api) admit(w http.ResponseWriter, r *http.Request, rt route) error {
	if err := a.foreign.Check(r); err != nil {
		return newProblem(crossOrigin, "A page of another site sent this request.")
	}
	if rt.scope != "" && !a.Open && !slices.Contains(a.PublicPaths, r.URL.Path) {
		if err := a.authenticate(w, r, rt.scope); err != nil {
			return err
		}
	}
	if rt.bare {
		return noParameters(r.URL.RawQuery)
	}
	return nil
}

// kept returns the problem of a server without a delivery log.
func (a *api) kept() error {
	if a.Unkept != "" {
		return newProblem(notKept, a.Unkept)
	}
	return nil
}

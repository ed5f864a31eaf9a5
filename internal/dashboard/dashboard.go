// Package dashboard is the pages for people: the list of deliveries, one
// delivery in full, and the Retry button. Everything lies below /dashboard/.
//
// Pages are made on the server and work as plain HTML forms; a small script
// adds live updates and keys. Nothing is loaded from elsewhere, and the
// Content-Security-Policy of every answer says so.
//
// # Sessions
//
// A session is the cookie agw_dashboard_session: base64url(claims) "."
// base64url(HMAC-SHA-256). The claims are a JSON object with the account's
// name, its role, the time of login in Unix seconds and 16 random bytes. The
// key comes from Options.SessionSecret, and the MAC covers a digest of the
// account's password too, so that a session ends when the account is removed,
// gets another role or another password. It lives for 24 hours. The role is
// that of the account whose password was given at login, never looked up by
// name afterwards.
//
// Sessions that were logged out are remembered by this process alone.
package dashboard

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
)

// Log is what the pages read. A store implements it.
type Log interface {
	// Page returns a part of the chosen records, the newest first, without
	// bodies and tries.
	Page(ctx context.Context, f delivery.Filter, p delivery.Page) ([]delivery.Record, error)
	// Total returns how many records are chosen.
	Total(ctx context.Context, f delivery.Filter) (int64, error)
	// Record returns one whole record, tries in their order, or
	// [delivery.ErrUnknown].
	Record(ctx context.Context, id string) (delivery.Record, error)
}

// Overview is what the top of the list shows.
type Overview interface {
	// Health compares what was accepted with what was attempted.
	Health(ctx context.Context) (delivery.Health, error)
	// Chart counts outcomes per target and span of width, from since on.
	Chart(ctx context.Context, since time.Time, width time.Duration) ([]delivery.Bucket, error)
	// Version returns a text that changes whenever a record did. Live pages
	// ask for it about once a second, all of them together.
	Version(ctx context.Context) (string, error)
}

// Names are what the filter form offers while one types.
type Names interface {
	// Targets returns known targets, by the name that people know them by.
	Targets(ctx context.Context) ([]string, error)
	// Agents returns known agents.
	Agents(ctx context.Context) ([]string, error)
}

// Desk acts on records.
type Desk interface {
	// Retry has the stored bytes of a record sent again at once. Its errors are
	// [delivery.ErrUnknown], [delivery.ErrBusy] while the record is being sent,
	// [delivery.ErrDone] when it was delivered or discarded, and
	// [delivery.ErrBodyless].
	Retry(ctx context.Context, id string) error
}

// Options are what a dashboard is made from.
type Options struct {
	// Log, Overview and Desk are required unless Unkept says why there is no
	// log. Names may be nil: nothing is offered then.
	Log      Log
	Overview Overview
	Names    Names
	Desk     Desk
	// Unkept says in a sentence why nothing is kept; empty means that Log has
	// everything.
	Unkept string
	// Title is the name of the dashboard; empty means "AgentXchain".
	Title string

	// Open switches the login off and makes everyone an administrator. The
	// caller allows it on loopback only.
	Open bool
	// Accounts may log in. One with an empty password never can.
	Accounts []Account
	// LoginLink lets whoever holds its token log in once; nil means none.
	LoginLink *LoginLink
	// SessionSecret signs sessions; an empty one is replaced by a random one,
	// so that sessions end with the process.
	SessionSecret secret.Text
	// Secure marks the cookies for HTTPS only. It is on by itself for requests
	// that came over TLS.
	Secure bool

	// Stop ends live updates when it is closed, so that a server can drain;
	// nil means never.
	Stop <-chan struct{}
	// Poll is the time between two looks at Version; 0 means one second.
	Poll time.Duration
	// Now is the clock, [time.Now] by default.
	Now func() time.Time
	// Entropy gives random bytes, crypto/rand by default.
	Entropy io.Reader
	// Logger hears of failures and of logins; nil means nobody does.
	Logger *slog.Logger
}

// root is where everything lies; home is the page that most links lead to.
const (
	root = "/dashboard/"
	home = "/dashboard/notifications"
)

// handler serves all pages.
type handler struct {
	options   Options
	templates *template.Template
	assets    assets
	sessions  *sessions
	limiter   *limiter
	live      *hub
	log       *slog.Logger
	now       func() time.Time
}

// New returns the handler of everything below /dashboard/. It starts nothing:
// the one goroutine there is, which looks for changes, runs while somebody
// watches. The caller refuses foreign host names and limits the size of
// headers; an error names the option that cannot be followed.
func New(o Options) (http.Handler, error) {
	if o.Unkept == "" && (o.Log == nil || o.Overview == nil || o.Desk == nil) {
		return nil, errors.New("dashboard: without a delivery log it has to be said why (Unkept)")
	}
	o = withDefaults(o)
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	templates, err := parseTemplates(files)
	if err != nil {
		return nil, err
	}
	s, err := newSessions(o)
	if err != nil {
		return nil, err
	}
	h := &handler{
		options: o, templates: templates, assets: files, sessions: s,
		limiter: newLimiter(o.Now), log: o.Logger, now: o.Now,
	}
	h.live = newHub(o.Overview, o.Poll, o.Logger)
	return h.guard(h.routes()), nil
}

// withDefaults fills what may be left out.
func withDefaults(o Options) Options {
	if o.Title == "" {
		o.Title = "AgentXchain"
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// routes says which path is whose.
func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dashboard/assets/{name}", h.assets.serve)
	mux.HandleFunc("GET /dashboard/login", h.loginPage)
	mux.HandleFunc("POST /dashboard/login", h.login)
	mux.HandleFunc("POST /dashboard/logout", h.logout)
	mux.HandleFunc("GET /dashboard/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, home, http.StatusSeeOther)
	})
	mux.Handle("GET /dashboard/notifications", h.private(h.list))
	mux.Handle("GET /dashboard/notifications/{id}", h.private(h.details))
	mux.Handle("GET /dashboard/notifications/{id}/body", h.private(h.body))
	mux.Handle("POST /dashboard/notifications/{id}/retry", h.private(h.retry))
	mux.Handle("GET /dashboard/live", h.private(h.stream))
	mux.Handle(root, h.private(h.missing))
	return mux
}

// policy lets a page load what this handler serves, and nothing else. There
// are no inline scripts or styles to make an exception for.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard sets the headers of every answer and refuses requests that another
// site made a browser send.
func (h *handler) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Referrer-Policy", "same-origin")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if err := origin.Check(r); err != nil {
			h.log.Warn("dashboard: a request of another site is refused", "path", r.URL.Path)
			h.problem(w, r, viewer{}, http.StatusForbidden, "Refused",
				"This request came from another site. Nothing was done. Open the dashboard and try there.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// page is what every page shows around its content.
type page struct {
	// Brand is the dashboard's name, Title the page's.
	Brand, Title string
	// Viewer is who looks.
	Viewer viewer
	// Self is the page's own path and query, where a form leads back to.
	Self string
	// Live says that the page follows changes.
	Live bool
	// Flash is the answer to what the viewer just did.
	Flash *flash
}

func (h *handler) page(r *http.Request, v viewer, title string) page {
	return page{Brand: h.options.Title, Title: title, Viewer: v, Self: r.URL.RequestURI()}
}

// render writes a template's output, whole or not at all.
func (h *handler) render(w http.ResponseWriter, status int, name string, data any) {
	var out bytes.Buffer
	if err := h.templates.ExecuteTemplate(&out, name, data); err != nil {
		h.log.Error("dashboard: a page can't be made", "page", name, "error", err)
		http.Error(w, "The page can't be made. The server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader may have left
}

// problemView is a page with nothing but a message.
type problemView struct {
	page
	Heading, Text string
}

// problem answers with a message: as a page, or as JSON for the script.
func (h *handler) problem(w http.ResponseWriter, r *http.Request, v viewer, status int, heading, text string) {
	if fromScript(r) {
		h.answer(w, status, false, text)
		return
	}
	h.render(w, status, "problem", problemView{h.page(r, v, heading), heading, text})
}

// missing answers for paths that are none.
func (h *handler) missing(w http.ResponseWriter, r *http.Request, v viewer) {
	h.problem(w, r, v, http.StatusNotFound, "Not found", "There is no such page.")
}

// unreadable answers when the log can't be read. The cause may name hosts and
// files, so it goes to the server's log alone.
func (h *handler) unreadable(w http.ResponseWriter, r *http.Request, v viewer, err error) {
	if r.Context().Err() != nil {
		return // the viewer left
	}
	h.log.Error("dashboard: the delivery log can't be read", "path", r.URL.Path, "error", err)
	h.problem(w, r, v, http.StatusServiceUnavailable, unreadableHeading, unreadableText)
}

const (
	unreadableHeading = "The delivery log can't be read"
	unreadableText    = "The database did not answer. Deliveries are not lost by this, only hidden for now. The server's log says what went wrong."
)

// fromScript reports whether the page's own script asks.
func fromScript(r *http.Request) bool { return r.Header.Get("X-Fragment") != "" }

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

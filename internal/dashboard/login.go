package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxForm bounds the body of a form, in bytes.
const maxForm = 64 << 10

// private lets only those in who are logged in.
func (h *handler) private(next func(http.ResponseWriter, *http.Request, viewer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := h.viewer(r)
		if ok {
			next(w, r, v)
			return
		}
		if fromScript(r) || r.URL.Path == "/dashboard/live" {
			h.answer(w, http.StatusUnauthorized, false, "Your session has ended. Log in again.")
			return
		}
		to := "/dashboard/login"
		if r.Method == http.MethodGet && r.URL.RequestURI() != home {
			to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

// viewer says who sent a request.
func (h *handler) viewer(r *http.Request) (viewer, bool) {
	if h.options.Open {
		return viewer{Name: linkName, Admin: true}, true
	}
	c, ok := h.sessions.read(r)
	if !ok {
		return viewer{}, false
	}
	return viewer{Name: c.Name, Admin: c.Admin, In: true, session: &c}, true
}

// loginView is the login page.
type loginView struct {
	page
	Name, Next, Problem string
	// Form says that there are accounts; Link that a login link is another way.
	Form, Link bool
}

// loginPage shows the form, or takes a login link's token.
func (h *handler) loginPage(w http.ResponseWriter, r *http.Request) {
	next := ownPath(r.URL.Query().Get("next"))
	if _, ok := h.viewer(r); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	// A HEAD request spends no token: programs that preview links send it.
	if token := r.URL.Query().Get("token"); token != "" && r.Method == http.MethodGet {
		h.loginByLink(w, r, token, next)
		return
	}
	h.showLogin(w, r, http.StatusOK, loginView{Next: next})
}

func (h *handler) showLogin(w http.ResponseWriter, r *http.Request, status int, v loginView) {
	v.page = h.page(r, viewer{}, "Log in")
	v.Link = h.options.LoginLink != nil
	for _, id := range h.sessions.identities {
		v.Form = v.Form || !id.link
	}
	h.render(w, status, "login", v)
}

// loginByLink answers a token that was given in the address.
func (h *handler) loginByLink(w http.ResponseWriter, r *http.Request, token, next string) {
	if wait := h.limiter.take(r.RemoteAddr); wait > 0 {
		h.tooMany(w, r, wait, loginView{Next: next})
		return
	}
	id, ok := h.sessions.link()
	if !ok || !h.options.LoginLink.use(token) {
		h.log.Warn("dashboard: a login link was refused", "remote", r.RemoteAddr)
		h.showLogin(w, r, http.StatusUnauthorized, loginView{
			Next:    next,
			Problem: "This login link is not valid any more. Each one works once; the server prints a new one when it starts.",
		})
		return
	}
	h.enter(w, r, id, next)
}

// login answers the form.
func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.badForm(w, r, err)
		return
	}
	v := loginView{Name: r.PostForm.Get("username"), Next: ownPath(r.PostForm.Get("next"))}
	// The attempt is counted first and given back afterwards, so that many at
	// once can't all pass before the first is counted.
	if wait := h.limiter.take(r.RemoteAddr); wait > 0 {
		h.tooMany(w, r, wait, v)
		return
	}
	id, ok := h.sessions.enter(v.Name, r.PostForm.Get("password"))
	if !ok {
		h.log.Warn("dashboard: a login failed", "remote", r.RemoteAddr)
		v.Problem = "Name or password is wrong."
		h.showLogin(w, r, http.StatusUnauthorized, v)
		return
	}
	h.enter(w, r, id, v.Next)
}

// enter begins a session and leads on.
func (h *handler) enter(w http.ResponseWriter, r *http.Request, id identity, next string) {
	h.limiter.giveBack(r.RemoteAddr)
	if err := h.sessions.begin(w, r, id); err != nil {
		h.log.Error("dashboard: a session can't begin", "error", err)
		h.problem(w, r, viewer{}, http.StatusInternalServerError, "No session", "The server can't begin a session. Its log says why.")
		return
	}
	h.log.Info("dashboard: logged in", "account", id.name, "admin", id.admin)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (h *handler) tooMany(w http.ResponseWriter, r *http.Request, wait time.Duration, v loginView) {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	v.Problem = "Too many failed logins. Try again in " + span(time.Duration(seconds)*time.Second) + "."
	h.showLogin(w, r, http.StatusTooManyRequests, v)
}

func (h *handler) badForm(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		h.problem(w, r, viewer{}, http.StatusRequestEntityTooLarge, "Too large", "The form is larger than this page ever sends.")
		return
	}
	h.problem(w, r, viewer{}, http.StatusBadRequest, "Not a form", "The form can't be read.")
}

// logout ends the session and leads to the login page.
func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	if c, ok := h.sessions.read(r); ok {
		h.sessions.end(c)
	}
	h.sessions.setCookie(w, r, cookieName, "", -1)
	http.Redirect(w, r, "/dashboard/login", http.StatusSeeOther)
}

// ownPath returns the path and query of a page below /dashboard/notifications;
// whatever else it is given becomes the list, so that a crafted link never
// leads away from here.
func ownPath(s string) string {
	if len(s) > 4096 || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == '\\' || c == 0x7f }) {
		return home
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	if u.Path != home && !strings.HasPrefix(u.Path, home+"/") || strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/.") {
		return home
	}
	to := url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	return to.String()
}

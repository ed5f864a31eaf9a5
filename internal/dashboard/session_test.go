package dashboard

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/secret"
)

func (s *site) quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// cookie returns a client's session.
func (s *site) cookie(t *testing.T, c *http.Client) string {
	t.Helper()
	u, err := url.Parse(s.URL + home)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range c.Jar.Cookies(u) {
		if k.Name == cookieName {
			return k.Value
		}
	}
	return ""
}

// withCookie asks for the list with a cookie's value.
func (s *site) withCookie(t *testing.T, value string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+home, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", cookieName+"="+value)
	return s.do(t, s.client(t), r).status
}

func TestLogin(t *testing.T) {
	s := serve(t, records(1), nil)
	for _, tt := range []struct {
		name, password string
		status         int
	}{
		{"ada", adminPassword, 303},
		{"grace", userPassword, 303},
		{"ada", userPassword, 401},
		{"grace", adminPassword, 401},
		{"ada", "", 401},
		{"", "", 401},
		{"nobody", "", 401},
		{"nobody", "an unlikely guess", 401},
		{"ADA", adminPassword, 401},
		{"operator", "", 401},
	} {
		c := s.client(t)
		a := s.post(t, c, "/dashboard/login", url.Values{"username": {tt.name}, "password": {tt.password}}, nil)
		if a.status != tt.status || (s.cookie(t, c) != "") != (tt.status == 303) {
			t.Errorf("%q %q: %d", tt.name, tt.password, a.status)
		}
		if tt.password != "" {
			lacks(t, a, tt.password)
		}
	}
}

// Where one is led after login is a page of ours.
func TestLoginNext(t *testing.T) {
	s := serve(t, records(1), nil)
	for _, tt := range []struct{ next, want string }{
		{"", home},
		{home + "?status=failed&offset=20", home + "?status=failed&offset=20"},
		{"//evil.example", home},
		{"https://evil.example" + home, home},
		{`/\evil.example`, home},
		{"/dashboard/logout", home},
		{home + "/../logout", home},
		{"javascript:alert(1)", home},
	} {
		a := s.post(t, s.client(t), "/dashboard/login", url.Values{"username": {"ada"}, "password": {adminPassword}, "next": {tt.next}}, nil)
		if got := a.header.Get("Location"); got != tt.want {
			t.Errorf("%q leads to %q", tt.next, got)
		}
	}
	a := s.get(t, s.client(t), home+"?status=failed")
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != "/dashboard/login?next=%2Fdashboard%2Fnotifications%3Fstatus%3Dfailed" {
		t.Errorf("%d %q", a.status, got)
	}
	if a := s.fragment(t, s.client(t), home); a.status != http.StatusUnauthorized {
		t.Errorf("the script gets %d", a.status)
	}
}

// Two accounts of one name: the password decides which of them it is.
func TestRoleBelongsToTheLogin(t *testing.T) {
	s := serve(t, records(1), func(o *Options) {
		o.Accounts = []Account{{Name: "admin", Password: secret.New("user's")}, {Name: "admin", Password: secret.New("admin's"), Admin: true}}
	})
	lacks(t, s.get(t, s.login(t, "admin", "user's"), home), "data-retry")
	has(t, s.get(t, s.login(t, "admin", "admin's"), home), http.StatusOK, "data-retry")
	for _, accounts := range [][]Account{
		{{Name: "a", Password: secret.New("x")}, {Name: "a", Password: secret.New("x"), Admin: true}},
		{{Name: "a", Password: secret.New("x")}, {Name: "a", Password: secret.New("y")}},
		{{Password: secret.New("x")}},
	} {
		if _, err := New(Options{Unkept: "why", Accounts: accounts}); err == nil || strings.Contains(err.Error(), "x") {
			t.Errorf("%v: %v", accounts, err)
		}
	}
}

// The cookie's marks, and what ends a session.
func TestSession(t *testing.T) {
	log := records(1)
	s := serve(t, log, nil)
	a := s.post(t, s.client(t), "/dashboard/login", url.Values{"username": {"ada"}, "password": {adminPassword}}, nil)
	set := a.header.Get("Set-Cookie")
	for _, want := range []string{cookieName + "=", "Path=/dashboard", "Max-Age=86400", "HttpOnly", "SameSite=Lax"} {
		if !strings.Contains(set, want) {
			t.Errorf("%q lacks %q", set, want)
		}
	}
	if strings.Contains(set, "Secure") {
		t.Error("Secure over plain HTTP")
	}
	c := s.login(t, "ada", adminPassword)
	value := s.cookie(t, c)
	if s.withCookie(t, value) != http.StatusOK {
		t.Fatal("the session does not hold")
	}
	payload, mac, _ := strings.Cut(value, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	grace, _, _ := strings.Cut(s.cookie(t, s.login(t, "grace", userPassword)), ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"ada"`, `"grace"`, 1)))
	for _, bad := range []string{"", ".", payload, payload + ".", payload + "." + mac[1:], "A" + payload + "." + mac, forged + "." + mac, grace + "." + mac, value + "A", strings.Repeat("a", 5000)} {
		if got := s.withCookie(t, bad); got != http.StatusSeeOther {
			t.Errorf("%.40q: %d", bad, got)
		}
	}
	for _, other := range []struct {
		name   string
		change func(*Options)
		status int
	}{
		{"the same", nil, 200},
		{"another password", func(o *Options) { o.Accounts[0].Password = secret.New("new") }, 303},
		{"no admin any more", func(o *Options) { o.Accounts[0].Admin = false }, 303},
		{"no account any more", func(o *Options) { o.Accounts = o.Accounts[1:] }, 303},
		{"another secret", func(o *Options) { o.SessionSecret = secret.New("other") }, 303},
		{"a random secret", func(o *Options) { o.SessionSecret = secret.Text{} }, 303},
	} {
		if got := serve(t, log, other.change).withCookie(t, value); got != other.status {
			t.Errorf("%s: %d", other.name, got)
		}
	}
	if a := s.post(t, c, "/dashboard/logout", nil, nil); a.status != http.StatusSeeOther || s.cookie(t, c) != "" {
		t.Errorf("logout: %d", a.status)
	}
	if got := s.withCookie(t, value); got != http.StatusSeeOther {
		t.Errorf("after logout: %d", got)
	}
	late := s.login(t, "ada", adminPassword)
	s.clock.add(sessionLife - time.Second)
	has(t, s.get(t, late, home), http.StatusOK)
	s.clock.add(time.Second)
	if got := s.get(t, late, home).status; got != http.StatusSeeOther {
		t.Errorf("after a day: %d", got)
	}
	secure := serve(t, log, func(o *Options) { o.Secure = true })
	if a := secure.post(t, secure.client(t), "/dashboard/login", url.Values{"username": {"ada"}, "password": {adminPassword}}, nil); !strings.Contains(a.header.Get("Set-Cookie"), "Secure") {
		t.Error("not Secure")
	}
}

// What is forgotten takes older sessions with it.
func TestRevokedIsBounded(t *testing.T) {
	at := testNow()
	s, err := newSessions(withDefaults(Options{Now: func() time.Time { return at }}))
	if err != nil {
		t.Fatal(err)
	}
	first := claims{Issued: at.Unix() - 5, Nonce: []byte("first")}
	s.end(first)
	for i := range maxRevoked {
		s.end(claims{Issued: at.Unix(), Nonce: []byte{byte(i), byte(i >> 8), 1}})
	}
	if len(s.revoked) > maxRevoked || s.valid(first) {
		t.Errorf("%d remembered, the first is back: %v", len(s.revoked), s.valid(first))
	}
	if !s.valid(claims{Issued: at.Unix(), Nonce: []byte("new")}) {
		t.Error("a new session is refused")
	}
}

// Guessing is slowed down: per address, and for everybody together.
func TestLimiter(t *testing.T) {
	s := serve(t, records(1), nil)
	wrong := url.Values{"username": {"ada"}, "password": {"guess"}}
	for range addressFailures {
		has(t, s.post(t, s.client(t), "/dashboard/login", wrong, nil), http.StatusUnauthorized)
	}
	right := url.Values{"username": {"ada"}, "password": {adminPassword}}
	a := s.post(t, s.client(t), "/dashboard/login", right, nil)
	has(t, a, http.StatusTooManyRequests, "Too many failed logins. Try again in 15 min.")
	if a.header.Get("Retry-After") != "900" {
		t.Errorf("%q", a.header.Get("Retry-After"))
	}
	s.clock.add(addressWindow)
	for range 2 * addressFailures {
		has(t, s.post(t, s.client(t), "/dashboard/login", right, nil), http.StatusSeeOther)
	}
	at := testNow()
	l := newLimiter(func() time.Time { return at })
	refused := 0
	for i := range globalFailures + 7 {
		if l.take("[2001:db8:"+strings.Repeat("1", 1+i%4)+":"+string(rune('a'+i%6))+"::1]:1") > 0 {
			refused++
		}
	}
	if refused == 0 || l.global.n > globalFailures {
		t.Errorf("%d refused, %d counted", refused, l.global.n)
	}
	if a, b := address("[2001:db8:1:2:3::4]:5"), address("[2001:db8:1:2:9::9]:7"); a != b {
		t.Errorf("%v and %v are counted apart", a, b)
	}
}

// A login link works once, and not for a program that only looks.
func TestLoginLink(t *testing.T) {
	link, token, err := NewLoginLink(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, records(1), func(o *Options) { o.Accounts, o.LoginLink = nil, link })
	has(t, s.get(t, s.client(t), "/dashboard/login"), http.StatusOK, "Open the login link")
	has(t, s.get(t, s.client(t), "/dashboard/login?token=wrong"), http.StatusUnauthorized, "not valid any more")
	path := "/dashboard/login?token=" + token.Reveal()
	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	has(t, s.do(t, s.client(t), head), http.StatusOK)
	c := s.client(t)
	if a := s.get(t, c, path); a.status != http.StatusSeeOther || a.header.Get("Location") != home {
		t.Errorf("%d %q", a.status, a.header.Get("Location"))
	}
	has(t, s.get(t, c, home), http.StatusOK, "data-retry", "operator")
	has(t, s.get(t, s.client(t), path), http.StatusUnauthorized)
	has(t, s.post(t, s.client(t), "/dashboard/login", url.Values{"username": {linkName}, "password": {""}}, nil), http.StatusUnauthorized)
}

func TestOpen(t *testing.T) {
	s := serve(t, records(1), func(o *Options) { o.Open, o.Accounts = true, nil })
	a := s.get(t, s.client(t), home)
	has(t, a, http.StatusOK, "data-retry")
	lacks(t, a, "Log out")
	id := s.log.records[0].ID
	if got := s.post(t, s.client(t), home+"/"+id+"/retry", nil, map[string]string{"Sec-Fetch-Site": "cross-site"}); got.status != http.StatusForbidden || s.log.sent[id] != 0 {
		t.Errorf("another site: %d", got.status)
	}
}

// A form is never larger than a page sends.
func TestLargeForm(t *testing.T) {
	s := serve(t, records(1), nil)
	has(t, s.post(t, s.client(t), "/dashboard/login", url.Values{"password": {strings.Repeat("x", maxForm)}}, nil), http.StatusRequestEntityTooLarge)
}

// FuzzCookie holds that nothing but a cookie of ours is a session.
func FuzzCookie(f *testing.F) {
	s, err := newSessions(withDefaults(Options{Accounts: []Account{{Name: "ada", Password: secret.New("x")}}, SessionSecret: secret.New("k")}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("e30.AAAA")
	f.Add(".")
	f.Fuzz(func(t *testing.T, value string) {
		if c, ok := s.parse(value); ok {
			t.Errorf("%q is a session of %q", value, c.Name)
		}
	})
}

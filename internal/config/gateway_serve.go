package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"agentxchain/internal/pyyaml"
	"agentxchain/internal/secret"
	"agentxchain/internal/store"
)

const (
	// maxRetention is in days.
	maxRetention = 36_500
	// minQueueAge, maxQueueAge and defaultQueueAge are in seconds.
	minQueueAge, maxQueueAge, defaultQueueAge = 60, 31_536_000, 259_200
)

func (r *gatewayReader) persistence(top section) Persistence {
	var p Persistence
	r.fault = ""
	s := top.section("persistence")
	s.only("enabled", "backend", "url", "table_prefix", "db_schema", "retention_days")
	s.missing, s.fails = &p.Missing, "no database can be opened"
	p.Configured = top.v.Has("persistence")
	p.Enabled = s.flag("enabled", true)
	p.URL = secret.New(s.text("url", "sqlite+aiosqlite:///agent_gateway.db", maskDatabase))
	p.Backend = s.text("backend", cmp.Or(databaseKind(p.URL.Reveal()), "sqlite"), shown)
	p.TablePrefix = s.text("table_prefix", "", shown)
	p.Schema = s.nullable("db_schema", shown)
	p.RetentionDays = s.whole("retention_days", 0, 1, maxRetention, "leave it out to keep records for ever")
	backends := []string{"sqlite", "postgres", "postgresql"}
	if len(p.Missing) == 0 && !slices.Contains(backends, p.Backend) {
		r.wrong(s.v.Get("backend"), s.at("backend"), "unknown_backend",
			fmt.Sprintf("persistence.backend %q is unknown, so nothing would be kept", p.Backend), r.suggest(p.Backend, backends))
	}
	if r.opts.Advise && r.fault == "" && p.Enabled && len(p.Missing) == 0 {
		r.adviseURL(s, p)
	}
	if r.fault != "" {
		p.Backend = "" // Nothing may go to a default database by mistake.
	}
	return p
}

// adviseURL looks at whether the URL and the backend name one kind of database.
func (r *gatewayReader) adviseURL(s section, p Persistence) {
	v, pointer, named := s.v.Get("url"), s.at("url"), "persistence.url"
	if v == nil {
		v, pointer, named = s.v.Get("backend"), s.at("backend"), "the url that counts where none is given"
	}
	kind := databaseKind(p.URL.Reveal())
	switch {
	case kind == "":
		r.wrong(v, pointer, "unknown_scheme", "persistence.url names no database that can be used",
			`it begins with "sqlite:///", "sqlite+aiosqlite:///", "postgresql://" or "postgresql+asyncpg://"`)
	case s.v.Has("backend") && kind != databaseKind(p.Backend+"://"):
		r.wrong(v, pointer, "two_databases", fmt.Sprintf("persistence.backend says %s and %s says %s", p.Backend, named, kind),
			"correct one of them, or leave backend out")
	default:
		r.adviseStore(s, p, kind)
	}
}

// adviseStore says what the store would refuse to open, before anybody tries.
func (r *gatewayReader) adviseStore(s section, p Persistence, kind string) {
	if err := store.CheckURL(p.URL.Reveal(), ""); err != nil {
		r.wrong(s.v.Get("url"), s.at("url"), "unusable_url", "persistence.url: "+err.Error(), "")
	}
	if err := store.CheckPrefix(p.TablePrefix); err != nil {
		r.wrong(s.v.Get("table_prefix"), s.at("table_prefix"), "bad_prefix", "persistence."+err.Error(), "")
	}
	err := store.CheckSchema(p.Schema)
	if err == nil && p.Schema != "" && kind == "sqlite" {
		err = errors.New("db_schema is for PostgreSQL only")
	}
	if err != nil {
		r.wrong(s.v.Get("db_schema"), s.at("db_schema"), "bad_schema", "persistence."+err.Error(), "")
	}
}

// databaseKind returns what a URL in SQLAlchemy's spelling names: "sqlite",
// "postgresql", or "" for any other.
func databaseKind(url string) string {
	scheme, _, ok := strings.Cut(url, "://")
	dialect, _, _ := strings.Cut(scheme, "+")
	switch {
	case ok && dialect == "sqlite":
		return "sqlite"
	case ok && (dialect == "postgresql" || dialect == "postgres"):
		return "postgresql"
	}
	return ""
}

// checkDatabase refuses a queue in a database that there is none of.
func (r *gatewayReader) checkDatabase(top section, g *Gateway) {
	p := g.Persistence
	if !r.opts.Advise || g.Queue.Backend != "database" || p.Configured && p.Enabled && (p.Backend != "" || len(p.Missing) > 0) {
		return
	}
	s := top.section("queue")
	r.wrong(s.v.Get("backend"), s.at("backend"), "no_database", `queue.backend is "database", and "persistence" names none that can be used`,
		`add the section "persistence" with a url, or leave backend out`)
}

func (r *gatewayReader) queue(top section) Queue {
	var q Queue
	s := top.section("queue")
	s.only("backend", "redis_url", "rabbitmq_url", "stream_key", "queue_name", "consumer_group", "workers",
		"max_retries", "visibility_timeout_s", "drain_timeout_s", "default_execution_mode", "max_age_s")
	s.missing, s.fails = &q.Missing, "notifications are sent directly"
	q.Backend = s.text("backend", "none", shown)
	if r.opts.Advise && len(q.Missing) == 0 && q.Backend != "none" && q.Backend != "database" {
		r.remark(s.v.Get("backend"), s.at("backend"), "foreign_queue",
			fmt.Sprintf("queue.backend %q means nothing to this program: notifications are sent directly", q.Backend),
			`"database" hands everything over to serve, through the database of "persistence"`)
	}
	age := s.whole("max_age_s", defaultQueueAge, minQueueAge, maxQueueAge, "in seconds; without it three days")
	q.MaxAge = time.Duration(age) * time.Second
	return q
}

// server reads what requests may be about. The rest of the section is Agent
// Gateway's.
func (r *gatewayReader) server(top section) Server {
	var o Server
	s := top.section("server")
	s.missing, s.fails = &o.Missing, "no request is answered that names such a host"
	for i, v := range s.list("allowed_hosts") {
		name, pointer := fmt.Sprintf("%s[%d]", s.path("allowed_hosts"), i), index(s.at("allowed_hosts"), i)
		host, ok := s.str(v, name, pointer)
		switch {
		case !ok || s.unknown(v) != "":
		case !isHost(host):
			r.wrong(v, pointer, "bad_host", name+" must be the name of a host or an address, without scheme and port", `for example "deliveries.example.com"`)
		default:
			o.AllowedHosts = append(o.AllowedHosts, strings.ToLower(host))
		}
	}
	r.show(s.path("allowed_hosts"), strings.Join(o.AllowedHosts, ", "), s.v.Get("allowed_hosts"))
	return o
}

// isHost reports whether s can be the host of a request: a name, or an address
// without brackets.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && len(s) <= 253 && !strings.ContainsFunc(s, func(c rune) bool {
		return c > 0x7f || !isWord(byte(c)) && c != '-' && c != '.'
	})
}

func (r *gatewayReader) auth(top section) Auth {
	var a Auth
	s := top.section("auth")
	s.only("enabled", "mode", "api_keys", "oauth2", "public_paths")
	s.missing, s.fails = &a.Missing, "the API refuses every request"
	a.Enabled = s.flag("enabled", true)
	a.Mode = s.text("mode", "api_key", shown)
	if modes := authModes(); r.opts.Advise && len(a.Missing) == 0 && !slices.Contains(modes, a.Mode) {
		r.wrong(s.v.Get("mode"), s.at("mode"), "unknown_mode", fmt.Sprintf("auth.mode %q is unknown", a.Mode), r.suggest(a.Mode, modes))
	}
	for _, e := range s.entries("api_keys") {
		if k := r.apiKey(e); !k.Key.IsZero() || k.KeySHA256 != "" {
			a.Keys = append(a.Keys, k)
		}
	}
	a.OAuth2 = s.optional("oauth2").v != nil
	a.PublicPaths = s.texts("public_paths", []string{"/v1/health"})
	if r.opts.Advise && s.v != nil && a.Enabled && len(a.Missing) == 0 {
		r.adviseAuth(s, a)
	}
	return a
}

// apiKey takes one key out, or its digest. With a wrong value it has neither,
// and lets nobody in.
func (r *gatewayReader) apiKey(e section) APIKey {
	r.fault = ""
	e.only("name", "key", "key_sha256", "scopes")
	k := APIKey{Name: e.required("name", "it says whose key it is", shown)}
	if e.v.Has("key_sha256") {
		k.KeySHA256 = strings.ToLower(e.text("key_sha256", "", masked))
	} else {
		k.Key = secret.New(e.required("key", `for example "${API_KEY}", or key_sha256`, masked))
	}
	k.Scopes = e.texts("scopes", []string{"*"})
	digest := e.v.Get("key_sha256")
	switch {
	case digest != nil && e.v.Has("key"):
		r.wrong(digest, e.at("key_sha256"), "two_keys", e.name+" has both key and key_sha256", "keep one of them")
	case digest != nil && e.unknown(digest) != "":
		k.KeySHA256 = "" // What is missing is told.
	case digest.Is(pyyaml.String) && !isDigest(k.KeySHA256):
		r.wrong(digest, e.at("key_sha256"), "bad_digest", e.path("key_sha256")+" must be the SHA-256 of the key, 64 hexadecimal digits",
			"printf %s \"$KEY\" | sha256sum")
	case r.opts.Advise && digest == nil && e.v.Get("key").Is(pyyaml.String) && k.Key.IsZero():
		r.wrong(e.v.Get("key"), e.at("key"), "empty_key", e.path("key")+" is empty, so it lets nobody in", `for example "${API_KEY}"`)
	}
	if r.fault != "" {
		return APIKey{Name: k.Name}
	}
	return k
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// adviseAuth looks for what keeps everybody out.
func (r *gatewayReader) adviseAuth(s section, a Auth) {
	if a.OAuth2 || slices.Contains([]string{"oauth2", "composite", "custom"}, a.Mode) {
		r.remark(s.v, s.at("mode"), "no_oauth2", "auth: this program knows API keys only, and neither oauth2 nor custom code", `"mode: api_key" and api_keys are what it reads`)
	}
	if keys := s.v.Get("api_keys"); a.Mode != "none" && (keys == nil || len(keys.Items) == 0) {
		r.remark(s.v, s.at("api_keys"), "no_keys", "auth is enabled and has no keys, so serve refuses to listen beyond loopback", "add api_keys")
	}
}

func authModes() []string { return []string{"api_key", "oauth2", "composite", "custom", "none"} }

func (r *gatewayReader) dashboard(top section) Dashboard {
	var d Dashboard
	s := top.section("dashboard")
	s.only("enabled", "title", "subtitle", "logo_url", "favicon_url", "auth", "theme")
	s.missing, s.fails = &d.Missing, "the dashboard refuses every request"
	d.Enabled = s.flag("enabled", false)
	d.Title = s.text("title", "Agent Gateway", shown)
	a := s.section("auth")
	a.only("enabled", "username", "password", "admin_username", "admin_password", "login_button_text", "session_secret", "oauth2")
	d.Auth = DashboardAuth{
		Enabled:       a.flag("enabled", true),
		Username:      a.text("username", "admin", shown),
		Password:      a.secret("password"),
		AdminUsername: a.nullable("admin_username", shown),
		AdminPassword: secret.New(a.nullable("admin_password", masked)),
		SessionSecret: a.secret("session_secret"),
		OAuth2:        a.optional("oauth2").v != nil,
	}
	if r.opts.Advise && d.Enabled && d.Auth.Enabled && len(d.Missing) == 0 {
		r.adviseDashboard(s, d.Auth)
	}
	return d
}

// adviseDashboard applies what Agent Gateway checks when it starts (contract,
// section 1.8), and warns about what is not the same here.
func (r *gatewayReader) adviseDashboard(s section, a DashboardAuth) {
	switch {
	case a.OAuth2 && !a.Password.IsZero():
		r.wrong(s.v, s.at("auth"), "two_logins", "dashboard.auth has both oauth2 and a password", "choose one of them")
	case !a.OAuth2 && (a.AdminUsername == "" || a.AdminPassword.IsZero()):
		r.wrong(s.v, s.at("auth"), "no_admin", "dashboard.auth needs admin_username and admin_password", "without oauth2 they are the only way to be an administrator")
	}
	switch {
	case a.OAuth2:
		r.remark(s.v, s.at("auth"), "no_oauth2", "dashboard.auth: this program knows passwords only, and no oauth2, so nobody can log in", "replace it by password, admin_username and admin_password")
	case a.Password.IsZero() && a.Username != a.AdminUsername:
		r.remark(s.v, s.at("auth"), "empty_password",
			fmt.Sprintf("dashboard.auth has no password for %q: here nobody can log in by that name, with Agent Gateway anybody can", a.Username), "set password")
	}
}

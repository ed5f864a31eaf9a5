package cmd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"agentxchain/internal/config"
	"agentxchain/internal/dashboard"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/secret"
	"agentxchain/internal/server"
	"agentxchain/internal/store"
)

// deliveriesFile is the database of a project that configures none, in the
// folder of our own files.
const deliveriesFile = "deliveries.db"

// servePlan is what the configuration says about serving. It is made anew at
// each reload.
type servePlan struct {
	// keys open the API; open lets everybody in.
	keys []server.Key
	open bool
	// publicPaths need no key; nil is the server's default.
	publicPaths []string
	// hosts may be named by requests besides loopback.
	hosts []string
	// pages says whether there is a dashboard, openPages that it needs no
	// login, and accounts who may log in. loginLink offers a link instead.
	pages, openPages, loginLink bool
	accounts                    []dashboard.Account
	title                       string
	sessionSecret               secret.Text
	// database is nil where nothing is kept, which unkept says.
	database *pipeline.Database
	unkept   string
	// takeIn says that the project's evidence is imported.
	takeIn bool
	// retention is how long finished rows are kept; 0 means for ever.
	retention time.Duration
}

// keeping is what a reload can't change: where deliveries are kept, and for how
// long.
type keeping struct {
	url, backend, dir, prefix, schema string
	takeIn                            bool
	retention                         time.Duration
}

func (p servePlan) keeps() keeping {
	k := keeping{takeIn: p.takeIn, retention: p.retention}
	if d := p.database; d != nil {
		o := d.Store
		k.url, k.backend, k.dir, k.prefix, k.schema = o.URL.Reveal(), o.Backend, o.Dir, o.Prefix, o.Schema
	}
	return k
}

// plan reads the plan from the configuration and refuses what would be open to
// others than this machine.
func (s *site) plan(listen string) (servePlan, error) {
	local, err := isLoopback(listen)
	if err != nil {
		return servePlan{}, err
	}
	p := servePlan{hosts: hostOf(listen, local)}
	if s.gateway == nil {
		p.open, p.pages, p.loginLink, p.title = true, true, true, "AgentXchain"
	} else if err := p.fromGateway(s.gateway); err != nil {
		return servePlan{}, err
	}
	p.database, p.unkept = s.servedDatabase()
	p.takeIn = s.gateway == nil || !s.gateway.Persistence.Configured
	if !local && p.open {
		return servePlan{}, cannot("unguarded", fmt.Errorf("--listen %s is open to other machines, and the API needs no key", listen),
			`give keys in auth.api_keys of gateway.yaml, or listen on 127.0.0.1`)
	}
	if !local && p.pages && (p.openPages || p.loginLink) {
		return servePlan{}, cannot("unguarded", fmt.Errorf("--listen %s is open to other machines, and the dashboard needs no password", listen),
			`set dashboard.auth.admin_username and admin_password in gateway.yaml, or listen on 127.0.0.1`)
	}
	return p, nil
}

// isLoopback reports whether only this machine can reach an address to listen on.
func isLoopback(listen string) (bool, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return false, usagef("--listen %q is no address: %w", listen, err).hint("for example 127.0.0.1:8787")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return false, usagef("--listen %q: %q is no port", listen, port).hint("0 to 65535; 0 takes a free one")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}

// hostOf is the name that requests may use for an address beyond loopback.
func hostOf(listen string, local bool) []string {
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || local || host == "" || ip != nil && ip.IsUnspecified() {
		return nil
	}
	return []string{host}
}

func (p *servePlan) fromGateway(g *config.Gateway) error {
	p.hosts = append(p.hosts, g.Server.AllowedHosts...)
	p.retention = time.Duration(g.Persistence.RetentionDays) * 24 * time.Hour
	if err := p.fromAuth(g.Auth); err != nil {
		return err
	}
	return p.fromDashboard(g.Dashboard)
}

func (p *servePlan) fromAuth(a config.Auth) error {
	p.publicPaths = a.PublicPaths
	for _, k := range a.Keys {
		key, err := apiKey(k)
		if err != nil {
			return cannot("config", fmt.Errorf("auth.api_keys: %q: %w", k.Name, err))
		}
		p.keys = append(p.keys, key)
	}
	needed := a.Enabled && a.Mode != "none"
	// Without any key nobody could ask; on loopback that is the owner.
	p.open = !needed || len(a.Keys) == 0 && len(a.Missing) == 0 && !a.OAuth2 && a.Mode == "api_key"
	return nil
}

func apiKey(k config.APIKey) (server.Key, error) {
	if k.KeySHA256 != "" {
		return server.KeyFromDigest(k.Name, k.KeySHA256, k.Scopes...)
	}
	return server.KeyFromText(k.Name, k.Key, k.Scopes...)
}

func (p *servePlan) fromDashboard(d config.Dashboard) error {
	p.pages, p.title, p.openPages = d.Enabled, d.Title, !d.Auth.Enabled
	p.sessionSecret = d.Auth.SessionSecret
	if !p.pages || p.openPages {
		return nil
	}
	if len(d.Missing) > 0 {
		return cannot("config", fmt.Errorf("dashboard: the environment variable %s has no value", d.Missing[0]))
	}
	if d.Auth.AdminUsername != "" && !d.Auth.AdminPassword.IsZero() {
		p.accounts = append(p.accounts, dashboard.Account{Name: d.Auth.AdminUsername, Password: d.Auth.AdminPassword, Admin: true})
	}
	if d.Auth.Username != "" && !d.Auth.Password.IsZero() {
		p.accounts = append(p.accounts, dashboard.Account{Name: d.Auth.Username, Password: d.Auth.Password})
	}
	if len(p.accounts) == 0 {
		return cannot("config", errors.New("the dashboard is enabled and nobody can log in"),
			"set dashboard.auth.admin_username and admin_password; OAuth2 is not supported by this program")
	}
	return nil
}

// servedDatabase is where a process that serves keeps deliveries, or why it
// keeps none.
func (s *site) servedDatabase() (*pipeline.Database, string) {
	if d := s.database(); d != nil && d.Use != pipeline.LookUp {
		return d, ""
	}
	if s.gateway != nil && s.gateway.Persistence.Configured && !s.gateway.Persistence.Enabled {
		return nil, "persistence.enabled is false in gateway.yaml, so deliveries are not kept."
	}
	return &pipeline.Database{Store: store.Options{URL: secret.New("sqlite:///" + deliveriesFile), Dir: s.root.OwnPath()}}, ""
}

// database is where commands keep deliveries beside or instead of the outbox;
// nil means in the outbox alone.
func (s *site) database() *pipeline.Database {
	if s.gateway == nil || !s.gateway.Persistence.Configured {
		return s.lookUp()
	}
	o, problem, ok := s.gateway.Database()
	if !ok {
		return nil
	}
	d := &pipeline.Database{Store: o, Problem: problem}
	if s.gateway.Queue.Backend == "database" {
		d.Use = pipeline.Enqueue
	}
	return d
}

// lookUp is the database that a process which serves made in a project that
// configures none.
func (s *site) lookUp() *pipeline.Database {
	d := &pipeline.Database{Use: pipeline.LookUp, Store: store.Options{URL: secret.New("sqlite:///" + deliveriesFile), Dir: s.root.OwnPath()}}
	if info, err := os.Lstat(filepath.Join(s.root.OwnPath(), deliveriesFile)); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return d
}

package config

import (
	"time"

	"agentxchain/internal/render"
	"agentxchain/internal/routing"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
)

// Gateway is a checked gateway.yaml with the rules of its agents.
type Gateway struct {
	// File is its absolute path.
	File string
	// Routing has the webhooks by name and the agents' rules.
	Routing routing.Gateway
	// Webhooks are the named webhooks, in the order of the file. Where a name
	// comes twice only the last one counts. One that has a wrong value is not
	// here: it is in Routing with its Problem, and has to fail on the record.
	Webhooks []webhook.Config
	// WebhookSecrets is webhook_secret, which signs for webhooks without a
	// secret (it is in theirs already) and for the URLs of rules; none leaves
	// them unsigned.
	WebhookSecrets []secret.Text
	// MissingSecret names the variables that webhook_secret needs and that are
	// not set. While there are any, nothing that it signs may be sent; for the
	// webhooks concerned they are in their Missing too.
	MissingSecret []string
	// SecretProblem says why webhook_secret cannot be used, such as that it is
	// no string; empty when it can be, or is not there. While there is one,
	// nothing may be sent to the URLs of rules, because it would be unsigned;
	// the webhooks concerned have it as their Problem.
	SecretProblem string
	// Slack is the section notifications.slack.
	Slack slack.Config
	// TemplatesDirLine is the line of slack.templates_dir in File, from 1; 0
	// when it is not in the file.
	TemplatesDirLine int
	// Persistence, Queue, Server, Auth and Dashboard are the other sections we
	// read.
	Persistence Persistence
	Queue       Queue
	Server      Server
	Auth        Auth
	Dashboard   Dashboard
	// Warnings are what was found that stops nothing, sorted by file and place.
	Warnings Problems

	// root is the folder that the files of agents are relative to.
	root     string
	settings []Setting
	uses     []render.Use
}

// Persistence says where deliveries are kept.
type Persistence struct {
	// Configured says that the section is there, be it empty.
	Configured bool
	// Enabled is true unless the section says otherwise.
	Enabled bool
	// Backend is "sqlite", "postgres" or "postgresql", by the URL unless the
	// section says it, and empty when the section has an error: it must not be
	// used then.
	Backend string
	// URL is the database in SQLAlchemy's spelling. It may hold a password.
	URL secret.Text
	// TablePrefix begins the names of tables and indexes.
	TablePrefix string
	// Schema is the PostgreSQL schema; empty means the connection's own.
	Schema string
	// RetentionDays is how long records of what was delivered or given up are
	// kept, 1 to 36,500 days; 0 means for ever.
	RetentionDays int
	// Missing names the variables that the section needs and that are not set.
	Missing []string
}

// Queue says how Agent Gateway hands work on. Only "none" and "database" mean
// anything to us.
type Queue struct {
	// Backend is "none" unless the section says otherwise.
	Backend string
	// MaxAge is how long the end of an agent run is sent again by itself, a
	// minute to a year; three days unless the section says otherwise.
	MaxAge time.Duration
	// Missing names the variables that the section needs and that are not set.
	Missing []string
}

// Server says what requests may be about.
type Server struct {
	// AllowedHosts are the names, in lower case and without port, that the Host
	// of a request may have besides those of the machine itself.
	AllowedHosts []string
	// Missing names the variables that the section needs and that are not set.
	Missing []string
}

// Auth guards the REST API.
type Auth struct {
	// Enabled is true unless the section says otherwise.
	Enabled bool
	// Mode is "api_key" unless the section says otherwise.
	Mode string
	// Keys are the API keys, in the order of the file, without those that have
	// a wrong value or none.
	Keys []APIKey
	// OAuth2 says that auth.oauth2 is configured.
	OAuth2 bool
	// PublicPaths need no key; "/v1/health" unless the section says otherwise.
	PublicPaths []string
	// Missing names the variables that the section needs and that are not set.
	Missing []string
}

// APIKey is one entry of auth.api_keys.
type APIKey struct {
	// Name says whose key it is.
	Name string
	// Key is what the caller sends; empty when only KeySHA256 is known.
	Key secret.Text
	// KeySHA256 is the SHA-256 of the key, 64 hexadecimal digits in lower case;
	// empty when Key is known.
	KeySHA256 string
	// Scopes are what it may do; "*" is everything, and the default.
	Scopes []string
}

// Dashboard is the section of that name.
type Dashboard struct {
	// Enabled is false unless the section says otherwise.
	Enabled bool
	// Title is the heading of every page.
	Title string
	// Auth guards the pages.
	Auth DashboardAuth
	// Missing names the variables that the section needs and that are not set.
	Missing []string
}

// DashboardAuth is the section dashboard.auth.
type DashboardAuth struct {
	// Enabled is true unless the section says otherwise.
	Enabled bool
	// Username and Password let a user in; Username is "admin" by default.
	Username string
	Password secret.Text
	// AdminUsername and AdminPassword let an administrator in; empty means none.
	AdminUsername string
	AdminPassword secret.Text
	// SessionSecret signs sessions; empty means one for each process.
	SessionSecret secret.Text
	// OAuth2 says that dashboard.auth.oauth2 is configured.
	OAuth2 bool
}

// String names the configuration; it shows none of its secrets.
func (g Gateway) String() string { return "configuration of " + g.File }

// GoString implements [fmt.GoStringer]; it shows none of the secrets.
func (g Gateway) GoString() string { return g.String() }

// GatewayOptions say how a gateway.yaml is read.
type GatewayOptions struct {
	// Root is the folder that the names of AGENT.md files in targets are
	// relative to.
	Root string
	// Governed are the names of the webhooks of agentxchain.json, which those
	// of the gateway must not repeat.
	Governed []string
	// Lookup returns the value of a variable for ${NAME}.
	Lookup func(name string) (value string, ok bool)
	// Environ lists the process's variables as NAME=VALUE; those that begin
	// with AGENT_GATEWAY_ fill what the file leaves out.
	Environ []string
	// RequireEnv makes a variable without a value an error.
	RequireEnv bool
	// Advise adds the warnings that cost time or another look at the disk, for
	// `config check`.
	Advise bool
}

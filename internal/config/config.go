// Package config reads agentxchain.json, and gateway.yaml with the AGENT.md
// files of its agents: it checks them, says of every fault where it lies and
// what to do about it, and hands the notifications to the packages that they
// configure.
//
// agentxchain.json is checked by the Node CLI's rules and with its texts
// (contract, sections 1.2 and 2). gateway.yaml is read as Agent Gateway reads
// it (contract, sections 1 and 6.1), except that one fault does not make
// defaults of everything else; see [LoadGateway].
//
// Of agentxchain.json three kinds of problems are kept apart. An error means
// that the Node CLI refuses the file. A missing header variable is an error
// there and a warning here, because commands that only read must not need
// delivery secrets. And rules that the Node CLI lacks are warnings marked
// [Problem.Extra], so that a project that loads there loads here.
package config

import (
	"errors"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/project"
	"agentxchain/internal/secret"
	"agentxchain/internal/webhook"
)

// maxDepth is how deeply values may be nested. No real configuration has more
// than a dozen levels.
const maxDepth = 512

// Config is a checked agentxchain.json.
type Config struct {
	// Root is where the file lies.
	Root project.Root
	// Project says whose configuration it is.
	Project Project
	// Webhooks are the targets of governed events, in the order of the file.
	// Headers are in the order in which ECMAScript enumerates them.
	Webhooks []webhook.Config
	// ApprovalSLA is nil when no reminders are configured.
	ApprovalSLA *ApprovalSLA
	// Raw is the whole document, secrets included.
	Raw *ecmajson.Value
	// Warnings are what [Load] found that stops nothing, sorted by place.
	Warnings Problems

	src []byte
	env project.Env
}

// String names the configuration; it shows none of its secrets.
func (c Config) String() string { return "configuration of " + c.Root.Dir }

// GoString implements [fmt.GoStringer]; it shows none of the secrets.
func (c Config) GoString() string { return c.String() }

// Project is what envelopes and exports say about a project.
type Project struct {
	ID, Name string
	// Goal is trimmed, and empty when there is none.
	Goal string
	// Template is what the project was made from, "generic" when not said.
	Template string
}

// ApprovalSLA says when a waiting approval is called to mind.
type ApprovalSLA struct {
	// Enabled is true unless the file says otherwise.
	Enabled bool
	// Thresholds are waiting times, ascending, whole seconds from 300 up.
	Thresholds []time.Duration
}

// Reminders returns the waiting times after which a waiting approval is called
// to mind; none when reminders are not configured, or not enabled.
func (c *Config) Reminders() []time.Duration {
	if c.ApprovalSLA == nil || !c.ApprovalSLA.Enabled {
		return nil
	}
	return c.ApprovalSLA.Thresholds
}

// Options says how strictly a file is checked.
type Options struct {
	// RequireEnv makes a header variable without a value an error, as it is
	// for the Node CLI.
	RequireEnv bool
}

// ErrLegacy is in the error for a project of generation 3, which governs nothing.
var ErrLegacy = errors.New("not a governed project")

// Load reads and checks the configuration of a project for use. It reads the
// file once and skips the advice of [Check]. The error is of type [Problems].
func Load(root project.Root, env project.Env) (*Config, error) {
	c := newChecker(root, env, Options{})
	cfg := c.load(root, env)
	c.problems.place(c.src)
	if c.problems.Bad() {
		return nil, c.problems
	}
	cfg.Warnings = c.problems
	return cfg, nil
}

// Check finds every problem of a project's configuration, sorted by place. The
// Config is nil when one of them is an error.
func Check(root project.Root, env project.Env, opts Options) (*Config, Problems) {
	c := newChecker(root, env, opts)
	cfg := c.load(root, env)
	c.advise()
	c.problems.place(c.src)
	if c.problems.Bad() {
		return nil, c.problems
	}
	cfg.Warnings = c.problems
	return cfg, c.problems
}

// load reads the file, applies every rule and composes what comes out, nil
// when a problem is an error.
func (c *checker) load(root project.Root, env project.Env) *Config {
	src, err := root.ReadConfig()
	if err != nil {
		c.whole(err, readHint(err))
		return nil
	}
	if c.check(src); c.problems.Bad() {
		return nil
	}
	cfg := compose(c.doc)
	cfg.Root, cfg.src, cfg.env = root, src, env
	return cfg
}

// check applies every rule to the content of a file.
func (c *checker) check(src []byte) {
	c.src = src
	if !c.parse() || !c.generation() {
		return
	}
	c.governed()
	if v := c.doc.Get("notifications"); v.Truthy() {
		c.notifications(v)
	}
}

// compose builds a Config from a document without errors.
func compose(doc *ecmajson.Value) *Config {
	cfg := &Config{Raw: doc, Project: composeProject(doc)}
	notifications := doc.Get("notifications")
	if !notifications.Has("webhooks") {
		return cfg // The Node CLI then ignores approval_sla, whatever it holds.
	}
	for _, v := range notifications.Get("webhooks").Items() {
		cfg.Webhooks = append(cfg.Webhooks, composeWebhook(v))
	}
	if sla := notifications.Get("approval_sla"); sla != nil {
		cfg.ApprovalSLA = composeSLA(sla)
	}
	return cfg
}

func composeProject(doc *ecmajson.Value) Project {
	v := doc.Get("project")
	p := Project{
		ID:       v.Get("id").Str(),
		Name:     v.Get("name").Str(),
		Goal:     ecmajson.Trim(v.Get("goal").Str()),
		Template: defaultTemplate,
	}
	if t := doc.Get("template").Str(); t != "" {
		p.Template = t
	}
	return p
}

func composeWebhook(v *ecmajson.Value) webhook.Config {
	w := webhook.Config{
		Name:    v.Get("name").Str(),
		URL:     secret.New(v.Get("url").Str()),
		Timeout: time.Duration(v.Get("timeout_ms").Num()) * time.Millisecond,
	}
	for _, event := range v.Get("events").Items() {
		w.Events = append(w.Events, event.Str())
	}
	for _, m := range ownMembers(v.Get("headers")) {
		w.Headers = append(w.Headers, webhook.Header{Name: m.Key, Value: secret.New(m.Value.Str())})
	}
	for _, m := range v.Get("env").Members() {
		if w.Env == nil {
			w.Env = map[string]secret.Text{}
		}
		w.Env[m.Key] = secret.New(m.Value.Str())
	}
	return w
}

func composeSLA(v *ecmajson.Value) *ApprovalSLA {
	sla := &ApprovalSLA{Enabled: !v.Has("enabled") || v.Get("enabled").True()}
	for _, seconds := range v.Get("reminder_after_seconds").Items() {
		sla.Thresholds = append(sla.Thresholds, time.Duration(seconds.Num())*time.Second)
	}
	return sla
}

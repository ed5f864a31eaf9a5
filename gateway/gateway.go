// Package gateway notifies people and systems how agent runs end, from Go code.
//
// It is the fluent configuration of Agent Gateway's guide: a [Gateway] with
// Slack and webhooks, to which [Gateway.Emit] tells that a run completed,
// failed or timed out. Messages, signatures, templates, rules of agents and
// evidence are those of the command `agentxchain notify emit`, for which this
// package is another door.
//
// A gateway.yaml in the folder counts as well. What the code configures is
// added to it, and wins where both use a name. The rules of agents, in the
// AGENT.md of workspace/agents/, count only where there is a gateway.yaml for
// them to belong to; it may be empty. Webhooks and Slack can only be
// at public addresses; nothing switches that off.
package gateway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"agentxchain/internal/config"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/project"
)

// DefaultDeadline is the longest that one Emit tries when nothing else is said,
// as it is for the command.
const DefaultDeadline = 35 * time.Second

// ErrClosed says that an event came after [Gateway.Close].
var ErrClosed = errors.New("the gateway is closed")

// Options are what a [Gateway] is made of. The zero value is the current folder.
type Options struct {
	// Dir is the folder of the project; empty means the current one. When it
	// lies in a governed project, one with an agentxchain.json, a gateway.yaml
	// is looked for from Dir up to there, and evidence is kept in .agentxchain/
	// of the project. Otherwise both are in Dir itself (the file also in
	// workspace/ of it), and nothing above it counts.
	Dir string
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
	// Warn is told, one line at a time and without secrets, what is wrong with
	// the configuration or a template and stops nothing; nil tells nobody.
	// Calls of Emit that run side by side call it side by side.
	Warn func(message string)
	// Deadline is the longest that one Emit tries, waits for receivers that
	// ask for patience included; 0 means [DefaultDeadline], less is an error.
	// What it has not delivered by then is kept for a retry.
	Deadline time.Duration
}

// Gateway is a set of channels. It is safe for concurrent use after it was
// configured. Close it.
type Gateway struct {
	options  Options
	root     project.Root
	channels pipeline.Channels
	governed *config.Config
	env      project.Env
	// database is where deliveries are recorded besides; nil without the
	// section persistence.
	database *pipeline.Database
	// adjust changes the pipeline in this package's own tests; nil otherwise.
	adjust func(*pipeline.Options)

	mu sync.Mutex
	// problems are what was wrong with the calls that configured it.
	problems []error
	// pipeline is made by the first Emit; from then on the configuration stands.
	pipeline *pipeline.Pipeline
	closed   bool
	// running counts the calls of Emit; it grows only under mu, and not after closed.
	running sync.WaitGroup
}

// New returns a gateway with what the folder's configuration says. The error
// names every problem of the files that makes them unusable.
func New(o Options) (*Gateway, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	switch {
	case o.Deadline < 0:
		return nil, fmt.Errorf("Options.Deadline is %s; it can't be negative", o.Deadline)
	case o.Deadline == 0:
		o.Deadline = DefaultDeadline
	}
	g := &Gateway{options: o, governed: &config.Config{}}
	g.channels.Routing.File = project.GatewayName
	place, err := project.Locate(o.Dir)
	switch {
	case errors.Is(err, project.ErrNotFound):
		place.Root.Dir = o.Dir
	case err != nil:
		return nil, err
	case place.GatewayErr != nil:
		return nil, place.GatewayErr
	}
	g.root = place.Root
	if g.root.Dir, err = filepath.Abs(g.root.Dir); err != nil {
		return nil, err
	}
	return g, g.load(place)
}

// load reads the configuration files.
func (g *Gateway) load(place project.Place) error {
	var err error
	if g.env, err = project.LoadEnv(os.LookupEnv, g.root, g.root.Dir); err != nil {
		g.options.Warn(err.Error()) // fails those that need a variable, no others
	}
	if g.root.Kind == project.Run {
		if g.governed, err = config.Load(g.root, g.env); err != nil {
			return err
		}
		g.warn(g.governed.Warnings)
	}
	if place.Gateway == "" {
		return nil
	}
	o := config.GatewayOptions{Root: g.root.Dir, Lookup: g.env.Lookup, Environ: os.Environ()}
	for _, h := range g.governed.Webhooks {
		o.Governed = append(o.Governed, h.Name)
	}
	file, problems := config.LoadGateway(place.Gateway, o)
	// A fault in a rule of an agent fails that rule, on the record.
	unusable := slices.DeleteFunc(slices.Clone(problems), func(p config.Problem) bool { return p.Severity != config.Error || p.OfAgent() })
	if len(unusable) > 0 {
		return unusable
	}
	g.warn(problems)
	if o, problem, ok := file.Database(); ok {
		g.database = &pipeline.Database{Store: o, Problem: problem}
		if file.Queue.Backend == "database" {
			g.database.Use = pipeline.Enqueue
		}
	}
	g.channels = pipeline.Channels{
		MaxAge:  file.Queue.MaxAge,
		Routing: file.Routing, Webhooks: file.Webhooks, WebhookSecrets: file.WebhookSecrets,
		MissingSecret: file.MissingSecret, SecretProblem: file.SecretProblem, Slack: file.Slack,
	}
	return nil
}

func (g *Gateway) warn(problems config.Problems) {
	for _, p := range problems {
		g.options.Warn(p.String())
	}
}

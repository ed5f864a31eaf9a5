package render

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"agentxchain/internal/events"
	"agentxchain/internal/jinja"
)

// Options say what a [Renderer] works with.
type Options struct {
	// TemplatesDir is the absolute path of the folder with Slack's templates;
	// empty means that there are none.
	TemplatesDir string
	// Now is the clock that limits how long a render may take; nil is time.Now.
	Now func() time.Time
	// Budget bounds every template; zero fields are the engine's defaults.
	Budget jinja.Budget
	// Accept judges the blocks of a Slack message as their channel will; an
	// error makes them unusable. nil leaves that to the caller.
	Accept func(e events.Event, blocks []byte) error
}

// slackChannel is the channel whose templates are files.
const slackChannel = "slack"

// Renderer makes messages from templates. It keeps what it has compiled, and can
// be used by several goroutines at once.
type Renderer struct {
	options Options

	mu       sync.Mutex
	compiled map[place]*compiled
}

// place is where a template stands, and what it may use.
type place struct {
	file   string
	line   int
	folder string
}

// compiled is a template with the text it was made of.
type compiled struct {
	source   string
	template *jinja.Template
	err      error
}

// New returns a Renderer. It reads nothing yet.
func New(o Options) *Renderer {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Renderer{options: o, compiled: map[place]*compiled{}}
}

// Source is a template and where it stands, for messages.
type Source struct {
	// Name is the file it stands in, or what it is called.
	Name string
	// Text is the template.
	Text string
	// Line is the line of the file on which Text begins, from 1; 0 means 1.
	Line int
}

// fileLine is the line of the file for a line of the template.
func (s Source) fileLine(line int) int { return line + max(s.Line, 1) - 1 }

// Payload renders the payload_template of a webhook and returns the body to
// send, as Python's json.dumps writes it. The template can include nothing.
// The error is an [*Error]; the caller then sends the built-in body and records
// fallback_body.
func (r *Renderer) Payload(ctx context.Context, s Source, v Vars) ([]byte, error) {
	out := r.run(ctx, job{source: s, name: s.Name, vars: v})
	return out.Body, out.err()
}

// Blocks renders the Slack template for an event, looked up in the templates
// folder (see the package comment), and returns the list of blocks as JSON. rule
// is the rule's template or "". used is the name of the file in the folder; it
// is "" when there is none, and nothing is wrong then unless err says so. With
// nil blocks the caller sends the built-in message, and if err is not nil, an
// [*Error], records fallback_body.
func (r *Renderer) Blocks(ctx context.Context, rule string, v Vars) (blocks []byte, used string, err error) {
	v.Target.Channel = slackChannel
	if r.options.TemplatesDir == "" {
		return nil, "", nil
	}
	name, source, err := find(r.options.TemplatesDir, candidates(rule, v.agent(), events.Type(v.Event.Type)))
	if err != nil || name == "" {
		return nil, "", err
	}
	out := r.run(ctx, r.inFolder(name, source, v))
	return out.Body, name, out.err()
}

// inFolder is the job of rendering a file of the templates folder.
func (r *Renderer) inFolder(name, source string, v Vars) job {
	file := filepath.Join(r.options.TemplatesDir, filepath.FromSlash(name))
	return job{source: Source{Name: file, Text: source}, name: name, folder: r.options.TemplatesDir, vars: v, shape: aList}
}

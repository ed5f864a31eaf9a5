package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"agentxchain/internal/events"
)

// Use is one way in which a configuration sends through templates.
type Use struct {
	// Source is the payload_template of a webhook. Slack's is looked up, as
	// [Renderer.Blocks] does; the Source then says where the rule stands, with
	// Line 0 in the file as a whole, and its Text is not used. A Source without
	// a name is that of the templates folder.
	Source Source
	// Target is what the template sees as target. Its Channel chooses between
	// Slack's lookup ("slack") and Source, its Template is the rule's.
	Target TargetVars
	// Agent is the agent whose rule it is; "" for rules of the gateway.
	Agent string
	// Events are those that the target can receive.
	Events []events.Type
}

// Problem is something that [Renderer.Check] found.
type Problem struct {
	// File is a template's path, or the Name of a [Source].
	File string
	// Line and Column count from 1, in characters, in File; both are 0 when the
	// problem is the file as a whole.
	Line, Column int
	// Message is free of the values of variables.
	Message string
	// Warning is false when the template can never be used, and true when
	// sample events show that the built-in message would be sent in its place.
	Warning bool
}

// Check compiles every file of the templates folder that ends in ".j2" and
// every payload_template, and renders each with a sample of every event that it
// can be used for: by its name, or by a use. The problems are in order of file,
// line and column, each once. ctx ends it early.
func (r *Renderer) Check(ctx context.Context, uses []Use) []Problem {
	c := checker{renderer: r, found: map[Problem][]string{}}
	readable := r.options.TemplatesDir != "" && c.folder(ctx)
	for _, use := range uses {
		if use.Target.Channel == slackChannel && !readable {
			continue // Said once, or nothing to look up.
		}
		for _, event := range use.Events {
			c.use(ctx, use, event)
		}
	}
	return c.problems()
}

// checker collects problems and the events they came up with; none for those
// that are so for every event.
type checker struct {
	renderer *Renderer
	found    map[Problem][]string
}

// maxEntries is how much of a templates folder is looked at: a folder with more
// in it was not meant.
const maxEntries = 10_000

// folder checks the files of the templates folder, and reports whether there is
// one.
func (c *checker) folder(ctx context.Context) bool {
	dir := c.renderer.options.TemplatesDir
	root, err := os.OpenRoot(dir)
	if err != nil {
		c.add(&Error{File: dir, Message: "the templates folder cannot be opened: " + cause(err), Always: true}, "")
		return false
	}
	defer root.Close()
	seen := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch seen++; {
		case seen > maxEntries:
			return fmt.Errorf("it holds more than %d files and folders", maxEntries)
		case err != nil && name != "." && d.IsDir():
			c.add(&Error{File: filepath.Join(dir, filepath.FromSlash(name)), Message: "cannot be read: " + cause(err), Always: true}, "")
			return fs.SkipDir
		case err == nil && strings.HasSuffix(name, ".j2"):
			c.file(ctx, root, name)
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		c.add(&Error{File: dir, Message: "the templates folder cannot be read: " + cause(err), Always: true}, "")
	}
	return true
}

// file compiles one file and, if the lookup can find it without a rule, renders
// it with the event that its name says.
func (c *checker) file(ctx context.Context, root *os.Root, name string) {
	source, err := read(root, name)
	if errors.Is(err, errMissing) {
		return
	}
	j := c.renderer.inFolder(name, source, Vars{})
	if err != nil {
		c.add(&Error{File: j.source.Name, Message: err.Error(), Always: true}, "")
		return
	}
	if _, err := c.renderer.compile(j); err != nil {
		c.add(j.compileError(err), "")
		return
	}
	if event, agent, ok := named(name); ok {
		j.vars = Vars{Event: sample(event, agent), Target: TargetVars{Channel: slackChannel}}
		c.add(c.renderer.run(ctx, j).Fallback, event)
	}
}

// named says which event, and of which agent, a file of the folder is for.
func named(name string) (event events.Type, agent string, ok bool) {
	base, found := strings.CutSuffix(path.Base(name), suffix)
	if agent = path.Dir(name); agent == "." {
		agent = ""
	}
	if !found || strings.Contains(agent, "/") {
		return "", "", false
	}
	event = events.Type(base)
	if event.Family() != "" {
		return event, agent, true
	}
	for _, t := range events.Types(events.Agent) {
		if agent == "" && base == "default-"+events.RunStatus(t) {
			return t, "", true
		}
	}
	return "", "", false
}

// use renders what one use sends for one event.
func (c *checker) use(ctx context.Context, use Use, event events.Type) {
	v := Vars{Event: sample(event, use.Agent), Target: use.Target}
	if use.Target.Channel == slackChannel {
		c.slack(ctx, use, v)
		return
	}
	if use.Source.Text != "" {
		c.add(c.renderer.run(ctx, job{source: use.Source, name: use.Source.Name, vars: v}).Fallback, event)
	}
}

// slack looks up and renders what a Slack rule sends. That a file which the
// rule names is missing is worth a word: the search goes on without one.
func (c *checker) slack(ctx context.Context, use Use, v Vars) {
	rule, dir := use.Target.Template, c.renderer.options.TemplatesDir
	use.Source.Name = cmp.Or(use.Source.Name, dir)
	_, used, err := c.renderer.Blocks(ctx, rule, v)
	var problem *Error
	switch {
	case errors.As(err, &problem):
		if problem.File == dir {
			problem = use.at(problem.Message, true)
		}
	case rule != "" && used != path.Clean(rule+suffix):
		problem = use.at("there is no template "+strconv.Quote(rule+suffix)+" in "+dir, false)
	}
	c.add(problem, events.Type(v.Event.Type))
}

// at is an error at the place of the rule, as far as it is known.
func (u Use) at(message string, always bool) *Error {
	e := &Error{File: u.Source.Name, Message: message, Always: always}
	if u.Source.Line > 0 {
		e.Line, e.Column = u.Source.Line, 1
	}
	return e
}

// add takes note of an error; nil is none.
func (c *checker) add(err *Error, event events.Type) {
	if err == nil {
		return
	}
	p := Problem{File: err.File, Line: err.Line, Column: err.Column, Message: err.Message, Warning: !err.Always}
	seen := c.found[p]
	if p.Warning && !slices.Contains(seen, string(event)) {
		seen = append(seen, string(event))
	}
	c.found[p] = seen
}

// problems returns what was found, in order.
func (c *checker) problems() []Problem {
	list := slices.Collect(maps.Keys(c.found))
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	for i, p := range list {
		if names := c.found[p]; len(names) > 0 {
			list[i].Message = "a sample of " + strings.Join(names, ", ") + ": " + p.Message
		}
	}
	return list
}

package render

import (
	"context"
	"errors"
	"path/filepath"

	"agentxchain/internal/jinja"
	"agentxchain/internal/pyvalue"
)

// Outcome is what comes of a template.
type Outcome struct {
	// Output is what the template wrote, "" if it could not be rendered.
	Output string
	// Body is what is sent, nil if it is the built-in message.
	Body []byte
	// Fallback says why it is the built-in message; nil if it is not.
	Fallback *Error
}

// err is Fallback as an error, which a nil *Error would not be.
func (o Outcome) err() error {
	if o.Fallback == nil {
		return nil
	}
	return o.Fallback
}

// job is one template to be rendered.
type job struct {
	source Source
	// name is what the engine calls the template: for one in a folder, its name
	// there.
	name string
	// folder is where other templates are found; "" finds none.
	folder string
	vars   Vars
	// context replaces variables; nil replaces none.
	context *Context
	shape   shape
}

// run renders one template and checks what it wrote.
func (r *Renderer) run(ctx context.Context, j job) Outcome {
	template, err := r.compile(j)
	if err != nil {
		return Outcome{Fallback: j.compileError(err)}
	}
	vars, err := j.values()
	if err != nil {
		return Outcome{Fallback: &Error{File: j.source.Name, Message: err.Error()}}
	}
	text, err := template.Render(ctx, vars)
	if err != nil {
		return Outcome{Fallback: j.engineError(err)}
	}
	body, err := finish(text, j.shape, vocabulary{j.source.Text})
	if j.marked() {
		text = originals().Replace(text)
	}
	if err != nil {
		return Outcome{Output: text, Fallback: &Error{File: j.source.Name, Line: j.source.fileLine(1), Column: 1, Message: err.Error()}}
	}
	if accept := r.options.Accept; accept != nil && j.shape == aList {
		if err := accept(j.vars.Event, body); err != nil {
			return Outcome{Output: text, Fallback: &Error{File: j.source.Name, Line: j.source.fileLine(1), Column: 1, Message: err.Error()}}
		}
	}
	return Outcome{Output: text, Body: body}
}

// marked reports whether values carry marks, as those for Slack do.
func (j job) marked() bool { return j.vars.Target.Channel == slackChannel }

func (j job) values() (*pyvalue.Dict, error) {
	vars, err := j.vars.values()
	if err == nil && j.context != nil {
		err = j.context.override(vars, j.marked())
	}
	return vars, err
}

// compile returns the compiled template, from an earlier time if its text is
// the same. Only what stands in a configuration or in the folder comes here, so
// there is an end to what is kept.
func (r *Renderer) compile(j job) (*jinja.Template, error) {
	at := place{j.source.Name, j.source.Line, j.folder}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.compiled[at]; c != nil && c.source == j.source.Text {
		return c.template, c.err
	}
	template, err := jinja.Compile(j.name, j.source.Text, r.engine(j.folder))
	r.compiled[at] = &compiled{source: j.source.Text, template: template, err: err}
	return template, err
}

func (r *Renderer) engine(folder string) jinja.Options {
	o := jinja.Options{Budget: r.options.Budget, Now: r.options.Now, Escaper: newEscaper}
	if folder != "" {
		o.Loader = jinja.FolderLoader(folder)
	}
	return o
}

// engineError says where in which file the engine found an error.
func (j job) engineError(err error) *Error {
	var e *jinja.Error
	if !errors.As(err, &e) {
		return &Error{File: j.source.Name, Message: hidden}
	}
	found := &Error{File: j.source.Name, Column: e.Column, Always: isSyntax(e)}
	known := vocabulary{j.source.Text}
	if inOther := e.Name != j.name && j.folder != ""; inOther {
		found.File, found.Line = filepath.Join(j.folder, filepath.FromSlash(e.Name)), e.Line
		if source, err := jinja.FolderLoader(j.folder).Load(e.Name); err == nil {
			known = append(known, source)
		}
	} else if e.Line > 0 {
		found.Line = j.source.fileLine(e.Line)
	}
	found.Message = known.engineMessage(e)
	return found
}

// compileError is engineError for what no event can change.
func (j job) compileError(err error) *Error {
	found := j.engineError(err)
	found.Always = true
	return found
}

// isSyntax reports whether the template does not compile.
func isSyntax(e *jinja.Error) bool {
	return e.Class == "TemplateSyntaxError" || e.Class == "TemplateAssertionError"
}

// engineMessage is the text of an error without values. What the compiler and
// the budget say has none; that of some is nothing but a value.
func (known vocabulary) engineMessage(e *jinja.Error) string {
	switch {
	case isSyntax(e) || e.Budget:
		return e.Message
	case (e.Class == "TemplateNotFound" || e.Class == "KeyError") && !known.has(e.Message):
		return e.Class + ": " + hidden
	}
	return e.Class + ": " + known.scrub(e.Message)
}

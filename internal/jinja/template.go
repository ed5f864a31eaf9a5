package jinja

import (
	"context"
	"time"

	"agentxchain/internal/pyvalue"
)

// Options say what a template may use. The zero Options find no other template
// and use the default budget.
type Options struct {
	// Loader finds the templates that a template includes, imports or extends.
	// Without one, none is found.
	Loader Loader
	// Budget bounds what compiling and rendering may use.
	Budget Budget
	// Now is the clock of Budget.Time; nil is time.Now.
	Now func() time.Time
	// Escaper makes what changes printed values on their way into an output
	// buffer; nil changes nothing. It is called once for the main output and
	// once for each capture: the body of a macro, of a call, set or filter
	// block, of a level of a recursive loop, and of a block that super() or
	// self renders.
	Escaper func() Escaper
}

// Escaper decides how values are written, knowing all that was written before
// them. What a template is made of comes in order, in pieces of any length.
type Escaper interface {
	// Literal sees text of the template that is written as it is.
	Literal(text string)
	// Value returns what is written instead of a printed value. raw is true if
	// the value is a result of tojson or is Markup (safe), which are text of
	// the author's choice already.
	Value(text string, raw bool) string
}

// Template is a compiled template. It does not change and can be rendered by
// several goroutines at once.
type Template struct {
	options Options
	main    *program
}

// Compile reads a template. name is used in errors, to find out whether HTML is
// escaped (see the package comment), and by the template itself; "" is a
// template without a name. The error is an [*Error] of class
// TemplateSyntaxError or TemplateAssertionError, or one of the budget.
func Compile(name, source string, o Options) (*Template, error) {
	o.Budget = o.Budget.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	main, err := compile(name, source, o.Budget)
	if err != nil {
		return nil, err
	}
	return &Template{options: o, main: main}, nil
}

// Render runs the template over vars and returns what it writes. Templates can
// change the lists and dicts that they are given: vars must not be shared with
// another render, at the same time or later. The error is an [*Error].
func (t *Template) Render(ctx context.Context, vars *pyvalue.Dict) (string, error) {
	return newRender(ctx, t.options).run(t.main, vars)
}

package jinja

import (
	"context"
	"errors"

	"agentxchain/internal/pyvalue"
)

// render is one run of a template.
type render struct {
	options Options
	meter   *pyvalue.Meter
	loaded  map[string]*program
	modules map[*program]*pyvalue.Object // of imports and includes without context
	globals map[string]pyvalue.Value
	filters map[string]filterDef
	tests   map[string]test
	calling *names // the context of the innermost call expression, for macros
}

// newRender prepares a run: its meter, and the moment at which it must end.
func newRender(ctx context.Context, o Options) *render {
	b := o.Budget
	end := o.Now().Add(b.Time)
	deadline := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if o.Now().After(end) {
			return &pyvalue.BudgetError{What: "time"}
		}
		return nil
	}
	limits := pyvalue.Limits{Steps: b.Steps, StringBytes: b.StringBytes, TotalBytes: b.TotalBytes, Depth: b.Depth}
	return &render{
		options: o,
		meter:   pyvalue.NewMeter(limits, deadline),
		filters: filters(),
		tests:   tests(),
	}
}

// run renders a template over vars, which may be nil.
func (r *render) run(p *program, vars *pyvalue.Dict) (string, error) {
	var given *layer
	if vars != nil {
		given = &layer{dict: vars}
	}
	out := r.newOutput()
	err := r.runRoot(p, newNames(p, given), out)
	var text string
	if err == nil {
		text, err = out.text(nil)
	}
	if err != nil {
		return "", placed(p.name, place{}, err)
	}
	return text, nil
}

// frame is one activation of a function of a template.
type frame struct {
	*render
	program *program
	names   *names
	slots   []pyvalue.Value // nil: not set
	outer   *frame          // of the function around
	out     *output
	stream  *output // what out was when the activation began
	root    *root
}

// root is the state of one run of a template's root.
type root struct {
	parent *program // the template that it extends
}

// activation starts a function that is not in another one.
func (r *render) activation(p *program, fn *function, n *names, out *output) *frame {
	return &frame{render: r, program: p, names: n, slots: make([]pyvalue.Value, fn.size()), out: out, stream: out}
}

// activate starts a function that is in f's.
func (f *frame) activate(fn *function, out *output) *frame {
	inner := *f
	inner.slots, inner.outer = make([]pyvalue.Value, fn.size()), f
	inner.out, inner.stream = out, out
	return &inner
}

// get returns the value of a variable, nil if it has none.
func (f *frame) get(r ref) pyvalue.Value {
	for ; r.hops > 0; r.hops-- {
		f = f.outer
	}
	return f.slots[r.slot]
}

// set gives a variable its value.
func (f *frame) set(r ref, v pyvalue.Value) {
	for ; r.hops > 0; r.hops-- {
		f = f.outer
	}
	f.slots[r.slot] = v
}

// setUsed sets a variable if the template uses it.
func (f *frame) setUsed(r *ref, v func() pyvalue.Value) {
	if r != nil {
		f.set(*r, v())
	}
}

// enter gives the variables of a frame what they begin as.
func (f *frame) enter(r region) {
	for _, l := range r.enter {
		switch l.kind {
		case fromContext:
			f.slots[l.slot] = f.lookup(f.names, l.name)
		case fromOuter:
			f.slots[l.slot] = f.get(l.from)
		default:
			f.slots[l.slot] = nil
		}
	}
}

// leave clears the variables of a frame.
func (f *frame) leave(r region) {
	for _, slot := range r.leave {
		f.slots[slot] = nil
	}
}

// fail gives an error the place of a node.
func (f *frame) fail(at place, err error) error {
	if err == nil {
		return nil
	}
	return placed(f.program.name, at, err)
}

// raise is an exception at a place.
func (f *frame) raise(at place, class, format string, args ...any) error {
	return errorAt(f.program.name, at, class, format, args...)
}

// runRoot runs a template and those that it extends.
func (r *render) runRoot(p *program, n *names, out *output) error {
	if err := r.meter.Enter(); err != nil {
		return err
	}
	defer r.meter.Leave()
	f := r.activation(p, p.fn, n, out)
	f.root = &root{}
	f.setUsed(p.self, f.selfReference)
	f.enter(p.in)
	if err := execAll(f, p.body); err != nil {
		return err
	}
	if f.root.parent != nil {
		return r.runRoot(f.root.parent, n, out)
	}
	return nil
}

// runBlock runs a block.
func (r *render) runBlock(b *blockCode, n *names, out *output) error {
	if err := r.meter.Enter(); err != nil {
		return err
	}
	defer r.meter.Leave()
	f := r.activation(b.program, b.fn, n, out)
	f.setUsed(b.self, f.selfReference)
	f.setUsed(b.super, func() pyvalue.Value { return f.superOf(b) })
	f.enter(b.in)
	return execAll(f, b.body)
}

// load returns the template of a name. The error of one that is not there is
// TemplateNotFound.
func (r *render) load(name string) (*program, error) {
	if p := r.loaded[name]; p != nil {
		return p, nil
	}
	if r.options.Loader == nil {
		return nil, notFound(name)
	}
	source, err := r.options.Loader.Load(name)
	if errors.Is(err, ErrNotFound) {
		return nil, notFound(name)
	}
	if err != nil {
		return nil, err
	}
	if err := r.meter.Step(len(source)); err != nil {
		return nil, err
	}
	p, err := compile(name, source, r.options.Budget)
	if err != nil {
		return nil, err
	}
	if r.loaded == nil {
		r.loaded = map[string]*program{}
	}
	r.loaded[name] = p
	return p, nil
}

func notFound(name string) error { return pyvalue.Errorf("TemplateNotFound", "%s", name) }

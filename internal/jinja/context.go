package jinja

import (
	"maps"

	"agentxchain/internal/pyvalue"
)

// names is what Jinja2 calls a context: the variables that templates share with
// the blocks, parents and includes that they run.
type names struct {
	template string // name of the template that it was made for
	given    *layer
	vars     map[string]pyvalue.Value // assigned at the top of the template
	exported map[string]bool          // those that an import sees
	blocks   map[string][]*blockCode  // of each name, from the youngest template up
	auto     *bool                    // whether values are escaped, as set now
}

// layer is variables that are given to a template, over those of another layer.
type layer struct {
	vars map[string]pyvalue.Value
	dict *pyvalue.Dict // instead of vars; of the caller of Render
	next *layer
}

// get returns a variable of the layer or of one below it, or nil.
func (l *layer) get(name string) pyvalue.Value {
	for ; l != nil; l = l.next {
		if l.dict == nil {
			if v := l.vars[name]; v != nil {
				return v
			}
		} else if v, ok := l.dict.GetStr(name); ok {
			return v
		}
	}
	return nil
}

// newNames returns a context for running p.
func newNames(p *program, given *layer) *names {
	auto := escapes(p.name)
	n := &names{template: p.name, given: given, auto: &auto}
	if len(p.blocks) > 0 {
		n.blocks = make(map[string][]*blockCode, len(p.blocks))
		for name, b := range p.blocks {
			n.blocks[name] = []*blockCode{b}
		}
	}
	return n
}

// extend adds the blocks of a parent.
func (n *names) extend(p *program) {
	if n.blocks == nil {
		n.blocks = make(map[string][]*blockCode, len(p.blocks))
	}
	for name, b := range p.blocks {
		list := n.blocks[name]
		n.blocks[name] = append(list[:len(list):len(list)], b)
	}
}

// lookup returns the value of a name, or nil.
func (r *render) lookup(n *names, name string) pyvalue.Value {
	if v := n.vars[name]; v != nil {
		return v
	}
	if v := n.given.get(name); v != nil {
		return v
	}
	return r.global(name)
}

// set assigns a variable at the top of the template.
func (n *names) set(name string, v pyvalue.Value) {
	if n.vars == nil {
		n.vars = make(map[string]pyvalue.Value, 4)
	}
	n.vars[name] = v
}

// export makes a variable one that imports see, or not.
func (n *names) export(name string, yes bool) {
	if n.exported == nil {
		n.exported = make(map[string]bool, 4)
	}
	n.exported[name] = yes
}

// all returns everything that can be looked up now, with locals above it.
func (f *frame) all(locals []local) (*layer, error) {
	n := f.names
	if err := f.meter.Step(len(n.vars) + len(locals)); err != nil {
		return nil, err
	}
	given := n.given
	if len(n.vars) > 0 {
		given = &layer{vars: maps.Clone(n.vars), next: given}
	}
	over := map[string]pyvalue.Value{}
	for _, l := range locals {
		if v := f.get(l.ref); v != nil {
			over[l.name] = v
		}
	}
	if len(over) > 0 {
		given = &layer{vars: over, next: given}
	}
	return given, nil
}

// derived is a context for a scoped block, which sees the locals too.
func (f *frame) derived(locals []local) (*names, error) {
	given, err := f.all(locals)
	if err != nil {
		return nil, err
	}
	n := *f.names
	n.given, n.vars, n.exported, n.blocks = given, nil, nil, maps.Clone(n.blocks)
	return &n, nil
}

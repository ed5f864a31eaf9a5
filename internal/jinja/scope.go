package jinja

// Which variable a name means is decided before rendering, as Jinja2's compiler
// does. A template is cut into functions: its root, each block, macro, caller,
// recursive loop and test of a loop. Statements with variables of their own
// (loops, with, macros, set and filter blocks …) open a frame inside a function;
// frames nest, and a name in a frame is the variable of the innermost frame that
// knows it. What a frame does not know but uses, it takes from the context, once,
// when it is entered. A name assigned anywhere in a frame is a variable of that
// frame, which begins as the outer variable of that name if there is one; hence
// assignments are not seen outside of it.
//
// If statements open no frame. A name that only some branch assigns begins as
// what the name meant outside.

// function is a part of a template with variables of its own.
type function struct {
	outer *function
	*numbering
}

// numbering gives each variable its place in the activation of a function. The
// same name in two frames of the same depth is the same variable.
type numbering struct {
	slots map[variable]int
}

type variable struct {
	level int
	name  string
}

// newFunction returns a function in outer, nil for one that is in none.
func newFunction(outer *function) *function {
	return &function{outer, &numbering{}}
}

// size is how many variables an activation has.
func (n *numbering) size() int { return len(n.slots) }

// slot returns the place of a variable.
func (n *numbering) slot(v variable) int {
	if i, ok := n.slots[v]; ok {
		return i
	}
	if n.slots == nil {
		n.slots = make(map[variable]int, 8)
	}
	i := len(n.slots)
	n.slots[v] = i
	return i
}

// ref is where a variable is: in the activation that many functions out.
type ref struct{ hops, slot int }

// loading says what a variable of a frame begins as.
type loading uint8

const (
	parameter   loading = iota // set by whoever enters the frame
	fromContext                // looked up by name
	fromOuter                  // a copy of an outer variable
	unset
)

// entry is a name that a frame knows.
type entry struct {
	name string
	load loading
	from *symbols // of fromOuter: where the outer variable is
	slot int
	in   *symbols
}

// symbols are the names that one frame knows, or one branch of an if in it.
type symbols struct {
	fn    *function
	outer *symbols // the frame around; nil at the root of a template or block
	base  *symbols // of a branch: what was known before it
	level int

	entries map[string]*entry
	order   []*entry
	stored  map[string]bool // names that are assigned to
	writes  []string        // the same in order

	visible []local // what locals returns, once it was asked for
}

// newSymbols returns a frame in outer, whose code belongs to fn.
func newSymbols(fn *function, outer *symbols) *symbols {
	s := &symbols{fn: fn, outer: outer}
	if outer != nil {
		s.level = outer.level + 1
	}
	return s
}

// branch returns symbols for a branch of an if in s.
func (s *symbols) branch() *symbols {
	return &symbols{fn: s.fn, outer: s.outer, base: s, level: s.level}
}

// own returns what this frame knows of a name.
func (s *symbols) own(name string) *entry {
	for ; s != nil; s = s.base {
		if e := s.entries[name]; e != nil {
			return e
		}
	}
	return nil
}

// find returns what the frames know of a name, from the inside out.
func (s *symbols) find(name string) *entry {
	for ; s != nil; s = s.outer {
		if e := s.own(name); e != nil {
			return e
		}
	}
	return nil
}

// isStored reports whether the frame, or what came before the branch, assigns to name.
func (s *symbols) isStored(name string) bool {
	for ; s != nil; s = s.base {
		if s.stored[name] {
			return true
		}
	}
	return false
}

// define makes name a variable of the frame.
func (s *symbols) define(name string, load loading) *entry {
	e := s.entries[name]
	if e == nil {
		e = &entry{name: name, in: s, slot: s.fn.slot(variable{s.level, name})}
		s.put(e)
	}
	e.load = load
	return e
}

// put adds what is known of a name, in place of what was.
func (s *symbols) put(e *entry) {
	if s.entries == nil {
		s.entries = make(map[string]*entry, 8)
	}
	if s.entries[e.name] == nil {
		s.order = append(s.order, e)
	}
	s.entries[e.name] = e
}

// write notes an assignment.
func (s *symbols) write(name string) {
	if s.stored[name] {
		return
	}
	if s.stored == nil {
		s.stored = make(map[string]bool, 4)
	}
	s.stored[name] = true
	s.writes = append(s.writes, name)
}

// declare makes name a parameter of the frame.
func (s *symbols) declare(name string) *entry {
	s.write(name)
	return s.define(name, parameter)
}

// load notes that the frame reads name.
func (s *symbols) load(name string) {
	if s.find(name) == nil {
		s.define(name, fromContext)
	}
}

// store notes that the frame assigns to name.
func (s *symbols) store(name string) {
	s.write(name)
	if s.own(name) == nil {
		s.define(name, unset)
		s.copyOuter(name)
	}
}

// copyOuter lets name begin as the outer variable, and reports whether there is one.
func (s *symbols) copyOuter(name string) bool {
	if s.outer == nil || s.outer.find(name) == nil {
		return false
	}
	e := s.own(name)
	e.load, e.from = fromOuter, s.outer
	return true
}

// merge takes over what the branches of an if came to know.
func (s *symbols) merge(branches ...*symbols) {
	var fresh []string
	for _, b := range branches {
		for _, name := range b.writes {
			if !s.isStored(name) {
				fresh = append(fresh, name)
			}
		}
		for _, e := range b.order {
			s.put(e)
		}
	}
	for _, name := range fresh {
		s.write(name)
		if !s.copyOuter(name) {
			s.own(name).load = fromContext
		}
	}
}

// ref returns where e is, seen from function fn.
func (e *entry) ref(fn *function) ref {
	hops := 0
	for ; fn != e.in.fn; fn = fn.outer {
		hops++
	}
	return ref{hops, e.slot}
}

// region is the code that sets up the variables of a frame and clears them.
type region struct {
	enter []load
	leave []int
}

// load is what one variable begins as.
type load struct {
	slot int
	kind loading
	name string // of fromContext
	from ref    // of fromOuter
}

// region lists what s has come to know.
func (s *symbols) region() region {
	if len(s.order) == 0 {
		return region{}
	}
	r := region{leave: make([]int, 0, len(s.order))}
	for _, e := range s.order {
		r.leave = append(r.leave, e.slot)
		if e.load == parameter {
			continue
		}
		l := load{slot: e.slot, kind: e.load, name: e.name}
		if e.load == fromOuter {
			l.from = e.from.find(e.name).ref(s.fn)
		}
		r.enter = append(r.enter, l)
	}
	return r
}

// local is a variable that another template gets to see.
type local struct {
	name string
	ref  ref
}

// locals lists the variables that are assigned in s and around it. All includes
// of a frame share the list.
func (s *symbols) locals() []local {
	if s.visible == nil {
		s.visible = s.assigned()
	}
	return s.visible
}

func (s *symbols) assigned() []local {
	fn := s.fn
	list := []local{}
	seen := map[string]bool{}
	for frame := s; frame != nil; frame = frame.outer {
		for _, name := range frame.writes {
			if e := s.find(name); !seen[name] && e != nil {
				seen[name] = true
				list = append(list, local{name, e.ref(fn)})
			}
		}
	}
	return list
}

// export is a variable at the top of a template, which the context gets.
type export = local

// visit notes what a node of the frame reads and assigns, without going into
// the frames that it opens.
func (s *symbols) visit(n node) {
	switch n := n.(type) {
	case *nameExpr:
		s.visitName(n)
	case *attributeTarget:
		s.load(n.name)
	case *ifStmt:
		s.visitIf(n)
	case *macroStmt:
		s.store(n.name)
	case *importStmt:
		s.visit(n.template)
		s.store(n.target)
	case *fromStmt:
		s.visit(n.template)
		for _, name := range n.names {
			s.store(name.alias)
		}
	case *setStmt:
		s.visit(n.value)
		s.visit(n.target)
	case *setBlock:
		s.visit(n.target)
	case *forStmt:
		s.visit(n.iter)
	case *callStmt:
		s.visit(n.call)
	case *filterStmt:
		s.visit(n.filter)
	case *withStmt:
		visitAll(n.values, s.visit)
	case *autoescapeStmt, *blockStmt:
	default:
		n.children(s.visit)
	}
}

// visitName notes one use of a name.
func (s *symbols) visitName(n *nameExpr) {
	switch n.mode {
	case declares:
		s.declare(n.name)
	case stores:
		s.store(n.name)
	default:
		s.load(n.name)
	}
}

// visitIf visits each branch with what was known before the if.
func (s *symbols) visitIf(n *ifStmt) {
	s.visit(n.test)
	body, elifs, other := s.branch(), s.branch(), s.branch()
	visitAll(n.body, body.visit)
	visitAll(n.elifs, elifs.visit)
	visitAll(n.other, other.visit)
	s.merge(body, elifs, other)
}

// declareTarget makes parameters of the names of a target.
func (s *symbols) declareTarget(e expr) {
	switch e := e.(type) {
	case *nameExpr:
		s.declare(e.name)
	case *tupleExpr:
		for _, item := range e.items {
			s.declareTarget(item)
		}
	}
}

package jinja

// checker completes the nodes of a template and refuses what Jinja2's compiler
// refuses, in the same order. It fails by panicking with *Error.
type checker struct {
	program *program
	// autoescape is whether values are escaped at this place of the source;
	// volatile, that it depends on a value and is only known when rendering.
	autoescape, volatile bool
	// extended is how many {% extends %} were seen; known, that one of them is
	// sure to be executed.
	extended int
	known    bool
	ended    bool // nothing in this list of statements is reached any more
	// folding is true inside a printed expression that is constant.
	folding bool
	// later is what Python would refuse in what Jinja2's compiler makes of the
	// template, if there is nothing that Jinja2 itself refuses.
	later *Error
	// defaults are the symbols of the macro whose defaults are checked: its
	// parameters may not be set yet.
	defaults *symbols
}

// scope is where a node stands.
type scope struct {
	*symbols
	toplevel bool // in no frame but the root's
	root     bool // and in no if either
	soft     bool // in an if or conditional expression: unknown filters are errors only when called
	child    bool // output counts only if no parent is extended
}

// inner is the scope of a frame that opens in s.
func (s scope) inner() scope {
	return scope{symbols: newSymbols(s.fn, s.symbols), child: s.child}
}

// function is the scope of a frame that opens in s with a function of its own.
func (s scope) function() scope {
	return scope{symbols: newSymbols(newFunction(s.fn), s.symbols)}
}

// branch is s inside an if.
func (s scope) branch() scope {
	s.root, s.soft = false, true
	return s
}

// checkProgram completes a parsed template.
func checkProgram(p *program) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = asError(e)
		}
	}()
	c := &checker{program: p, autoescape: escapes(p.name)}
	blocks, extends := c.collect()
	c.checkRoot(extends)
	for _, b := range blocks {
		c.checkBlock(b)
	}
	if c.later != nil {
		return c.later
	}
	return nil
}

// collect finds the blocks of the template, and whether it may extend another.
func (c *checker) collect() (blocks []*blockStmt, extends bool) {
	var visit func(node)
	visit = func(n node) {
		switch n := n.(type) {
		case *blockStmt:
			c.addBlock(n)
			blocks = append(blocks, n)
		case *extendsStmt:
			extends = true
		case expr, *outputStmt:
			return // statements are in statements only
		}
		n.children(visit)
	}
	visitAll(c.program.body, visit)
	return blocks, extends
}

// addBlock makes a block a function of its own. Names are unique in a template,
// wherever the blocks are.
func (c *checker) addBlock(b *blockStmt) {
	p := c.program
	if p.blocks[b.name] != nil {
		c.refuse(b.place, "block %s defined twice", quoted(b.name))
	}
	if p.blocks == nil {
		p.blocks = map[string]*blockCode{}
	}
	b.code = &blockCode{name: b.name, program: p, body: b.body}
	p.blocks[b.name] = b.code
}

// refuse fails with a TemplateAssertionError.
func (c *checker) refuse(at place, format string, args ...any) {
	c.fail(at, "TemplateAssertionError", format, args...)
}

func (c *checker) fail(at place, class, format string, args ...any) {
	panic(errorAt(c.program.name, at, class, format, args...))
}

// failLater fails with a SyntaxError of Python when all is checked.
func (c *checker) failLater(at place, format string, args ...any) {
	if c.later == nil {
		c.later = errorAt(c.program.name, at, "SyntaxError", format, args...)
	}
}

// checkRoot checks all but the blocks, which only see the context and not the
// variables around them.
func (c *checker) checkRoot(extends bool) {
	p := c.program
	p.fn = newFunction(nil)
	s := scope{symbols: newSymbols(p.fn, nil), toplevel: true, root: true, child: extends}
	p.self = declareUsed(s.symbols, p.body, "self")
	visitAll(p.body, s.visit)
	p.in = s.region()
	c.checkAll(p.body, s)
}

// checkBlock checks a block. It is no part of the frames that it is written in.
func (c *checker) checkBlock(b *blockStmt) {
	code := b.code
	code.fn = newFunction(nil)
	s := scope{symbols: newSymbols(code.fn, nil)}
	code.self = declareUsed(s.symbols, b.body, "self")
	code.super = declareUsed(s.symbols, b.body, "super")
	visitAll(b.body, s.visit)
	code.in = s.region()
	c.checkAll(b.body, s)
}

// declareUsed makes a parameter of a special name if the statements use it. The
// result is nil otherwise.
func declareUsed(s *symbols, body []stmt, name string) *ref {
	if !uses(body, name) {
		return nil
	}
	r := s.declare(name).ref(s.fn)
	return &r
}

// uses reports whether statements read a name before they assign to it. They are
// looked through to the bottom, but for blocks.
func uses(body []stmt, name string) bool {
	used, assigned := false, false
	var visit func(node)
	visit = func(n node) {
		switch n := n.(type) {
		case *nameExpr:
			if n.name == name {
				used = used || n.mode == loads && !assigned
				assigned = assigned || n.mode != loads
			}
		case *blockStmt:
			return
		}
		if !used {
			n.children(visit)
		}
	}
	visitAll(body, visit)
	return used
}

// checkAll checks the statements of a list, up to one that never ends well.
func (c *checker) checkAll(body []stmt, s scope) {
	for _, n := range body {
		if n.check(c, s); c.ended {
			c.ended = false
			return
		}
	}
}

// checkEach checks expressions.
func checkEach[E node](c *checker, s scope, list []E) {
	for _, n := range list {
		n.check(c, s)
	}
}

// checkIf checks an expression that may be missing.
func (c *checker) checkIf(e expr, s scope) {
	if e != nil {
		e.check(c, s)
	}
}

// outputRule says when output at some place counts.
type outputRule uint8

const (
	always outputRule = iota
	unlessExtended
	never
)

// rule is the outputRule for text in s.
func (c *checker) rule(s scope) outputRule {
	switch {
	case !s.child:
		return always
	case c.known:
		return never
	}
	return unlessExtended
}

// escaping says whether printed values are escaped for HTML.
type escaping uint8

const (
	escapeNever escaping = iota
	escapeAlways
	escapeAsSet // as the context is set when rendering
)

// escaping is how values are escaped at this place of the source. What was decided
// when compiling holds, even if the block is rendered from elsewhere.
func (c *checker) escaping() escaping {
	switch {
	case c.volatile:
		return escapeAsSet
	case c.autoescape:
		return escapeAlways
	}
	return escapeNever
}

// check leaves alone what is never written: text of a template behind its
// {% extends %}. Jinja2 does not look at that either.
func (s *outputStmt) check(c *checker, in scope) {
	s.when, s.escape = c.rule(in), c.escaping()
	if s.when == never {
		return
	}
	for i, item := range s.items {
		c.folding = c.isConstant(item)
		if c.volatile && c.folding {
			s.fix(i, c.autoescape)
		}
		item.check(c, in)
		c.folding = false
	}
}

// fix settles how the i-th item is escaped where all others are escaped as set
// when rendering. Jinja2 does so with constants: it writes them beforehand.
func (s *outputStmt) fix(i int, escape bool) {
	if s.fixed == nil {
		s.fixed = make(map[int]escaping, 1)
	}
	s.fixed[i] = escapeNever
	if escape {
		s.fixed[i] = escapeAlways
	}
}

// check goes into the branches without opening a frame.
func (s *ifStmt) check(c *checker, in scope) {
	in = in.branch()
	s.test.check(c, in)
	c.checkAll(s.body, in)
	for _, e := range s.elifs {
		e.test.check(c, in)
		c.checkAll(e.body, in)
	}
	c.checkAll(s.other, in)
}

// check opens one frame for the body and one for the else branch. What is iterated
// and, in a recursive loop, the variables around it belong to the frame outside.
func (s *forStmt) check(c *checker, in scope) {
	body, other := in.inner(), in.inner()
	if s.recursive {
		s.fn = newFunction(in.fn)
		body.fn, other.fn = s.fn, s.fn
	}
	s.extended = s.recursive || uses(s.body, "loop") || hasScopedBlock(s)
	if s.extended {
		s.loop = body.declare("loop").ref(body.fn)
	}
	body.declareTarget(s.target)
	visitAll(s.body, body.visit)
	visitAll(s.other, other.visit)
	s.in, s.els = body.region(), other.region()
	s.escape = c.escaping()

	c.checkTest(s, in, body)
	s.target.check(c, body)
	c.checkLoopName(s)
	if !s.recursive {
		s.iter.check(c, in)
	}
	c.checkAll(s.body, body)
	c.checkAll(s.other, other)
	if s.recursive {
		s.iter.check(c, in)
	}
}

// checkTest checks the test of a loop. It is a function that numbers variables
// as the loop does, so that the target of the loop serves both.
func (c *checker) checkTest(s *forStmt, in, body scope) {
	if s.test == nil {
		return
	}
	s.testFn = &function{outer: in.fn, numbering: body.fn.numbering}
	test := scope{symbols: newSymbols(s.testFn, in.symbols), child: in.child}
	test.declareTarget(s.target)
	test.visit(s.test)
	s.testIn = test.region()
	s.test.check(c, test)
}

// checkLoopName refuses assignments to "loop" anywhere in a loop.
func (c *checker) checkLoopName(s *forStmt) {
	var visit func(node)
	visit = func(n node) {
		if name, ok := n.(*nameExpr); ok && name.mode == stores && name.name == "loop" {
			c.refuse(name.place, "Can't assign to special loop variable in for-loop target")
		}
		n.children(visit)
	}
	visit(s)
}

// hasScopedBlock reports whether a block in the loop may see the loop.
func hasScopedBlock(s *forStmt) bool {
	found := false
	var visit func(node)
	visit = func(n node) {
		if b, ok := n.(*blockStmt); ok && b.scoped {
			found = true
		}
		if _, ok := n.(expr); !ok && !found {
			n.children(visit)
		}
	}
	s.children(visit)
	return found
}

// check also notes which names the context gets.
func (s *setStmt) check(c *checker, in scope) {
	s.target.check(c, in)
	s.value.check(c, in)
	s.exports = exportsOf(s.target, in)
}

// exportsOf lists the names of a target that the context gets: those assigned at
// the top of a template.
func exportsOf(target expr, in scope) []export {
	if !in.toplevel {
		return nil
	}
	switch e := target.(type) {
	case *nameExpr:
		return []export{{e.name, in.find(e.name).ref(in.fn)}}
	case *tupleExpr:
		var list []export
		for _, item := range e.items {
			list = append(list, exportsOf(item, in)...)
		}
		return list
	}
	return nil
}

// check opens a frame for the body, whose output counts even in a template that
// extends another. The filter sees the variables of the body.
func (s *setBlock) check(c *checker, in scope) {
	body := in.inner()
	body.child = false
	visitAll(s.body, body.visit)
	s.in, s.escape = body.region(), c.escaping()
	c.checkAll(s.body, body)
	s.target.check(c, in)
	if s.filter != nil {
		s.filter.check(c, body)
	}
	s.exports = exportsOf(s.target, in)
}

// check opens a frame. Values see what is outside of it, not each other.
func (s *withStmt) check(c *checker, in scope) {
	body := in.inner()
	visitAll(s.targets, body.visit)
	visitAll(s.body, body.visit)
	s.in = body.region()
	for i, target := range s.targets {
		target.check(c, body)
		s.values[i].check(c, in)
	}
	c.checkAll(s.body, body)
}

// check decides whether the block is rendered where it is written: at the top of a
// template that extends another, it only replaces one of the parent.
func (s *blockStmt) check(c *checker, in scope) {
	if in.toplevel {
		switch {
		case c.known:
			s.when = never
			return
		case c.extended > 0:
			s.when = unlessExtended
		}
	}
	if s.scoped {
		s.locals = in.locals()
	}
}

// check refuses {% extends %} inside of frames. A second one behind a first that is
// sure to be executed is an error when rendering, and nothing behind it counts.
func (s *extendsStmt) check(c *checker, in scope) {
	if !in.toplevel {
		c.refuse(s.place, "cannot use extend from a non top-level scope")
	}
	if s.known = c.known; s.known {
		c.ended = true
		return
	}
	s.before = c.extended > 0
	s.template.check(c, in)
	c.known = in.root
	c.extended++
}

// check lists the variables that the included template sees.
func (s *includeStmt) check(c *checker, in scope) {
	s.template.check(c, in)
	if s.context {
		s.locals = in.locals()
	}
}

// check finds the variable that the module goes to.
func (s *importStmt) check(c *checker, in scope) {
	s.template.check(c, in)
	if s.context {
		s.locals = in.locals()
	}
	s.ref, s.toplevel = in.find(s.target).ref(in.fn), in.toplevel
}

// check finds the variables that the names go to.
func (s *fromStmt) check(c *checker, in scope) {
	s.template.check(c, in)
	if s.context {
		s.locals = in.locals()
	}
	for i := range s.names {
		s.names[i].ref = in.find(s.names[i].alias).ref(in.fn)
	}
	s.toplevel = in.toplevel
}

// check opens a function for the macro and finds the variable that it goes to.
func (s *macroStmt) check(c *checker, in scope) {
	s.macroBody.check(c, s.place, in)
	s.ref, s.toplevel = in.find(s.name).ref(in.fn), in.toplevel
}

// check opens a function for the body, which the call gets as the keyword caller.
func (s *callStmt) check(c *checker, in scope) {
	s.macroBody.check(c, s.place, in)
	s.call.checkCall(c, in, "caller")
}

// check opens a function whose parameters are the macro's.
func (b *macroBody) check(c *checker, at place, in scope) {
	body := in.function()
	b.fn = body.fn
	visitAll(b.params, body.visit)
	visitAll(b.defaults, body.visit)
	visitAll(b.body, body.visit)
	b.special(c, at, body.symbols)
	b.in = body.region()
	c.checkParams(b, at, body)
	c.checkAll(b.body, body)
}

// special declares the names that a macro gets by using them.
func (b *macroBody) special(c *checker, at place, s *symbols) {
	if uses(b.body, "caller") {
		i := b.param("caller")
		if i >= 0 && i < len(b.params)-len(b.defaults) {
			c.refuse(at, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
		}
		b.usesCaller = true
		b.caller = s.declare("caller").ref(s.fn)
	}
	if b.param("kwargs") < 0 && uses(b.body, "kwargs") {
		b.usesKwargs = true
		b.kwargs = s.declare("kwargs").ref(s.fn)
	}
	if b.param("varargs") < 0 && uses(b.body, "varargs") {
		b.usesVarargs = true
		b.varargs = s.declare("varargs").ref(s.fn)
	}
}

// param is the place of a parameter, or -1.
func (b *macroBody) param(name string) int {
	for i, p := range b.params {
		if p.name == name {
			return i
		}
	}
	return -1
}

// checkParams checks parameters and defaults. A default may use parameters, also
// those behind its own, which are undefined then.
func (c *checker) checkParams(b *macroBody, at place, s scope) {
	seen := make(map[string]bool, len(b.params))
	for _, p := range b.params {
		if seen[p.name] {
			c.failLater(at, "duplicate argument %s in macro definition", quoted(p.name))
		}
		seen[p.name] = true
		p.check(c, s)
	}
	outer := c.defaults
	c.defaults = s.symbols
	checkEach(c, s, b.defaults)
	c.defaults = outer
}

// check opens a frame, which the arguments of the filter are in too.
func (s *filterStmt) check(c *checker, in scope) {
	body := in.inner()
	visitAll(s.body, body.visit)
	body.visit(s.filter)
	s.in, s.escape = body.region(), c.escaping()
	c.checkAll(s.body, body)
	s.filter.check(c, body)
}

// check opens a frame in which values are escaped as the statement says, if that
// is known now.
func (s *autoescapeStmt) check(c *checker, in scope) {
	body := in.inner()
	body.visit(s.value)
	visitAll(s.body, body.visit)
	s.in = body.region()
	autoescape, volatile := c.autoescape, c.volatile
	s.value.check(c, body)
	if on, ok := c.constant(s.value); ok {
		c.autoescape = on
	} else {
		c.volatile = true
	}
	// Not checkAll: a list of its own this is not.
	checkEach(c, body, s.body)
	c.autoescape, c.volatile = autoescape, volatile
}

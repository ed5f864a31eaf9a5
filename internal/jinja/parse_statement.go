package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// statement reads a statement from its name to the end of its last tag.
func (p *parser) statement() stmt {
	t := p.cur
	if t.kind != tokName {
		p.fail(t.place, "tag name expected")
	}
	p.enter()
	p.tags = append(p.tags, t.text)
	s := p.statementNamed(t.text)
	p.tags = p.tags[:len(p.tags)-1]
	p.leave()
	return s
}

// statementNamed reads the statement that the parser stands before.
func (p *parser) statementNamed(name string) stmt {
	switch name {
	case "for":
		return p.forStatement()
	case "if":
		return p.ifStatement()
	case "block":
		return p.block()
	case "extends":
		at := p.next().place
		return &extendsStmt{base: base{place: at}, template: p.expression()}
	case "print":
		return p.print()
	case "macro":
		return p.macro()
	case "include":
		return p.include()
	case "from":
		return p.from()
	case "import":
		return p.importStatement()
	case "set":
		return p.set()
	case "with":
		return p.with()
	case "autoescape":
		return p.autoescape()
	case "call":
		return p.callBlock()
	case "filter":
		return p.filterBlock()
	}
	p.tags = p.tags[:len(p.tags)-1]
	p.unclosed(name, p.ends)
	return nil
}

// set reads "set target = value" or "set target | filters" and its body.
func (p *parser) set() stmt {
	at := p.next().place
	target := p.target("", true)
	if p.skip(tokAssign) {
		return &setStmt{base: base{place: at}, target: target, value: p.tuple(true)}
	}
	s := &setBlock{base: base{place: at}, target: target}
	if p.skip(tokPipe) {
		s.filter = p.filters(nil)
	}
	s.body = p.bodyTo("endset")
	return s
}

// forStatement reads "for target in items if test recursive" and its bodies. The
// items are no conditional expression: "if" belongs to the loop.
func (p *parser) forStatement() stmt {
	s := &forStmt{base: base{place: p.next().place}}
	s.target = p.target("in", false)
	p.expectName("in")
	s.iter = p.tupleUntil("recursive", false)
	if p.skipName("if") {
		s.test = p.expression()
	}
	s.recursive = p.skipName("recursive")
	s.body = p.body("endfor", "else")
	if p.next().text == "else" {
		s.other = p.bodyTo("endfor")
	}
	return s
}

// ifStatement reads "if test" with any number of elif.
func (p *parser) ifStatement() stmt {
	first := &ifStmt{base: base{place: p.next().place}}
	for s := first; ; {
		s.test = p.tuple(false)
		s.body = p.body("elif", "else", "endif")
		switch p.next().text {
		case "elif":
			s = &ifStmt{base: base{place: p.cur.place}}
			first.elifs = append(first.elifs, s)
			continue
		case "else":
			first.other = p.bodyTo("endif")
		}
		return first
	}
}

// with reads "with a = 1, b = 2" and its body.
func (p *parser) with() stmt {
	s := &withStmt{base: base{place: p.next().place}}
	for p.cur.kind != tokBlockEnd {
		if len(s.targets) > 0 {
			p.expect(tokComma)
		}
		target := p.target("", false)
		setMode(target, declares)
		p.expect(tokAssign)
		s.targets = append(s.targets, target)
		s.values = append(s.values, p.expression())
	}
	s.body = p.bodyTo("endwith")
	return s
}

// autoescape reads "autoescape value" and its body.
func (p *parser) autoescape() stmt {
	s := &autoescapeStmt{base: base{place: p.next().place}}
	s.value = p.expression()
	s.body = p.bodyTo("endautoescape")
	return s
}

// block reads "block name scoped required" and its body. The name may stand behind
// endblock too.
func (p *parser) block() stmt {
	s := &blockStmt{base: base{place: p.next().place}}
	s.name = p.expect(tokName).text
	s.scoped = p.skipName("scoped")
	s.required = p.skipName("required")
	if p.cur.kind == tokSub {
		p.fail(p.cur.place, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	s.body = p.bodyTo("endblock")
	if s.required && !isBlank(s.body) {
		p.fail(p.cur.place, "Required blocks can only contain comments or whitespace")
	}
	p.skipName(s.name)
	return s
}

// isBlank reports whether statements write nothing but white space.
func isBlank(body []stmt) bool {
	for _, s := range body {
		out, ok := s.(*outputStmt)
		if !ok {
			return false
		}
		for _, e := range out.items {
			if data, ok := e.(*dataExpr); !ok || strings.TrimFunc(data.text, isSpace) != "" {
				return false
			}
		}
	}
	return true
}

// importContext reads "with context" or "without context".
func (p *parser) importContext(otherwise bool) bool {
	if p.cur.isName("with", "without") && p.look().isName("context") {
		with := p.next().text == "with"
		p.next()
		return with
	}
	return otherwise
}

// include reads "include template ignore missing without context".
func (p *parser) include() stmt {
	s := &includeStmt{base: base{place: p.next().place}}
	s.template = p.expression()
	if p.cur.isName("ignore") && p.look().isName("missing") {
		s.ignoreMissing = true
		p.next()
		p.next()
	}
	s.context = p.importContext(true)
	return s
}

// importStatement reads "import template as name with context".
func (p *parser) importStatement() stmt {
	s := &importStmt{base: base{place: p.next().place}}
	s.template = p.expression()
	p.expectName("as")
	s.target = p.nameTarget().name
	s.context = p.importContext(false)
	return s
}

// from reads "from template import a, b as c with context".
func (p *parser) from() stmt {
	s := &fromStmt{base: base{place: p.next().place}, program: p.program}
	s.template = p.expression()
	p.expectName("import")
	for {
		if len(s.names) > 0 {
			p.expect(tokComma)
		}
		if p.cur.kind != tokName {
			p.expect(tokName)
		}
		if p.fromContext(s) {
			return s
		}
		s.names = append(s.names, p.importedName())
		if p.fromContext(s) || p.cur.kind != tokComma {
			return s
		}
	}
}

// fromContext reports whether "with context" or "without context" ended the
// names of a {% from %}.
func (p *parser) fromContext(s *fromStmt) bool {
	if !p.cur.isName("with", "without") || !p.look().isName("context") {
		return false
	}
	s.context = p.importContext(false)
	return true
}

// importedName reads "a" or "a as b".
func (p *parser) importedName() importedName {
	target := p.nameTarget()
	if strings.HasPrefix(target.name, "_") {
		panic(errorAt(p.program.name, target.place, "TemplateAssertionError", "names starting with an underline can not be imported"))
	}
	n := importedName{name: target.name, alias: target.name}
	if p.skipName("as") {
		n.alias = p.nameTarget().name
	}
	return n
}

// signature reads the parameters of a macro or of a caller.
func (p *parser) signature(b *macroBody) {
	p.expect(tokLeftParen)
	for p.cur.kind != tokRightParen {
		if len(b.params) > 0 {
			p.expect(tokComma)
		}
		name := p.nameTarget()
		name.mode = declares
		if p.skip(tokAssign) {
			b.defaults = append(b.defaults, p.expression())
		} else if len(b.defaults) > 0 {
			p.fail(p.cur.place, "non-default argument follows default argument")
		}
		b.params = append(b.params, name)
	}
	p.expect(tokRightParen)
}

// callBlock reads "call(parameters) macro(arguments)" and its body.
func (p *parser) callBlock() stmt {
	s := &callStmt{base: base{place: p.next().place}}
	if p.cur.kind == tokLeftParen {
		p.signature(&s.macroBody)
	}
	call, ok := p.expression().(*callExpr)
	if !ok {
		p.fail(s.place, "expected call")
	}
	s.call = call
	s.body = p.bodyTo("endcall")
	return s
}

// filterBlock reads "filter a | b" and its body.
func (p *parser) filterBlock() stmt {
	s := &filterStmt{base: base{place: p.next().place}}
	s.filter = p.filters(nil)
	s.body = p.bodyTo("endfilter")
	return s
}

// macro reads "macro name(parameters)" and its body.
func (p *parser) macro() stmt {
	s := &macroStmt{base: base{place: p.next().place}}
	s.name = p.nameTarget().name
	p.signature(&s.macroBody)
	s.body = p.bodyTo("endmacro")
	return s
}

// print reads "print a, b".
func (p *parser) print() stmt {
	s := &outputStmt{base: base{place: p.next().place}}
	for p.cur.kind != tokBlockEnd {
		if len(s.items) > 0 {
			p.expect(tokComma)
		}
		s.items = append(s.items, p.expression())
	}
	return s
}

// nameTarget reads a name that is assigned to.
func (p *parser) nameTarget() *nameExpr {
	t := p.expect(tokName)
	n := &nameExpr{base: base{place: t.place, tall: 1}, name: t.text, mode: stores}
	p.mustAssign(n)
	return n
}

// target reads what is assigned to: names, perhaps attributes of namespaces, and
// tuples of them. It ends before the word end if that is not "".
func (p *parser) target(end string, namespaces bool) expr {
	e := p.simpleTuple(end, namespaces)
	setMode(e, stores)
	p.mustAssign(e)
	return e
}

// setMode marks the names of a target.
func setMode(e expr, mode nameMode) {
	switch e := e.(type) {
	case *nameExpr:
		e.mode = mode
	case *tupleExpr:
		for _, item := range e.items {
			setMode(item, mode)
		}
	}
}

// mustAssign fails if e cannot be assigned to.
func (p *parser) mustAssign(e expr) {
	if !canAssign(e) {
		p.fail(e.where(), "can't assign to %s", quoted(className(e)))
	}
}

// canAssign reports whether e is a target.
func canAssign(e expr) bool {
	switch e := e.(type) {
	case *nameExpr:
		return !isConstant(e.name)
	case *attributeTarget:
		return true
	case *tupleExpr:
		return !slices.ContainsFunc(e.items, func(item expr) bool { return !canAssign(item) })
	}
	return false
}

// isConstant reports whether a name is one of the constants.
func isConstant(name string) bool {
	switch name {
	case "true", "false", "none", "True", "False", "None":
		return true
	}
	return false
}

// className is what Jinja2's messages call the class of a node.
func className(e expr) string {
	switch e := e.(type) {
	case *logic:
		if e.or {
			return "or"
		}
		return "and"
	case *arithmetic:
		return [...]string{tokAdd: "add", tokSub: "sub", tokMul: "mul", tokDiv: "div", tokMod: "mod", tokFloorDiv: "floordiv", tokPow: "pow"}[e.op]
	case *signExpr:
		if e.minus {
			return "neg"
		}
		return "pos"
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", e), "*jinja.")
	name = strings.TrimSuffix(name, "Expr")
	switch name {
	case "attr", "item":
		return "get" + name
	}
	return name
}

package jinja

// visitAll visits the nodes of a list.
func visitAll[N node](list []N, visit func(node)) {
	for _, n := range list {
		visit(n)
	}
}

// visitIf visits a part that may be missing.
func visitIf(e expr, visit func(node)) {
	if e != nil {
		visit(e)
	}
}

func (*dataExpr) children(func(node))        {}
func (*constExpr) children(func(node))       {}
func (*nameExpr) children(func(node))        {}
func (*attributeTarget) children(func(node)) {}

func (e *tupleExpr) children(visit func(node)) { visitAll(e.items, visit) }
func (e *listExpr) children(visit func(node))  { visitAll(e.items, visit) }

func (e *dictExpr) children(visit func(node)) {
	for i, k := range e.keys {
		visit(k)
		visit(e.values[i])
	}
}

func (e *arithmetic) children(visit func(node)) { visit(e.left); visit(e.right) }
func (e *logic) children(visit func(node))      { visit(e.left); visit(e.right) }
func (e *notExpr) children(visit func(node))    { visit(e.of) }
func (e *signExpr) children(visit func(node))   { visit(e.of) }

func (e *compareExpr) children(visit func(node)) {
	visit(e.first)
	for _, o := range e.rest {
		visit(o.of)
	}
}

func (e *concatExpr) children(visit func(node)) { visitAll(e.items, visit) }

func (e *condExpr) children(visit func(node)) {
	visit(e.test)
	visit(e.yes)
	visitIf(e.no, visit)
}

func (e *attrExpr) children(visit func(node)) { visit(e.of) }
func (e *itemExpr) children(visit func(node)) { visit(e.of); visit(e.key) }

func (e *sliceExpr) children(visit func(node)) {
	visitIf(e.start, visit)
	visitIf(e.stop, visit)
	visitIf(e.step, visit)
}

func (a *arguments) children(visit func(node)) {
	visitAll(a.args, visit)
	for _, k := range a.kwargs {
		visit(k.value)
	}
	visitIf(a.rest, visit)
	visitIf(a.named, visit)
}

func (e *callExpr) children(visit func(node)) { visit(e.of); e.arguments.children(visit) }
func (e *testExpr) children(visit func(node)) { visit(e.of); e.arguments.children(visit) }

func (e *filterExpr) children(visit func(node)) {
	visitIf(e.of, visit)
	e.arguments.children(visit)
}

func (s *outputStmt) children(visit func(node)) { visitAll(s.items, visit) }

func (s *ifStmt) children(visit func(node)) {
	visit(s.test)
	visitAll(s.body, visit)
	visitAll(s.elifs, visit)
	visitAll(s.other, visit)
}

func (s *forStmt) children(visit func(node)) {
	visit(s.target)
	visit(s.iter)
	visitAll(s.body, visit)
	visitAll(s.other, visit)
	visitIf(s.test, visit)
}

func (s *setStmt) children(visit func(node)) { visit(s.target); visit(s.value) }

func (s *setBlock) children(visit func(node)) {
	visit(s.target)
	if s.filter != nil {
		visit(s.filter)
	}
	visitAll(s.body, visit)
}

func (s *withStmt) children(visit func(node)) {
	visitAll(s.targets, visit)
	visitAll(s.values, visit)
	visitAll(s.body, visit)
}

func (s *blockStmt) children(visit func(node))   { visitAll(s.body, visit) }
func (s *extendsStmt) children(visit func(node)) { visit(s.template) }
func (s *includeStmt) children(visit func(node)) { visit(s.template) }
func (s *importStmt) children(visit func(node))  { visit(s.template) }
func (s *fromStmt) children(visit func(node))    { visit(s.template) }

func (b *macroBody) children(visit func(node)) {
	visitAll(b.params, visit)
	visitAll(b.defaults, visit)
	visitAll(b.body, visit)
}

func (s *macroStmt) children(visit func(node)) { s.macroBody.children(visit) }
func (s *callStmt) children(visit func(node))  { visit(s.call); s.macroBody.children(visit) }

func (s *filterStmt) children(visit func(node)) { visitAll(s.body, visit); visit(s.filter) }

func (s *autoescapeStmt) children(visit func(node)) { visit(s.value); visitAll(s.body, visit) }

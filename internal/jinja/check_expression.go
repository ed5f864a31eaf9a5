package jinja

import "agentxchain/internal/pyvalue"

func (*dataExpr) check(*checker, scope)  {}
func (*constExpr) check(*checker, scope) {}

// check finds the variable that the name means.
func (e *nameExpr) check(c *checker, s scope) {
	n := s.find(e.name)
	if n == nil {
		// The arguments of a set block's filter are in nobody's frame.
		c.fail(e.place, "AssertionError", "Tried to resolve a name to a reference that was unknown to the frame (%s)", quoted(e.name))
	}
	e.ref = n.ref(s.fn)
	e.bound = n.load == parameter && n.in != c.defaults
}

func (e *attributeTarget) check(_ *checker, s scope) { e.ref = s.find(e.name).ref(s.fn) }

// check refuses slices among several keys: a[1:2, 3].
func (e *tupleExpr) check(c *checker, s scope) {
	for _, item := range e.items {
		if slice, ok := item.(*sliceExpr); ok {
			c.failLater(slice.place, "invalid syntax")
		}
		item.check(c, s)
	}
}

func (e *listExpr) check(c *checker, s scope) { checkEach(c, s, e.items) }

func (e *dictExpr) check(c *checker, s scope) {
	for i, k := range e.keys {
		k.check(c, s)
		e.values[i].check(c, s)
	}
}

func (e *arithmetic) check(c *checker, s scope) { e.left.check(c, s); e.right.check(c, s) }
func (e *logic) check(c *checker, s scope)      { e.left.check(c, s); e.right.check(c, s) }
func (e *notExpr) check(c *checker, s scope)    { e.of.check(c, s) }
func (e *signExpr) check(c *checker, s scope)   { e.of.check(c, s) }

func (e *compareExpr) check(c *checker, s scope) {
	e.first.check(c, s)
	for _, o := range e.rest {
		o.of.check(c, s)
	}
}

// check finds out whether the result is Markup as soon as an operand is. Jinja2
// computes what is constant beforehand, and forgets about Markup there; and it
// forgets where escaping is only decided when rendering.
func (e *concatExpr) check(c *checker, s scope) {
	checkEach(c, s, e.items)
	e.markup = c.autoescape && !c.volatile && !c.isConstant(e)
}

// check lets filters be unknown: the branch may never be evaluated.
func (e *condExpr) check(c *checker, s scope) {
	s = s.branch()
	e.yes.check(c, s)
	e.test.check(c, s)
	c.checkIf(e.no, s)
}

func (e *attrExpr) check(c *checker, s scope) { e.of.check(c, s) }

// check notes whether Jinja2 would compute the item beforehand.
func (e *itemExpr) check(c *checker, s scope) {
	e.of.check(c, s)
	e.key.check(c, s)
	e.constant = c.folding
}

func (e *sliceExpr) check(c *checker, s scope) {
	c.checkIf(e.start, s)
	c.checkIf(e.stop, s)
	c.checkIf(e.step, s)
}

func (e *callExpr) check(c *checker, s scope) { e.checkCall(c, s, "") }

// checkCall checks a call that is handed one more keyword, if extra is not "".
func (e *callExpr) checkCall(c *checker, s scope, extra string) {
	e.of.check(c, s)
	e.arguments.check(c, e.place, s, extra)
}

// check refuses keywords that are given twice. extra, if not "", is one that the
// call gets besides.
func (a *arguments) check(c *checker, at place, s scope, extra string) {
	checkEach(c, s, a.args)
	for _, k := range a.kwargs {
		k.value.check(c, s)
		a.overrides = a.overrides || isPythonKeyword(k.name)
	}
	c.checkIf(a.rest, s)
	c.checkIf(a.named, s)
	// Python's words as keywords make Jinja2 take another way, on which the last
	// of several values wins.
	if name := a.repeated(extra); name != "" && !a.overrides {
		c.failLater(at, "keyword argument repeated: %s", name)
	}
}

// repeated returns a keyword that is given twice, or is extra; "" if none is.
func (a *arguments) repeated(extra string) string {
	if len(a.kwargs) == 0 || len(a.kwargs) == 1 && a.kwargs[0].name != extra {
		return ""
	}
	seen := map[string]bool{extra: true}
	for _, k := range a.kwargs {
		if seen[k.name] {
			return k.name
		}
		seen[k.name] = true
	}
	return ""
}

// isPythonKeyword reports whether a name cannot be a keyword argument in Python's
// own syntax.
func isPythonKeyword(name string) bool {
	switch name {
	case "False", "None", "True", "and", "as", "assert", "async", "await", "break",
		"class", "continue", "def", "del", "elif", "else", "except", "finally", "for",
		"from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or",
		"pass", "raise", "return", "try", "while", "with", "yield":
		return true
	}
	return false
}

// check looks the filter up.
func (e *filterExpr) check(c *checker, s scope) {
	if e.fn = filters()[e.name].fn; e.fn == nil && !s.soft {
		c.refuse(e.place, "No filter named %s.", quoted(e.name))
	}
	c.checkIf(e.of, s)
	e.arguments.check(c, e.place, s, "")
}

// check looks the test up.
func (e *testExpr) check(c *checker, s scope) {
	if e.fn = tests()[e.name]; e.fn == nil && !s.soft {
		c.refuse(e.place, "No test named %s.", quoted(e.name))
	}
	e.of.check(c, s)
	e.arguments.check(c, e.place, s, "")
}

// isConstant reports whether Jinja2 computes e when compiling, if it can be
// computed without an error. Filters and tests it does not where they could
// depend on how values are escaped.
func (c *checker) isConstant(e node) bool {
	switch e := e.(type) {
	case *nameExpr, *callExpr:
		return false
	case *filterExpr:
		if f := filters()[e.name]; c.volatile || f.fn == nil || f.context || e.of == nil {
			return false
		}
	case *testExpr:
		if c.volatile || tests()[e.name] == nil {
			return false
		}
	case *condExpr:
		if e.no == nil {
			return false
		}
	}
	constant := true
	e.children(func(part node) { constant = constant && c.isConstant(part) })
	return constant
}

// constantSteps bounds what is computed before rendering.
const constantSteps = 10_000

// constantFrame is a frame for expressions without variables.
func constantFrame(p *program) *frame {
	r := &render{filters: filters(), tests: tests()}
	r.meter = pyvalue.NewMeter(pyvalue.Limits{Steps: constantSteps, StringBytes: constantSteps, TotalBytes: 8 * constantSteps, Depth: 50}, nil)
	return &frame{render: r, program: p, names: newNames(p, nil)}
}

// constant computes the truth of e if it is constant.
func (c *checker) constant(e expr) (truth, ok bool) {
	if !c.isConstant(e) {
		return false, false
	}
	v, err := e.eval(constantFrame(c.program))
	if err != nil {
		return false, false
	}
	return pyvalue.Truth(v), true
}

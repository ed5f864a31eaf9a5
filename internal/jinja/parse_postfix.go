package jinja

// postfix reads attributes, items and calls behind e.
func (p *parser) postfix(e expr) expr {
	for {
		switch p.cur.kind {
		case tokDot:
			e = p.attribute(e)
		case tokLeftBracket:
			e = p.subscript(e)
		case tokLeftParen:
			e = p.call(e)
		default:
			return e
		}
	}
}

// filtersAndTests reads filters, tests and calls behind e.
func (p *parser) filtersAndTests(e expr) expr {
	for {
		switch {
		case p.skip(tokPipe):
			e = p.filters(e)
		case p.cur.isName("is"):
			e = p.test(e)
		case p.cur.kind == tokLeftParen:
			e = p.call(e)
		default:
			return e
		}
	}
}

// attribute reads ".name" or ".0".
func (p *parser) attribute(of expr) expr {
	at := p.next().place
	t := p.next()
	switch t.kind {
	case tokName:
		return &attrExpr{p.over(at, of), of, t.text}
	case tokInteger:
		key := &constExpr{base{place: t.place, tall: 1}, p.integer(t)}
		return &itemExpr{base: p.over(at, of), of: of, key: key}
	}
	p.fail(t.place, "expected name or number")
	return nil
}

// subscript reads "[key]"; several keys make a tuple.
func (p *parser) subscript(of expr) expr {
	at := p.next().place
	var keys []expr
	for p.cur.kind != tokRightBracket {
		if len(keys) > 0 {
			p.expect(tokComma)
		}
		keys = append(keys, p.subscripted())
	}
	p.expect(tokRightBracket)
	var key expr
	if len(keys) == 1 {
		key = keys[0]
	} else {
		key = &tupleExpr{p.over(at, keys...), keys}
	}
	return &itemExpr{base: p.over(at, of, key), of: of, key: key}
}

// subscripted reads a key or a slice.
func (p *parser) subscripted() expr {
	at := p.cur.place
	s := &sliceExpr{}
	if p.cur.kind != tokColon {
		s.start = p.expression()
		if p.cur.kind != tokColon {
			return s.start
		}
	}
	p.next()
	s.stop = p.sliceBound()
	if p.skip(tokColon) {
		s.step = p.sliceBound()
	}
	s.base = p.over(at, s.start, s.stop, s.step)
	return s
}

// sliceBound reads a part of a slice, which may be missing.
func (p *parser) sliceBound() expr {
	switch p.cur.kind {
	case tokColon, tokRightBracket, tokComma:
		return nil
	}
	return p.expression()
}

// call reads "(arguments)" behind of.
func (p *parser) call(of expr) expr {
	at := p.cur.place
	c := &callExpr{of: of, arguments: p.arguments()}
	c.base = p.overCall(at, of, &c.arguments)
	return c
}

// overCall is over for a call, a filter or a test.
func (p *parser) overCall(at place, of expr, a *arguments) base {
	parts := append(make([]expr, 0, 8), of, a.rest, a.named)
	parts = append(parts, a.args...)
	for _, k := range a.kwargs {
		parts = append(parts, k.value)
	}
	return p.over(at, parts...)
}

// arguments reads "(a, name=b, *rest, **named)".
func (p *parser) arguments() arguments {
	at := p.expect(tokLeftParen).place
	var a arguments
	for first := true; p.cur.kind != tokRightParen; first = false {
		if !first {
			p.expect(tokComma)
			if p.cur.kind == tokRightParen {
				break
			}
		}
		if !p.argument(&a) {
			p.fail(at, "invalid syntax for function call expression")
		}
	}
	p.expect(tokRightParen)
	return a
}

// argument reads one argument and reports whether it may stand where it does.
func (p *parser) argument(a *arguments) bool {
	switch {
	case p.cur.kind == tokMul:
		if a.rest != nil || a.named != nil {
			return false
		}
		p.next()
		a.rest = p.expression()
	case p.cur.kind == tokPow:
		if a.named != nil {
			return false
		}
		p.next()
		a.named = p.expression()
	case p.cur.kind == tokName && p.look().kind == tokAssign:
		if a.named != nil {
			return false
		}
		name := p.next().text
		p.next()
		a.kwargs = append(a.kwargs, keyword{name, p.expression()})
	default:
		if a.rest != nil || a.named != nil || len(a.kwargs) > 0 {
			return false
		}
		a.args = append(a.args, p.expression())
	}
	return true
}

// filters reads filters of e from the name of the first: "name(arguments)" with
// "|" between them.
func (p *parser) filters(e expr) *filterExpr {
	f := p.filter(e)
	for p.skip(tokPipe) {
		f = p.filter(f)
	}
	return f
}

// filter reads "name(arguments)", a filter of e.
func (p *parser) filter(of expr) *filterExpr {
	at := p.cur.place
	f := &filterExpr{of: of, name: p.dottedName()}
	if p.cur.kind == tokLeftParen {
		f.arguments = p.arguments()
	}
	f.base = p.overCall(at, of, &f.arguments)
	return f
}

// dottedName reads the name of a filter or test.
func (p *parser) dottedName() string {
	name := p.expect(tokName).text
	for p.skip(tokDot) {
		name += "." + p.expect(tokName).text
	}
	return name
}

// test reads "is name" or "is not name", with arguments in parentheses or one
// argument without.
func (p *parser) test(of expr) expr {
	at := p.next().place
	negated := p.skipName("not")
	t := &testExpr{of: of, name: p.dottedName()}
	switch {
	case p.cur.kind == tokLeftParen:
		t.arguments = p.arguments()
	case p.startsTestArgument():
		if p.cur.isName("is") {
			p.fail(p.cur.place, "You cannot chain multiple tests with is")
		}
		t.args = []expr{p.postfix(p.primary(false))}
	}
	t.base = p.overCall(at, of, &t.arguments)
	if !negated {
		return t
	}
	return &notExpr{p.over(at, t), t}
}

// startsTestArgument reports whether an argument without parentheses begins here.
func (p *parser) startsTestArgument() bool {
	switch p.cur.kind {
	case tokName:
		return !p.cur.isName("else", "or", "and")
	case tokString, tokInteger, tokFloat, tokLeftBracket, tokLeftBrace:
		return true
	}
	return false
}

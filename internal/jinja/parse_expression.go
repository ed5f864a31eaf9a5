package jinja

import (
	"math/big"
	"strconv"
	"strings"

	"agentxchain/internal/pyvalue"
)

// expression reads any expression but a tuple without parentheses.
func (p *parser) expression() expr {
	p.enter()
	defer p.leave()
	e := p.or()
	for p.cur.isName("if") {
		at := p.next().place
		c := &condExpr{yes: e, program: p.program}
		c.test = p.or()
		if p.skipName("else") {
			c.no = p.expression()
		}
		c.base = p.over(at, c.yes, c.test, c.no)
		e = c
	}
	return e
}

// condition reads an expression that is no conditional one if cond is false.
func (p *parser) condition(cond bool) expr {
	if cond {
		return p.expression()
	}
	p.enter()
	defer p.leave()
	return p.or()
}

// or reads "and" expressions with "or" between them.
func (p *parser) or() expr {
	e := p.and()
	for p.cur.isName("or") {
		at := p.next().place
		right := p.and()
		e = &logic{p.over(at, e, right), true, e, right}
	}
	return e
}

// and reads negations with "and" between them.
func (p *parser) and() expr {
	e := p.not()
	for p.cur.isName("and") {
		at := p.next().place
		right := p.not()
		e = &logic{p.over(at, e, right), false, e, right}
	}
	return e
}

// not reads a comparison with any number of "not" before it.
func (p *parser) not() expr {
	if !p.cur.isName("not") {
		return p.compare()
	}
	p.enter()
	defer p.leave()
	at := p.next().place
	of := p.not()
	return &notExpr{p.over(at, of), of}
}

// compare reads sums with comparisons between them, which make one chain.
func (p *parser) compare() expr {
	first := p.sum()
	c := &compareExpr{first: first}
	at, parts := p.cur.place, []expr{first}
	for {
		op, ok := p.comparison()
		if !ok {
			break
		}
		of := p.sum()
		c.rest = append(c.rest, operand{op, of})
		parts = append(parts, of)
	}
	if c.rest == nil {
		return first
	}
	c.base = p.over(at, parts...)
	return c
}

// comparison reads an operator of a comparison, if there is one.
func (p *parser) comparison() (op comparison, ok bool) {
	switch p.cur.kind {
	case tokEqual:
		op = compareEqual
	case tokNotEqual:
		op = compareNotEqual
	case tokLess:
		op = compareLess
	case tokLessEqual:
		op = compareLessEqual
	case tokGreater:
		op = compareGreater
	case tokGreaterEqual:
		op = compareGreaterEqual
	case tokName:
		return p.membership()
	default:
		return 0, false
	}
	p.next()
	return op, true
}

// membership reads "in" or "not in", if it is there.
func (p *parser) membership() (op comparison, ok bool) {
	if p.skipName("in") {
		return compareIn, true
	}
	if !p.cur.isName("not") || !p.look().isName("in") {
		return 0, false
	}
	p.next()
	p.next()
	return compareNotIn, true
}

// sum reads concatenations with + and - between them.
func (p *parser) sum() expr {
	e := p.concat()
	for p.cur.kind == tokAdd || p.cur.kind == tokSub {
		op := p.next()
		e = p.arithmetic(op, e, p.concat())
	}
	return e
}

// arithmetic joins two operands.
func (p *parser) arithmetic(op token, left, right expr) expr {
	return &arithmetic{p.over(op.place, left, right), op.kind, left, right}
}

// concat reads products with ~ between them: it binds closer than + does.
func (p *parser) concat() expr {
	first := p.product()
	if p.cur.kind != tokTilde {
		return first
	}
	at := p.cur.place
	items := []expr{first}
	for p.skip(tokTilde) {
		items = append(items, p.product())
	}
	return &concatExpr{base: p.over(at, items...), items: items}
}

// product reads powers with * / // % between them.
func (p *parser) product() expr {
	e := p.power()
	for {
		switch p.cur.kind {
		case tokMul, tokDiv, tokFloorDiv, tokMod:
			op := p.next()
			e = p.arithmetic(op, e, p.power())
		default:
			return e
		}
	}
}

// power reads "a ** b ** c", which associates to the left in templates.
func (p *parser) power() expr {
	e := p.unary(true)
	for p.cur.kind == tokPow {
		op := p.next()
		e = p.arithmetic(op, e, p.unary(true))
	}
	return e
}

// unary reads signs, a primary expression and what follows it, with filters and
// tests unless it stands behind a sign: they apply to the signed value.
func (p *parser) unary(filters bool) expr {
	var e expr
	if p.cur.kind == tokSub || p.cur.kind == tokAdd {
		e = p.signed()
	} else {
		e = p.primary(false)
	}
	e = p.postfix(e)
	if filters {
		e = p.filtersAndTests(e)
	}
	return e
}

// signed reads a sign and what it applies to.
func (p *parser) signed() expr {
	p.enter()
	defer p.leave()
	sign := p.next()
	of := p.unary(false)
	return &signExpr{p.over(sign.place, of), sign.kind == tokSub, of}
}

// primary reads a name, a literal or something in brackets. With namespaces, a
// name followed by a dot is an attribute to assign to.
func (p *parser) primary(namespaces bool) expr {
	t := p.cur
	leaf := base{place: t.place, tall: 1}
	switch t.kind {
	case tokName:
		p.next()
		return p.nameOrConstant(t, namespaces)
	case tokString:
		return p.str()
	case tokInteger:
		p.next()
		return &constExpr{leaf, p.integer(t)}
	case tokFloat:
		p.next()
		return &constExpr{leaf, float(t.text)}
	case tokLeftParen:
		p.next()
		e := p.parenthesized()
		p.expect(tokRightParen)
		return e
	case tokLeftBracket:
		return p.list()
	case tokLeftBrace:
		return p.dict()
	}
	p.fail(t.place, "unexpected %s", quoted(t.describe()))
	return nil
}

// nameOrConstant makes a node of a word that was read.
func (p *parser) nameOrConstant(t token, namespaces bool) expr {
	leaf := base{place: t.place, tall: 1}
	switch t.text {
	case "true", "True":
		return &constExpr{leaf, pyvalue.Bool(true)}
	case "false", "False":
		return &constExpr{leaf, pyvalue.Bool(false)}
	case "none", "None":
		return &constExpr{leaf, pyvalue.None{}}
	}
	if namespaces && p.skip(tokDot) {
		return &attributeTarget{base: leaf, name: t.text, attr: p.expect(tokName).text}
	}
	return &nameExpr{base: leaf, name: t.text}
}

// str reads a string literal, or several in a row, which make one.
func (p *parser) str() expr {
	first := p.next()
	text := first.text
	if p.cur.kind == tokString {
		var b strings.Builder
		for b.WriteString(text); p.cur.kind == tokString; {
			b.WriteString(p.next().text)
		}
		text = b.String()
	}
	return &constExpr{base{place: first.place, tall: 1}, pyvalue.NewStr(text)}
}

// maxDigits is how many digits Python reads of a decimal integer.
const maxDigits = 4300

// integer is the value of a literal. Python refuses decimals that are too long.
func (p *parser) integer(t token) pyvalue.Value {
	if n, err := strconv.ParseInt(t.text, 0, 64); err == nil {
		return pyvalue.Int(n)
	}
	decimal := len(t.text) < 2 || '0' <= t.text[1] && t.text[1] <= '9'
	if decimal && len(t.text) > maxDigits {
		panic(errorAt(p.program.name, t.place, "ValueError",
			"Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit",
			maxDigits, len(t.text)))
	}
	base := 0
	if decimal {
		base = 10 // zeros in front are no prefix
	}
	n, _ := new(big.Int).SetString(t.text, base)
	return pyvalue.NewInt(n)
}

// float is the value of a literal; one that is too large is infinite.
func float(text string) pyvalue.Float {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && f == 0 {
		return 0
	}
	return pyvalue.Float(f)
}

// list reads [a, b]; a comma may stand at the end.
func (p *parser) list() expr {
	l := &listExpr{}
	at := p.next().place
	for p.cur.kind != tokRightBracket {
		if len(l.items) > 0 {
			p.expect(tokComma)
		}
		if p.cur.kind == tokRightBracket {
			break
		}
		l.items = append(l.items, p.expression())
	}
	p.expect(tokRightBracket)
	l.base = p.over(at, l.items...)
	return l
}

// dict reads {a: b, c: d}; a comma may stand at the end.
func (p *parser) dict() expr {
	d := &dictExpr{}
	at := p.next().place
	for p.cur.kind != tokRightBrace {
		if len(d.keys) > 0 {
			p.expect(tokComma)
		}
		if p.cur.kind == tokRightBrace {
			break
		}
		d.keys = append(d.keys, p.expression())
		p.expect(tokColon)
		d.values = append(d.values, p.expression())
	}
	p.expect(tokRightBrace)
	d.base = p.over(at, append(d.keys[:len(d.keys):len(d.keys)], d.values...)...)
	return d
}

// tuple reads expressions with commas between them, or one expression.
func (p *parser) tuple(cond bool) expr {
	return p.items(tupleRule{read: func() expr { return p.condition(cond) }})
}

// tupleUntil is tuple without conditional expressions, which may end before a word.
func (p *parser) tupleUntil(end string, cond bool) expr {
	return p.items(tupleRule{end: end, read: func() expr { return p.condition(cond) }})
}

// parenthesized reads what stands between parentheses: perhaps nothing.
func (p *parser) parenthesized() expr {
	return p.items(tupleRule{empty: true, read: p.expression})
}

// simpleTuple reads names and literals with commas between them.
func (p *parser) simpleTuple(end string, namespaces bool) expr {
	return p.items(tupleRule{end: end, read: func() expr { return p.primary(namespaces) }})
}

// tupleRule says how items of a tuple are read, before which word they may end,
// and whether there may be none.
type tupleRule struct {
	read  func() expr
	end   string
	empty bool
}

// items reads one expression, or a tuple as soon as there is a comma.
func (p *parser) items(rule tupleRule) expr {
	at := p.cur.place
	var items []expr
	comma := false
	for {
		if len(items) > 0 {
			p.expect(tokComma)
		}
		if p.atTupleEnd(rule.end) {
			break
		}
		items = append(items, rule.read())
		if p.cur.kind != tokComma {
			break
		}
		comma = true
	}
	switch {
	case !comma && len(items) > 0:
		return items[0]
	case !comma && !rule.empty:
		p.fail(p.cur.place, "Expected an expression, got %s", quoted(p.cur.describe()))
	}
	return &tupleExpr{p.over(at, items...), items}
}

// atTupleEnd reports whether a tuple may end here, behind a comma.
func (p *parser) atTupleEnd(end string) bool {
	switch p.cur.kind {
	case tokVariableEnd, tokBlockEnd, tokRightParen:
		return true
	}
	return end != "" && p.cur.isName(end)
}

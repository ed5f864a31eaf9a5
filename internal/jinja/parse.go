package jinja

import (
	"slices"
	"strings"
)

// maxHeight bounds an expression, whose operators, filters and calls may be
// chained without nesting in the source. Jinja2 itself gives up near there.
const maxHeight = 250

// parser makes nodes of tokens, one method for one rule of the grammar. It fails
// by panicking with *Error; parse recovers.
type parser struct {
	lex     *lexer
	cur     token
	ahead   token // valid if peeked
	peeked  bool
	program *program

	depth, maxDepth int
	tags            []string   // the statements that are open, for messages
	ends            [][]string // the tags that would end them
}

// parse reads a template.
func parse(p *program, source string, maxDepth int) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = asError(e)
		}
	}()
	ps := &parser{lex: newLexer(p.name, source), program: p, maxDepth: maxDepth}
	ps.cur.place = ps.lex.place
	ps.next()
	p.body = ps.statements()
	return nil
}

// asError returns the *Error that a parser or checker panicked with. Every other
// panic goes on.
func asError(recovered any) error {
	err, ok := recovered.(*Error)
	if !ok {
		panic(recovered)
	}
	return err
}

// fail ends parsing with a TemplateSyntaxError.
func (p *parser) fail(at place, format string, args ...any) {
	p.lex.fail(at, format, args...)
}

// enter counts one level of nesting; leave must follow.
func (p *parser) enter() {
	if p.depth++; p.depth > p.maxDepth {
		panic(exceeded(p.program.name, p.cur.place, "depth", int64(p.maxDepth)))
	}
}

func (p *parser) leave() { p.depth-- }

// over is the base of an expression made of parts.
func (p *parser) over(at place, parts ...expr) base {
	tall := 0
	for _, e := range parts {
		if e != nil {
			tall = max(tall, e.height())
		}
	}
	if tall++; tall > maxHeight {
		panic(exceeded(p.program.name, at, ofHeight, maxHeight))
	}
	return base{place: at, tall: int32(tall)}
}

// next goes on by one token and returns the one that was there.
func (p *parser) next() token {
	t := p.cur
	p.cur, p.peeked = p.look(), false
	return t
}

// look returns the token behind the current one. The end of the template is
// where the last token is: messages point at what is open, not behind the text.
func (p *parser) look() token {
	if !p.peeked {
		p.ahead, p.peeked = p.lex.next(), true
		if p.ahead.kind == tokEOF {
			p.ahead.place = p.cur.place
		}
	}
	return p.ahead
}

// skip goes on if the current token is of kind k, and reports whether it was.
func (p *parser) skip(k kind) bool {
	if p.cur.kind != k {
		return false
	}
	p.next()
	return true
}

// skipName is skip for a word.
func (p *parser) skipName(word string) bool {
	if !p.cur.isName(word) {
		return false
	}
	p.next()
	return true
}

// expect goes on over a token of kind k, which must be there.
func (p *parser) expect(k kind) token {
	if p.cur.kind != k {
		p.unexpected(k.String())
	}
	return p.next()
}

// expectName is expect for a word.
func (p *parser) expectName(word string) {
	if !p.cur.isName(word) {
		p.unexpected(word)
	}
	p.next()
}

// unexpected fails for want of a token.
func (p *parser) unexpected(wanted string) {
	if p.cur.kind == tokEOF {
		p.fail(p.cur.place, "unexpected end of template, expected %s.", quoted(wanted))
	}
	p.fail(p.cur.place, "expected token %s, got %s", quoted(wanted), quoted(p.cur.describe()))
}

// statements reads text, values and statements up to a tag that begins with one
// of ends, which is left as the current token, or up to the end of the source.
func (p *parser) statements(ends ...string) []stmt {
	if len(ends) > 0 {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var body []stmt
	var out *outputStmt
	for p.cur.kind != tokEOF {
		if p.cur.kind != tokBlockBegin {
			if out == nil {
				out = &outputStmt{base: base{place: p.cur.place}}
				body = append(body, out)
			}
			out.items = append(out.items, p.item())
			continue
		}
		out = nil
		p.next()
		if p.cur.isName(ends...) {
			return body
		}
		body = append(body, p.statement())
		p.expect(tokBlockEnd)
	}
	return body
}

// item reads text or a value to print.
func (p *parser) item() expr {
	if p.cur.kind == tokData {
		t := p.next()
		return &dataExpr{base{place: t.place, tall: 1}, t.text}
	}
	p.next()
	e := p.tuple(true)
	p.expect(tokVariableEnd)
	return e
}

// body reads the statements between the tag that the parser stands in and one of
// ends, which must be there.
func (p *parser) body(ends ...string) []stmt {
	p.skip(tokColon)
	p.expect(tokBlockEnd)
	list := p.statements(ends...)
	if p.cur.kind == tokEOF {
		p.unclosed("", append(p.ends, ends))
	}
	return list
}

// bodyTo is body up to one tag, which it goes past.
func (p *parser) bodyTo(end string) []stmt {
	list := p.body(end)
	p.next()
	return list
}

// unclosed fails because of an unknown tag, or of the end of the template if tag
// is "", while looking for the last of ends.
func (p *parser) unclosed(tag string, ends [][]string) {
	message := []string{"Unexpected end of template."}
	if tag != "" {
		message[0] = "Encountered unknown tag " + quoted(tag) + "."
	}
	if len(ends) > 0 {
		looking := lookingFor(ends[len(ends)-1])
		if tag != "" && slices.ContainsFunc(ends, func(e []string) bool { return slices.Contains(e, tag) }) {
			message = append(message, "You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for "+looking+".")
		} else {
			message = append(message, "Jinja was looking for the following tags: "+looking+".")
		}
	}
	if len(p.tags) > 0 {
		message = append(message, "The innermost block that needs to be closed is "+quoted(p.tags[len(p.tags)-1])+".")
	}
	p.fail(p.cur.place, "%s", strings.Join(message, " "))
}

// lookingFor lists tags for a message.
func lookingFor(tags []string) string {
	var b strings.Builder
	for i, t := range tags {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString(quoted(t))
	}
	return b.String()
}

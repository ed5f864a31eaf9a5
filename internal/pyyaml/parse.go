package pyyaml

// parser turns tokens into nodes.
type parser struct {
	scanner
	limits Limits
	// tags are the prefixes of tag handles.
	tags map[string]string
	// anchors are the nodes that aliases may name.
	anchors map[string]*Node
	// nodes counts those that were read.
	nodes int
}

// is reports whether the next token is one of kinds.
func (p *parser) is(kinds ...tokenKind) (bool, error) {
	t, err := p.next()
	if err != nil {
		return false, err
	}
	for _, k := range kinds {
		if t.kind == k {
			return true, nil
		}
	}
	return false, nil
}

// accept drops the next token when it is of kind k.
func (p *parser) accept(k tokenKind) (token, bool, error) {
	found, err := p.is(k)
	if err != nil || !found {
		return token{}, false, err
	}
	return p.drop(), true, nil
}

// stream reads the only document.
func (p *parser) stream() (*Node, error) {
	p.anchors = map[string]*Node{}
	root, err := p.document()
	if err != nil {
		return nil, err
	}
	for {
		_, found, err := p.accept(tokDocumentEnd)
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
	}
	t, err := p.next()
	if err != nil || t.kind == tokStreamEnd {
		return root, err
	}
	at := t.start
	if err := p.directives(); err != nil {
		return nil, err
	}
	return nil, failf(at, "a second document begins here: one file holds one document")
}

func (p *parser) document() (*Node, error) {
	t, err := p.next()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case tokStreamEnd:
		return p.empty(t.start), nil
	case tokDirective, tokDocumentStart:
		if err := p.directives(); err != nil {
			return nil, err
		}
		if t, err = p.next(); err != nil {
			return nil, err
		}
		ends := []tokenKind{tokDirective, tokDocumentStart, tokDocumentEnd, tokStreamEnd}
		return p.optional(t.start, ends, func() (*Node, error) { return p.node(true, false, 1) })
	}
	p.defaultTags(nil)
	return p.node(true, false, 1)
}

// directives reads what may stand before a document, and its "---".
func (p *parser) directives() error {
	declared := map[string]string{}
	version := false
	for {
		t, found, err := p.accept(tokDirective)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		_, known := declared[t.handle]
		switch {
		case t.text == "YAML" && version:
			return failf(t.start, "a second %%YAML directive")
		case t.text == "YAML":
			version = true
		case t.text == "TAG" && known:
			return failf(t.start, "a second %%TAG directive for %q", t.handle)
		case t.text == "TAG":
			declared[t.handle] = t.prefix
		}
	}
	p.defaultTags(declared)
	if _, found, err := p.accept(tokDocumentStart); err != nil || !found {
		return p.unexpected(err, `"---"`)
	}
	return nil
}

func (p *parser) defaultTags(declared map[string]string) {
	p.tags = map[string]string{"!": "!", "!!": tagPrefix}
	for handle, prefix := range declared {
		p.tags[handle] = prefix
	}
}

// unexpected complains about the next token, unless there is an error already.
func (p *parser) unexpected(err error, wanted string) error {
	if err != nil {
		return err
	}
	t, err := p.next()
	if err != nil {
		return err
	}
	return failf(t.start, "expected %s, found %s", wanted, t.kind)
}

// empty is a value that is not written.
func (p *parser) empty(at mark) *Node { return newNode(at, "", true) }

func newNode(at mark, tag string, plain bool) *Node {
	return &Node{Line: at.line + 1, Column: at.column + 1, Offset: at.offset, tag: tag, plain: plain}
}

// properties are what may stand before a node's content.
type properties struct {
	anchor, tag string
	given       bool
	start       mark
}

// properties reads a tag and an anchor, in either order.
func (p *parser) properties() (properties, error) {
	var props properties
	for range 2 {
		t, err := p.next()
		if err != nil {
			return props, err
		}
		switch {
		case t.kind == tokAnchor && props.anchor == "":
			props.anchor = t.text
		case t.kind == tokTag && props.tag == "":
			if props.tag, err = p.fullTag(t); err != nil {
				return props, err
			}
		default:
			continue
		}
		if !props.given {
			props.given, props.start = true, t.start
		}
		p.drop()
	}
	if !props.given {
		props.start = p.tokens[0].start
	}
	return props, nil
}

func (p *parser) fullTag(t *token) (string, error) {
	if t.handle == "" {
		return t.text, nil
	}
	prefix, ok := p.tags[t.handle]
	if !ok {
		return "", failf(t.start, "no %%TAG directive declares the handle %q; a text that begins with \"!\" needs quotes", t.handle)
	}
	return prefix + t.text, nil
}

// node reads a value. In a block mapping a list may stand at the column of
// its key (indentless).
func (p *parser) node(block, indentless bool, depth int) (*Node, error) {
	if t, found, err := p.accept(tokAlias); err != nil || found {
		return p.named(t, err)
	}
	props, err := p.properties()
	if err != nil {
		return nil, err
	}
	t, err := p.next()
	if err != nil {
		return nil, err
	}
	if p.nodes++; p.nodes > p.limits.Nodes {
		return nil, failf(t.start, "the document holds more than %d values", p.limits.Nodes)
	}
	n := newNode(props.start, props.tag, true)
	if err := p.register(n, props); err != nil {
		return nil, err
	}
	if t.kind == tokScalar {
		n.Text, n.plain = t.text, t.plain && props.tag == "" || props.tag == "!"
		p.drop()
		return n, nil
	}
	return n, p.collection(n, props, block, indentless, depth)
}

// collection reads what is no scalar.
func (p *parser) collection(n *Node, props properties, block, indentless bool, depth int) error {
	t := p.tokens[0]
	read := p.reader(t.kind, block, indentless)
	switch {
	case read == nil && props.given:
		n.plain = props.tag == "" || props.tag == "!"
		return nil
	case read == nil:
		return failf(t.start, "expected a value, found %s", t.kind)
	case depth > p.limits.Depth:
		return failf(t.start, "nested more than %d levels deep", p.limits.Depth)
	}
	if t.kind != tokBlockEntry {
		p.drop()
	}
	n.open = true
	err := read(p, n, t.start, depth+1)
	n.open = false
	return err
}

// reader returns what reads the collection that a token begins, or nil.
func (*parser) reader(k tokenKind, block, indentless bool) func(p *parser, n *Node, start mark, depth int) error {
	switch {
	case k == tokBlockEntry && indentless:
		return (*parser).indentlessSequence
	case k == tokFlowSequence:
		return (*parser).flowSequence
	case k == tokFlowMapping:
		return (*parser).flowMapping
	case k == tokBlockSequence && block:
		return (*parser).blockSequence
	case k == tokBlockMapping && block:
		return (*parser).blockMapping
	}
	return nil
}

// named returns the node that an alias names.
func (p *parser) named(alias token, err error) (*Node, error) {
	if err != nil {
		return nil, err
	}
	n := p.anchors[alias.text]
	switch {
	case n == nil:
		return nil, failf(alias.start, "no anchor named %q precedes this alias; a text that begins with \"*\" needs quotes", alias.text)
	case n.open:
		return nil, failf(alias.start, "the alias %q stands inside the value that it names", alias.text)
	}
	return n, nil
}

func (p *parser) register(n *Node, props properties) error {
	if props.anchor == "" {
		return nil
	}
	if first := p.anchors[props.anchor]; first != nil {
		return failf(n.where(), "the anchor %q is given a second time; the first is at line %d", props.anchor, first.Line)
	}
	p.anchors[props.anchor] = n
	return nil
}

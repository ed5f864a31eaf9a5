package pyyaml

// blockSequence reads "- …" lines up to a line that is indented less.
func (p *parser) blockSequence(n *Node, start mark, depth int) error {
	n.Kind = Sequence
	for {
		entry, found, err := p.accept(tokBlockEntry)
		if err != nil {
			return err
		}
		if !found {
			return p.blockEnd("list", start)
		}
		if err := p.item(n, entry, depth, tokBlockEntry, tokBlockEnd); err != nil {
			return err
		}
	}
}

// indentlessSequence reads "- …" lines at the column of the mapping's keys.
func (p *parser) indentlessSequence(n *Node, _ mark, depth int) error {
	n.Kind = Sequence
	for {
		entry, found, err := p.accept(tokBlockEntry)
		if err != nil || !found {
			return err
		}
		if err := p.item(n, entry, depth, tokBlockEntry, tokKey, tokValue, tokBlockEnd); err != nil {
			return err
		}
	}
}

// item reads what follows a "-"; nothing does before one of ends.
func (p *parser) item(n *Node, entry token, depth int, ends ...tokenKind) error {
	item, err := p.optional(entry.end, ends, func() (*Node, error) { return p.node(true, false, depth) })
	n.Items = append(n.Items, item)
	return err
}

// optional reads a value unless one of ends comes next.
func (p *parser) optional(at mark, ends []tokenKind, read func() (*Node, error)) (*Node, error) {
	none, err := p.is(ends...)
	if err != nil {
		return nil, err
	}
	if none {
		return p.empty(at), nil
	}
	return read()
}

// blockEnd takes the end of a block collection that begins at start.
func (p *parser) blockEnd(what string, start mark) error {
	if _, found, err := p.accept(tokBlockEnd); err != nil || found {
		return err
	}
	t := p.tokens[0]
	if t.kind == tokScalar {
		return failf(t.start, "text follows a value: put all of it in quotes, and double a quote that it holds")
	}
	hint := ""
	if t.start.column != start.column {
		hint = "; is the indentation right?"
	}
	return failf(t.start, "%s does not fit into the %s that begins at %d:%d%s", t.kind, what, start.line+1, start.column+1, hint)
}

// blockMapping reads "key: value" lines up to a line that is indented less.
func (p *parser) blockMapping(n *Node, start mark, depth int) error {
	n.Kind = Mapping
	read := func() (*Node, error) { return p.node(true, true, depth) }
	ends := []tokenKind{tokKey, tokValue, tokBlockEnd}
	for {
		entry, found, err := p.accept(tokKey)
		if err != nil {
			return err
		}
		if !found {
			return p.blockEnd("mapping", start)
		}
		key, err := p.optional(entry.end, ends, read)
		if err != nil {
			return err
		}
		if err := p.member(n, key, ends, read); err != nil {
			return err
		}
	}
}

// member reads the value of a key, which may be absent with its ":".
func (p *parser) member(n *Node, key *Node, ends []tokenKind, read func() (*Node, error)) error {
	colon, found, err := p.accept(tokValue)
	if err != nil {
		return err
	}
	if !found {
		return p.loneKey(n, key)
	}
	value, err := p.optional(colon.end, ends, read)
	n.Members = append(n.Members, Member{key, value})
	return err
}

// loneKey adds a key without a value.
func (p *parser) loneKey(n *Node, key *Node) error {
	t, err := p.next()
	if err != nil {
		return err
	}
	n.Members = append(n.Members, Member{key, p.empty(t.start)})
	return nil
}

// flowSequence reads "[…]" after its bracket.
func (p *parser) flowSequence(n *Node, start mark, depth int) error {
	n.Kind = Sequence
	for {
		done, err := p.flowNext(tokFlowSequenceEnd, start, len(n.Items) == 0)
		if err != nil || done {
			return err
		}
		item, err := p.flowItem(depth)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
}

// flowNext passes the comma before the next element; it reports whether the
// collection has ended.
func (p *parser) flowNext(end tokenKind, start mark, first bool) (bool, error) {
	if _, found, err := p.accept(end); err != nil || found {
		return found, err
	}
	if first {
		return false, nil
	}
	if _, found, err := p.accept(tokFlowEntry); err != nil || !found {
		if err != nil {
			return false, err
		}
		t := p.tokens[0]
		return false, failf(t.start, `expected "," or %s for what begins at %d:%d, found %s`, end, start.line+1, start.column+1, t.kind)
	}
	_, found, err := p.accept(end)
	return found, err
}

// flowItem reads an element of a list, which "key: value" makes a mapping.
func (p *parser) flowItem(depth int) (*Node, error) {
	read := func() (*Node, error) { return p.node(false, false, depth+1) }
	entry, found, err := p.accept(tokKey)
	if err != nil {
		return nil, err
	}
	if !found {
		return p.node(false, false, depth)
	}
	n := newNode(entry.start, "", true)
	n.Kind = Mapping
	key, err := p.optional(entry.end, []tokenKind{tokValue, tokFlowEntry, tokFlowSequenceEnd}, read)
	if err != nil {
		return nil, err
	}
	return n, p.member(n, key, []tokenKind{tokFlowEntry, tokFlowSequenceEnd}, read)
}

// flowMapping reads "{…}" after its brace.
func (p *parser) flowMapping(n *Node, start mark, depth int) error {
	n.Kind = Mapping
	for {
		done, err := p.flowNext(tokFlowMappingEnd, start, len(n.Members) == 0)
		if err != nil || done {
			return err
		}
		if err := p.flowMember(n, depth); err != nil {
			return err
		}
	}
}

// flowMember reads an element of a mapping; a key alone has no value.
func (p *parser) flowMember(n *Node, depth int) error {
	read := func() (*Node, error) { return p.node(false, false, depth) }
	entry, found, err := p.accept(tokKey)
	if err != nil {
		return err
	}
	if !found {
		key, err := read()
		if err != nil {
			return err
		}
		return p.loneKey(n, key)
	}
	key, err := p.optional(entry.end, []tokenKind{tokValue, tokFlowEntry, tokFlowMappingEnd}, read)
	if err != nil {
		return err
	}
	return p.member(n, key, []tokenKind{tokFlowEntry, tokFlowMappingEnd}, read)
}

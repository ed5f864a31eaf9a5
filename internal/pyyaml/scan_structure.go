package pyyaml

import "slices"

func (s *scanner) streamEnd() error {
	if err := s.outermost(); err != nil {
		return err
	}
	clear(s.keys)
	s.emit(tokStreamEnd, s.mark())
	s.done = true
	return nil
}

// outermost ends every block collection, as what belongs to the stream does.
func (s *scanner) outermost() error {
	s.unwind(-1)
	s.mayKey = false
	return s.dropKey()
}

func (s *scanner) documentMarker(k tokenKind) error {
	if err := s.outermost(); err != nil {
		return err
	}
	s.emitChars(k, 3)
	return nil
}

func (s *scanner) openFlow(k tokenKind) error {
	if err := s.saveKey(); err != nil {
		return err
	}
	if len(s.keys) > s.maxFlow {
		return failf(s.mark(), "nested more than %d levels deep", s.maxFlow)
	}
	s.keys = append(s.keys, simpleKey{})
	s.mayKey = true
	s.emitChars(k, 1)
	return nil
}

func (s *scanner) closeFlow(k tokenKind) error {
	if err := s.dropKey(); err != nil {
		return err
	}
	if s.flow() {
		s.keys = s.keys[:len(s.keys)-1]
	}
	s.mayKey = false
	s.emitChars(k, 1)
	return nil
}

func (s *scanner) flowEntry() error {
	s.mayKey = true
	if err := s.dropKey(); err != nil {
		return err
	}
	s.emitChars(tokFlowEntry, 1)
	return nil
}

// blockEntry fetches the "-" of a list. Inside brackets the parser refuses it.
func (s *scanner) blockEntry() error {
	if !s.flow() {
		if !s.mayKey {
			return failf(s.mark(), "a list cannot begin here: begin it on a line of its own")
		}
		if s.indentTo(s.column) {
			s.emit(tokBlockSequence, s.mark())
		}
	}
	s.mayKey = true
	if err := s.dropKey(); err != nil {
		return err
	}
	s.emitChars(tokBlockEntry, 1)
	return nil
}

// key fetches a "?".
func (s *scanner) key() error {
	if !s.flow() {
		if !s.mayKey {
			return failf(s.mark(), `a key cannot begin here: put what follows "?" in quotes, or begin a line with it`)
		}
		if s.indentTo(s.column) {
			s.emit(tokBlockMapping, s.mark())
		}
	}
	s.mayKey = !s.flow()
	if err := s.dropKey(); err != nil {
		return err
	}
	s.emitChars(tokKey, 1)
	return nil
}

// value fetches a ":", and puts what it makes of the tokens before it where
// it belongs.
func (s *scanner) value() error {
	k := &s.keys[len(s.keys)-1]
	if k.possible {
		k.possible = false
		s.insertKey(*k)
		s.mayKey = false
		s.emitChars(tokValue, 1)
		return nil
	}
	if !s.flow() {
		if !s.mayKey {
			return failf(s.mark(), `": " cannot stand inside a value that has no quotes`)
		}
		if s.indentTo(s.column) {
			s.emit(tokBlockMapping, s.mark())
		}
	}
	s.mayKey = !s.flow()
	if err := s.dropKey(); err != nil {
		return err
	}
	s.emitChars(tokValue, 1)
	return nil
}

// insertKey says in the queue that what begins at k is a key, and perhaps the
// first of a mapping.
func (s *scanner) insertKey(k simpleKey) {
	at := k.number - s.taken
	s.tokens = slices.Insert(s.tokens, at, token{kind: tokKey, start: k.mark, end: k.mark})
	if !s.flow() && s.indentTo(k.mark.column) {
		s.tokens = slices.Insert(s.tokens, at, token{kind: tokBlockMapping, start: k.mark, end: k.mark})
	}
}

// directive fetches a line that begins with "%".
func (s *scanner) directive() error {
	if err := s.outermost(); err != nil {
		return err
	}
	t := token{kind: tokDirective, start: s.mark()}
	s.forward()
	n := s.wordEnd(0)
	if n == 0 || s.peekAt(n) == '\t' || !isSpace(s.peekAt(n)) {
		return failf(s.mark(), "expected the name of a directive, such as %%YAML")
	}
	t.text = s.take(n)
	if err := s.directiveValue(&t); err != nil {
		return err
	}
	t.end = s.mark()
	s.tokens = append(s.tokens, t)
	return s.ignoredRest("a directive")
}

func (s *scanner) directiveValue(t *token) error {
	switch t.text {
	case "YAML":
		s.skipSpaces()
		return s.version(t.start)
	case "TAG":
		s.skipSpaces()
		return s.tagDirective(t)
	}
	for r := s.peek(); r != 0 && !isBreak(r); r = s.peek() {
		s.forward()
	}
	return nil
}

// version passes "1." and a number; other versions are refused.
func (s *scanner) version(start mark) error {
	major := s.digits()
	if major == "" || !s.skip('.') || s.digits() == "" || s.peek() == '\t' || !isSpace(s.peek()) {
		return failf(s.mark(), "expected a version such as %%YAML 1.1")
	}
	if major != "1" {
		return failf(start, "YAML %s.x is not supported: version 1 is required", major)
	}
	return nil
}

func (s *scanner) digits() string {
	n := 0
	for r := s.peekAt(n); r >= '0' && r <= '9'; r = s.peekAt(n) {
		n++
	}
	return s.take(n)
}

// ignoredRest passes the rest of a line, which may only be a comment.
func (s *scanner) ignoredRest(of string) error {
	s.skipSpaces()
	s.skipComment()
	if r := s.peek(); r != 0 && !isBreak(r) {
		return failf(s.mark(), "expected the end of the line after %s, found %s", of, describe(r))
	}
	s.lineBreak()
	return nil
}

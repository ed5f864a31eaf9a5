package pyyaml

// maxSimpleKey is how many characters a key without "?" may have.
const maxSimpleKey = 1024

// scanner turns characters into tokens. Whether a scalar is a key is known
// only once its ":" is found, so tokens wait in a queue until then.
type scanner struct {
	cursor
	// tokens are those that the parser has not taken; taken counts the others.
	tokens []token
	taken  int
	// indent is the column of the innermost block collection, -1 outside;
	// indents are those around it.
	indent  int
	indents []int
	// keys holds for each flow level, the block level first, what may become a key.
	keys []simpleKey
	// mayKey says whether a key may begin at the next token.
	mayKey bool
	// maxFlow bounds how many flow collections may be open.
	maxFlow int
	done    bool
}

func newScanner(src []byte, maxFlow int) scanner {
	return scanner{cursor: cursor{src: src}, indent: -1, keys: make([]simpleKey, 1), mayKey: true, maxFlow: maxFlow}
}

// flow reports whether a flow collection is open.
func (s *scanner) flow() bool { return len(s.keys) > 1 }

// next returns the next token and leaves it in the queue.
func (s *scanner) next() (*token, error) {
	for {
		more, err := s.needsMore()
		if err != nil {
			return nil, err
		}
		if !more {
			return &s.tokens[0], nil
		}
		if err := s.fetch(); err != nil {
			return nil, err
		}
	}
}

// drop takes the next token, which [scanner.next] has returned, off the queue.
func (s *scanner) drop() token {
	t := s.tokens[0]
	s.tokens = s.tokens[1:]
	s.taken++
	return t
}

// needsMore reports whether the first token of the queue is still undecided.
func (s *scanner) needsMore() (bool, error) {
	if s.done {
		return false, nil
	}
	if len(s.tokens) == 0 {
		return true, nil
	}
	if err := s.dropStaleKeys(); err != nil {
		return false, err
	}
	for _, k := range s.keys {
		if k.possible {
			return k.number == s.taken, nil
		}
	}
	return false, nil
}

func (s *scanner) emit(k tokenKind, start mark) {
	s.tokens = append(s.tokens, token{kind: k, start: start, end: s.mark()})
}

// emitChars emits a token of n characters.
func (s *scanner) emitChars(k tokenKind, n int) {
	start := s.mark()
	s.take(n)
	s.emit(k, start)
}

// fetch adds at least one token to the queue, or drops a pending key.
func (s *scanner) fetch() error {
	s.skipToToken()
	if err := s.dropStaleKeys(); err != nil {
		return err
	}
	s.unwind(s.column)
	if s.peek() == 0 {
		return s.streamEnd()
	}
	if s.column == 0 {
		switch {
		case s.peek() == '%':
			return s.directive()
		case s.follows("---") && isSpace(s.peekAt(3)):
			return s.documentMarker(tokDocumentStart)
		case s.follows("...") && isSpace(s.peekAt(3)):
			return s.documentMarker(tokDocumentEnd)
		}
	}
	if handled, err := s.indicator(); handled || err != nil {
		return err
	}
	return s.content()
}

// indicator fetches a token that stands for structure; it reports whether
// there was one.
func (s *scanner) indicator() (bool, error) {
	switch s.peek() {
	case '[':
		return true, s.openFlow(tokFlowSequence)
	case '{':
		return true, s.openFlow(tokFlowMapping)
	case ']':
		return true, s.closeFlow(tokFlowSequenceEnd)
	case '}':
		return true, s.closeFlow(tokFlowMappingEnd)
	case ',':
		return true, s.flowEntry()
	case '-':
		if isSpace(s.peekAt(1)) {
			return true, s.blockEntry()
		}
	case '?':
		if s.flow() || isSpace(s.peekAt(1)) {
			return true, s.key()
		}
	case ':':
		if s.flow() || isSpace(s.peekAt(1)) {
			return true, s.value()
		}
	}
	return false, nil
}

// content fetches a scalar, or a property of a node.
func (s *scanner) content() error {
	switch s.peek() {
	case '*':
		return s.keyed((*scanner).alias)
	case '&':
		return s.keyed((*scanner).anchor)
	case '!':
		return s.keyed((*scanner).tag)
	case '\'', '"':
		return s.keyed((*scanner).quoted)
	case '|', '>':
		if !s.flow() {
			return s.blockScalar()
		}
	}
	if s.beginsPlain() {
		return s.keyed((*scanner).plain)
	}
	return s.cannotStart()
}

// keyed scans a token that may turn out to be a key, or to begin one.
func (s *scanner) keyed(scan func(*scanner) (token, error)) error {
	if err := s.saveKey(); err != nil {
		return err
	}
	s.mayKey = false
	start := s.mark()
	t, err := scan(s)
	if err != nil {
		return err
	}
	t.start = start
	s.tokens = append(s.tokens, t)
	return nil
}

// beginsPlain reports whether a scalar without quotes begins here.
func (s *scanner) beginsPlain() bool {
	switch r := s.peek(); r {
	case '-':
		return !isSpace(s.peekAt(1))
	case '?', ':':
		return !s.flow() && !isSpace(s.peekAt(1))
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return false
	default:
		return !isSpace(r)
	}
}

func (s *scanner) cannotStart() error {
	switch r := s.peek(); r {
	case '\t':
		return failf(s.mark(), "a tab cannot stand here: indent and separate with spaces")
	case '@', '`', '%', '|', '>':
		return failf(s.mark(), "a value cannot begin with %q: put it in quotes", r)
	default:
		return failf(s.mark(), "nothing can begin with %s here", describe(r))
	}
}

// skipToToken passes spaces, comments and line ends. After a line end of the
// block context a key may begin.
func (s *scanner) skipToToken() {
	if s.pos == 0 {
		s.skip('\uFEFF')
	}
	for {
		s.skipSpaces()
		s.skipComment()
		if s.lineBreak() == "" {
			return
		}
		if !s.flow() {
			s.mayKey = true
		}
	}
}

// saveKey remembers that the next token may turn out to be a key.
func (s *scanner) saveKey() error {
	if !s.mayKey {
		return nil
	}
	required := !s.flow() && s.indent == s.column
	if err := s.dropKey(); err != nil {
		return err
	}
	s.keys[len(s.keys)-1] = simpleKey{
		possible: true, required: required,
		number: s.taken + len(s.tokens), mark: s.mark(),
	}
	return nil
}

// dropKey gives up the possible key of the current level.
func (s *scanner) dropKey() error {
	k := &s.keys[len(s.keys)-1]
	if k.possible && k.required {
		return s.noColon(*k)
	}
	k.possible = false
	return nil
}

// dropStaleKeys gives up possible keys that are longer than a line or than
// YAML allows.
func (s *scanner) dropStaleKeys() error {
	for i := range s.keys {
		k := &s.keys[i]
		if !k.possible || k.mark.line == s.line && !s.beyond(k.mark) {
			continue
		}
		if k.required {
			return s.noColon(*k)
		}
		k.possible = false
	}
	return nil
}

// beyond reports whether a key that begins at m is too long by now. Both are
// on one line, where columns count characters.
func (s *scanner) beyond(m mark) bool { return s.column-m.column > maxSimpleKey }

func (s *scanner) noColon(k simpleKey) error {
	return failf(s.mark(), `expected ":" after the key that begins at %d:%d`, k.mark.line+1, k.mark.column+1)
}

// unwind ends the block collections that are deeper than a column.
func (s *scanner) unwind(column int) {
	if s.flow() {
		return // Indentation means nothing inside brackets.
	}
	for s.indent > column {
		s.indent = s.indents[len(s.indents)-1]
		s.indents = s.indents[:len(s.indents)-1]
		s.emit(tokBlockEnd, s.mark())
	}
}

// indentTo begins a block collection unless one begins at the column already.
func (s *scanner) indentTo(column int) bool {
	if s.indent >= column {
		return false
	}
	s.indents = append(s.indents, s.indent)
	s.indent = column
	return true
}

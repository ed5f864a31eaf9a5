package pyyaml

// tokenKind is what a token is.
type tokenKind uint8

const (
	tokStreamEnd tokenKind = iota
	tokDirective
	tokDocumentStart
	tokDocumentEnd
	tokBlockSequence // a list begins: a deeper column with "- "
	tokBlockMapping  // a mapping begins: a deeper column with a key
	tokBlockEnd      // a column that is less deep
	tokFlowSequence  // [
	tokFlowSequenceEnd
	tokFlowMapping // {
	tokFlowMappingEnd
	tokFlowEntry  // ,
	tokBlockEntry // -
	tokKey        // ?, or what turned out to be a key
	tokValue      // :
	tokAlias
	tokAnchor
	tokTag
	tokScalar
)

// String names the token in a message.
func (k tokenKind) String() string {
	names := [...]string{
		"the end of the file", `a "%" directive`, `"---"`, `"..."`,
		"a list", "a mapping", "a line that is indented less",
		`"["`, `"]"`, `"{"`, `"}"`, `","`, `"-"`, "a key", `":"`,
		"an alias", "an anchor", "a tag", "a value",
	}
	return names[k]
}

// token is what the parser sees.
type token struct {
	kind tokenKind
	// start is where the token begins, end where it does not go on.
	start, end mark
	// text is a scalar's content, the name of an alias, an anchor or a
	// directive, or a tag's suffix.
	text string
	// handle is a tag's handle, "" when the tag is written in full, or the one
	// that a %TAG directive declares, with its prefix.
	handle, prefix string
	// plain marks a scalar without quotes.
	plain bool
}

// simpleKey is a token that is a key if a ":" follows on its line.
type simpleKey struct {
	possible bool
	// required says that nothing but a key may stand there.
	required bool
	// number is the token's, counted from the first of the source.
	number int
	mark   mark
}

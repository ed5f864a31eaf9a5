package pyyaml

import (
	"math/big"
	"strings"
)

// Kind is the type that PyYAML gives a value.
type Kind uint8

// The kinds. The zero Kind belongs to no parsed value.
const (
	Invalid Kind = iota
	Null
	Bool
	Int
	Float
	String
	// Timestamp is a date, or a date with a time.
	Timestamp
	// Binary is what !!binary gives: bytes.
	Binary
	Sequence
	Mapping
)

// String names the kind as a message for people would.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Int:
		return "an integer"
	case Float:
		return "a number"
	case String:
		return "a string"
	case Timestamp:
		return "a date"
	case Binary:
		return "binary data"
	case Sequence:
		return "a list"
	case Mapping:
		return "a mapping"
	}
	return "nothing"
}

// Node is one value. A nil *Node stands for "absent": all methods accept it.
// An alias is the very node it names, so it has that one's place.
type Node struct {
	// Kind is never Invalid in a parsed document.
	Kind Kind
	// Text is a string's content, the bytes of a Binary, and for every other
	// scalar what the source says, "" when it says nothing.
	Text string
	// Items are the elements of a Sequence.
	Items []*Node
	// Members are those of a Mapping, each key once, merged ones first, in the
	// order in which a Python dict would list them.
	Members []Member
	// Line and Column count from 1, a column being one character. They and
	// Offset, in bytes, are where the value or its tag or anchor begins; of a
	// value that is not written, where it would begin.
	Line, Column, Offset int

	// tag is the full tag, "" while it is to be found from the text. plain says
	// that the text may be anything but a string.
	tag   string
	plain bool
	// size and depth are what the node amounts to with aliases written out.
	size, depth int
	// open marks a collection whose end has not been read, or that is being
	// built; built one that is finished.
	open, built bool
}

// Member is one key of a mapping with its value; neither is nil.
type Member struct{ Key, Value *Node }

// Is reports whether n is present and of kind k.
func (n *Node) Is(k Kind) bool { return n != nil && n.Kind == k }

// Str returns a string's content, or "" for every other kind.
func (n *Node) Str() string {
	if !n.Is(String) {
		return ""
	}
	return n.Text
}

// True reports whether n is a true Bool.
func (n *Node) True() bool {
	if !n.Is(Bool) {
		return false
	}
	truth, _ := boolValue(n.Text)
	return truth
}

// Int returns an Int's value, or nil for every other kind.
func (n *Node) Int() *big.Int {
	if !n.Is(Int) {
		return nil
	}
	i, _ := intValue(n.Text)
	return i
}

// Float returns a Float's value, or 0 for every other kind.
func (n *Node) Float() float64 {
	if !n.Is(Float) {
		return 0
	}
	f, _ := floatValue(n.Text)
	return f
}

// Get returns the value of a string key, or nil when n is no mapping or lacks it.
func (n *Node) Get(key string) *Node {
	if !n.Is(Mapping) {
		return nil
	}
	for _, m := range n.Members {
		if m.Key.Is(String) && m.Key.Text == key {
			return m.Value
		}
	}
	return nil
}

// Has reports whether n is a mapping with the string key.
func (n *Node) Has(key string) bool { return n.Get(key) != nil }

// where is the node's place as the scanner counts, for errors.
func (n *Node) where() mark { return mark{offset: n.Offset, line: n.Line - 1, column: n.Column - 1} }

// shortTag is a tag as people write it.
func shortTag(tag string) string {
	if rest, ok := strings.CutPrefix(tag, tagPrefix); ok {
		return "!!" + rest
	}
	return tag
}

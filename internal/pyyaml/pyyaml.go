// Package pyyaml reads one YAML 1.1 document as the safe loader of PyYAML 6
// reads it, and remembers where everything stood.
//
// Files that a Python program reads too must not mean something else here.
// YAML leaves room for that: "on" and 12:30 and 1e3 and 012 are a boolean, 750,
// a string and 10 to PyYAML, while readers of YAML 1.2 see two strings and two
// numbers. PyYAML also has limits of its own: tabs between tokens, "?" in a
// flow collection and anchors given twice are errors. All of that is kept, and
// the tests compare it with recorded answers of PyYAML.
//
// Reading has three steps. The scanner turns characters into tokens, among them
// those that YAML leaves to indentation; the parser turns tokens into nodes;
// and then every scalar gets its type, merge keys are carried out and repeated
// keys are dropped, the last one winning.
//
// What differs on purpose: a document must be UTF-8; a collection cannot hold
// itself; !!set, !!omap and !!pairs are refused; and [Limits] hold where PyYAML
// would run out of memory or stack.
package pyyaml

// Limits bounds what [Parse] accepts. A zero field means the default.
type Limits struct {
	// Bytes is the size of the source, 1 MiB by default.
	Bytes int
	// Depth is how deeply collections may be nested, aliases followed; 100 by
	// default.
	Depth int
	// Nodes is how many values the document may have when every alias is
	// written out, 100,000 by default. It is what refuses alias bombs.
	Nodes int
}

const (
	defaultBytes = 1 << 20
	defaultDepth = 100
	defaultNodes = 100_000
)

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	if l.Nodes == 0 {
		l.Nodes = defaultNodes
	}
	return l
}

// Document is what a source holds.
type Document struct {
	// Root is never nil; an empty source is one Null.
	Root *Node
	// Duplicates are keys that stand once more in the same mapping, in order of
	// place: the later value counts. Keys that only override a merged one are
	// not among them.
	Duplicates []Duplicate
}

// Duplicate is a key that an earlier member of its mapping has too.
type Duplicate struct {
	// Key is the later of the two.
	Key *Node
	// First is where the earlier one stands, a line counted from 1.
	First int
}

// Parse reads the only document of a source. The error is an [*Error]. A
// second document is an error, as it is for yaml.safe_load.
func Parse(src []byte, limits Limits) (*Document, error) {
	limits = limits.withDefaults()
	if err := checkSource(src, limits.Bytes); err != nil {
		return nil, err
	}
	p := parser{scanner: newScanner(src, limits.Depth), limits: limits}
	root, err := p.stream()
	if err != nil {
		return nil, err
	}
	if err := measure(root, limits); err != nil {
		return nil, err
	}
	var b builder
	if err := b.build(root); err != nil {
		return nil, err
	}
	return &Document{Root: root, Duplicates: b.sorted()}, nil
}

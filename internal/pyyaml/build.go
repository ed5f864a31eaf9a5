package pyyaml

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// measure counts what a node amounts to with every alias written out, and
// refuses what is larger or deeper than the limits. A node that several
// aliases name is measured once.
func measure(n *Node, limits Limits) error {
	if n.size > 0 {
		return nil
	}
	n.size, n.depth = 1, 0
	for _, child := range n.children() {
		if err := measure(child, limits); err != nil {
			return err
		}
		n.size += child.size
		n.depth = max(n.depth, child.depth)
		if n.size > limits.Nodes {
			return failf(n.where(), "the document holds more than %d values when its aliases are written out", limits.Nodes)
		}
	}
	if n.Kind != Invalid {
		n.depth++
	}
	if n.depth > limits.Depth {
		return failf(n.where(), "nested more than %d levels deep when aliases are written out", limits.Depth)
	}
	return nil
}

func (n *Node) children() []*Node {
	list := slices.Clip(n.Items)
	for _, m := range n.Members {
		list = append(list, m.Key, m.Value)
	}
	return list
}

// builder gives every node its kind.
type builder struct{ duplicates []Duplicate }

// build types a node and all below it.
func (b *builder) build(n *Node) error {
	if n.built {
		return nil
	}
	n.built = true
	switch n.Kind {
	case Sequence:
		return b.buildSequence(n)
	case Mapping:
		return b.buildMapping(n)
	}
	return buildScalar(n)
}

// fits reports whether a collection has no tag, or the one of its own type.
func (n *Node) fits(tag string) bool { return n.tag == "" || n.tag == "!" || n.tag == tagPrefix+tag }

func (b *builder) buildSequence(n *Node) error {
	if !n.fits("seq") {
		return n.unfit()
	}
	for _, item := range n.Items {
		if err := b.build(item); err != nil {
			return err
		}
	}
	return nil
}

// unfit complains about the tag of a node.
func (n *Node) unfit() error {
	name, own := strings.CutPrefix(n.tag, tagPrefix)
	switch {
	case own && slices.Contains([]string{"set", "omap", "pairs"}, name):
		return failf(n.where(), "the tag !!%s is not supported here", name)
	case own && slices.Contains([]string{"null", "bool", "int", "float", "binary", "timestamp", "str", "seq", "map"}, name):
		return failf(n.where(), "the tag !!%s does not fit %s", name, n.Kind.article())
	}
	return failf(n.where(), "the tag %s is unknown; a text that begins with \"!\" needs quotes", shortTag(n.tag))
}

// article is the kind of a node before it has been built.
func (k Kind) article() string {
	if k == Invalid {
		return "a scalar"
	}
	return k.String()
}

// buildScalar types a scalar by its tag, or by its text when it has none.
func buildScalar(n *Node) error {
	tag := "str"
	switch {
	case n.plain:
		tag = implicitTag(n.Text)
	case n.tag != "" && n.tag != "!":
		tag = strings.TrimPrefix(n.tag, tagPrefix)
		if tag == n.tag {
			return n.unfit()
		}
	}
	return n.setType(tag)
}

func (n *Node) setType(tag string) error {
	ok := true
	switch tag {
	case "str":
		n.Kind = String
	case "null":
		n.Kind = Null
	case "bool":
		_, ok = boolValue(n.Text)
		n.Kind = Bool
	case "int":
		_, ok = intValue(n.Text)
		n.Kind = Int
	case "float":
		_, ok = floatValue(n.Text)
		n.Kind = Float
	case "timestamp":
		ok = validTimestamp(n.Text)
		n.Kind = Timestamp
	case "binary":
		n.Text, ok = decodeBinary(n.Text)
		n.Kind = Binary
	case "merge", "value":
		return failf(n.where(), "%q means something in YAML: put it in quotes", n.Text)
	default:
		return n.unfit()
	}
	if !ok {
		return failf(n.where(), "the text is not what %s looks like; in quotes it is a string", n.Kind)
	}
	return nil
}

// buildMapping types the members of a mapping. Merged ones come first, then
// its own; of equal keys the last value counts, in the place of the first.
func (b *builder) buildMapping(n *Node) error {
	if !n.fits("map") {
		return n.unfit()
	}
	n.open = true
	defer func() { n.open = false }()
	var merged, own []Member
	for _, m := range n.Members {
		if m.Key.plainText("<<", "merge") {
			if err := b.merge(m, &merged); err != nil {
				return err
			}
			continue
		}
		if err := b.buildMember(m); err != nil {
			return err
		}
		own = append(own, m)
	}
	keys := newKeySet(len(merged) + len(own))
	for _, m := range merged {
		keys.put(m)
	}
	b.repeated(own)
	for _, m := range own {
		keys.put(m)
	}
	n.Members = keys.members
	return nil
}

// plainText reports whether a scalar is a text that YAML gives a meaning of
// its own, by its tag if it has one.
func (n *Node) plainText(text, tag string) bool {
	return n.Kind == Invalid && (n.plain && n.Text == text || n.tag == tagPrefix+tag)
}

func (b *builder) buildMember(m Member) error {
	if m.Key.plainText("=", "value") {
		m.Key.Kind, m.Key.built = String, true
	}
	if err := b.build(m.Key); err != nil {
		return err
	}
	if m.Key.Kind == Sequence || m.Key.Kind == Mapping {
		return failf(m.Key.where(), "%s cannot be a key", m.Key.Kind)
	}
	return b.build(m.Value)
}

// merge adds the members that "<<" names. Of several mappings an earlier one
// counts more, so it is added later.
func (b *builder) merge(m Member, merged *[]Member) error {
	sources := []*Node{m.Value}
	if m.Value.Kind == Sequence {
		sources = m.Value.Items
	}
	for _, source := range sources {
		if source.Kind != Mapping {
			return failf(source.where(), `"<<" takes a mapping or a list of mappings`)
		}
		if err := b.build(source); err != nil {
			return err
		}
	}
	for _, source := range slices.Backward(sources) {
		*merged = append(*merged, source.Members...)
	}
	return nil
}

// repeated notes keys that stand more than once among a mapping's own members.
func (b *builder) repeated(own []Member) {
	first := make(map[string]int, len(own))
	for _, m := range own {
		id := m.Key.identity()
		if line, ok := first[id]; ok {
			b.duplicates = append(b.duplicates, Duplicate{Key: m.Key, First: line})
			continue
		}
		first[id] = m.Key.Line
	}
}

func (b *builder) sorted() []Duplicate {
	slices.SortStableFunc(b.duplicates, func(x, y Duplicate) int { return cmp.Compare(x.Key.Offset, y.Key.Offset) })
	return b.duplicates
}

// keySet collects members as a Python dict does.
type keySet struct {
	members []Member
	index   map[string]int
}

func newKeySet(n int) keySet {
	return keySet{members: make([]Member, 0, n), index: make(map[string]int, n)}
}

func (k *keySet) put(m Member) {
	id := m.Key.identity()
	if i, ok := k.index[id]; ok {
		k.members[i].Value = m.Value
		return
	}
	k.index[id] = len(k.members)
	k.members = append(k.members, m)
}

// identity is equal for keys that Python takes as equal: 1, 1.0 and True are.
// Two spellings of one moment are not, which no configuration needs.
func (n *Node) identity() string {
	switch n.Kind {
	case Bool:
		if n.True() {
			return "n1"
		}
		return "n0"
	case Int:
		return "n" + n.Int().String()
	case Float:
		return floatIdentity(n.Float())
	}
	return strconv.Itoa(int(n.Kind)) + ":" + n.Text
}

func floatIdentity(f float64) string {
	if f == math.Trunc(f) && !math.IsInf(f, 0) {
		i, _ := big.NewFloat(f).Int(nil)
		return "n" + i.String()
	}
	return "f" + strconv.FormatFloat(f, 'g', -1, 64)
}

// decodeBinary decodes base64 as Python's base64.decodebytes does: what is not
// of the alphabet is passed over, and nothing is read after the padding.
func decodeBinary(text string) (string, bool) {
	var out []byte
	bits, held, pads := 0, 0, 0
	for _, r := range text {
		if r > '~' {
			return "", false
		}
		if r == '=' {
			if held >= 2 {
				pads++
			}
			if pads > 0 && held+pads >= 4 {
				return string(out), true
			}
			continue
		}
		value := strings.IndexRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", r)
		if value < 0 {
			continue
		}
		pads = 0
		bits = bits<<6&0xffffff | value
		if held++; held > 1 {
			out = append(out, byte(bits>>(8-2*held)))
		}
		held %= 4
	}
	return string(out), held == 0
}

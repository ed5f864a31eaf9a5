package ecmajson

import (
	"slices"
	"strconv"
)

// Kind is the type of a [Value].
type Kind uint8

// The kinds of JSON values. The zero Kind belongs to no parsed value.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// String names the kind as a message for people would.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Array:
		return "an array"
	case Object:
		return "an object"
	}
	return "nothing"
}

// Value is one JSON value. A nil *Value stands for "absent": all methods
// accept it, which lets callers walk optional fields without tests.
type Value struct {
	kind Kind
	// offset and end delimit the value in its source, in bytes.
	offset, end int
	truth       bool
	number      float64
	// text is a string's WTF-8 content or a number's literal.
	text    string
	items   []*Value
	members []Member
	// index finds members by key once there are too many to scan.
	index map[string]int
}

// Member is one key of an object with its value.
type Member struct {
	// Key is WTF-8.
	Key string
	// KeyOffset is where the key's first occurrence begins in the source, in bytes.
	KeyOffset int
	// Value is never nil.
	Value *Value
}

// Kind returns the value's kind; [Invalid] when v is nil.
func (v *Value) Kind() Kind {
	if v == nil {
		return Invalid
	}
	return v.kind
}

// Is reports whether v is present and of kind k.
func (v *Value) Is(k Kind) bool { return v.Kind() == k }

// Offset returns where the value begins in its source, in bytes.
func (v *Value) Offset() int {
	if v == nil {
		return 0
	}
	return v.offset
}

// End returns where the value ends in its source, in bytes.
func (v *Value) End() int {
	if v == nil {
		return 0
	}
	return v.end
}

// Str returns a string's content in WTF-8, or "" for every other kind.
func (v *Value) Str() string {
	if !v.Is(String) {
		return ""
	}
	return v.text
}

// Num returns a number's double, or 0 for every other kind.
func (v *Value) Num() float64 {
	if !v.Is(Number) {
		return 0
	}
	return v.number
}

// Literal returns a number as it is written in the source.
func (v *Value) Literal() string {
	if !v.Is(Number) {
		return ""
	}
	return v.text
}

// True reports whether v is the literal true.
func (v *Value) True() bool { return v.Is(Bool) && v.truth }

// Truthy is ECMAScript's ToBoolean; an absent value is undefined, so false.
func (v *Value) Truthy() bool {
	switch v.Kind() {
	case Bool:
		return v.truth
	case Number:
		return v.number != 0
	case String:
		return v.text != ""
	case Array, Object:
		return true
	}
	return false
}

// Items returns an array's elements, or nil for every other kind.
func (v *Value) Items() []*Value {
	if !v.Is(Array) {
		return nil
	}
	return v.items
}

// Members returns an object's members in source order, each key once, or nil
// for every other kind.
func (v *Value) Members() []Member {
	if !v.Is(Object) {
		return nil
	}
	return v.members
}

// Len returns the number of elements or members.
func (v *Value) Len() int { return len(v.Items()) + len(v.Members()) }

// Get returns the value of a key, or nil when v is no object or lacks it.
func (v *Value) Get(key string) *Value {
	if i := v.find(key); i >= 0 {
		return v.members[i].Value
	}
	return nil
}

// Has reports whether v is an object with the key.
func (v *Value) Has(key string) bool { return v.find(key) >= 0 }

func (v *Value) find(key string) int {
	if !v.Is(Object) {
		return -1
	}
	if v.index != nil {
		if i, ok := v.index[key]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(v.members, func(m Member) bool { return m.Key == key })
}

// OwnKeys returns an object's keys in the order of ECMAScript's
// OrdinaryOwnPropertyKeys (ECMA-262, section 10.1.11.1): array indices in
// ascending order, then the rest in order of creation.
func (v *Value) OwnKeys() []string {
	var keys []string
	var indices []uint32
	for _, m := range v.Members() {
		if n, ok := arrayIndex(m.Key); ok {
			indices = append(indices, n)
			continue
		}
		keys = append(keys, m.Key)
	}
	slices.Sort(indices)
	ordered := make([]string, 0, len(indices)+len(keys))
	for _, n := range indices {
		ordered = append(ordered, strconv.FormatUint(uint64(n), 10))
	}
	return append(ordered, keys...)
}

// arrayIndex reports whether key is the canonical text of an integer from 0
// to 2^32-2 (ECMA-262, section 6.1.7).
func arrayIndex(key string) (uint32, bool) {
	if key == "" || len(key) > 10 || key[0] == '0' && len(key) > 1 {
		return 0, false
	}
	for i := range len(key) {
		if key[i] < '0' || key[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(key, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, false
	}
	return uint32(n), true
}

// indexThreshold is how many members an object may have before keys are
// looked up in a map; below it a scan is faster.
const indexThreshold = 16

// set adds a member, or replaces the value of an earlier one. It reports
// whether the key was already there.
func (v *Value) set(m Member) bool {
	if i := v.find(m.Key); i >= 0 {
		v.members[i].Value = m.Value
		return true
	}
	v.members = append(v.members, m)
	switch {
	case v.index != nil:
		v.index[m.Key] = len(v.members) - 1
	case len(v.members) > indexThreshold:
		v.index = make(map[string]int, 2*len(v.members))
		for i, member := range v.members {
			v.index[member.Key] = i
		}
	}
	return false
}

// NewNull returns null.
func NewNull() *Value { return &Value{kind: Null} }

// NewBool returns true or false.
func NewBool(b bool) *Value { return &Value{kind: Bool, truth: b} }

// NewString returns a string; s is WTF-8.
func NewString(s string) *Value { return &Value{kind: String, text: s} }

// NewStringOrNull returns a string, or null when s is empty.
func NewStringOrNull(s string) *Value {
	if s == "" {
		return NewNull()
	}
	return NewString(s)
}

// NewInt returns an integer.
func NewInt(n int64) *Value {
	return &Value{kind: Number, number: float64(n), text: strconv.FormatInt(n, 10)}
}

// NewArray returns an array of items, none of which may be nil.
func NewArray(items ...*Value) *Value { return &Value{kind: Array, items: items} }

// NewStrings returns an array of strings.
func NewStrings(list []string) *Value {
	items := make([]*Value, len(list))
	for i, s := range list {
		items[i] = NewString(s)
	}
	return NewArray(items...)
}

// NewObject returns an empty object; fill it with [Value.Set].
func NewObject() *Value { return &Value{kind: Object} }

// Set adds a member to an object, or replaces its value, and returns the
// object. A nil value is left out, as JSON.stringify leaves out undefined.
func (v *Value) Set(key string, value *Value) *Value {
	if value != nil {
		v.set(Member{Key: key, Value: value})
	}
	return v
}

// Equal is Node's util.isDeepStrictEqual for JSON values: the order of keys
// does not matter, numbers compare with Object.is (0 and -0 differ), and two
// absent values are equal.
func Equal(a, b *Value) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case Bool:
		return a.truth == b.truth
	case Number:
		return sameNumber(a.number, b.number)
	case String:
		return a.text == b.text
	case Array:
		return slices.EqualFunc(a.items, b.items, Equal)
	case Object:
		return equalMembers(a, b)
	}
	return true
}

func equalMembers(a, b *Value) bool {
	if len(a.members) != len(b.members) {
		return false
	}
	for _, m := range a.members {
		i := b.find(m.Key)
		if i < 0 || !Equal(m.Value, b.members[i].Value) {
			return false
		}
	}
	return true
}

package pyvalue

import "math/big"

// Value is a Python value: one of the kinds in the package comment, never nil.
type Value interface {
	// TypeName is type(v).__name__, as error texts have it.
	TypeName() string
	sealed()
}

type (
	// None is Python's None. None{} is its only value.
	None struct{}
	// Bool is True or False. It is an int in arithmetic and as a key.
	Bool bool
	// Int is an int between -2**63 and 2**63-1.
	Int int64
	// Float is a double.
	Float float64
	// Markup is text that is HTML already (markupsafe.Markup).
	Markup string
)

// BigInt is an int that does not fit an Int. Its number must not be changed.
type BigInt struct{ n *big.Int }

// NewInt returns n as an Int if it fits, and as a *BigInt otherwise. It keeps n.
func NewInt(n *big.Int) Value {
	if n.IsInt64() {
		return Int(n.Int64())
	}
	return &BigInt{n}
}

// Str is a str. Its text is generalised UTF-8 (see the package comment). The
// zero Str is the empty string.
type Str struct {
	s    string
	json bool
}

// NewStr returns s as a Python str.
func NewStr(s string) Str { return Str{s: s} }

// String returns the text.
func (s Str) String() string { return s.s }

// MarkJSON marks s as the output of a JSON encoder. The mark belongs to this
// value: whatever an operation makes of it is an ordinary Str again.
func MarkJSON(s Str) Str { return Str{s: s.s, json: true} }

// IsJSON reports whether v is a Str that MarkJSON marked.
func IsJSON(v Value) bool {
	s, ok := v.(Str)
	return ok && s.json
}

// Bytes is a bytes object.
type Bytes struct{ B []byte }

// Tuple is a tuple. Its items must not be changed.
type Tuple struct {
	Items []Value
	// Fields, if not nil, are names of the first items, which are attributes
	// then, as of a typing.NamedTuple that prints as a plain tuple.
	Fields []string
}

// NewTuple returns a tuple that keeps items.
func NewTuple(items ...Value) *Tuple { return &Tuple{Items: items} }

// List is a list. Whoever holds the pointer may change the items.
type List struct{ Items []Value }

// NewList returns a list that keeps items.
func NewList(items ...Value) *List { return &List{items} }

// Range is a range of ints. Step is not 0.
type Range struct{ Start, Stop, Step int64 }

// NewRange returns range(start, stop, step), and Python's ValueError if step is 0.
func NewRange(start, stop, step int64) (*Range, error) {
	if step == 0 {
		return nil, valueError("range() arg 3 must not be zero")
	}
	return &Range{start, stop, step}, nil
}

// Iterator yields values once: generators, reversed lists, what the lazy filters
// of templates return. An Iterator is its own iterator.
type Iterator struct {
	// Kind is the type's name: "generator", "list_reverseiterator", …
	Kind string
	// Next returns the next value, or false when there is none. It counts its
	// own cost on m.
	Next func(m *Meter) (Value, bool, error)
}

// Undefined is jinja2.Undefined. It prints as nothing, is false, equals any
// other Undefined, has no items; every other operation on it is the error Err.
type Undefined struct {
	Hint  string // the whole message; "" to make one of Obj and Name
	Obj   Value  // the value that lacks Name; nil if Name is a variable
	Name  Value  // what is missing: a Str, or a key of any kind
	Class string // class of the error; "" is "UndefinedError"
}

// Object is a value of the host: attributes, perhaps a call, no items.
type Object struct {
	Type   string // type(v).__name__
	Module string // its module, for messages; "" for builtins

	// Attrs are the attributes; nil has none. Get, if not nil, is asked first,
	// for attributes that are computed.
	Attrs *Dict
	Get   func(m *Meter, name string) (Value, bool, error)

	// Hidden are the names that begin with "_" and are there, separated by
	// blanks: the sandbox refuses them, and takes all others as missing. The
	// default is what every instance of a Python class has.
	Hidden string

	// Like, if not nil, is the string that the object prints as and equals;
	// whatever takes strings takes the object as that string.
	Like *Str
	// Print, if not nil, is str() and repr() of an object without Like. The
	// default is "<Type object>".
	Print func(m *Meter) (string, error)
	// Call makes the object callable, Iter iterable, Len sized; nil is not.
	Call Func
	Iter func(m *Meter) (*Iterator, error)
	Len  func(m *Meter) (int, error)
}

// Func is the body of a callable.
type Func func(c Call) (Value, error)

// Callable is a function, a class that templates can call, or a bound method.
type Callable struct {
	Name string // as error texts have it, without "()"
	Kind string // type name; "" is "builtin_function_or_method"
	Fn   Func
	// Self is the value a method is bound to, nil for a function.
	Self Value
	// Attrs are further attributes (fromkeys of dict); may be nil. It may answer
	// names that begin with "_": the sandbox refuses them then.
	Attrs func(name string) (Value, bool)
}

// TypeName is "NoneType".
func (None) TypeName() string { return "NoneType" }

// TypeName is "bool".
func (Bool) TypeName() string { return "bool" }

// TypeName is "int".
func (Int) TypeName() string { return "int" }

// TypeName is "int".
func (*BigInt) TypeName() string { return "int" }

// TypeName is "float".
func (Float) TypeName() string { return "float" }

// TypeName is "str".
func (Str) TypeName() string { return "str" }

// TypeName is "Markup".
func (Markup) TypeName() string { return "Markup" }

// TypeName is "bytes".
func (*Bytes) TypeName() string { return "bytes" }

// TypeName is "tuple".
func (*Tuple) TypeName() string { return "tuple" }

// TypeName is "list".
func (*List) TypeName() string { return "list" }

// TypeName is "range".
func (*Range) TypeName() string { return "range" }

// TypeName is the iterator's Kind.
func (i *Iterator) TypeName() string { return i.Kind }

// TypeName is "Undefined".
func (*Undefined) TypeName() string { return "Undefined" }

// TypeName is the object's Type.
func (o *Object) TypeName() string { return o.Type }

// TypeName is the callable's Kind.
func (c *Callable) TypeName() string {
	if c.Kind == "" {
		return "builtin_function_or_method"
	}
	return c.Kind
}

func (None) sealed()       {}
func (Bool) sealed()       {}
func (Int) sealed()        {}
func (*BigInt) sealed()    {}
func (Float) sealed()      {}
func (Str) sealed()        {}
func (Markup) sealed()     {}
func (*Bytes) sealed()     {}
func (*Tuple) sealed()     {}
func (*List) sealed()      {}
func (*Range) sealed()     {}
func (*Iterator) sealed()  {}
func (*Undefined) sealed() {}
func (*Object) sealed()    {}
func (*Callable) sealed()  {}

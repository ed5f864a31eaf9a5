package pyvalue

import (
	"fmt"
	"slices"
	"strings"
)

// arity is how CPython parses the arguments of a builtin method, which shows in
// the words of its TypeErrors.
type arity uint8

const (
	none       arity = iota // no arguments
	one                     // exactly one
	positional              // between min and max
	variable                // the same, in the words of an older parser
	keywords                // by position up to max, and by name; min are needed
)

// method is a method of a builtin type.
type method struct {
	arity    arity
	min, max int
	names    []string // of the parameters of a method with keywords
	run      func(b *bound) (Value, error)
}

// bound is a method on its way: what it is bound to, and its arguments.
type bound struct {
	m    *Meter
	self Value
	name string
	args []Value
}

// bind makes the callable "self.name". owner is the type that defines the method.
func (me method) bind(self Value, owner, name string) *Callable {
	return &Callable{Name: name, Self: self, Kind: me.kind(self), Fn: func(c Call) (Value, error) {
		args, err := me.arguments(owner, name, c)
		if err != nil {
			return nil, err
		}
		if err := c.Meter.Step(1); err != nil {
			return nil, err
		}
		return me.run(&bound{m: c.Meter, self: self, name: name, args: args})
	}}
}

// kind is the type of the bound method: MarkupSafe's are written in Python, but
// for those that make no text.
func (me method) kind(self Value) string {
	if _, safe := self.(Markup); safe && me.arity != variable {
		return "method"
	}
	return ""
}

func (me method) arguments(owner, name string, c Call) ([]Value, error) {
	n := len(c.Args)
	if me.arity == keywords {
		return me.named(name, c)
	}
	full := owner + "." + name
	switch {
	case len(c.Kwargs) > 0:
		return nil, typeError("%s() takes no keyword arguments", full)
	case me.arity == none && n > 0:
		return nil, typeError("%s() takes no arguments (%d given)", full, n)
	case me.arity == one && n != 1:
		return nil, typeError("%s() takes exactly one argument (%d given)", full, n)
	case me.arity == positional && (n < me.min || n > me.max):
		return nil, me.expected(name, n)
	case me.arity == variable && (n < me.min || n > me.max):
		return nil, me.takes(name, n)
	}
	return c.Args, nil
}

func (me method) expected(name string, n int) error {
	bound, limit := "at least ", me.min
	if n > me.max {
		bound, limit = "at most ", me.max
	}
	if me.min == me.max {
		bound = ""
	}
	return typeError("%s expected %s%d argument%s, got %d", name, bound, limit, plural(limit != 1), n)
}

func (me method) takes(name string, n int) error {
	bound, limit := "at least", me.min
	if n > me.max {
		bound, limit = "at most", me.max
	}
	return typeError("%s() takes %s %d argument%s (%d given)", name, bound, limit, plural(limit != 1), n)
}

// named places arguments by name behind those by position; what is missing between
// them is nil.
func (me method) named(name string, c Call) ([]Value, error) {
	n := len(c.Args) + len(c.Kwargs)
	switch all := len(me.names); {
	case me.max == 0 && len(c.Args) > 0:
		return nil, typeError("%s() takes no positional arguments", name)
	case me.max < all && len(c.Args) > me.max:
		return nil, typeError("%s() takes at most %d positional arguments (%d given)", name, me.max, len(c.Args))
	case n > all:
		return nil, typeError("%s() takes at most %d argument%s (%d given)", name, all, plural(all != 1), n)
	}
	out := make([]Value, len(me.names))
	copy(out, c.Args)
	for _, k := range c.Kwargs {
		i := slices.Index(me.names, k.Name)
		switch {
		case i < 0:
			return nil, typeError("'%s' is an invalid keyword argument for %s()", k.Name, name)
		case i < len(c.Args):
			return nil, typeError("argument for %s() given by name ('%s') and position (%d)", name, k.Name, i+1)
		}
		out[i] = k.Value
	}
	for i := range me.min {
		if out[i] == nil {
			return nil, typeError("%s() missing required argument '%s' (pos %d)", name, me.names[i], i+1)
		}
	}
	return out, nil
}

// arg returns the argument at i, nil if it was not given.
func (b *bound) arg(i int) Value {
	if i < len(b.args) {
		return b.args[i]
	}
	return nil
}

// text is the text of self, a string.
func (b *bound) text() string {
	s, _ := AsStr(b.self)
	return s
}

// like returns s as the kind of string that self is.
func (b *bound) like(s string) Value { return likeText(b.self, s) }

// str is the argument at i as text. wrong formats the TypeError, with a %s for the
// type's name.
func (b *bound) str(i int, wrong string) (string, error) {
	s, ok := AsStr(b.args[i])
	if !ok {
		return "", typeError(wrong, shortTypeName(b.args[i], wrong))
	}
	return s, nil
}

// shortTypeName is a type's name as messages about arguments have it, where None
// is its own type.
func shortTypeName(v Value, message string) string {
	if _, none := v.(None); none && strings.Contains(message, "argument") {
		return "None"
	}
	return v.TypeName()
}

// size is the argument at i as an int of the machine, missing if not given.
func (b *bound) size(i int, missing int64) (int64, error) {
	v := b.arg(i)
	if v == nil {
		return missing, nil
	}
	n, err := Index(v)
	if err != nil {
		return 0, err
	}
	small, ok := n.(Int)
	if !ok {
		return 0, Errorf("OverflowError", "Python int too large to convert to C ssize_t")
	}
	return int64(small), nil
}

// flag is the argument at i as an int that says yes or no.
func (b *bound) flag(i int) (bool, error) {
	v := b.arg(i)
	if v == nil {
		return false, nil
	}
	n, err := Index(v)
	if err != nil {
		return false, err
	}
	return Truth(n), nil
}

// window is the part of a sequence of n items between the optional arguments at i
// and i+1. low may be beyond high, and beyond n.
func (b *bound) window(i, n int) (low, high int, err error) {
	from, err := windowEdge(b.arg(i), 0, n)
	if err != nil {
		return 0, 0, err
	}
	to, err := windowEdge(b.arg(i+1), int64(n), n)
	if err != nil {
		return 0, 0, err
	}
	return int(from), int(min(to, int64(n))), nil
}

func windowEdge(v Value, missing int64, n int) (int64, error) {
	if v == nil {
		return missing, nil
	}
	i, given, err := sliceIndex(v)
	if err != nil || !given {
		return missing, err
	}
	if i < 0 {
		i = max(i+int64(n), 0)
	}
	return i, nil
}

// Attr is getattr(v, name) of what does not begin with "_": methods, bound, as a
// *Callable, and the attributes of an Object. It does not ask Unsafe. The error is
// that of an Object's Get.
func Attr(m *Meter, v Value, name string) (Value, bool, error) {
	switch x := v.(type) {
	case *Object:
		return x.attr(m, name)
	case *Callable:
		if x.Attrs != nil {
			value, found := x.Attrs(name)
			return value, found, nil
		}
		return nil, false, nil
	case *Dict:
		if name == "update" {
			return bindUpdate(x), true, nil
		}
	case Str, Markup:
		if c := formatMethod(v, name); c != nil {
			return c, true, nil
		}
	}
	if value, found := attribute(v, name); found {
		return value, true, nil
	}
	me, found := methodOf(v, name)
	if !found {
		return nil, false, nil
	}
	return me.bind(v, owner(v), name), true, nil
}

// formatMethod is v.format or v.format_map, which take what they are given.
func formatMethod(v Value, name string) *Callable {
	switch name {
	case "format":
		return &Callable{Name: name, Self: v, Kind: "function", Fn: func(c Call) (Value, error) { return StrFormat(v, c) }}
	case "format_map":
		return &Callable{Name: name, Self: v, Kind: "function", Fn: func(c Call) (Value, error) { return StrFormatMap(v, c) }}
	}
	return nil
}

func (o *Object) attr(m *Meter, name string) (Value, bool, error) {
	if o.Get != nil {
		if v, found, err := o.Get(m, name); found || err != nil {
			return v, found, err
		}
	}
	if o.Attrs != nil {
		if v, found := o.Attrs.GetStr(name); found {
			return v, true, nil
		}
	}
	if o.Like != nil {
		return Attr(m, *o.Like, name)
	}
	return nil, false, nil
}

// owner is the type that defines the methods of v.
func owner(v Value) string {
	switch v.(type) {
	case Markup:
		return "str"
	case Bool:
		return "int"
	}
	return v.TypeName()
}

func methodOf(v Value, name string) (method, bool) {
	switch v := v.(type) {
	case Str:
		return strMethod(name)
	case Markup:
		if me, found := markupMethod(name); found {
			return me, true
		}
		return strMethod(name)
	case *List:
		return listMethod(name)
	case *Tuple, *Range:
		return sequenceMethod(name)
	case *Dict:
		return dictMethod(name)
	case *DictView:
		return viewMethod(v, name)
	case Int, *BigInt, Bool:
		return intMethod(name)
	case Float:
		return floatMethod(name)
	case *Bytes:
		return bytesMethod(name)
	}
	return method{}, false
}

// attribute returns the attributes that are no methods.
func attribute(v Value, name string) (Value, bool) {
	switch v := v.(type) {
	case Int, *BigInt, Bool:
		return intAttribute(v, name)
	case Float:
		switch name {
		case "real":
			return v, true
		case "imag":
			return Float(0), true
		}
	case *Range:
		switch name {
		case "start":
			return Int(v.Start), true
		case "stop":
			return Int(v.Stop), true
		case "step":
			return Int(v.Step), true
		}
	case *Tuple:
		if i := slices.Index(v.Fields, name); i >= 0 {
			return v.Items[i], true
		}
	case *Iterator:
		switch name {
		case "gi_running", "gi_suspended", "gi_frame", "gi_code": // the last two are refused as Unsafe
			return Bool(false), v.Kind == "generator"
		}
	}
	return nil, false
}

func intAttribute(v Value, name string) (Value, bool) {
	switch name {
	case "real", "numerator":
		n, err := Index(v)
		return n, err == nil
	case "imag":
		return Int(0), true
	case "denominator":
		return Int(1), true
	}
	return nil, false
}

// notFound is the ValueError of an index method.
func notFound(format string, args ...any) error {
	return &Error{Class: "ValueError", Message: fmt.Sprintf(format, args...)}
}

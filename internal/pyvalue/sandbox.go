package pyvalue

import (
	"errors"
	"strings"
)

// Unsafe reports whether Jinja2's SandboxedEnvironment refuses the attribute: it
// begins with "_", or is an internal of a generator or a class.
func Unsafe(v Value, name string) bool {
	if strings.HasPrefix(name, "_") {
		return true
	}
	switch v := v.(type) {
	case *Iterator:
		return v.Kind == "generator" && (name == "gi_frame" || name == "gi_code")
	case *Callable:
		return v.Kind == "type" && name == "mro"
	}
	return false
}

// SandboxAttr is SandboxedEnvironment.getattr, "v.name" of a template: the
// attribute, else the item, else *Undefined, of class SecurityError if there is an
// attribute that is Unsafe. The error is that of using an undefined v, or a
// host's, or a *BudgetError.
func SandboxAttr(m *Meter, v Value, name string) (Value, error) {
	value, found, err := safeAttr(m, v, name)
	if err != nil || found {
		return value, err
	}
	if d, ok := v.(*Dict); ok {
		value, found, err = d.Get(m, Str{s: name})
		if err != nil || found {
			return value, err
		}
	}
	if err := undefinedOf(v); err != nil {
		return nil, err
	}
	return &Undefined{Obj: v, Name: Str{s: name}}, nil
}

// SandboxItem is SandboxedEnvironment.getitem, "v[key]" of a template: the item,
// else the attribute if key is a string, else *Undefined. Errors as of
// SandboxAttr.
func SandboxItem(m *Meter, v, key Value) (Value, error) {
	value, err := GetItem(m, v, key)
	if err == nil || !isLookupError(err) {
		return value, err
	}
	if name, ok := AsStr(key); ok {
		value, found, err := safeAttr(m, v, name)
		if err != nil || found {
			return value, err
		}
	}
	return &Undefined{Obj: v, Name: key}, nil
}

// SandboxSlice is "v[start:stop:step]" of a template: the slice, or *Undefined if v
// has none. Errors as of SandboxAttr, and ValueError for a step of 0.
func SandboxSlice(m *Meter, v, start, stop, step Value) (Value, error) {
	value, err := Slice(m, v, start, stop, step)
	if err == nil || !isLookupError(err) {
		return value, err
	}
	parts, err := Repr(m, NewTuple(start, stop, step))
	if err != nil {
		return nil, err
	}
	return &Undefined{Hint: describeType(v) + " has no element slice" + parts, Obj: v}, nil
}

// isLookupError reports whether err is a TypeError or LookupError of Python, which
// the environment takes as "not there".
func isLookupError(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class {
	case "TypeError", "KeyError", "IndexError", "LookupError":
		return true
	}
	return false
}

// safeAttr is the attribute of v; one that is unsafe is found as the Undefined
// that says so.
func safeAttr(m *Meter, v Value, name string) (Value, bool, error) {
	if strings.HasPrefix(name, "_") && hasHidden(v, name) {
		return unsafeAttr(v, name), true, nil
	}
	value, found, err := Attr(m, v, name)
	if err != nil || !found {
		return nil, false, err
	}
	if Unsafe(v, name) {
		value = unsafeAttr(v, name)
	}
	return value, true, nil
}

func unsafeAttr(v Value, name string) Value {
	return &Undefined{
		Hint:  "access to attribute " + quoted(name) + " of " + quoted(v.TypeName()) + " object is unsafe.",
		Obj:   v,
		Name:  Str{s: name},
		Class: "SecurityError",
	}
}

// hasHidden reports whether v has an attribute of a name that begins with "_", of
// those that Python gives it.
func hasHidden(v Value, name string) bool {
	if o, ok := v.(*Object); ok && o.Hidden != "" {
		return hasWord(o.Hidden, name)
	}
	return hasWord(hiddenOfAll, name) || hasWord(hiddenOf(v), name) || hasWord(hiddenMore(v), name)
}

func hasWord(words, word string) bool {
	at := strings.Index(words, word)
	for at >= 0 {
		end := at + len(word)
		if (at == 0 || words[at-1] == ' ') && (end == len(words) || words[end] == ' ') {
			return true
		}
		next := strings.Index(words[end:], word)
		if next < 0 {
			return false
		}
		at = end + next
	}
	return false
}

const hiddenOfAll = "__class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __getstate__" +
	" __gt__ __hash__ __init__ __init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__" +
	" __setattr__ __sizeof__ __str__ __subclasshook__"

const hiddenOfNumbers = "__abs__ __add__ __bool__ __ceil__ __divmod__ __float__ __floor__ __floordiv__ __getnewargs__" +
	" __int__ __mod__ __mul__ __neg__ __pos__ __pow__ __radd__ __rdivmod__ __rfloordiv__ __rmod__ __rmul__ __round__" +
	" __rpow__ __rsub__ __rtruediv__ __sub__ __truediv__ __trunc__"

const hiddenOfSets = "__and__ __contains__ __iter__ __len__ __or__ __rand__ __ror__ __rsub__ __rxor__ __sub__ __xor__"

const hiddenOfSequences = "__add__ __contains__ __getitem__ __iter__ __len__ __mul__ __rmul__"

// hiddenOf are the names of a family of types.
func hiddenOf(v Value) string {
	switch v := v.(type) {
	case Int, *BigInt, Bool, Float:
		return hiddenOfNumbers
	case Str, Markup, *Bytes, *List, *Tuple:
		return hiddenOfSequences
	case *Set:
		return hiddenOfSets
	case *DictView:
		if v.Of != ViewValues {
			return hiddenOfSets
		}
		return "__iter__ __len__"
	case *Dict, *Range:
		return "__contains__ __getitem__ __iter__ __len__ __reversed__"
	case *Iterator:
		return "__iter__ __next__ __del__ __name__ __qualname__ __length_hint__ __setstate__"
	case *Object:
		return v.hidden()
	case *Undefined:
		return "__add__ __aiter__ __bool__ __call__ __complex__ __div__ __float__ __floordiv__ __getattr__ __getitem__" +
			" __int__ __iter__ __len__ __mod__ __module__ __mul__ __neg__ __pos__ __pow__ __radd__ __rdiv__" +
			" __rfloordiv__ __rmod__ __rmul__ __rpow__ __rsub__ __rtruediv__ __slots__ __sub__ __truediv__"
	case *Callable:
		return v.hidden()
	}
	return "__bool__"
}

// hiddenMore are the names that some of a family have.
func hiddenMore(v Value) string {
	switch v := v.(type) {
	case Int, *BigInt, Bool:
		return "__and__ __index__ __invert__ __lshift__ __or__ __rand__ __rlshift__ __ror__ __rrshift__ __rshift__" +
			" __rxor__ __xor__"
	case Float:
		return "__getformat__"
	case Str, *Bytes:
		return "__getnewargs__ __mod__ __rmod__ __bytes__"
	case Markup:
		return "__getnewargs__ __html__ __html_format__ __mod__ __module__ __radd__ __rmod__ __slots__"
	case *List:
		return "__class_getitem__ __delitem__ __iadd__ __imul__ __reversed__ __setitem__"
	case *Tuple:
		return "__class_getitem__ __getnewargs__"
	case *Dict:
		return "__class_getitem__ __delitem__ __ior__ __or__ __ror__ __setitem__"
	case *DictView:
		return "__reversed__"
	case *Range:
		return "__bool__"
	case *Undefined:
		return "_fail_with_undefined_error _undefined_exception _undefined_hint _undefined_message _undefined_name" +
			" _undefined_obj"
	case *Object:
		if v.Call != nil {
			return "__call__"
		}
	}
	return ""
}

func (o *Object) hidden() string {
	names := "__dict__ __module__ __weakref__"
	if o.Iter != nil {
		names += " __iter__"
	}
	if o.Len != nil {
		names += " __len__"
	}
	return names
}

func (c *Callable) hidden() string {
	switch c.Kind {
	case "function", "method":
		return "__annotations__ __builtins__ __call__ __closure__ __code__ __defaults__ __dict__ __func__ __get__" +
			" __globals__ __kwdefaults__ __module__ __name__ __qualname__ __self__"
	case "type":
		return "__abstractmethods__ __annotations__ __base__ __bases__ __basicsize__ __call__ __dict__ __dictoffset__" +
			" __flags__ __instancecheck__ __itemsize__ __module__ __mro__ __name__ __or__ __prepare__ __qualname__" +
			" __ror__ __subclasscheck__ __subclasses__ __text_signature__ __weakrefoffset__"
	}
	return "__call__ __module__ __name__ __qualname__ __self__ __text_signature__"
}

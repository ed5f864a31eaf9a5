package pyvalue

import (
	"fmt"
	"strings"
)

// Kwarg is an argument given by name.
type Kwarg struct {
	Name  string
	Value Value
}

// Call is one call: its arguments in order, and who counts.
type Call struct {
	Args   []Value
	Kwargs []Kwarg
	Meter  *Meter
}

// CallValue is v(*args, **kwargs). The error is TypeError "'int' object is not
// callable", UndefinedError, or that of the call.
func CallValue(v Value, c Call) (Value, error) {
	if err := c.Meter.Step(1); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *Callable:
		return v.Fn(c)
	case *Undefined:
		return nil, v.Err()
	case *Object:
		if v.Call != nil {
			return v.Call(c)
		}
	}
	return nil, typeError("'%s' object is not callable", v.TypeName())
}

// Kwarg returns the argument of that name, and whether it was given.
func (c Call) Kwarg(name string) (Value, bool) {
	for _, k := range c.Kwargs {
		if k.Name == name {
			return k.Value, true
		}
	}
	return nil, false
}

// Param is a parameter of a function. A nil Default makes it required.
type Param struct {
	Name    string
	Default Value
}

// Bind sorts the arguments of c into params, for a function called name: by
// position, by name, then defaults. Errors are the TypeErrors of functions that
// are written in Python: "f() got an unexpected keyword argument 'x'", "f() takes
// 1 positional argument but 2 were given", and so on.
func (c Call) Bind(name string, params ...Param) ([]Value, error) {
	out := make([]Value, len(params))
	copy(out, c.Args)
	for _, k := range c.Kwargs {
		i := paramIndex(params, k.Name)
		switch {
		case i < 0:
			return nil, typeError("%s() got an unexpected keyword argument '%s'", name, k.Name)
		case out[i] != nil:
			return nil, typeError("%s() got multiple values for argument '%s'", name, k.Name)
		}
		out[i] = k.Value
	}
	if len(c.Args) > len(params) {
		return nil, tooMany(name, params, len(c.Args))
	}
	return out, fillDefaults(name, params, out)
}

func paramIndex(params []Param, name string) int {
	for i, p := range params {
		if p.Name == name {
			return i
		}
	}
	return -1
}

func tooMany(name string, params []Param, given int) error {
	required := 0
	for _, p := range params {
		if p.Default == nil {
			required++
		}
	}
	takes := fmt.Sprint(len(params))
	if required < len(params) {
		takes = fmt.Sprintf("from %d to %d", required, len(params))
	}
	return typeError("%s() takes %s positional argument%s but %d %s given",
		name, takes, plural(len(params) != 1 || required < len(params)), given, wasWere(given))
}

func plural(many bool) string {
	if many {
		return "s"
	}
	return ""
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func fillDefaults(name string, params []Param, out []Value) error {
	var missing []string
	for i, p := range params {
		if out[i] == nil {
			out[i] = p.Default
		}
		if out[i] == nil {
			missing = append(missing, "'"+p.Name+"'")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return typeError("%s() missing %d required positional argument%s: %s",
		name, len(missing), plural(len(missing) != 1), enumerate(missing))
}

// enumerate is "a", "a and b", "a, b, and c".
func enumerate(words []string) string {
	switch last := len(words) - 1; last {
	case 0:
		return words[0]
	case 1:
		return words[0] + " and " + words[1]
	default:
		return strings.Join(words[:last], ", ") + ", and " + words[last]
	}
}

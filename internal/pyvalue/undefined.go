package pyvalue

// Err is the error of using u: its hint, or what was looked for and where.
func (u *Undefined) Err() *Error {
	class := u.Class
	if class == "" {
		class = "UndefinedError"
	}
	return &Error{Class: class, Message: u.message()}
}

func (u *Undefined) message() string {
	name, isText := AsStr(u.Name)
	switch {
	case u.Hint != "":
		return u.Hint
	case u.Obj == nil:
		return quoted(name) + " is undefined"
	case isText:
		return quoted(describeType(u.Obj)) + " has no attribute " + quoted(name)
	}
	key := "?"
	if u.Name != nil {
		if s, err := Repr(NewMeter(messageLimits(), nil), u.Name); err == nil {
			key = s
		}
	}
	return describeType(u.Obj) + " has no element " + key
}

// messageLimits bound what an error message shows of a key.
func messageLimits() Limits {
	return Limits{Steps: 1000, StringBytes: 1000, TotalBytes: 10_000, Depth: 20}
}

func quoted(s string) string { return string(appendQuoted(nil, s, false)) }

// describeType is jinja2.utils.object_type_repr: classes that are not built in
// are named with their module.
func describeType(v Value) string {
	switch v := v.(type) {
	case None:
		return "None"
	case *Undefined:
		return "jinja2.runtime.Undefined object"
	case Markup:
		return "markupsafe.Markup object"
	case *Object:
		if v.Module != "" {
			return v.Module + "." + v.Type + " object"
		}
	}
	return v.TypeName() + " object"
}

// undefinedOf returns the error of the first value that is undefined, or nil.
func undefinedOf(values ...Value) error {
	for _, v := range values {
		if u, ok := v.(*Undefined); ok {
			return u.Err()
		}
	}
	return nil
}

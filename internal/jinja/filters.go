package jinja

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"agentxchain/internal/pyvalue"
)

// filter computes value|name(arguments). The value is the first argument.
type filter func(f *frame, c pyvalue.Call) (pyvalue.Value, error)

// filterDef is a filter. context is true of those that need the context of the
// render, which Jinja2 does not compute beforehand where all is constant.
type filterDef struct {
	fn      filter
	context bool
}

// filters are the filters by name: those of Jinja2 3.1.6.
func filters() map[string]filterDef { return builtinFilters() }

var builtinFilters = sync.OnceValue(func() map[string]filterDef {
	all := map[string]filterDef{
		"map":        {mapFilter, true},
		"random":     {randomFilter, true},
		"reject":     {rejectFilter, true},
		"rejectattr": {rejectattrFilter, true},
		"select":     {selectFilter, true},
		"selectattr": {selectattrFilter, true},
	}
	for name, fn := range map[string]filter{
		"abs":            absFilter,
		"attr":           attrFilter,
		"batch":          batchFilter,
		"capitalize":     methodFilter("capitalize"),
		"center":         centerFilter,
		"count":          lengthFilter,
		"d":              defaultFilter,
		"default":        defaultFilter,
		"dictsort":       dictsortFilter,
		"e":              escapeFilter,
		"escape":         escapeFilter,
		"filesizeformat": filesizeformatFilter,
		"first":          firstFilter,
		"float":          floatFilter,
		"forceescape":    forceescapeFilter,
		"format":         formatFilter,
		"groupby":        groupbyFilter,
		"indent":         indentFilter,
		"int":            intFilter,
		"items":          itemsFilter,
		"join":           joinFilter,
		"last":           lastFilter,
		"length":         lengthFilter,
		"list":           listFilter,
		"lower":          methodFilter("lower"),
		"max":            maxFilter,
		"min":            minFilter,
		"pprint":         pprintFilter,
		"replace":        replaceFilter,
		"reverse":        reverseFilter,
		"round":          roundFilter,
		"safe":           safeFilter,
		"slice":          sliceFilter,
		"sort":           sortFilter,
		"string":         stringFilter,
		"striptags":      striptagsFilter,
		"sum":            sumFilter,
		"title":          titleFilter,
		"tojson":         tojsonFilter,
		"trim":           trimFilter,
		"truncate":       truncateFilter,
		"unique":         uniqueFilter,
		"upper":          methodFilter("upper"),
		"urlencode":      urlencodeFilter,
		"urlize":         urlizeFilter,
		"wordcount":      wordcountFilter,
		"wordwrap":       wordwrapFilter,
		"xmlattr":        xmlattrFilter,
	} {
		all[name] = filterDef{fn: fn}
	}
	return all
})

// required is a parameter that must be given.
func required(name string) pyvalue.Param { return pyvalue.Param{Name: name} }

// optional is a parameter with a default.
func optional(name string, v pyvalue.Value) pyvalue.Param {
	return pyvalue.Param{Name: name, Default: v}
}

// str is s as a value.
func str(s string) pyvalue.Value { return pyvalue.NewStr(s) }

// undefined is what a filter returns for want of a value.
func undefined(hint string) pyvalue.Value { return &pyvalue.Undefined{Hint: hint} }

// isUndefinedValue reports whether v is undefined.
func isUndefinedValue(v pyvalue.Value) bool {
	_, ok := v.(*pyvalue.Undefined)
	return ok
}

// raised reports whether err is an exception of one of the classes.
func raised(err error, classes ...string) bool {
	var exception *pyvalue.Error
	return errors.As(err, &exception) && slices.Contains(classes, exception.Class)
}

// method calls a method of v.
func method(m *pyvalue.Meter, v pyvalue.Value, name string, args ...pyvalue.Value) (pyvalue.Value, error) {
	fn, ok, err := pyvalue.Attr(m, v, name)
	if err != nil {
		return nil, err
	}
	if u, undefined := v.(*pyvalue.Undefined); undefined {
		return nil, u.Err()
	}
	if !ok {
		return nil, pyvalue.Errorf("AttributeError", "'%s' object has no attribute '%s'", v.TypeName(), name)
	}
	return pyvalue.CallValue(fn, pyvalue.Call{Args: args, Meter: m})
}

// softText is markupsafe.soft_str: v if it is a string, else str(v).
func softText(m *pyvalue.Meter, v pyvalue.Value) (pyvalue.Value, error) {
	switch v := v.(type) {
	case pyvalue.Str, pyvalue.Markup:
		return v, nil
	}
	text, err := pyvalue.Text(m, v)
	return pyvalue.NewStr(text), err
}

// methodFilter is a filter that calls a method without arguments on the text of
// its value.
func methodFilter(name string) filter {
	return func(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
		a, err := c.Bind("do_"+name, required("s"))
		if err != nil {
			return nil, err
		}
		text, err := softText(f.meter, a[0])
		if err != nil {
			return nil, err
		}
		return method(f.meter, text, name)
	}
}

// attrFilter is obj|attr(name): the attribute, never an item.
func attrFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_attr", required("obj"), required("name"))
	if err != nil {
		return nil, err
	}
	name, ok := pyvalue.AsStr(a[1])
	if !ok {
		return nil, pyvalue.Errorf("TypeError", "attribute name must be string, not '%s'", a[1].TypeName())
	}
	if _, ok, err = pyvalue.Attr(f.meter, a[0], name); err != nil {
		return nil, err
	}
	absent := &pyvalue.Undefined{Obj: a[0], Name: a[1]}
	v, err := pyvalue.SandboxAttr(f.meter, a[0], name)
	switch {
	case raised(err, "UndefinedError", "SecurityError") && isProtocolName(name):
		return absent, nil
	case err != nil || ok:
		return v, err
	}
	// Not an attribute: an item of that name does not count, a hidden attribute does.
	if u, undefined := v.(*pyvalue.Undefined); undefined && u.Class == "SecurityError" {
		return v, nil
	}
	return absent, nil
}

// isProtocolName reports whether a name is of those that Python itself asks for,
// of undefined values too.
func isProtocolName(name string) bool {
	return strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__")
}

// defaultFilter is value|default(default_value="", boolean=False), also value|d.
func defaultFilter(_ *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_default", required("value"), optional("default_value", str("")), optional("boolean", pyvalue.Bool(false)))
	if err != nil {
		return nil, err
	}
	if isUndefinedValue(a[0]) || pyvalue.Truth(a[2]) && !pyvalue.Truth(a[0]) {
		return a[1], nil
	}
	return a[0], nil
}

// pprintFilter is value|pprint: the value over several lines.
func pprintFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_pprint", required("value"))
	if err != nil {
		return nil, err
	}
	text, err := prettyText(f.meter, a[0])
	return pyvalue.NewStr(text), err
}

// tojsonFilter is value|tojson: json.dumps(value, default=str).
func tojsonFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("tojson", required("value"))
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.AppendJSON(f.meter, nil, a[0], pyvalue.JSONOptions{})
	return pyvalue.MarkJSON(pyvalue.NewStr(string(text))), err
}

package jinja

import (
	"math/rand/v2"
	"strings"

	"agentxchain/internal/pyvalue"
)

// maxRange is how many items a range may have in the sandbox.
const maxRange = 100_000

// global returns a name that every template knows, or nil. It is the same value
// throughout a render.
func (r *render) global(name string) pyvalue.Value {
	if v := r.globals[name]; v != nil {
		return v
	}
	v := newGlobal(name)
	if v == nil {
		return nil
	}
	if r.globals == nil {
		r.globals = map[string]pyvalue.Value{}
	}
	r.globals[name] = v
	return v
}

// newGlobal makes the value of a global name; nil if there is none.
func newGlobal(name string) pyvalue.Value {
	switch name {
	case "range":
		return &pyvalue.Callable{Name: "safe_range", Kind: "function", Fn: rangeGlobal}
	case "dict":
		return &pyvalue.Callable{Name: "dict", Kind: "type", Fn: newDict, Attrs: dictAttr}
	case "lipsum":
		return &pyvalue.Callable{Name: "generate_lorem_ipsum", Kind: "function", Fn: lipsumGlobal}
	case "cycler":
		return &pyvalue.Callable{Name: "jinja2.utils.Cycler", Kind: "type", Fn: newCycler, Attrs: classAttr}
	case "joiner":
		return &pyvalue.Callable{Name: "jinja2.utils.Joiner", Kind: "type", Fn: newJoiner, Attrs: classAttr}
	case "namespace":
		return &pyvalue.Callable{Name: "jinja2.utils.Namespace", Kind: "type", Fn: newNamespace, Attrs: classAttr}
	}
	return nil
}

// rangeGlobal is range() of the sandbox, which refuses long ranges.
func rangeGlobal(c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, pyvalue.Errorf("TypeError", "safe_range() got an unexpected keyword argument '%s'", c.Kwargs[0].Name)
	}
	if len(c.Args) == 0 {
		return nil, pyvalue.Errorf("TypeError", "range expected at least 1 argument, got 0")
	}
	if len(c.Args) > 3 {
		return nil, pyvalue.Errorf("TypeError", "range expected at most 3 arguments, got %d", len(c.Args))
	}
	bounds := [3]int64{0, 0, 1}
	at := 0
	if len(c.Args) == 1 {
		at = 1
	}
	for i, v := range c.Args {
		n, err := smallInt(v)
		if err != nil {
			return nil, err
		}
		bounds[at+i] = n
	}
	r, err := pyvalue.NewRange(bounds[0], bounds[1], bounds[2])
	if err != nil {
		return nil, err
	}
	if r.Len() > maxRange {
		return nil, rangeTooBig()
	}
	return r, nil
}

// rangeTooBig is the error of a range that the sandbox refuses.
func rangeTooBig() error {
	return pyvalue.Errorf("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
}

// smallInt is operator.index(v) as far as ranges go. A bound beyond them makes
// the range too long.
func smallInt(v pyvalue.Value) (int64, error) {
	index, err := pyvalue.Index(v)
	if err != nil {
		return 0, err
	}
	n, ok := pyvalue.AsInt(index)
	if !ok || n > 1<<62 || n < -1<<62 {
		return 0, rangeTooBig()
	}
	return n, nil
}

// newDict is dict(), of a mapping or of pairs, and keywords.
func newDict(c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Args) > 1 {
		return nil, tooManyForDict(c)
	}
	d := pyvalue.NewDict(len(c.Kwargs))
	return d, d.Update(c)
}

// tooManyForDict is the error of dict(a, b).
func tooManyForDict(c pyvalue.Call) error {
	return pyvalue.Errorf("TypeError", "dict expected at most 1 argument, got %d", len(c.Args))
}

// classAttr is the attribute that every class has and the sandbox refuses.
func classAttr(name string) (pyvalue.Value, bool) { return pyvalue.None{}, name == "mro" }

// dictAttr is also the one attribute of dict that makes sense without a dict.
func dictAttr(name string) (pyvalue.Value, bool) {
	if name != "fromkeys" {
		return classAttr(name)
	}
	return &pyvalue.Callable{Name: "fromkeys", Fn: fromkeys}, true
}

// fromkeys is dict.fromkeys(keys, value=None).
func fromkeys(c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Args) < 1 || len(c.Args) > 2 || len(c.Kwargs) > 0 {
		return nil, pyvalue.Errorf("TypeError", "fromkeys expected 1 or 2 arguments, got %d", len(c.Args))
	}
	value := pyvalue.Value(pyvalue.None{})
	if len(c.Args) == 2 {
		value = c.Args[1]
	}
	keys, err := pyvalue.Items(c.Meter, c.Args[0])
	if err != nil {
		return nil, err
	}
	d := pyvalue.NewDict(len(keys))
	for _, k := range keys {
		if err := d.Set(c.Meter, k, value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// namespaceType is the type of what namespace() returns.
const namespaceType = "Namespace"

// newNamespace is namespace(): attributes that {% set ns.a = … %} can change.
func newNamespace(c pyvalue.Call) (pyvalue.Value, error) {
	attrs := pyvalue.NewDict(len(c.Kwargs))
	if len(c.Args) > 1 {
		return nil, tooManyForDict(c)
	}
	if err := attrs.Update(c); err != nil {
		return nil, err
	}
	show := func(m *pyvalue.Meter) (string, error) {
		text, err := pyvalue.Repr(m, attrs)
		return "<Namespace " + text + ">", err
	}
	return &pyvalue.Object{Type: namespaceType, Module: "jinja2.utils", Attrs: attrs, Hidden: "__class__", Print: show}, nil
}

// namespaceOf returns the attributes of a namespace.
func namespaceOf(v pyvalue.Value) (*pyvalue.Dict, bool) {
	o, ok := v.(*pyvalue.Object)
	if !ok || o.Type != namespaceType || o.Module != "jinja2.utils" {
		return nil, false
	}
	return o.Attrs, true
}

// newCycler is cycler(): items that come one after the other, again and again.
func newCycler(c pyvalue.Call) (pyvalue.Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, pyvalue.Errorf("TypeError", "Cycler.__init__() got an unexpected keyword argument '%s'", c.Kwargs[0].Name)
	}
	if len(c.Args) == 0 {
		return nil, pyvalue.Errorf("RuntimeError", "at least one item has to be provided")
	}
	cy := &cycler{items: c.Args}
	return &pyvalue.Object{Type: "Cycler", Module: "jinja2.utils", Get: cy.attr}, nil
}

type cycler struct {
	items []pyvalue.Value
	at    int
}

// attr returns an attribute of a cycler.
func (cy *cycler) attr(_ *pyvalue.Meter, name string) (pyvalue.Value, bool, error) {
	switch name {
	case "items":
		return pyvalue.NewTuple(cy.items...), true, nil
	case "pos":
		return pyvalue.Int(cy.at), true, nil
	case "current":
		return cy.items[cy.at], true, nil
	case "next":
		return &pyvalue.Callable{Name: "next", Kind: "method", Fn: cy.next}, true, nil
	case "reset":
		return &pyvalue.Callable{Name: "reset", Kind: "method", Fn: cy.reset}, true, nil
	}
	return nil, false, nil
}

// next is cycler.next().
func (cy *cycler) next(c pyvalue.Call) (pyvalue.Value, error) {
	if _, err := c.Bind("Cycler.next"); err != nil {
		return nil, err
	}
	v := cy.items[cy.at]
	cy.at = (cy.at + 1) % len(cy.items)
	return v, nil
}

// reset is cycler.reset().
func (cy *cycler) reset(c pyvalue.Call) (pyvalue.Value, error) {
	_, err := c.Bind("Cycler.reset")
	cy.at = 0
	return pyvalue.None{}, err
}

// newJoiner is joiner(): nothing at the first call, a separator at all others.
func newJoiner(c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("Joiner.__init__", optional("sep", str(", ")))
	if err != nil {
		return nil, err
	}
	used := false
	call := func(c pyvalue.Call) (pyvalue.Value, error) {
		if _, err := c.Bind("Joiner.__call__"); err != nil {
			return nil, err
		}
		if !used {
			used = true
			return str(""), nil
		}
		return a[0], nil
	}
	attr := func(_ *pyvalue.Meter, name string) (pyvalue.Value, bool, error) {
		switch name {
		case "sep":
			return a[0], true, nil
		case "used":
			return pyvalue.Bool(used), true, nil
		}
		return nil, false, nil
	}
	return &pyvalue.Object{Type: "Joiner", Module: "jinja2.utils", Get: attr, Call: call}, nil
}

// lipsumWords are the words of lipsum().
const lipsumWords = "a ac accumsan ad adipiscing aenean aliquam aliquet amet ante aptent arcu at auctor augue " +
	"bibendum blandit commodo condimentum congue consectetuer consequat convallis cras cum curabitur cursus " +
	"dapibus diam dictum dignissim dis dolor donec dui egestas eget eleifend elementum elit enim erat eros est " +
	"et etiam eu euismod facilisis fames faucibus felis fermentum feugiat fringilla fusce gravida " +
	"habitant hendrerit iaculis id imperdiet in inceptos integer interdum ipsum justo lacinia lacus laoreet " +
	"lectus leo libero ligula lobortis lorem luctus maecenas magna malesuada massa mattis mauris metus mi " +
	"molestie mollis montes morbi mus nam nascetur natoque nec neque netus nibh nisi nisl non nonummy nostra " +
	"nulla nullam nunc odio orci ornare parturient pede pellentesque penatibus per pharetra phasellus placerat " +
	"porta porttitor posuere potenti praesent pretium primis proin pulvinar purus quam quis quisque rhoncus " +
	"risus rutrum sagittis sapien scelerisque sed sem semper senectus sit sociis sodales sollicitudin " +
	"suscipit suspendisse taciti tellus tempor tempus tincidunt torquent tortor tristique turpis ullamcorper " +
	"ultrices ultricies urna ut varius vehicula vel velit venenatis vestibulum vitae vivamus viverra volutpat " +
	"vulputate"

// lipsumGlobal is lipsum(): random text.
func lipsumGlobal(c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("generate_lorem_ipsum", optional("n", pyvalue.Int(5)), optional("html", pyvalue.Bool(true)),
		optional("min", pyvalue.Int(20)), optional("max", pyvalue.Int(100)))
	if err != nil {
		return nil, err
	}
	var counts [3]int64
	for i, at := range [...]int{0, 2, 3} {
		if counts[i], err = smallInt(a[at]); err != nil {
			return nil, err
		}
	}
	html := pyvalue.Truth(a[1])
	var paragraphs []string
	for range counts[0] {
		text, err := paragraph(c.Meter, counts[1], counts[2])
		if err != nil {
			return nil, err
		}
		if html {
			text = "<p>" + text + "</p>"
		}
		paragraphs = append(paragraphs, text)
	}
	if html {
		return pyvalue.Markup(strings.Join(paragraphs, "\n")), nil
	}
	return str(strings.Join(paragraphs, "\n\n")), nil
}

// paragraph is random words, from least to less than most of them.
func paragraph(m *pyvalue.Meter, least, most int64) (string, error) {
	if most <= least {
		return "", pyvalue.Errorf("ValueError", "empty range for randrange() (%d, %d, %d)", least, most, most-least)
	}
	words := strings.Fields(lipsumWords)
	n := least + rand.Int64N(most-least) // #nosec G404 -- random text
	if n > maxRange {
		return "", rangeTooBig()
	}
	var b strings.Builder
	capital := true
	for i := range n {
		if err := m.Step(1); err != nil {
			return "", err
		}
		word := words[rand.IntN(len(words))] // #nosec G404 -- random text
		if capital {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
		capital = i == n-1 || rand.IntN(15) == 0 // #nosec G404 -- random text
		if capital {
			b.WriteByte('.')
		}
		if i < n-1 {
			b.WriteByte(' ')
		}
	}
	return b.String(), m.Alloc(b.Len())
}

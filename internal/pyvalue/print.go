package pyvalue

import (
	"slices"
	"strconv"
)

// Text is str(v). The error is a *BudgetError, or a ValueError for an int of
// more than 4300 digits.
func Text(m *Meter, v Value) (string, error) {
	if s, ok := AsStr(v); ok {
		return s, nil
	}
	switch v := v.(type) {
	case *Undefined:
		return "", nil
	case Bool, None:
		return scalarName(v), nil
	}
	dst, err := AppendText(m, nil, v)
	return string(dst), err
}

// AppendText appends str(v) to dst. Errors as of Text.
func AppendText(m *Meter, dst []byte, v Value) ([]byte, error) {
	if s, ok := AsStr(v); ok {
		return append(dst, s...), nil
	}
	if _, ok := v.(*Undefined); ok {
		return dst, nil
	}
	p := printer{m: m, dst: dst}
	err := p.repr(v)
	return p.dst, err
}

// Repr is repr(v). Errors as of Text.
func Repr(m *Meter, v Value) (string, error) {
	p := printer{m: m}
	err := p.repr(v)
	return string(p.dst), err
}

// ASCII is ascii(v): repr with every character above U+007E escaped. Errors as
// of Text.
func ASCII(m *Meter, v Value) (string, error) {
	p := printer{m: m, ascii: true}
	err := p.repr(v)
	return string(p.dst), err
}

func scalarName(v Value) string {
	switch v {
	case Bool(true):
		return "True"
	case Bool(false):
		return "False"
	}
	return "None"
}

// printer writes reprs one after the other.
type printer struct {
	m     *Meter
	dst   []byte
	ascii bool
}

func (p *printer) text(s string) { p.dst = append(p.dst, s...) }

// pay counts what was appended since start. Leaves call it; the brackets and
// commas of containers are counted as steps.
func (p *printer) pay(start int) error { return p.m.extend(start, len(p.dst)-start) }

func (p *printer) repr(v Value) error {
	if err := p.m.Step(1); err != nil {
		return err
	}
	switch v.(type) {
	case *List, *Tuple, *Dict, *DictView, *Set:
		return p.container(v)
	}
	start := len(p.dst)
	if err := p.leaf(v); err != nil {
		return err
	}
	return p.pay(start)
}

func (p *printer) leaf(v Value) (err error) {
	switch v := v.(type) {
	case None, Bool:
		p.text(scalarName(v))
	case Int:
		p.dst = strconv.AppendInt(p.dst, int64(v), 10)
	case *BigInt:
		p.dst, err = appendBig(p.dst, v.n)
	case Float:
		p.dst = appendFloat(p.dst, float64(v))
	case Str:
		return p.quote(v.s)
	case Markup:
		p.text("Markup(")
		err = p.quote(string(v))
		p.text(")")
	case *Bytes:
		p.dst = appendBytesRepr(p.dst, v.B)
	case *Range:
		p.rangeRepr(v)
	case *Undefined:
		p.text("Undefined")
	case *Object:
		err = p.object(v)
	default:
		p.opaque(v)
	}
	return err
}

func (p *printer) quote(s string) error {
	if err := p.m.Step(len(s) / 64); err != nil {
		return err
	}
	if err := p.m.fits(len(p.dst) + len(s)); err != nil {
		return err
	}
	p.dst = appendQuoted(p.dst, s, p.ascii)
	return nil
}

func (p *printer) rangeRepr(r *Range) {
	p.text("range(")
	p.dst = strconv.AppendInt(p.dst, r.Start, 10)
	p.text(", ")
	p.dst = strconv.AppendInt(p.dst, r.Stop, 10)
	if r.Step != 1 {
		p.text(", ")
		p.dst = strconv.AppendInt(p.dst, r.Step, 10)
	}
	p.text(")")
}

func (p *printer) object(o *Object) error {
	switch {
	case o.Like != nil:
		return p.quote(o.Like.s)
	case o.Print != nil:
		s, err := o.Print(p.m)
		p.text(s)
		return err
	default:
		p.text("<" + o.Type + " object>")
	}
	return nil
}

// opaque prints what in Python has an address in its repr, without one.
func (p *printer) opaque(v Value) {
	c, ok := v.(*Callable)
	switch {
	case !ok:
		p.text("<" + v.TypeName() + " object>")
	case c.Kind == "type":
		p.text("<class '" + c.Name + "'>")
	case c.Self != nil:
		p.text("<built-in method " + c.Name + " of " + c.Self.TypeName() + " object>")
	default:
		p.text("<function " + c.Name + ">")
	}
}

// container prints v unless that is what it is doing. The meter knows what is
// being printed, because an Object's Print may come back here.
func (p *printer) container(v Value) error {
	if p.m == nil {
		p.m = NewMeter(Limits{}, nil)
	}
	if slices.Contains(p.m.printing, v) {
		p.text(ellipsis(v))
		return nil
	}
	if err := p.m.nest(len(p.m.printing)); err != nil {
		return err
	}
	p.m.printing = append(p.m.printing, v)
	err := p.inside(v)
	p.m.printing = p.m.printing[:len(p.m.printing)-1]
	return err
}

func ellipsis(v Value) string {
	switch v.(type) {
	case *List:
		return "[...]"
	case *Tuple:
		return "(...)"
	case *Dict:
		return "{...}"
	}
	return "..."
}

func (p *printer) inside(v Value) error {
	switch v := v.(type) {
	case *List:
		return p.items("[", v.Items, "]")
	case *Tuple:
		if len(v.Items) == 1 {
			return p.items("(", v.Items, ",)")
		}
		return p.items("(", v.Items, ")")
	case *Dict:
		return p.dict(v)
	case *Set:
		if v.d.live == 0 {
			p.text("set()")
			return nil
		}
		return p.items("{", v.d.Keys(), "}")
	case *DictView:
		return p.items(v.TypeName()+"([", v.items(), "])")
	}
	return nil
}

func (p *printer) items(open string, items []Value, closing string) error {
	p.text(open)
	for i, item := range items {
		if i > 0 {
			p.text(", ")
		}
		if err := p.repr(item); err != nil {
			return err
		}
	}
	p.text(closing)
	return nil
}

func (p *printer) dict(d *Dict) error {
	p.text("{")
	first := true
	for key, value := range d.All() {
		if !first {
			p.text(", ")
		}
		first = false
		if err := p.repr(key); err != nil {
			return err
		}
		p.text(": ")
		if err := p.repr(value); err != nil {
			return err
		}
	}
	p.text("}")
	return nil
}

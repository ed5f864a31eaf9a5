package jinja

import (
	"strconv"

	"agentxchain/internal/pyvalue"
)

// itoa is n in decimal.
func itoa(n int) string { return strconv.Itoa(n) }

// missing is what Jinja2 shows of a variable that was bound and is no more.
func missing() pyvalue.Value {
	return &pyvalue.Object{
		Type: "MissingType", Module: "jinja2.utils",
		Print: func(*pyvalue.Meter) (string, error) { return "missing", nil },
	}
}

// result places the error of an operation.
func (f *frame) result(at place, v pyvalue.Value, err error) (pyvalue.Value, error) {
	if err != nil {
		return nil, f.fail(at, err)
	}
	return v, nil
}

// step counts an operation with n operands.
func (f *frame) step(at place, n int) error {
	if err := f.meter.Step(n); err != nil {
		return f.fail(at, err)
	}
	return nil
}

func (e *dataExpr) eval(*frame) (pyvalue.Value, error)  { return pyvalue.NewStr(e.text), nil }
func (e *constExpr) eval(*frame) (pyvalue.Value, error) { return e.value, nil }

// eval gives an undefined value for a variable that has none.
func (e *nameExpr) eval(f *frame) (pyvalue.Value, error) {
	if v := f.get(e.ref); v != nil {
		return v, nil
	}
	if e.bound {
		return missing(), nil
	}
	return &pyvalue.Undefined{Name: pyvalue.NewStr(e.name)}, nil
}

func (e *attributeTarget) eval(*frame) (pyvalue.Value, error) { return pyvalue.None{}, nil }

// evalAll evaluates expressions in order.
func (f *frame) evalAll(at place, list []expr) ([]pyvalue.Value, error) {
	if err := f.step(at, len(list)); err != nil {
		return nil, err
	}
	values := make([]pyvalue.Value, len(list))
	for i, e := range list {
		v, err := e.eval(f)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

func (e *tupleExpr) eval(f *frame) (pyvalue.Value, error) {
	items, err := f.evalAll(e.place, e.items)
	return pyvalue.NewTuple(items...), err
}

// What a list costs: bytes for an item, and as many items for the list itself.
const (
	listBytes  = 16
	listHeader = 3
)

func (e *listExpr) eval(f *frame) (pyvalue.Value, error) {
	if err := f.meter.Alloc(listBytes * (len(e.items) + listHeader)); err != nil {
		return nil, f.fail(e.place, err)
	}
	items, err := f.evalAll(e.place, e.items)
	return pyvalue.NewList(items...), err
}

// eval evaluates keys and values in turn. Of equal keys, the first stays, with the
// last value.
func (e *dictExpr) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, len(e.keys)); err != nil {
		return nil, err
	}
	d := pyvalue.NewDict(len(e.keys))
	for i, k := range e.keys {
		key, err := k.eval(f)
		if err != nil {
			return nil, err
		}
		v, err := e.values[i].eval(f)
		if err != nil {
			return nil, err
		}
		if err := d.Set(f.meter, key, v); err != nil {
			return nil, f.fail(k.where(), err)
		}
	}
	return d, nil
}

func (e *arithmetic) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	left, err := e.left.eval(f)
	if err != nil {
		return nil, err
	}
	right, err := e.right.eval(f)
	if err != nil {
		return nil, err
	}
	v, err := operate(f.meter, e.op, left, right)
	return f.result(e.place, v, err)
}

// operate computes "a op b".
func operate(m *pyvalue.Meter, op kind, a, b pyvalue.Value) (pyvalue.Value, error) {
	switch op {
	case tokAdd:
		return pyvalue.Add(m, a, b)
	case tokSub:
		return pyvalue.Sub(m, a, b)
	case tokMul:
		return pyvalue.Mul(m, a, b)
	case tokDiv:
		return pyvalue.Div(m, a, b)
	case tokFloorDiv:
		return pyvalue.FloorDiv(m, a, b)
	case tokMod:
		return pyvalue.Mod(m, a, b)
	}
	return pyvalue.Pow(m, a, b)
}

// eval gives the operand that decides; the right one is not evaluated in vain.
func (e *logic) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	v, err := e.left.eval(f)
	if err != nil || pyvalue.Truth(v) == e.or {
		return v, err
	}
	return e.right.eval(f)
}

func (e *notExpr) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	v, err := f.truth(e.of)
	return pyvalue.Bool(!v), err
}

func (e *signExpr) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	v, err := e.of.eval(f)
	if err != nil {
		return nil, err
	}
	if e.minus {
		v, err = pyvalue.Neg(f.meter, v)
	} else {
		v, err = pyvalue.Pos(f.meter, v)
	}
	return f.result(e.place, v, err)
}

// comparison is an operator that gives a truth value.
type comparison uint8

const (
	compareEqual comparison = iota
	compareNotEqual
	compareLess
	compareLessEqual
	compareGreater
	compareGreaterEqual
	compareIn
	compareNotIn
)

// eval compares neighbours and stops at the first comparison that does not hold.
func (e *compareExpr) eval(f *frame) (pyvalue.Value, error) {
	left, err := e.first.eval(f)
	if err != nil {
		return nil, err
	}
	for _, o := range e.rest {
		if err := f.step(e.place, 1); err != nil {
			return nil, err
		}
		right, err := o.of.eval(f)
		if err != nil {
			return nil, err
		}
		holds, err := compare(f.meter, o.op, left, right)
		if err != nil || !holds {
			return f.result(e.place, pyvalue.Bool(false), err)
		}
		left = right
	}
	return pyvalue.Bool(true), nil
}

// compare computes "a op b".
func compare(m *pyvalue.Meter, op comparison, a, b pyvalue.Value) (bool, error) {
	switch op {
	case compareIn:
		return pyvalue.Contains(m, b, a)
	case compareNotIn:
		in, err := pyvalue.Contains(m, b, a)
		return !in, err
	case compareEqual:
		return pyvalue.Equal(m, a, b)
	case compareNotEqual:
		return pyvalue.Compare(m, pyvalue.NE, a, b)
	case compareLess:
		return pyvalue.Compare(m, pyvalue.LT, a, b)
	case compareLessEqual:
		return pyvalue.Compare(m, pyvalue.LE, a, b)
	case compareGreater:
		return pyvalue.Compare(m, pyvalue.GT, a, b)
	}
	return pyvalue.Compare(m, pyvalue.GE, a, b)
}

// eval joins the text of the operands.
func (e *concatExpr) eval(f *frame) (pyvalue.Value, error) {
	values, err := f.evalAll(e.place, e.items)
	if err != nil {
		return nil, err
	}
	if e.markup {
		v, err := pyvalue.Concat(f.meter, values...)
		return f.result(e.place, v, err)
	}
	text, err := pyvalue.Join(f.meter, "", values)
	return f.result(e.place, pyvalue.NewStr(text), err)
}

// eval gives an undefined value where the condition fails and there is no else.
func (e *condExpr) eval(f *frame) (pyvalue.Value, error) {
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	yes, err := f.truth(e.test)
	switch {
	case err != nil:
		return nil, err
	case yes:
		return e.yes.eval(f)
	case e.no != nil:
		return e.no.eval(f)
	}
	return &pyvalue.Undefined{
		Hint: "the inline if-expression on " + position(e.program, e.place) + " evaluated to false and no else section was defined.",
	}, nil
}

// position is how Jinja2's messages name a place.
func position(p *program, at place) string {
	line := "line " + itoa(at.line)
	if p.name == "" {
		return line
	}
	return line + " in " + quoted(p.name)
}

// eval gives the attribute, else the item of that name, else an undefined value.
func (e *attrExpr) eval(f *frame) (pyvalue.Value, error) {
	of, err := e.of.eval(f)
	if err != nil {
		return nil, err
	}
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	v, err := pyvalue.SandboxAttr(f.meter, of, e.name)
	return f.result(e.place, v, err)
}

// eval gives the item, else the attribute of that name, else an undefined value.
// Slices know no attributes: what has none is an error.
func (e *itemExpr) eval(f *frame) (pyvalue.Value, error) {
	of, err := e.of.eval(f)
	if err != nil {
		return nil, err
	}
	if err := f.step(e.place, 1); err != nil {
		return nil, err
	}
	if slice, ok := e.key.(*sliceExpr); ok {
		v, err := slice.of(f, of, e.constant)
		return f.result(e.place, v, err)
	}
	key, err := e.key.eval(f)
	if err != nil {
		return nil, err
	}
	v, err := pyvalue.SandboxItem(f.meter, of, key)
	return f.result(e.place, v, err)
}

// of cuts a slice out of v.
func (e *sliceExpr) of(f *frame, v pyvalue.Value, constant bool) (pyvalue.Value, error) {
	var bounds [3]pyvalue.Value
	for i, part := range [...]expr{e.start, e.stop, e.step} {
		bounds[i] = pyvalue.None{}
		if part == nil {
			continue
		}
		bound, err := part.eval(f)
		if err != nil {
			return nil, err
		}
		bounds[i] = bound
	}
	if constant {
		return pyvalue.SandboxSlice(f.meter, v, bounds[0], bounds[1], bounds[2])
	}
	return pyvalue.Slice(f.meter, v, bounds[0], bounds[1], bounds[2])
}

func (e *sliceExpr) eval(*frame) (pyvalue.Value, error) { return pyvalue.None{}, nil }

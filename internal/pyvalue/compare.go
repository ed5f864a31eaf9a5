package pyvalue

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"strings"
)

// textStep is the number of bytes of text that are looked at for one step.
const textStep = 64

// Op is a comparison.
type Op uint8

// The comparisons of Python that have an operator of their own.
const (
	EQ Op = iota // ==
	NE           // !=
	LT           // <
	LE           // <=
	GT           // >
	GE           // >=
)

// String is the operator.
func (o Op) String() string { return [...]string{"==", "!=", "<", "<=", ">", ">="}[o] }

// holds reports whether a op b, where order is -1, 0 or 1 for a before b, a equal
// to b, a after b.
func (o Op) holds(order int) bool {
	switch o {
	case EQ:
		return order == 0
	case NE:
		return order != 0
	case LT:
		return order < 0
	case LE:
		return order <= 0
	case GT:
		return order > 0
	}
	return order >= 0
}

// Equal is a == b, which never fails in Python; the error is a *BudgetError.
func Equal(m *Meter, a, b Value) (bool, error) { return (&comparer{m: m}).equal(a, b) }

// Compare is "a op b". The error is TypeError "'<' not supported between
// instances of 'int' and 'str'" where the kinds have no order, UndefinedError, or
// a *BudgetError.
func Compare(m *Meter, op Op, a, b Value) (bool, error) {
	c := comparer{m: m}
	switch op {
	case EQ:
		return c.equal(a, b)
	case NE:
		equal, err := c.equal(a, b)
		return !equal && err == nil, err
	}
	return c.order(op, a, b)
}

// comparer compares; it knows how deep in containers it is.
type comparer struct {
	m     *Meter
	depth int
}

func (c *comparer) down() error {
	if err := c.m.nest(c.depth); err != nil {
		return err
	}
	c.depth++
	return c.m.Step(1)
}

// same is "a is b or a == b".
func (c *comparer) same(a, b Value) (bool, error) {
	if Is(a, b) {
		text, _ := AsStr(a)
		return true, c.m.Step(1 + len(text)/textStep)
	}
	return c.equal(a, b)
}

func (c *comparer) equal(a, b Value) (bool, error) {
	if IsNumber(a) && IsNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && order == 0, c.m.Step(1 + bigSteps(a, b))
	}
	if x, ok := AsStr(a); ok {
		y, ok := AsStr(b)
		return ok && x == y, c.m.Step(1 + min(len(x), len(y))/textStep)
	}
	if err := c.down(); err != nil {
		return false, err
	}
	defer func() { c.depth-- }()
	return c.equalContainers(a, b)
}

func (c *comparer) equalContainers(a, b Value) (bool, error) {
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			return c.equalItems(x.Items, y.Items)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return c.equalItems(x.Items, y.Items)
		}
	case *Dict:
		if y, ok := b.(*Dict); ok {
			return c.equalDicts(x, y)
		}
	case *Range:
		y, ok := b.(*Range)
		return ok && x.equal(y), nil
	case *Bytes:
		y, ok := b.(*Bytes)
		return ok && bytes.Equal(x.B, y.B), c.m.Step(len(x.B) / textStep)
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok, nil
	case *Set, *DictView:
		return c.equalSets(a, b)
	}
	return a == b, nil
}

func (c *comparer) equalItems(a, b []Value) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range min(len(a), len(b)) {
		if equal, err := c.same(a[i], b[i]); err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

func (c *comparer) equalDicts(a, b *Dict) (bool, error) {
	if a.live != b.live {
		return false, nil
	}
	for key, value := range a.All() {
		other, found, err := b.Get(c.m, key)
		if err != nil || !found {
			return false, err
		}
		if equal, err := c.same(value, other); err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

func (c *comparer) equalSets(a, b Value) (bool, error) {
	if !isSetLike(a) || !isSetLike(b) {
		return a == b, nil
	}
	return c.subset(LE, a, b, true)
}

// subset is the order of sets: a < b if b has all of a and more. With equal, a
// and b must be of one size too.
func (c *comparer) subset(op Op, a, b Value, equal bool) (bool, error) {
	if op == GT || op == GE {
		a, b = b, a
	}
	x, y := setItems(a), setItems(b)
	if err := c.m.Step(len(x) + len(y)); err != nil {
		return false, err
	}
	strict := op == LT || op == GT
	if len(x) > len(y) || strict && len(x) == len(y) || equal && len(x) != len(y) {
		return false, nil
	}
	for _, item := range x {
		if in, err := Contains(c.m, b, item); err != nil || !in {
			return false, err
		}
	}
	return true, nil
}

func isSetLike(v Value) bool {
	switch v := v.(type) {
	case *Set:
		return true
	case *DictView:
		return v.Of != ViewValues
	}
	return false
}

func setItems(v Value) []Value {
	switch v := v.(type) {
	case *Set:
		return v.d.Keys()
	case *DictView:
		return v.items()
	}
	return nil
}

func (c *comparer) order(op Op, a, b Value) (bool, error) {
	if IsNumber(a) && IsNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && op.holds(order), c.m.Step(1 + bigSteps(a, b))
	}
	if x, ok := AsStr(a); ok {
		if y, ok := AsStr(b); ok {
			return op.holds(strings.Compare(x, y)), c.m.Step(1 + min(len(x), len(y))/textStep)
		}
	}
	if err := c.down(); err != nil {
		return false, err
	}
	defer func() { c.depth-- }()
	return c.orderContainers(op, a, b)
}

func (c *comparer) orderContainers(op Op, a, b Value) (bool, error) {
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			return c.orderItems(op, x.Items, y.Items)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return c.orderItems(op, x.Items, y.Items)
		}
	case *Bytes:
		if y, ok := b.(*Bytes); ok {
			return op.holds(bytes.Compare(x.B, y.B)), c.m.Step(min(len(x.B), len(y.B)) / textStep)
		}
	}
	if isSetLike(a) && isSetLike(b) {
		return c.subset(op, a, b, false)
	}
	if err := undefinedOf(a, b); err != nil {
		return false, err
	}
	return false, typeError("'%s' not supported between instances of '%s' and '%s'", op, a.TypeName(), b.TypeName())
}

// orderItems finds the first items that differ; they decide, or the lengths.
func (c *comparer) orderItems(op Op, a, b []Value) (bool, error) {
	for i := range min(len(a), len(b)) {
		equal, err := c.same(a[i], b[i])
		if err != nil {
			return false, err
		}
		if !equal {
			return c.order(op, a[i], b[i])
		}
	}
	return op.holds(cmp.Compare(len(a), len(b))), nil
}

// bigSteps is what comparing ints of many digits costs.
func bigSteps(a, b Value) int {
	x, ok := a.(*BigInt)
	if !ok {
		return 0
	}
	y, ok := b.(*BigInt)
	if !ok {
		return 0
	}
	return min(x.n.BitLen(), y.n.BitLen()) / 8 / textStep
}

// compareNumbers orders two numbers exactly; false if one of them is NaN.
func compareNumbers(a, b Value) (int, bool) {
	x, xFloat := a.(Float)
	y, yFloat := b.(Float)
	switch {
	case xFloat && yFloat:
		return cmp.Compare(x, y), x == x && y == y
	case xFloat:
		order, ok := compareIntFloat(b, float64(x))
		return -order, ok
	case yFloat:
		return compareIntFloat(a, float64(y))
	}
	return compareInts(a, b), true
}

func compareInts(a, b Value) int {
	x, xOK := AsInt(a)
	y, yOK := AsInt(b)
	if xOK && yOK {
		return cmp.Compare(x, y)
	}
	n, _ := asBig(a)
	k, _ := asBig(b)
	return n.Cmp(k)
}

func compareIntFloat(a Value, f float64) (int, bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case math.IsInf(f, 0):
		return -int(math.Copysign(1, f)), true
	}
	n, _ := asBig(a)
	exact := new(big.Float).SetInt(n)
	return exact.Cmp(big.NewFloat(f)), true
}

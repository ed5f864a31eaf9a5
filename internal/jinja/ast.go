package jinja

import "agentxchain/internal/pyvalue"

// node is part of a parsed template. The parser makes nodes, check completes
// them (where names are kept, which filter a name means), and from then on they
// do not change: renders share them.
type node interface {
	where() place
	// children calls visit with the parts in the order in which Jinja2's own
	// tree has them. The rules of scope depend on that order.
	children(visit func(node))
	// check finds out what can be known before rendering, for a node in s.
	check(c *checker, s scope)
}

// expr is a node with a value.
type expr interface {
	node
	eval(f *frame) (pyvalue.Value, error)
	// height is the longest way down to a leaf, 1 of a leaf.
	height() int
}

// stmt is a node that writes output or changes variables.
type stmt interface {
	node
	exec(f *frame) error
}

// base is what all nodes have.
type base struct {
	place
	tall int32
}

func (b base) where() place { return b.place }
func (b base) height() int  { return int(b.tall) }

// Expressions.
type (
	// dataExpr is text of the template.
	dataExpr struct {
		base
		text string
	}
	// constExpr is a literal.
	constExpr struct {
		base
		value pyvalue.Value
	}
	// nameExpr is a variable that is read, or assigned to.
	nameExpr struct {
		base
		name string
		mode nameMode
		ref  ref
		// bound is true of names that always have a value: parameters and the
		// targets of loops.
		bound bool
	}
	// attributeTarget is "namespace.attribute" on the left of "=".
	attributeTarget struct {
		base
		name, attr string
		ref        ref
	}
	// tupleExpr is a, b and also a pattern that a value is unpacked into.
	tupleExpr struct {
		base
		items []expr
	}
	listExpr struct {
		base
		items []expr
	}
	dictExpr struct {
		base
		keys, values []expr
	}
	// arithmetic is one of + - * / // % **.
	arithmetic struct {
		base
		op          kind
		left, right expr
	}
	// logic is "and" or "or": one of its operands.
	logic struct {
		base
		or          bool
		left, right expr
	}
	notExpr struct {
		base
		of expr
	}
	// signExpr is -x or +x.
	signExpr struct {
		base
		minus bool
		of    expr
	}
	// compareExpr is a chain of comparisons.
	compareExpr struct {
		base
		first expr
		rest  []operand
	}
	// concatExpr is a ~ b ~ c.
	concatExpr struct {
		base
		items []expr
		// markup is true if a Markup operand makes all of it Markup.
		markup bool
	}
	condExpr struct {
		base
		test, yes expr
		no        expr // nil without "else"
		program   *program
	}
	// attrExpr is of.name.
	attrExpr struct {
		base
		of   expr
		name string
	}
	// itemExpr is of[key].
	itemExpr struct {
		base
		of, key expr
		// constant is true in expressions of constants, which Jinja2 computes
		// another way: what cannot be sliced gives undefined, not an error.
		constant bool
	}
	// sliceExpr is start:stop:step, which only stands between brackets. A part
	// that is missing is nil.
	sliceExpr struct {
		base
		start, stop, step expr
	}
	callExpr struct {
		base
		of expr
		arguments
	}
	filterExpr struct {
		base
		of   expr // nil in a filter block: what the block captured
		name string
		arguments
		fn filter // nil if unknown, which is an error when it is called
	}
	testExpr struct {
		base
		of   expr
		name string
		arguments
		fn test // nil if unknown
	}
)

type nameMode uint8

const (
	loads nameMode = iota
	stores
	declares // as parameter
)

// operand is an operator of a comparison with what stands behind it.
type operand struct {
	op comparison
	of expr
}

// arguments are those of a call, a filter or a test.
type arguments struct {
	args   []expr
	kwargs []keyword
	// rest and named are *rest and **named; nil if absent.
	rest, named expr
	// overrides is true if **named may repeat a keyword.
	overrides bool
}

type keyword struct {
	name  string
	value expr
}

// Statements.
type (
	// outputStmt writes text and values.
	outputStmt struct {
		base
		items  []expr
		escape escaping
		fixed  map[int]escaping // of items that are escaped in another way
		when   outputRule
	}
	ifStmt struct {
		base
		test  expr
		body  []stmt
		elifs []*ifStmt
		other []stmt
	}
	forStmt struct {
		base
		target      expr
		iter        expr
		body, other []stmt
		test        expr // nil without "if"
		recursive   bool

		extended bool      // "loop" is used
		loop     ref       // where it is
		fn       *function // of a recursive loop
		in, els  region
		testFn   *function // of the test
		testIn   region
		escape   escaping
	}
	setStmt struct {
		base
		target, value expr
		exports       []export
	}
	setBlock struct {
		base
		target  expr
		filter  *filterExpr // nil without
		body    []stmt
		in      region
		escape  escaping
		exports []export
	}
	withStmt struct {
		base
		targets, values []expr
		body            []stmt
		in              region
	}
	blockStmt struct {
		base
		name             string
		body             []stmt
		scoped, required bool
		when             outputRule
		locals           []local
		code             *blockCode
	}
	extendsStmt struct {
		base
		template expr
		before   bool // another one may have been executed
		known    bool // another one has been
	}
	includeStmt struct {
		base
		template      expr
		context       bool
		ignoreMissing bool
		locals        []local
	}
	importStmt struct {
		base
		template expr
		target   string
		context  bool
		locals   []local
		ref      ref
		toplevel bool
	}
	fromStmt struct {
		base
		template expr
		names    []importedName
		context  bool
		locals   []local
		toplevel bool
		program  *program
	}
	macroStmt struct {
		base
		name string
		macroBody
		ref      ref
		toplevel bool
	}
	// callStmt is {% call %}: it calls with its body as the macro "caller".
	callStmt struct {
		base
		call *callExpr
		macroBody
	}
	filterStmt struct {
		base
		body   []stmt
		filter *filterExpr
		in     region
		escape escaping
	}
	autoescapeStmt struct {
		base
		value expr
		body  []stmt
		in    region
	}
)

// importedName is a name of {% from … import %}.
type importedName struct {
	name, alias string
	ref         ref
}

// macroBody is what a macro and a call block have in common.
type macroBody struct {
	params   []*nameExpr
	defaults []expr // of the last of params
	body     []stmt

	fn                      *function
	in                      region
	caller, kwargs, varargs ref // where used, see the next
	usesCaller, usesKwargs  bool
	usesVarargs             bool
}

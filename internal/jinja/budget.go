package jinja

import (
	"context"
	"errors"
	"fmt"
	"time"

	"agentxchain/internal/pyvalue"
)

// Budget bounds a template. A field that is zero or less means its default,
// which is far beyond what a template that formats a message needs and far
// below what would be felt by the process that renders it.
type Budget struct {
	// Steps is how many elementary steps a render may take: an expression
	// evaluated, an item visited, two values compared. Default 1,000,000.
	Steps int64
	// OutputBytes is the length of the output. Default 4 MiB.
	OutputBytes int
	// StringBytes is the length of one string, or of one list at 16 bytes an
	// item. Default 4 MiB.
	StringBytes int
	// TotalBytes is how much all operations together may produce, whether it
	// is still in use or not. Default 24 MiB.
	TotalBytes int64
	// Depth is how deep the source may nest, how deep calls of macros and
	// blocks, includes, parents and recursive loops may nest when rendering,
	// and containers that are printed or compared. Default 100.
	Depth int
	// Time is how long a render may take by the wall clock. Default 2 s. The
	// counted limits are met first; this one is for a machine that is busy.
	Time time.Duration
	// SourceBytes is the length of one template. Default 256 KiB.
	SourceBytes int
}

// withDefaults fills in the defaults.
func (b Budget) withDefaults() Budget {
	b.Steps = orDefault(b.Steps, 1_000_000)
	b.OutputBytes = orDefault(b.OutputBytes, 4<<20)
	b.StringBytes = orDefault(b.StringBytes, 4<<20)
	b.TotalBytes = orDefault(b.TotalBytes, 24<<20)
	b.Depth = orDefault(b.Depth, 100)
	b.Time = orDefault(b.Time, 2*time.Second)
	b.SourceBytes = orDefault(b.SourceBytes, 256<<10)
	return b
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// What a budget is spent on that pyvalue does not count.
const (
	ofOutput = "output"
	ofSource = "source"
	ofHeight = "height"
)

// exceeded is the error of a budget at a place.
func exceeded(name string, at place, what string, limit int64) *Error {
	err := errorAt(name, at, "BudgetError", "%s", excess(what, limit))
	err.Budget = true
	return err
}

// excess says in words what was too much.
func excess(what string, limit int64) string {
	switch what {
	case "steps":
		return fmt.Sprintf("template takes more than %d steps", limit)
	case "string":
		return fmt.Sprintf("template makes a string or list of more than %d bytes", limit)
	case "bytes":
		return fmt.Sprintf("template makes more than %d bytes of strings and lists", limit)
	case "depth":
		return fmt.Sprintf("template nests more than %d levels deep", limit)
	case "time":
		return "template takes too long"
	case ofOutput:
		return fmt.Sprintf("template writes more than %d bytes", limit)
	case ofSource:
		return fmt.Sprintf("template is longer than %d bytes", limit)
	case ofHeight:
		return fmt.Sprintf("expression has more than %d operators in a row", limit)
	}
	return "template is over its budget of " + what
}

// placed gives an error its place, unless it has one.
func placed(name string, at place, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	var budget *pyvalue.BudgetError
	if errors.As(err, &budget) {
		return exceeded(name, at, budget.What, budget.Limit)
	}
	var raised *pyvalue.Error
	if errors.As(err, &raised) {
		return errorAt(name, at, raised.Class, "%s", raised.Message)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		cancelled := errorAt(name, at, "BudgetError", "%v", err)
		cancelled.Budget = true
		return cancelled
	}
	return errorAt(name, at, "OSError", "%v", err)
}

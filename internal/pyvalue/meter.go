package pyvalue

import (
	"fmt"
	"math"
)

// Limits bound what operations may cost. A field that is zero has no limit.
type Limits struct {
	Steps       int64 // elementary steps: an item visited, a comparison, some 64 bytes of text looked at
	StringBytes int   // length of one string, or of one list at 16 bytes an item
	TotalBytes  int64 // bytes that all operations together produce
	Depth       int   // nesting of containers that are printed, compared or hashed (0: 1000), and of Enter
}

// BudgetError says which limit an operation would have passed. What is "steps",
// "string", "bytes", "depth" or "time"; Limit is the limit (0 for "time").
type BudgetError struct {
	What  string
	Limit int64
}

// Error names the limit and its size.
func (e *BudgetError) Error() string {
	if e.Limit == 0 {
		return fmt.Sprintf("budget of %s spent", e.What)
	}
	return fmt.Sprintf("budget of %s spent: more than %d", e.What, e.Limit)
}

const (
	// defaultDepth is about where CPython raises RecursionError.
	defaultDepth = 1000
	// itemBytes is what one item of a list counts.
	itemBytes = 16
)

// checkEvery is the number of steps between two looks at the deadline.
const checkEvery = 1 << 12

// Meter counts what a computation costs and refuses what its limits do not
// allow. A Meter belongs to one goroutine. A nil *Meter refuses nothing.
type Meter struct {
	limits   Limits
	steps    int64
	bytes    int64
	depth    int
	nextLook int64
	deadline func() error
	printing []Value // the containers that are being printed, outermost first
}

// NewMeter returns a meter for one computation. deadline may be nil; it is asked
// every few thousand steps, and what it returns ends the computation.
func NewMeter(l Limits, deadline func() error) *Meter {
	return &Meter{limits: l, deadline: deadline, nextLook: checkEvery}
}

// Step counts n steps (n >= 0) that are about to be taken.
func (m *Meter) Step(n int) error {
	if m == nil {
		return nil
	}
	m.steps += int64(n)
	if m.limits.Steps > 0 && m.steps > m.limits.Steps {
		return &BudgetError{What: "steps", Limit: m.limits.Steps}
	}
	if m.steps >= m.nextLook {
		return m.look()
	}
	return nil
}

func (m *Meter) look() error {
	m.nextLook = m.steps + checkEvery
	if m.deadline == nil {
		return nil
	}
	return m.deadline()
}

// Alloc counts a string or list of the given size in bytes (>= 0) that is about
// to be made. It refuses one that is too long by itself with What "string", and
// one too many with What "bytes".
func (m *Meter) Alloc(bytes int) error {
	if m == nil {
		return nil
	}
	if m.limits.StringBytes > 0 && bytes > m.limits.StringBytes {
		return &BudgetError{What: "string", Limit: int64(m.limits.StringBytes)}
	}
	m.bytes += int64(bytes)
	if m.limits.TotalBytes > 0 && m.bytes > m.limits.TotalBytes {
		return &BudgetError{What: "bytes", Limit: m.limits.TotalBytes}
	}
	return nil
}

// extend counts what is appended to a string or list that has bytes already.
func (m *Meter) extend(have, more int) error {
	if err := m.fits(have + more); err != nil {
		return err
	}
	return m.Alloc(more)
}

// fits refuses a string or list of the given size in bytes, without counting.
func (m *Meter) fits(bytes int) error {
	if m != nil && m.limits.StringBytes > 0 && bytes > m.limits.StringBytes {
		return &BudgetError{What: "string", Limit: int64(m.limits.StringBytes)}
	}
	return nil
}

// list counts a list of n items that is about to be made.
func (m *Meter) list(n int) error {
	if n > math.MaxInt/itemBytes {
		return &BudgetError{What: "string", Limit: math.MaxInt}
	}
	return m.Alloc(n * itemBytes)
}

// nest refuses a container inside of depth others.
func (m *Meter) nest(depth int) error {
	limit := defaultDepth
	if m != nil && m.limits.Depth > 0 {
		limit = m.limits.Depth
	}
	if depth >= limit {
		return &BudgetError{What: "depth", Limit: int64(limit)}
	}
	return nil
}

// Enter counts one level of nesting; Leave must follow unless it was refused.
func (m *Meter) Enter() error {
	if m == nil {
		return nil
	}
	if m.limits.Depth > 0 && m.depth >= m.limits.Depth {
		return &BudgetError{What: "depth", Limit: int64(m.limits.Depth)}
	}
	m.depth++
	return nil
}

// Leave ends the level of nesting that Enter began.
func (m *Meter) Leave() {
	if m != nil {
		m.depth--
	}
}

// Steps returns the number of steps counted so far, 0 of a nil meter.
func (m *Meter) Steps() int64 {
	if m == nil {
		return 0
	}
	return m.steps
}

// Bytes returns the number of bytes counted so far, 0 of a nil meter.
func (m *Meter) Bytes() int64 {
	if m == nil {
		return 0
	}
	return m.bytes
}

// Package pyvalue has Python's values: their model, printing, arithmetic,
// comparison, methods, formatting and JSON, as CPython 3.11 and MarkupSafe 3
// have them. It knows nothing of templates or of notifications.
//
// # Values
//
// A Value is one of the kinds below and never nil. Text is kept as a Go string
// in generalised UTF-8: a lone surrogate, which Python allows in a str, is three
// bytes (ED A0 80 to ED BF BF). Lengths, indexes and slices count code points.
//
//	None{}      None
//	Bool        bool
//	Int         int that fits 64 bits
//	*BigInt     int that does not
//	Float       float
//	Str         str
//	Markup      markupsafe.Markup, a str that is safe to print as HTML
//	*Bytes      bytes, as str.encode makes them
//	*Tuple      tuple
//	*List       list, mutable
//	*Dict       dict, mutable, in order of insertion
//	*DictView   dict.keys(), dict.values(), dict.items()
//	*Set        set, as the difference of two key views
//	*Range      range
//	*Iterator   anything that is only iterated, and once
//	*Undefined  jinja2.Undefined: what a missing name or attribute gives
//	*Object     a value of the host, with attributes
//	*Callable   a function of the host, or a method bound to a value
//
// # Errors
//
// What Python would raise is an *Error with the name of the exception's class
// and Python's text. What Python would do but ought not to, for want of memory
// or time, is a *BudgetError: every operation whose cost or result a template
// can blow up takes a *Meter and asks it first. A nil *Meter has no limits.
package pyvalue

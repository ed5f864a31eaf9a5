package jinja

import (
	"fmt"
	"strconv"
)

// Error is why a template could not be compiled or rendered.
type Error struct {
	// Name is the template's name, "" for one that was given none.
	Name string
	// Line and Column say where, from 1, in code points. Both are 0 where an
	// error has no place in a source, as one of the caller's context.
	Line, Column int
	// Class is the name of the exception that Jinja2 or Python raises:
	// "TemplateSyntaxError", "UndefinedError", "TypeError" and so on. It is
	// "BudgetError" when Budget is true.
	Class string
	// Message is the exception's text.
	Message string
	// Budget is true if the template was ended because it would have used more
	// than its [Budget] allows, or because its context was cancelled.
	Budget bool
}

// Error returns "name:line:column: message". A template without a name is
// called "template".
func (e *Error) Error() string {
	name := e.Name
	if name == "" {
		name = "template"
	}
	if e.Line == 0 {
		return name + ": " + e.Message
	}
	return name + ":" + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column) + ": " + e.Message
}

// errorAt is an error of class at a place of a template.
func errorAt(name string, at place, class, format string, args ...any) *Error {
	return &Error{Name: name, Line: at.line, Column: at.column, Class: class, Message: fmt.Sprintf(format, args...)}
}

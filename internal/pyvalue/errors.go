package pyvalue

import "fmt"

// Error is an exception: Class is the name of the Python class ("TypeError",
// "ZeroDivisionError", "UndefinedError", …), Message what str(exception) is.
type Error struct {
	Class   string
	Message string
}

// Error returns "Class: message", as the last line of a traceback has it.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Class
	}
	return e.Class + ": " + e.Message
}

// Errorf makes an *Error with a formatted message.
func Errorf(class, format string, args ...any) *Error {
	return &Error{Class: class, Message: fmt.Sprintf(format, args...)}
}

func typeError(format string, args ...any) *Error  { return Errorf("TypeError", format, args...) }
func valueError(format string, args ...any) *Error { return Errorf("ValueError", format, args...) }

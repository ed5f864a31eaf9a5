package jinja

import "agentxchain/internal/pyvalue"

// place is where something begins in a source, in lines and code points from 1.
type place struct{ line, column int }

// kind is what a token is.
type kind uint8

// The kinds from tokAdd on are the operators, in the order of the names in
// String; those of two characters come last.
const (
	tokEOF kind = iota
	tokData
	tokVariableBegin
	tokVariableEnd
	tokBlockBegin
	tokBlockEnd
	tokName
	tokString
	tokInteger
	tokFloat
	tokAdd
	tokSub
	tokMul
	tokDiv
	tokMod
	tokTilde
	tokLeftParen
	tokRightParen
	tokLeftBracket
	tokRightBracket
	tokLeftBrace
	tokRightBrace
	tokGreater
	tokLess
	tokAssign
	tokDot
	tokColon
	tokPipe
	tokComma
	tokSemicolon
	tokFloorDiv
	tokPow
	tokEqual
	tokNotEqual
	tokGreaterEqual
	tokLessEqual
)

// String is how Jinja2's messages name the kind.
func (k kind) String() string {
	return [...]string{
		"end of template", "template data / text",
		"begin of print statement", "end of print statement",
		"begin of statement block", "end of statement block",
		"name", "string", "integer", "float",
		"+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}",
		">", "<", "=", ".", ":", "|", ",", ";",
		"//", "**", "==", "!=", ">=", "<=",
	}[k]
}

// Operators of one and of two characters, in the order of their kinds.
const (
	shortOperators = "+-*/%~()[]{}><=.:|,;"
	longOperators  = "// ** == != >= <= "
)

// token is one lexical element. text is the name, the number as written
// without underscores, the value of a string or the text of data.
type token struct {
	kind kind
	place
	text string
}

// describe names the token as Jinja2's messages do.
func (t token) describe() string {
	if t.kind == tokName {
		return t.text
	}
	return t.kind.String()
}

// isName reports whether the token is one of the given words.
func (t token) isName(words ...string) bool {
	if t.kind != tokName {
		return false
	}
	for _, w := range words {
		if t.text == w {
			return true
		}
	}
	return false
}

// quoted is repr(s) of Python.
func quoted(s string) string {
	text, err := pyvalue.Repr(nil, pyvalue.NewStr(s))
	if err != nil {
		return s
	}
	return text
}

package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity tells whether a problem makes a file unusable.
type Severity uint8

// The severities.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Problem is one thing that is wrong with a configuration file. It never
// shows a secret: URLs, header values and variables stay out of it.
type Problem struct {
	// File is an absolute path, or "environment variable NAME".
	File string
	// Line and Column count from 1, a column being one character; both are 0
	// when the problem is the file as a whole.
	Line, Column int
	// Offset is the same place in bytes.
	Offset int
	// Pointer is the value concerned (RFC 6901), or the one that lacks it. In
	// gateway.yaml and AGENT.md it is the missing value itself.
	Pointer string
	// Code names the rule, for programs; empty for agentxchain.json. Rules that
	// Agent Gateway has too are named as pydantic names them ("string_type").
	Code string
	// Severity says whether the file can be used all the same.
	Severity Severity
	// Message is the Node CLI's text where it has one.
	Message string
	// Hint says what to do; it may be empty.
	Hint string
	// Extra marks a rule that the Node CLI lacks.
	Extra bool
	// Err is the cause, for [errors.Is], or nil.
	Err error
}

// String returns FILE:LINE:COLUMN: MESSAGE.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// OfAgent reports whether the problem is about the AGENT.md of one agent, whose
// faults concern its own rules and nothing else.
func (p Problem) OfAgent() bool { return filepath.Base(p.File) == agentFile }

// Problems are all the problems of a file, sorted by place. As an error they
// print one below the other, each followed by its hint.
type Problems []Problem

// Bad reports whether one of the problems is an error.
func (ps Problems) Bad() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Error lists the problems. Warnings say so.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
		if p.Severity == Warning {
			b.WriteString(" (warning)")
		}
		if p.Hint != "" {
			b.WriteString("\n  hint: " + p.Hint)
		}
	}
	return b.String()
}

// Unwrap returns the causes.
func (ps Problems) Unwrap() []error {
	var errs []error
	for _, p := range ps {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// place sorts problems by offset, keeping the order of the rules within one
// place, and gives them line and column in one pass over src.
func (ps Problems) place(src []byte) {
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Offset, b.Offset) })
	line, column, at := 1, 1, 0
	for i := range ps {
		if ps[i].Line < 0 {
			ps[i].Line = 0
			continue
		}
		for at < min(ps[i].Offset, len(src)) {
			_, n := utf8.DecodeRune(src[at:])
			if column++; src[at] == '\n' {
				line, column = line+1, 1
			}
			at += n
		}
		ps[i].Line, ps[i].Column = line, column
	}
}

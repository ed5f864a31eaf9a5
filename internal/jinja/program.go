package jinja

import (
	"strings"
	"unicode/utf8"
)

// program is a parsed and checked template.
type program struct {
	name   string
	body   []stmt
	fn     *function
	in     region
	self   *ref // where "self" is; nil if it is not used
	blocks map[string]*blockCode
}

// blockCode is a block as a function of its own.
type blockCode struct {
	name        string
	program     *program
	body        []stmt
	fn          *function
	in          region
	self, super *ref // nil if not used
}

// compile reads and checks a template.
func compile(name, source string, b Budget) (*program, error) {
	if len(source) > b.SourceBytes {
		return nil, exceeded(name, place{}, ofSource, int64(b.SourceBytes))
	}
	if !utf8.ValidString(source) {
		return nil, errorAt(name, place{}, "UnicodeDecodeError", "template is not UTF-8")
	}
	p := &program{name: name}
	if err := parse(p, source, b.Depth); err != nil {
		return nil, err
	}
	return p, checkProgram(p)
}

// escapes reports whether values are escaped in a template because of its name:
// select_autoescape of Jinja2, off for templates without a name.
func escapes(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".html") || strings.HasSuffix(name, ".htm") || strings.HasSuffix(name, ".xml")
}

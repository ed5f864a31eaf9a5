package config

import (
	"fmt"
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/project"
)

// maxProblems is how many problems of one file are listed. A hostile file
// could hold millions.
const maxProblems = 1000

// checker applies the rules to one file and keeps what they find.
type checker struct {
	file     string
	lookup   project.LookupFunc
	opts     Options
	src      []byte
	doc      *ecmajson.Value
	problems Problems
	dropped  int
}

func newChecker(root project.Root, env project.Env, opts Options) *checker {
	return &checker{file: root.ConfigFile(), lookup: env.Lookup, opts: opts}
}

// place is where a problem lies.
type place struct {
	offset  int
	pointer string
}

// at is the place of a value.
func at(v *ecmajson.Value, pointer string) place { return place{v.Offset(), pointer} }

// child is the place of a key's value; when the key is absent, of the object.
func child(v *ecmajson.Value, pointer, key string) place {
	if value := v.Get(key); value != nil {
		return at(value, pointer+"/"+escape(key))
	}
	return at(v, pointer)
}

// key is the place of a key itself.
func key(m ecmajson.Member, pointer string) place {
	return place{m.KeyOffset, pointer + "/" + escape(m.Key)}
}

// index is the pointer of an array's element.
func index(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// escape makes a key part of a JSON Pointer.
func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// fail records a fault that the Node CLI refuses, in its words.
func (c *checker) fail(p place, message, hint string) {
	c.add(Problem{Offset: p.offset, Pointer: p.pointer, Message: message, Hint: hint})
}

// warn records something that the Node CLI warns about, in its words.
func (c *checker) warn(p place, message, hint string) {
	c.add(Problem{Severity: Warning, Offset: p.offset, Pointer: p.pointer, Message: message, Hint: hint})
}

// advice records something that only we find worth saying.
func (c *checker) advice(p place, message, hint string) {
	c.add(Problem{Severity: Warning, Extra: true, Offset: p.offset, Pointer: p.pointer, Message: message, Hint: hint})
}

// whole records an error of the file as a whole.
func (c *checker) whole(err error, hint string) {
	c.add(Problem{Line: -1, Message: err.Error(), Hint: hint, Err: err})
}

// add keeps a problem. Of those beyond the limit only the number is kept, and
// whether one was an error.
func (c *checker) add(p Problem) {
	if p.File == "" {
		p.File = c.file
	}
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, p)
		return
	}
	c.dropped++
	text := fmt.Sprintf("%d more problems are not listed", c.dropped)
	if c.dropped == 1 {
		c.problems = append(c.problems, Problem{
			File: c.file, Offset: len(c.src), Severity: p.Severity, Extra: true, Message: text,
			Hint: fmt.Sprintf("these are the first %d; correct them and check again", maxProblems),
		})
		return
	}
	last := &c.problems[maxProblems]
	last.Message, last.Severity = text, min(last.Severity, p.Severity)
}

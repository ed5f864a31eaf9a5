package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"agentxchain/internal/ecmajson"
)

// maxEnv is the size up to which an .env file is read, in bytes.
const maxEnv = 1 << 20

// LookupFunc is the shape of [os.LookupEnv].
type LookupFunc func(name string) (value string, ok bool)

// Env is what ${NAME} in a header may mean: the process environment, and
// behind it the .env files. Nothing else may be read from it, because a
// repository's file must not steer the program. Printing an Env shows no value.
type Env struct {
	process LookupFunc
	files   map[string]variable
}

// variable is one assignment of an .env file.
type variable struct {
	value, file string
	line        int
}

// LoadEnv reads .env in the project's root, then in cwd when that is another
// folder (contract, section 1.1). A missing file is no error. The Env can be
// used even when the error is not nil: it then lacks the file that could not
// be read.
func LoadEnv(process LookupFunc, root Root, cwd string) (Env, error) {
	env := Env{process: process, files: map[string]variable{}}
	err := env.read(root.Dir)
	cwd, absErr := filepath.Abs(cwd)
	if absErr != nil || cwd == root.Dir {
		return env, errors.Join(err, absErr)
	}
	return env, errors.Join(err, env.read(cwd))
}

func (e Env) read(dir string) error {
	path := filepath.Join(dir, ".env")
	src, err := readFile(os.DirFS(dir), ".env", path, maxEnv)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range parseEnv(src) {
		// The first value that is not empty counts, in this file or an earlier one.
		if e.files[a.name].value == "" {
			e.files[a.name] = variable{a.value, path, a.line}
		}
	}
	return nil
}

// Lookup returns the value of a variable. An .env file gives it only when the
// process environment lacks it or has it empty. Empty counts as set.
func (e Env) Lookup(name string) (string, bool) {
	value, _, ok := e.find(name)
	return value, ok
}

// Origin says where [Env.Lookup] takes a variable from: "environment",
// or the place in an .env file as FILE:LINE, or "" when it is not set.
func (e Env) Origin(name string) string {
	_, origin, _ := e.find(name)
	return origin
}

func (e Env) find(name string) (value, origin string, ok bool) {
	if e.process != nil {
		value, ok = e.process(name)
	}
	if !ok {
		value = ""
	}
	if v, inFile := e.files[name]; inFile && value == "" {
		return v.value, fmt.Sprintf("%s:%d", v.file, v.line), true
	}
	if ok {
		origin = "environment"
	}
	return value, origin, ok
}

// String implements [fmt.Stringer]; it shows no value.
func (e Env) String() string { return "[environment]" }

// GoString implements [fmt.GoStringer]; it shows no value.
func (e Env) GoString() string { return e.String() }

// assignment is one line of an .env file.
type assignment struct {
	name, value string
	line        int
}

// parseEnv reads lines of NAME=VALUE: no escapes, no "export", no comments
// after a value (contract, section 1.1).
func parseEnv(src []byte) []assignment {
	var list []assignment
	for i, line := range strings.Split(ecmajson.DecodeText(src), "\n") {
		line = ecmajson.Trim(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		list = append(list, assignment{ecmajson.Trim(name), unquote(ecmajson.Trim(value)), i + 1})
	}
	return list
}

// unquote removes one pair of matching quotes.
func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}

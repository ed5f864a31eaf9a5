// Package project is the governed folder: where it is, its .env, its state and
// the folder of our own files in it. It reads what belongs to the Node CLI and
// writes below .agentxchain/notify/ and, because both programs keep it, the
// list of reminders.
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

// The files that mark a root.
const (
	// ConfigName marks a governed project.
	ConfigName = "agentxchain.json"
	// CoordinatorName marks a workspace that coordinates several projects.
	CoordinatorName = "agentxchain-multi.json"
)

// maxConfig is the size up to which the files that mark a root are read, in bytes.
const maxConfig = 16 << 20

// Kind says what a root is, which is also what is exported from it.
type Kind uint8

// The kinds of roots. The zero Kind is a folder without either file: a
// gateway of its own, which keeps its evidence in .agentxchain/ all the same.
const (
	Plain Kind = iota
	Run
	Coordinator
)

// String returns the kind as the flag --kind of "export" spells it.
func (k Kind) String() string {
	switch k {
	case Run:
		return "run"
	case Coordinator:
		return "coordinator"
	}
	return "plain"
}

// Root is the folder that everything else is relative to.
type Root struct {
	// Dir is an absolute path.
	Dir string
	// Kind says which file marks it.
	Kind Kind
}

// ErrNotFound says that no folder upwards is a root.
var ErrNotFound = errors.New("no governed project found")

// Find returns the governed project that start lies in: the nearest folder
// upwards with an agentxchain.json. When a coordinator workspace is nearer the
// error is a [*CoordinatorError]; when there is nothing it is [ErrNotFound].
func Find(start string) (Root, error) {
	root, err := FindAny(start)
	if err != nil || root.Kind == Run {
		return root, err
	}
	children, err := root.Children()
	return Root{}, &CoordinatorError{Root: root, Children: children, Err: err}
}

// FindAny returns the nearest folder upwards that is a root of either kind. In
// one folder agentxchain.json wins, as it does for the Node CLI.
func FindAny(start string) (Root, error) {
	dir, err := filepath.Abs(start)
	if err != nil {
		return Root{}, err
	}
	if _, err := os.Stat(dir); err != nil {
		return Root{}, fmt.Errorf("start folder: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		kind, err := kindOf(at)
		if err != nil {
			return Root{}, err
		}
		if kind != Plain {
			return Root{Dir: at, Kind: kind}, nil
		}
		if at == filepath.Dir(at) {
			return Root{}, fmt.Errorf("%w: neither %q nor a folder above it holds %s", ErrNotFound, dir, ConfigName)
		}
	}
}

// kindOf looks for the two files. Like the Node CLI it accepts anything of
// that name, a folder too, so that the nearest one is reported, not skipped.
func kindOf(dir string) (Kind, error) {
	for _, mark := range []struct {
		name string
		kind Kind
	}{{ConfigName, Run}, {CoordinatorName, Coordinator}} {
		_, err := os.Stat(filepath.Join(dir, mark.name))
		if err == nil {
			return mark.kind, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Plain, err
		}
	}
	return Plain, nil
}

// ConfigFile is the path of the file that marks the root.
func (r Root) ConfigFile() string {
	if r.Kind == Coordinator {
		return filepath.Join(r.Dir, CoordinatorName)
	}
	return filepath.Join(r.Dir, ConfigName)
}

// StateFile is the path of the run's state. The Node CLI owns it.
func (r Root) StateFile() string { return filepath.Join(r.Dir, governedDir, stateName) }

// AuditFile is the path of the evidence, which the Node CLI appends to as well.
func (r Root) AuditFile() string {
	return filepath.Join(r.Dir, governedDir, "notification-audit.jsonl")
}

// RemindersFile is the path of the list of reminders sent, shared with the Node CLI.
func (r Root) RemindersFile() string { return filepath.Join(r.Dir, governedDir, remindersName) }

// ReadConfig returns the bytes of the file that marks the root. A file that is
// not regular, or larger than 16 MiB, is an error.
func (r Root) ReadConfig() ([]byte, error) {
	path := r.ConfigFile()
	return readFile(os.DirFS(r.Dir), filepath.Base(path), path, maxConfig)
}

// Child is a project that a coordinator workspace names.
type Child struct {
	// Name is its key in "repos".
	Name string
	// Path is its folder as agentxchain-multi.json gives it.
	Path string
	// Dir is its folder as an absolute path; it need not exist.
	Dir string
}

// Children returns the projects of a coordinator workspace in the order of
// its file. Entries without a path are left out.
func (r Root) Children() ([]Child, error) {
	src, err := r.ReadConfig()
	if err != nil {
		return nil, err
	}
	doc, err := ecmajson.Parse(src, ecmajson.Options{})
	if err != nil {
		return nil, syntaxError(r.ConfigFile(), src, err)
	}
	repos := doc.Get("repos")
	var children []Child
	for _, name := range repos.OwnKeys() {
		path := repos.Get(name).Get("path").Str()
		if path == "" {
			continue
		}
		dir := filepath.FromSlash(path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(r.Dir, dir)
		}
		children = append(children, Child{Name: name, Path: path, Dir: dir})
	}
	return children, nil
}

// CoordinatorError says that the nearest root sends no notifications itself
// (contract, section 6.6): its projects do.
type CoordinatorError struct {
	Root Root
	// Children are the projects that can.
	Children []Child
	// Err is why Children could not be read, or nil.
	Err error
}

// Error names the projects to go to.
func (e *CoordinatorError) Error() string {
	text := fmt.Sprintf("%q is a coordinator workspace, which sends no notifications of its own", e.Root.Dir)
	if e.Err != nil {
		return text + "; its projects are unknown: " + e.Err.Error()
	}
	names := make([]string, len(e.Children))
	for i, c := range e.Children {
		names[i] = fmt.Sprintf("%q (%s)", c.Name, c.Path)
	}
	if len(names) == 0 {
		return text + ", and names no project"
	}
	return text + "; run this in one of its projects: " + strings.Join(names, ", ")
}

// Unwrap returns why the children could not be read.
func (e *CoordinatorError) Unwrap() error { return e.Err }

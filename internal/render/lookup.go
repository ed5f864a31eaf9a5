package render

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"agentxchain/internal/events"
)

// suffix ends the name of every Slack template.
const suffix = ".json.j2"

// maxName is how long a part of a path can be on the file systems we know.
const maxName = 255

// maxSource bounds what is read of one file before the budget can be asked.
const maxSource = 8 << 20

var (
	// errMissing says that there is no such file in the folder.
	errMissing = errors.New("there is no such file")
	// errOutside says that a name leads out of it.
	errOutside = errors.New("lies outside of the templates folder")
	// errIrregular says that a folder, a pipe or a device has the name. To open
	// a pipe could take forever.
	errIrregular = errors.New("cannot be read: it is not a regular file")
)

// candidates returns the names of the files that may hold the message for an
// event, relative to the templates folder, first choice first. rule and agent
// are not trusted.
func candidates(rule, agent string, event events.Type) []string {
	var names []string
	if rule != "" {
		names = append(names, rule+suffix)
	}
	if isFolderName(agent) {
		names = append(names, agent+"/"+string(event)+suffix)
	}
	names = append(names, string(event)+suffix)
	if status := events.RunStatus(event); status != "" {
		names = append(names, "default-"+status+suffix)
	}
	return names
}

// isFolderName reports whether a folder could have this name. Which templates
// an agent gets must not depend on an agent's talent for names of files.
func isFolderName(name string) bool {
	return name != "" && name != "." && len(name) <= maxName && !strings.ContainsAny(name, "/\\\x00") && filepath.IsLocal(name)
}

// find returns the first of the candidates that exists, and its text; "" when
// none does. A name that leads out of the folder, or a file that cannot be
// read, ends the search with an error: about the folder the former, about the
// file the latter.
func find(dir string, names []string) (name, source string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", "", &Error{File: dir, Message: "the templates folder cannot be opened: " + cause(err), Always: true}
	}
	defer root.Close()
	for _, name := range names {
		source, err := read(root, name)
		if err == nil {
			return path.Clean(name), source, nil
		}
		switch {
		case errors.Is(err, errMissing):
		case errors.Is(err, errOutside):
			return "", "", &Error{File: dir, Message: "template " + strconv.Quote(name) + " " + err.Error(), Always: true}
		default:
			return "", "", &Error{File: filepath.Join(dir, filepath.FromSlash(name)), Message: err.Error(), Always: true}
		}
	}
	return "", "", nil
}

// read reads one file below root; errMissing if there is none. Symbolic links
// are followed as long as they stay inside.
func read(root *os.Root, name string) (string, error) {
	local := filepath.FromSlash(path.Clean(name))
	if strings.Contains(name, "\x00") || path.IsAbs(name) || !filepath.IsLocal(local) {
		return "", errOutside
	}
	info, err := root.Stat(local)
	if err != nil {
		return "", missingOr(root, local, err)
	}
	if !info.Mode().IsRegular() {
		return "", errIrregular
	}
	f, err := root.Open(local)
	if err != nil {
		return "", missingOr(root, local, err)
	}
	defer f.Close()
	return readAll(f)
}

func readAll(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSource+1))
	if err != nil {
		return "", unreadable(err)
	}
	if len(text) > maxSource {
		return "", fmt.Errorf("is longer than %d bytes", maxSource)
	}
	return string(text), nil
}

// missingOr tells a file that is not there from one that may not be read.
func missingOr(root *os.Root, local string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || len(filepath.Base(local)) > maxName || belowFile(root, local) {
		return errMissing
	}
	return unreadable(err)
}

// belowFile reports whether a part of the path before the last is a file.
func belowFile(root *os.Root, local string) bool {
	for dir := filepath.Dir(local); dir != "."; dir = filepath.Dir(dir) {
		if info, err := root.Stat(dir); err == nil {
			return !info.IsDir()
		}
	}
	return false
}

// cause is the reason in an error of the file system, without the path, which
// the message has already.
func cause(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err.Error()
	}
	return err.Error()
}

func unreadable(err error) error { return errors.New("cannot be read: " + cause(err)) }

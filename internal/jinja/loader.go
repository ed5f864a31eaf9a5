package jinja

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotFound is what a [Loader] returns, perhaps wrapped, for a name that it
// has no template for. In the template it is the exception TemplateNotFound,
// which "ignore missing" silences. Any other error ends the render.
var ErrNotFound = errors.New("template not found")

// Loader finds templates by name.
type Loader interface {
	Load(name string) (source string, err error)
}

// FolderLoader loads templates from a folder and what lies below it. Names are
// separated by slashes; one that begins with a slash starts in the folder all the
// same, as in Jinja2. A name with a part "..", with a backslash or NUL, or that
// leads out of the folder by a symbolic link, is not found. Files longer than
// 8 MiB are refused. The folder is opened at each load: it may appear later, and
// no file stays open.
func FolderLoader(dir string) Loader { return folder(dir) }

type folder string

// maxFile bounds what is read of one file before the budget can be asked.
const maxFile = 8 << 20

// Load reads one file.
func (f folder) Load(name string) (string, error) {
	local, ok := localName(name)
	if !ok {
		return "", ErrNotFound
	}
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return "", notFoundOr(err)
	}
	defer root.Close()
	return readFile(root, local)
}

// localName turns a template's name into a path inside the folder. Empty parts
// and "." are dropped, as Jinja2's FileSystemLoader does.
func localName(name string) (string, bool) {
	if strings.ContainsAny(name, "\\\x00") {
		return "", false
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			return "", false
		default:
			parts = append(parts, part)
		}
	}
	local := filepath.Join(parts...)
	return local, filepath.IsLocal(local)
}

// readFile reads a regular file. os.Root refuses links that leave the folder.
func readFile(root *os.Root, local string) (string, error) {
	// To open a named pipe would wait for whoever writes to it.
	info, err := root.Stat(local)
	if err != nil {
		return "", notFoundOr(err)
	}
	if !info.Mode().IsRegular() {
		return "", ErrNotFound
	}
	f, err := root.Open(local)
	if err != nil {
		return "", notFoundOr(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("template is longer than %d bytes", maxFile)
	}
	return string(text), nil
}

// notFoundOr makes ErrNotFound of every way in which a path does not lead to a
// file inside the folder, so that a template cannot tell what lies outside.
func notFoundOr(err error) error {
	var path *fs.PathError
	if errors.Is(err, fs.ErrPermission) || !errors.As(err, &path) {
		return err
	}
	return ErrNotFound
}

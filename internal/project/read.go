package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"agentxchain/internal/ecmajson"
)

// readFile reads a file of the project without leaving it by a symbolic link.
// name has slashes and is relative to the root.
func (r Root) readFile(name string, limit int64) ([]byte, error) {
	dir, err := os.OpenRoot(r.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return readFile(dir.FS(), name, r.path(name), limit)
}

// readFile reads a regular file of at most limit bytes. shown is its name in
// errors. Anything else that may stand there is refused before it is opened:
// opening a pipe would wait for a writer for ever.
func readFile(fsys fs.FS, name, shown string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, readError(shown, err)
	case info.IsDir():
		return nil, readError(shown, errors.New("is a folder"))
	case !info.Mode().IsRegular():
		return nil, readError(shown, errors.New("is not a regular file"))
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, readError(shown, err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, readError(shown, err)
	}
	if int64(len(src)) > limit {
		return nil, readError(shown, fmt.Errorf("is larger than %d MiB", limit>>20))
	}
	return src, nil
}

// readError names the file once: fs.PathError would add its own, shorter name.
func readError(shown string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("read %q: %w", shown, err)
}

// syntaxError adds file, line and column to an error of ecmajson.
func syntaxError(file string, src []byte, err error) error {
	var syntax *ecmajson.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("%s: %w", file, err)
	}
	line, column := ecmajson.Position(src, syntax.Offset)
	return fmt.Errorf("%s:%d:%d: invalid JSON: %s", file, line, column, syntax.Message)
}

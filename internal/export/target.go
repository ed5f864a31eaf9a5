package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkTarget refuses to write a bundle over what it is made of. An export
// only reads: the audit that it would replace is evidence, and the
// configuration and the state are a run. shown is the path as it was given.
func checkTarget(root, path, shown string) error {
	if path == "" {
		return nil
	}
	refuse := func(why string) error {
		return fmt.Errorf("cannot write %q: %s; choose a place outside the governed files", shown, why)
	}
	folders := strings.Split(filepath.ToSlash(filepath.Dir(path)), "/")
	if i := slices.Index(folders, ".agentxchain"); i >= 0 && !slices.Contains(folders[i:], "reports") {
		return refuse("the folder .agentxchain belongs to the governed run")
	}
	if slices.Contains(folders, ".git") {
		return refuse("the folder .git belongs to git")
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new file replaces nothing
	}
	if err != nil {
		return err
	}
	for _, name := range append(runRoots(), workspacePath) {
		governed, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
		if err == nil && governed.Mode().IsRegular() && os.SameFile(info, governed) {
			return refuse("it is the project's " + name)
		}
	}
	return nil
}

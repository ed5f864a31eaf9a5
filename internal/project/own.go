package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// governedDir is the Node CLI's folder. It refuses its next turn when it
	// finds files there that it does not know and git does not ignore.
	governedDir = ".agentxchain"
	// ownDir is where everything of ours lies, hidden from git by its own .gitignore.
	ownDir    = governedDir + "/notify"
	ignoreAll = "*\n"
)

// OwnDir returns the folder of our own files, .agentxchain/notify, and makes
// it when it is missing: mode 0700, with a .gitignore of "*" (0600), whatever
// the umask. It is never reached through a symbolic link out of the project,
// and is never a symbolic link itself.
func (r Root) OwnDir() (string, error) {
	path := r.OwnPath()
	if err := r.makeOwnDir(); err != nil {
		return "", fmt.Errorf("make %q: %w", path, err)
	}
	return path, nil
}

// OwnPath is where [Root.OwnDir] lies, whether it exists or not.
func (r Root) OwnPath() string { return r.path(ownDir) }

// path is the place of a name that has slashes and is relative to the root.
func (r Root) path(name string) string { return filepath.Join(r.Dir, filepath.FromSlash(name)) }

func (r Root) makeOwnDir() error {
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := makeDir(root, governedDir); err != nil {
		return err
	}
	if err := makeDir(root, ownDir); err != nil {
		return err
	}
	info, err := root.Lstat(ownDir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("something else stands there")
	}
	return hideFromGit(root)
}

// makeDir makes a folder unless something stands there.
func makeDir(root *os.Root, name string) error {
	err := root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return root.Chmod(name, 0o700)
}

// hideFromGit writes the .gitignore unless there is one with content: a crash
// may have left it empty. Two processes that write it write the same.
func hideFromGit(root *os.Root) error {
	const name = ownDir + "/.gitignore"
	switch info, err := root.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("its .gitignore is not a regular file")
	case info.Size() > 0:
		return nil
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if _, err := f.WriteString(ignoreAll); err != nil {
		return err
	}
	return f.Close()
}

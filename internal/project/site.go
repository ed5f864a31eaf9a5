package project

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

const (
	siteFile = ownDir + "/site"
	// siteLimit is more than a name has, in bytes.
	siteLimit = 64
)

// Site returns the name by which a shared database knows this project: a
// random text of 26 capitals and digits, made at the first call and kept in
// the folder of our own files. Governed events may be delivered only by
// processes that say the same name, so it must neither be guessed from a path,
// which containers share, nor be copied to another project.
func (r Root) Site() (string, error) {
	if _, err := r.OwnDir(); err != nil {
		return "", err
	}
	name, err := r.site()
	if err != nil {
		return "", fmt.Errorf("name the project in %q: %w", filepath.Join(r.Dir, filepath.FromSlash(siteFile)), err)
	}
	return name, nil
}

func (r Root) site() (string, error) {
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	name, err := readSite(root)
	if !errors.Is(err, fs.ErrNotExist) {
		return name, err
	}
	// Written whole beside its place and linked to it, so that of two
	// processes that make it at once both read the same.
	draft := siteFile + "." + rand.Text()
	if err := writeDraft(root, draft, rand.Text()); err != nil {
		return "", err
	}
	err = root.Link(draft, siteFile)
	if removeErr := root.Remove(draft); err == nil {
		err = removeErr
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return readSite(root)
}

func readSite(root *os.Root) (string, error) {
	info, err := root.Lstat(siteFile)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > siteLimit {
		return "", errors.New("this is not the file that was made here; remove it")
	}
	b, err := root.ReadFile(siteFile)
	if err != nil {
		return "", err
	}
	name := regexp.MustCompile(`^[A-Z2-7]{26}\n$`).Find(b)
	if name == nil {
		return "", errors.New("it does not hold a name of 26 capitals and digits; remove the file")
	}
	return string(name[:len(name)-1]), nil
}

func writeDraft(root *os.Root, path, name string) error {
	f, err := root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(name + "\n")
	return errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
}

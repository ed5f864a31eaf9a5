package project

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
)

const (
	// remindersName is the list that is shared with the Node CLI, bookName our
	// own record beside it.
	remindersName = "sla-reminders.json"
	bookName      = "reminders.json"
	// maxReminders is the size up to which both are read, in bytes. The book
	// can hold two envelopes of the greatest length.
	maxReminders = 64 << 20
)

// BookFile is the path of our own record of reminders.
func (r Root) BookFile() string { return r.path(ownDir + "/" + bookName) }

// ReadReminders returns the content of the list of reminders sent, which the
// Node CLI writes as well. The error is [fs.ErrNotExist] when there is none.
func (r Root) ReadReminders() ([]byte, error) {
	return r.readFile(governedDir+"/"+remindersName, maxReminders)
}

// ReadBook returns the content of our own record of reminders. The error is
// [fs.ErrNotExist] when there is none.
func (r Root) ReadBook() ([]byte, error) { return r.readFile(ownDir+"/"+bookName, maxReminders) }

// ReplaceReminders puts content in the place of the list of reminders sent, in
// one step. An existing list keeps its mode; a new one has 0600.
func (r Root) ReplaceReminders(content []byte) error {
	return r.replace(governedDir+"/"+remindersName, content)
}

// ReplaceBook does the same to our own record of reminders.
func (r Root) ReplaceBook(content []byte) error { return r.replace(ownDir+"/"+bookName, content) }

// replace writes a file under another name in our own folder, where it
// disturbs nobody if we die, and renames it. It is not synced.
func (r Root) replace(name string, content []byte) error {
	if _, err := r.OwnDir(); err != nil {
		return err
	}
	dir, err := os.OpenRoot(r.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	mode := fs.FileMode(0o600)
	if info, err := dir.Lstat(name); err == nil && info.Mode().IsRegular() {
		mode = info.Mode().Perm()
	}
	hidden := ownDir + "/." + path.Base(name) + "-" + strconv.FormatUint(rand.Uint64(), 36)
	err = writeNew(dir, hidden, content, mode)
	if err == nil {
		err = dir.Rename(hidden, name)
	}
	if err != nil {
		if gone := dir.Remove(hidden); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return fmt.Errorf("replace %q: %w", r.path(name), err)
	}
	return nil
}

// writeNew makes a file with exactly the given mode.
func writeNew(dir *os.Root, name string, content []byte, mode fs.FileMode) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

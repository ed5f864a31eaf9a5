package reminder

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/project"
)

// maxListDepth bounds the nesting of what other programs put into the list.
const maxListDepth = 64

// FileError says that what was sent is not known, because a file that
// remembers it can't be understood. Nothing is sent then.
type FileError struct {
	// Path is the file.
	Path string
	// Err is what is wrong with it.
	Err error
}

// Error names the file.
func (e *FileError) Error() string {
	return fmt.Sprintf("which reminders were sent is not known: %q: %v", e.Path, e.Err)
}

// Unwrap returns what is wrong with the file.
func (e *FileError) Unwrap() error { return e.Err }

// readList returns the list that is shared with the Node CLI, empty when there
// is none. The Node CLI takes one that it can't read for empty and sends
// everything again; we don't.
func readList(root project.Root) (*ecmajson.Value, error) {
	src, err := root.ReadReminders()
	if errors.Is(err, fs.ErrNotExist) {
		return ecmajson.NewArray(), nil
	}
	if err != nil {
		return nil, err
	}
	list, err := parseList(src)
	if err != nil {
		return nil, &FileError{Path: root.RemindersFile(), Err: err}
	}
	return list, nil
}

func parseList(src []byte) (*ecmajson.Value, error) {
	list, err := ecmajson.Parse(src, ecmajson.Options{MaxDepth: maxListDepth})
	if err != nil {
		return nil, fmt.Errorf("invalid JSON: %w", err)
	}
	if !list.Is(ecmajson.Array) {
		return nil, fmt.Errorf("it must hold an array, not %s", list.Kind())
	}
	return list, nil
}

// updateList adds keys at the end of the list and removes others from it. It
// reads the list anew: the Node CLI may have changed it meanwhile. A list that
// needs no change is not touched.
func updateList(root project.Root, add, remove []string) error {
	if len(add) == 0 && len(remove) == 0 {
		return nil
	}
	list, err := readList(root)
	if err != nil {
		return err
	}
	changed := change(list, add, remove)
	if ecmajson.Equal(list, changed) {
		return nil
	}
	return root.ReplaceReminders(formatList(changed))
}

// change returns the list with and without some keys. What else is in it stays
// as it is, in order.
func change(list *ecmajson.Value, add, remove []string) *ecmajson.Value {
	var items []*ecmajson.Value
	for _, item := range list.Items() {
		if !item.Is(ecmajson.String) || !slices.Contains(remove, item.Str()) {
			items = append(items, item)
		}
	}
	changed := ecmajson.NewArray(items...)
	for _, k := range add {
		if !contains(changed, k) {
			items = append(items, ecmajson.NewString(k))
			changed = ecmajson.NewArray(items...)
		}
	}
	return changed
}

func contains(list *ecmajson.Value, k string) bool {
	return slices.ContainsFunc(list.Items(), func(v *ecmajson.Value) bool { return v.Is(ecmajson.String) && v.Str() == k })
}

// formatList writes a list as the Node CLI does.
func formatList(list *ecmajson.Value) []byte {
	return append(ecmajson.AppendIndent(nil, list, ""), '\n')
}

package audit

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// setFilesystemUser changes whose rights this thread has to files.
func setFilesystemUser(uid int) error { return unix.Setfsuid(uid) }

// appendOnlyFlag is FS_APPEND_FL, what chattr +a sets.
const appendOnlyFlag = 0x20

func setAppendOnly(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	if flags &^= appendOnlyFlag; on {
		flags |= appendOnlyFlag
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
}

// An operator may let the evidence only grow. The fragment is closed and
// saved, and stays where it is.
func TestAppendOnlyFile(t *testing.T) {
	f := newFolder(t).holding(t, sound+torn)
	if err := setAppendOnly(f.path, true); err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := setAppendOnly(f.path, false); err != nil {
			t.Error(err)
		}
	}()
	record(t, f.log(t), "a")
	record(t, f.log(t), "b")
	if got, want := f.content(t), sound+torn+"\n"+line("a")+line("b"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if saved := f.recovered(t); len(saved) != 1 || string(saved[0].Bytes) != torn {
		t.Errorf("saved %+v", saved)
	}
}

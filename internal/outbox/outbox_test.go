package outbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/internal/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main(m, open)
}

// noLocks ends the name of a folder that the tests treat as one on a file
// system without locks.
const noLocks = "nolocks"

// testBox is an outbox whose system can be told to fail, and which counts.
type testBox struct {
	*Outbox
	looks atomic.Int64
	// nth counts down to the write that fails as fault says.
	nth   int
	fault storetest.Fault
}

func open(place string) (storetest.Store, error) { return openTest(place), nil }

func openTest(place string) *testBox {
	t := &testBox{Outbox: New(Options{
		Path:   place,
		Create: func() error { return os.MkdirAll(place, 0o700) },
		Now:    func() time.Time { return time.Now().Add(time.Duration(hours(place)) * time.Hour) },
	})}
	t.sys.rename = func(r *os.Root, from, to string) error {
		return t.write(func() error { return r.Rename(from, to) })
	}
	t.sys.remove = func(r *os.Root, name string) error {
		return t.write(func() error { return r.Remove(name) })
	}
	t.sys.list = func(r *os.Root, name string) ([]string, error) {
		names, err := list(r, name)
		t.looks.Add(int64(len(names) + 1))
		return names, err
	}
	if strings.HasSuffix(place, noLocks) {
		t.sys.lock = func(*os.File) error { return errors.ErrUnsupported }
	}
	return t
}

// hours is how far the clock of the folder's processes is ahead.
func hours(place string) int {
	b, err := os.ReadFile(place + ".hours")
	if err != nil {
		return 0
	}
	return len(b)
}

// anHourLater moves the clock of the folder's processes.
func anHourLater(place string) {
	if err := os.WriteFile(place+".hours", make([]byte, hours(place)+1), 0o600); err != nil {
		panic(err)
	}
}

var errInjected = errors.New("injected")

func (t *testBox) write(do func() error) error {
	t.nth--
	if t.nth != 0 {
		return do()
	}
	if t.fault == storetest.FailedAfter {
		return errors.Join(errInjected, do())
	}
	return errInjected
}

// Close also ends the leases of the dead where nothing else would.
func (t *testBox) Close() error {
	t.nth = 0
	if strings.HasSuffix(t.opts.Path, noLocks) {
		t.mu.Lock()
		for _, h := range t.held {
			if err := t.abandon(h); err != nil {
				panic(err)
			}
		}
		t.mu.Unlock()
	}
	return t.Outbox.Close()
}

func TestStore(t *testing.T)             { storetest.Run(t, harness("locks")) }
func TestStoreWithoutLocks(t *testing.T) { storetest.Run(t, harness(noLocks)) }

func harness(folder string) storetest.Harness {
	h := storetest.Harness{
		Fresh: func(tb testing.TB) string { return filepath.Join(tb.TempDir(), folder) },
		Open:  open,
		Inject: func(s storetest.Store, nth int, f storetest.Fault) {
			b := s.(*testBox)
			b.nth, b.fault = nth, f
		},
		Work: func(s storetest.Store) int { return int(s.(*testBox).looks.Load()) },
	}
	if folder == noLocks {
		h.Buried = anHourLater
	}
	return h
}

func ExampleEntryError() {
	err := error(&EntryError{Path: ".agentxchain/notify/outbox/live/notif_1.intent", Err: errors.New("format version 2 is newer than this program's (1)")})
	fmt.Println(err)
	// Output: outbox entry ".agentxchain/notify/outbox/live/notif_1.intent" is left alone: format version 2 is newer than this program's (1)
}

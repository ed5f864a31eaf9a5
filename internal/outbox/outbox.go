// Package outbox keeps deliveries as files, so that an event is on disk
// before a byte of it leaves and a crash leaves something to find.
//
// # Places
//
// Below the project's notify folder:
//
//	outbox/live/EVENT.intent         claimed by a process, or left by a dead one
//	outbox/kept/HOUR/EVENT.intent    undelivered and free, by hour of the event (UTC)
//	outbox/swept                     its modification time is that of the last sweep
//
// An entry is in one place at a time and moves by rename. The folder live is
// as small as the number of running commands, so finding what a crash left
// costs the same whatever kept holds.
//
// # Entries
//
// An entry is one line of JSON, then the exact bytes of the envelope, then
// each body that differs from the envelope, in the order of the deliveries.
// The line holds the format version, the event's id, type, time and run, when
// the owner's lease ends, where the evidence ended before the attempt, the
// lengths of what follows, and for each delivery its target's reference,
// attempt and state. URLs, headers and secrets are never in it. An entry is
// never changed: a new one is written beside it and renamed over it.
//
// # Ownership
//
// Who has the lock on an entry owns it; a process that dies loses the lock.
// Whoever gets a lock checks that the path still names the locked file, since
// the entry can have been replaced or moved while it was opening it. A
// replacement is locked before it takes the place of the entry. Where the file
// system has no locks, the name in live ends in "~", the time in milliseconds
// until which the owner counts as alive, and a random part; then the entry is
// claimed by renaming it.
//
// # What it survives
//
// Entries survive the death of the process. They are not synced: after a loss
// of power the newest may be missing or empty. Entries that can't be read, or
// that a newer program wrote, are reported and left alone.
package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	folderName = "outbox"
	liveFolder = "live"
	keptFolder = "kept"
	sweptFile  = "swept"
	ending     = ".intent"
	// leaseMark stands before the end of a lease in the name of an entry.
	leaseMark = "~"
	// bucketName is the folder of an hour, in the order of time.
	bucketName = "2006010215"
	// maxID bounds the length of an event id, so that every byte of it can be
	// escaped in a file name.
	maxID = 64
)

// Options configure an [Outbox].
type Options struct {
	// Path is the project's notify folder. It need not exist: reading then
	// finds nothing and creates nothing. Required.
	Path string
	// Create makes Path, private and ignored by git. It is called before the
	// first write. Required.
	Create func() error
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
	// Lease is how long an owner counts as alive where the file system has no
	// locks. It must be longer than a command may take; 0 means ten minutes.
	Lease time.Duration
	// MaxAge is the age of an event at which its entry is stale; 0 means
	// seven days.
	MaxAge time.Duration
	// MaxEntries is how many entries are kept; the oldest above it are stale.
	// 0 means 10,000.
	MaxEntries int
	// SweepEvery is the least time between two searches for stale entries; 0
	// means ten minutes.
	SweepEvery time.Duration
}

// Outbox is one owner of entries. It is safe for concurrent use. What it
// claims stays claimed until it is finished or the outbox is closed.
type Outbox struct {
	opts Options
	sys  system

	mu    sync.Mutex // guards what follows, and every change of files
	root  *os.Root   // the folder outbox; nil until it is needed
	ready bool       // whether the folders for writing exist
	held  map[string]*held
}

// system is what the operating system does for an outbox.
type system struct {
	// lock takes the lock on an open file or returns errLocked or an error
	// that is errors.ErrUnsupported.
	lock   func(f *os.File) error
	rename func(r *os.Root, from, to string) error
	remove func(r *os.Root, name string) error
	// list gives the names in a folder in any order.
	list func(r *os.Root, name string) ([]string, error)
}

// held is an entry owned by this outbox. Its file is in live.
type held struct {
	intent
	file  *os.File
	place string
	// open are the ids of the deliveries that were not given back yet.
	open map[string]bool
}

// errLocked says that another process has the lock.
var errLocked = errors.New("locked by another process")

// EntryError says that an entry is not usable. Such entries stay where they are.
type EntryError struct {
	// Path is the entry's file.
	Path string
	// Err is what is wrong with it.
	Err error
}

// Error implements the error interface.
func (e *EntryError) Error() string {
	return fmt.Sprintf("outbox entry %q is left alone: %v", e.Path, e.Err)
}

// Unwrap returns what is wrong with the entry.
func (e *EntryError) Unwrap() error { return e.Err }

// New returns the outbox below o.Path. It touches no file.
func New(o Options) *Outbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lease == 0 {
		o.Lease = 10 * time.Minute
	}
	if o.MaxAge == 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 10_000
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = 10 * time.Minute
	}
	sys := system{lock: lock, rename: (*os.Root).Rename, remove: (*os.Root).Remove, list: list}
	return &Outbox{opts: o, sys: sys, held: make(map[string]*held)}
}

// Close gives up everything still claimed, as the death of the process would:
// a delivery that is Sending becomes an orphan.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.held {
		o.drop(id)
	}
	if o.root == nil {
		return nil
	}
	err := o.root.Close()
	o.root, o.ready = nil, false
	return err
}

// drop forgets an entry and gives its lock back.
func (o *Outbox) drop(id string) {
	_ = o.held[id].file.Close() // opened for reading, or written without buffer: nothing can be lost here
	delete(o.held, id)
}

// existing opens the folder for reading. The error is [fs.ErrNotExist] when
// nothing was ever kept. Links that lead out of the notify folder, which a
// repository could hold, are refused here and everywhere below.
func (o *Outbox) existing() error {
	if o.root != nil {
		return nil
	}
	notify, err := os.OpenRoot(o.opts.Path)
	if err != nil {
		return err
	}
	defer notify.Close()
	r, err := notify.OpenRoot(folderName)
	if err != nil {
		return err
	}
	o.root = r
	return nil
}

// prepare opens the folder for writing and makes what is missing.
func (o *Outbox) prepare() error {
	if o.ready {
		return nil
	}
	if err := o.opts.Create(); err != nil {
		return err
	}
	notify, err := os.OpenRoot(o.opts.Path)
	if err != nil {
		return err
	}
	defer notify.Close()
	if err := errors.Join(mkdir(notify, folderName), mkdir(notify, path.Join(folderName, liveFolder)), o.existing()); err != nil {
		return err
	}
	o.ready = true
	return nil
}

// mkdir makes a folder that only the owner can use, whatever the umask.
func mkdir(r *os.Root, name string) error {
	err := r.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.Chmod(name, 0o700)
}

func list(r *os.Root, name string) ([]string, error) {
	f, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// same reports whether place names the open file. That is what makes a lock
// on the file a claim on the entry.
func (o *Outbox) same(f *os.File, place string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := o.root.Lstat(place)
	return err == nil && os.SameFile(opened, there)
}

// fileName gives the name of an event's entry. Bytes that mean something to
// some file system, and the mark of a lease, are escaped as in a URL.
func fileName(eventID string) (string, bool) {
	if eventID == "" || len(eventID) > maxID {
		return "", false
	}
	var b strings.Builder
	for i := range len(eventID) {
		c := eventID[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String() + ending, true
}

// splitName takes a name in live apart into the entry's name and the end of
// the lease, which is zero when the name holds none.
func splitName(name string) (string, time.Time) {
	base, mark, ok := strings.Cut(name, leaseMark)
	until, _, _ := strings.Cut(mark, "-")
	ms, err := strconv.ParseInt(until, 10, 64)
	if !ok || err != nil {
		return name, time.Time{}
	}
	return base, time.UnixMilli(ms)
}

// leased gives the name in live of an entry that is claimed until t on a file
// system without locks. No two claims have the same name, so that of two
// processes renaming the same entry one finds that it is gone.
func leased(name string, t time.Time) string {
	return name + leaseMark + strconv.FormatInt(t.UnixMilli(), 10) + "-" + random()
}

// random gives a name that nobody else has.
func random() string { return strconv.FormatUint(rand.Uint64(), 36) }

// entryError wraps what is wrong with the entry at place.
func (o *Outbox) entryError(place string, err error) error {
	return &EntryError{Path: filepath.Join(o.opts.Path, folderName, filepath.FromSlash(place)), Err: err}
}

// bucket is the folder of a free entry.
func bucket(in intent) string {
	return path.Join(keptFolder, hour(in.Deliveries[0].Event.EmittedAt))
}

func hour(t time.Time) string { return t.UTC().Format(bucketName) }

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"agentxchain/internal/delivery"
)

// The names of the files of this package.
const (
	// FileName is the evidence, in the governed folder ".agentxchain".
	FileName = "notification-audit.jsonl"
	// RecoveredName is where repairs save what they blank, in the folder of
	// our own files.
	RecoveredName = "recovered.jsonl"
)

// DefaultLockTimeout is how long a [Log] waits for its lock when [Options]
// does not say.
const DefaultLockTimeout = 5 * time.Second

// ErrLocked means that another writer held the lock for the whole of
// [Options].LockTimeout.
var ErrLocked = errors.New("another process held its lock all the time; is one stopped or stuck?")

// errHeld is what tryLock returns while another holder has the lock.
var errHeld = errors.New("lock held")

// errGlued means that the line landed behind unfinished lines of others each time.
var errGlued = errors.New("every try landed behind an unfinished line of another writer")

// Options configures a [Log].
type Options struct {
	// OwnDir returns the folder for [RecoveredName], creating it when it is
	// missing. It is called at the first [Log.Record] and at each repair.
	// Required.
	OwnDir func() (string, error)
	// LockTimeout bounds the wait for the lock in one call; 0 means
	// [DefaultLockTimeout].
	LockTimeout time.Duration
	// Now is the clock for the time of a repair; nil means [time.Now].
	Now func() time.Time
}

// Log appends to one audit file, beside other processes that do the same with
// or without its lock. It is safe for concurrent use.
type Log struct {
	path        string
	ownDir      func() (string, error)
	lockTimeout time.Duration
	now         func() time.Time
	// write is writeOnce; tests let other writers come between.
	write func(*os.File, []byte) (int, error)

	// turn holds one token, which the goroutine that uses the fields below
	// takes out. Unlike a mutex it can be waited for with a time limit.
	turn chan struct{}
	file *os.File
	// identity tells whether the path still names file.
	identity fs.FileInfo
	// unsynced says that file holds what is not yet durable, newNames lists
	// the folders of which the same is true.
	unsynced bool
	newNames []string
	// journalPath is that of the recovered file, once known; settledSize was
	// its size when no repair was pending.
	journalPath string
	settledSize int64
}

// New returns a log of the file at path. It opens and creates nothing.
func New(path string, opts Options) *Log {
	l := &Log{
		path:        path,
		ownDir:      opts.OwnDir,
		lockTimeout: opts.LockTimeout,
		now:         opts.Now,
		write:       writeOnce,
		turn:        make(chan struct{}, 1),
	}
	if l.lockTimeout == 0 {
		l.lockTimeout = DefaultLockTimeout
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.turn <- struct{}{}
	return l
}

// Size returns the file's length in bytes, 0 when there is none. What is
// recorded from now on stands at or after it.
func (l *Log) Size() (int64, error) {
	info, err := lookAt(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, l.wrap("measure", err)
	}
	return info.Size(), nil
}

// Record appends the lines of attempts in one write, each whole and on a line
// of its own, and repairs a torn tail first. It creates the file (mode 0600)
// and its folder (mode 0700) when they are missing. The lines are durable
// after [Log.Sync].
//
// After an error, [ErrLocked] among them, nothing or only a part is recorded
// and the caller owes the reader of stderr every [Line] whole. The end of ctx
// ends the wait for the lock, nothing else: pass one that a signal does not
// cancel, so that interrupted attempts are recorded too.
func (l *Log) Record(ctx context.Context, attempts ...delivery.Attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	lines := Line(attempts[0])
	for _, a := range attempts[1:] {
		lines = append(lines, Line(a)...)
	}
	return l.locked(ctx, func() error { return l.append(lines) })
}

// Sync makes what was recorded so far durable, and the file's name when it
// was created. It needs no lock and does nothing when nothing was recorded.
func (l *Log) Sync() error {
	<-l.turn
	f, unsynced, newNames := l.file, l.unsynced, l.newNames
	l.unsynced, l.newNames = false, nil
	l.turn <- struct{}{}
	if unsynced {
		// A file that was closed meanwhile was synced by who closed it.
		if err := syncData(f); err != nil && !errors.Is(err, os.ErrClosed) {
			return l.wrap("sync", err)
		}
	}
	for _, dir := range newNames {
		if err := syncDir(dir); err != nil {
			return l.wrap("sync the folder of", err)
		}
	}
	return nil
}

// Close syncs what is not yet durable and releases the file. A later Record
// opens it again.
func (l *Log) Close() error {
	err := l.Sync()
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	return errors.Join(err, l.drop())
}

// locked runs do with the turn of this process and the lock of the file.
func (l *Log) locked(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.lockTimeout, ErrLocked)
	defer cancel()
	if err := l.takeTurn(ctx); err != nil {
		return l.wrap("lock", err)
	}
	defer func() { l.turn <- struct{}{} }()

	if err := l.lock(ctx); err != nil {
		return err
	}
	err := do()
	if unlockErr := unlock(l.file); unlockErr != nil {
		// Closing releases the lock for certain.
		err = errors.Join(err, l.wrap("unlock", unlockErr), l.drop())
	}
	return err
}

// takeTurn waits until no other goroutine uses the file. Even when ctx is over
// it takes what needs no waiting.
func (l *Log) takeTurn(ctx context.Context) error {
	select {
	case <-l.turn:
		return nil
	default:
	}
	select {
	case <-l.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lock opens the file unless it is open, and locks the file that stands at
// the path: one that was replaced during the wait is not the evidence any more.
func (l *Log) lock(ctx context.Context) error {
	for {
		if err := l.open(); err != nil {
			return l.wrap("open", err)
		}
		if err := waitLock(ctx, l.file); err != nil {
			return l.wrap("lock", err)
		}
		current, err := l.current()
		if err == nil && current {
			return nil
		}
		if err = errors.Join(err, l.drop()); err != nil {
			return l.wrap("open", err)
		}
		if ctx.Err() != nil {
			return l.wrap("lock", context.Cause(ctx))
		}
	}
}

// waitLock takes the lock on f as soon as it can be had. A process holds it
// for microseconds, so asking again is cheaper than a thread that waits and
// that nothing can call back.
func waitLock(ctx context.Context, f *os.File) error {
	const shortest, longest = 50 * time.Microsecond, 2 * time.Millisecond
	for pause := shortest; ; pause = min(2*pause, longest) {
		err := tryLock(f)
		if !errors.Is(err, errHeld) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// current reports whether the open file is the one that the path names.
func (l *Log) current() (bool, error) {
	named, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(l.identity, named), nil
}

// open opens the file unless it is open, creating it when it is missing.
func (l *Log) open() error {
	if l.file != nil {
		return nil
	}
	dir := filepath.Dir(l.path)
	made, err := makeDir(dir)
	if made {
		l.newNames = append(l.newNames, filepath.Dir(dir))
	}
	if err != nil {
		return err
	}
	f, created, err := openOrCreate(l.path, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return err
	}
	if created {
		l.newNames = append(l.newNames, dir)
	}
	identity, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.identity = f, identity
	return nil
}

// drop closes the file. What it holds is made durable first: the next Sync
// would look at another file.
func (l *Log) drop() error {
	if l.file == nil {
		return nil
	}
	var err error
	if l.unsynced {
		err = syncData(l.file)
	}
	err = errors.Join(err, l.file.Close())
	l.file, l.unsynced = nil, false
	return err
}

// makeDir creates dir with mode 0700, whatever the umask, unless it exists.
// Its parent is the project, which must exist.
func makeDir(dir string) (made bool, err error) {
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, os.Chmod(dir, 0o700)
}

// openOrCreate opens a regular file, or creates it with mode 0600 whatever
// the umask. An existing file keeps its mode.
func openOrCreate(path string, flag int) (f *os.File, created bool, err error) {
	for range 10 { // the file may come and go between two looks
		_, err = lookAt(path)
		if err == nil {
			f, err = os.OpenFile(path, flag|noFollow, 0)
		} else if errors.Is(err, fs.ErrNotExist) {
			created = true
			f, err = os.OpenFile(path, flag|noFollow|os.O_CREATE|os.O_EXCL, 0o600)
		}
		switch {
		case err == nil && created:
			if err = f.Chmod(0o600); err != nil {
				return nil, true, errors.Join(err, f.Close())
			}
			return f, true, nil
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist):
			return f, false, err
		}
		created = false
	}
	return nil, false, err
}

// append writes lines at the end of the locked file.
func (l *Log) append(lines []byte) error {
	const tries = 3
	for range tries {
		size, err := l.repair()
		if err != nil {
			return err
		}
		start, err := l.put(lines)
		if err != nil {
			return l.wrap("write", err)
		}
		if start == size {
			return nil
		}
		// Somebody without the lock came between the look and the write.
		if ends, err := l.endsLine(start); err != nil || ends {
			return err
		}
		// He left a line unfinished, and our first one continues it.
		lines = lines[:bytes.IndexByte(lines, '\n')+1]
	}
	return l.wrap("write", errGlued)
}

// put appends b in one write and returns where it landed.
func (l *Log) put(b []byte) (start int64, err error) {
	l.unsynced = true
	n, err := l.write(l.file, b)
	if err != nil {
		return 0, err
	}
	if n < len(b) {
		return 0, fmt.Errorf("%w: %d of %d bytes, is the disk full?", io.ErrShortWrite, n, len(b))
	}
	end, err := l.file.Seek(0, io.SeekCurrent)
	return end - int64(n), err
}

func (l *Log) size() (int64, error) {
	info, err := l.file.Stat()
	if err != nil {
		return 0, l.wrap("read", err)
	}
	return info.Size(), nil
}

// endsLine reports whether a new line may begin at offset.
func (l *Log) endsLine(offset int64) (bool, error) {
	if offset <= 0 {
		return true, nil
	}
	var last [1]byte
	if _, err := l.file.ReadAt(last[:], offset-1); err != nil {
		return false, l.wrap("read", err)
	}
	return last[0] == '\n', nil
}

// wrap says what could not be done to which file.
func (l *Log) wrap(doing string, err error) error {
	return fmt.Errorf("cannot %s the audit file %q: %w", doing, l.path, bare(err, l.path))
}

// bare removes a path that the message names already from an error of package os.
func bare(err error, path string) error {
	if p, ok := err.(*fs.PathError); ok && p.Path == path { //nolint:errorlint // only the outermost repeats it
		return p.Err
	}
	return err
}

package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lockEvery is how often a lock that somebody else has is asked for again.
const lockEvery = 10 * time.Millisecond

// ErrLocked means that somebody else has the lock.
var ErrLocked = errors.New("another process has the lock")

// Mode says whom a lock keeps out.
type Mode uint8

// The modes of a lock.
const (
	// Exclusive keeps everybody else out.
	Exclusive Mode = iota
	// Shared keeps out whoever wants it exclusively.
	Shared
)

// Lock waits until nobody else, in this process or another, has the lock of
// that name, and takes it. It is a file in [Root.OwnDir], which stays. Calling
// unlock gives it back; so does the death of the process. The error tells
// that ctx ended first, or what is wrong with the file. On a file system
// without locks everybody gets it.
func (r Root) Lock(ctx context.Context, name string) (unlock func() error, err error) {
	f, err := r.openLock(ownDir + "/" + name)
	if err != nil {
		return nil, err
	}
	if err := waitLock(ctx, f); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock %q: %w", r.path(ownDir+"/"+name), err)
	}
	return f.Close, nil
}

// TryLock is [Root.Lock] for those who don't wait, and with a mode: the error is
// [ErrLocked] when somebody is in the way, and [errors.ErrUnsupported] on a
// file system without locks.
func (r Root) TryLock(name string, m Mode) (unlock func() error, err error) {
	f, err := r.openLock(ownDir + "/" + name)
	if err != nil {
		return nil, err
	}
	if err := lock(f, m); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock %q: %w", r.path(ownDir+"/"+name), err)
	}
	return f.Close, nil
}

func waitLock(ctx context.Context, f *os.File) error {
	ticker := time.NewTicker(lockEvery)
	defer ticker.Stop()
	for {
		err := lock(f, Exclusive)
		switch {
		case err == nil, errors.Is(err, errors.ErrUnsupported):
			return nil
		case !errors.Is(err, ErrLocked):
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("another process has it all the time; is one stopped or stuck? %w", context.Cause(ctx))
		}
	}
}

// openLock opens the file without leaving the project by a symbolic link.
// Anything that is no regular file is refused.
func (r Root) openLock(name string) (*os.File, error) {
	if _, err := r.OwnDir(); err != nil {
		return nil, err
	}
	dir, err := os.OpenRoot(r.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	info, err := dir.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lock %q: %w", r.path(name), err)
	}
	f, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", r.path(name), err)
	}
	return f, nil
}

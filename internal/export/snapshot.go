package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
	"unicode/utf8"
)

// snapshot is the content of one file at one moment: its first size bytes at
// the time it was opened. Small files are held in memory, so that they are
// read once; the others stay open or are copied, so that what is exported is
// what was counted and hashed.
type snapshot struct {
	name string
	size int64
	// content holds a small file whole.
	content []byte
	// copied is a private copy of a big file, made when the bundle goes to a
	// stream and the content is needed twice more.
	copied *spool
	// root and info find a big file again and prove that it is the same one.
	root *os.Root
	info fs.FileInfo
	file *os.File
}

const (
	// heldFile is the size up to which one file is held in memory.
	heldFile = 1 << 20
	// heldTotal is how much all held files of a bundle may take together.
	heldTotal = 4 << 20
	// openFiles is how many big files are kept open until they are written.
	openFiles = 64
	// readBuffer is how much is read at once; a longer line makes it grow.
	readBuffer = 256 << 10
	// lockWait is how long the end of an append to the audit is awaited.
	lockWait = time.Second
)

// errShrank says that a file lost bytes while it was read.
var errShrank = errors.New("became shorter while it was read")

// keeper decides what is held in memory and what stays open.
type keeper struct {
	held, open int64
	// tempDir is where big files are copied to; see [spool].
	tempDir string
	// stream says that the bundle goes to a stream.
	stream bool
	// read counts the bytes read from governed files, by name.
	read func(name string, n int)
}

// take opens name and fixes its size. With lock it does so between two
// appends: an appender that holds the lock longer than [lockWait] is not
// waited for. The caller must release the snapshot.
func (k *keeper) take(ctx context.Context, root *os.Root, name string, lock bool) (*snapshot, error) {
	f, err := root.OpenFile(name, openFlags, 0)
	if err != nil {
		return nil, err
	}
	if lock {
		defer unlock(f)
		waitForLock(ctx, f)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &snapshot{name: name, size: info.Size(), root: root, info: info, file: f}, nil
}

// waitForLock returns with the shared lock, or without it after [lockWait].
func waitForLock(ctx context.Context, f *os.File) {
	deadline := time.NewTimer(lockWait)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !tryReadLock(f) {
		select {
		case <-tick.C:
		case <-deadline.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// first reads the snapshot for the first time, in blocks as [blocks] cuts them,
// and keeps what later readings need. With hold it is kept in memory whatever
// its size.
func (k *keeper) first(ctx context.Context, s *snapshot, hold bool, buf *[]byte, cut cutter, fn func(block []byte, last bool) error) error {
	defer k.settle(s)
	if !k.big(s, hold) {
		return k.hold(s, cut, fn)
	}
	r := k.counted(s.name, s.file)
	if k.stream {
		if copied, err := newSpool(k.tempDir); err == nil {
			s.copied = copied
			r = io.TeeReader(r, copied)
		}
	}
	return blocks(ctx, r, s.size, buf, cut, fn)
}

// big reports whether s is too big for memory.
func (k *keeper) big(s *snapshot, hold bool) bool {
	return !hold && (s.size > heldFile || k.held+s.size > heldTotal)
}

// later reports whether s will be read once more while the bundle is written,
// for all that is written of it.
func (k *keeper) later(s *snapshot, hold bool) bool { return k.big(s, hold) && !k.stream }

// hold reads s into memory.
func (k *keeper) hold(s *snapshot, cut cutter, fn func(block []byte, last bool) error) error {
	s.content = make([]byte, s.size)
	k.held += s.size
	if _, err := io.ReadFull(k.counted(s.name, s.file), s.content); err != nil {
		return shrank(err)
	}
	return held(s.content, cut, fn)
}

// held hands content over as [blocks] would.
func held(content []byte, cut cutter, fn func(block []byte, last bool) error) error {
	n := cut(content)
	if n > 0 {
		if err := fn(content[:n], n == len(content)); err != nil {
			return err
		}
	}
	if n < len(content) || n == 0 {
		return fn(content[n:], true)
	}
	return nil
}

// settle closes the file when it is not needed any more, or when too many are
// open already.
func (k *keeper) settle(s *snapshot) {
	switch {
	case s.content != nil || s.copied != nil && s.copied.err == nil || k.open >= openFiles:
		_ = s.file.Close()
		s.file = nil
	default:
		k.open++
	}
	if s.copied != nil && s.copied.err != nil {
		s.copied.close()
		s.copied = nil
	}
}

// again reads the first n bytes of the snapshot once more.
func (k *keeper) again(ctx context.Context, s *snapshot, n int64, buf *[]byte, cut cutter, fn func(block []byte, last bool) error) error {
	if s.content != nil {
		return held(s.content[:n], cut, fn)
	}
	if s.copied != nil {
		return blocks(ctx, io.NewSectionReader(s.copied.file, 0, n), n, buf, cut, fn)
	}
	if s.file == nil {
		if err := s.reopen(); err != nil {
			return err
		}
		defer func() { _ = s.file.Close(); s.file = nil }()
	}
	r := k.counted(s.name, io.NewSectionReader(s.file, 0, n))
	return blocks(ctx, r, n, buf, cut, fn)
}

// reopen opens the file again and checks that it is still the same.
func (s *snapshot) reopen() error {
	f, err := s.root.OpenFile(s.name, openFlags, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, s.info) {
		err = errChanged
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	return nil
}

// release gives back what the snapshot holds.
func (s *snapshot) release() {
	if s.file != nil {
		_ = s.file.Close()
	}
	if s.copied != nil {
		s.copied.close()
	}
	s.file, s.copied, s.content = nil, nil, nil
}

// counted reports what is read from r.
func (k *keeper) counted(name string, r io.Reader) io.Reader {
	if k.read == nil {
		return r
	}
	return countingReader{r, name, k.read}
}

type countingReader struct {
	r    io.Reader
	name string
	read func(name string, n int)
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read(c.name, n)
	return n, err
}

// cutter returns how many bytes at the start of b may be handled without
// seeing what follows.
type cutter func(b []byte) int

// cutAtLines ends a block behind a line feed.
func cutAtLines(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

// cutAtRunes ends a block where no UTF-8 sequence is left open.
func cutAtRunes(b []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		if tail := b[len(b)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return len(b) - back
			}
			break
		}
	}
	return len(b)
}

// blocks reads exactly size bytes and hands them to fn in blocks that end where
// cut says; the last block, which may be empty, ends where it ends. *buf is
// used and may be replaced by a bigger one.
func blocks(ctx context.Context, r io.Reader, size int64, buf *[]byte, cut cutter, fn func(block []byte, last bool) error) error {
	if *buf == nil {
		*buf = make([]byte, readBuffer)
	}
	for start, left := 0, size; ; {
		if start == len(*buf) {
			*buf = append(*buf, make([]byte, len(*buf))...)
		}
		n := int(min(left, int64(len(*buf)-start)))
		if _, err := io.ReadFull(r, (*buf)[start:start+n]); err != nil {
			return shrank(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		left -= int64(n)
		block := (*buf)[:start+n]
		if left == 0 {
			return fn(block, true)
		}
		whole := cut(block)
		if whole > 0 {
			if err := fn(block[:whole], false); err != nil {
				return err
			}
		}
		start = copy(*buf, block[whole:])
	}
}

// shrank turns an early end of a file into [errShrank].
func shrank(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShrank
	}
	return err
}

// spool is a private copy of a file that is too big for memory. It has no name
// any more where the system allows that, so that nothing stays behind when the
// process is killed.
type spool struct {
	file *os.File
	err  error
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "agentxchain-export-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // fails on Windows, where close removes it
	return &spool{file: f}, nil
}

// Write implements [io.Writer]. It never fails: without a complete copy the
// file is read again instead.
func (s *spool) Write(p []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.file.Write(p)
	}
	return len(p), nil
}

func (s *spool) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// errChanged says that a file is not what it was when it was counted.
var errChanged = errors.New("changed while it was exported")

// fileError names the governed file that an error is about.
func fileError(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // its path is the same name again
	}
	return fmt.Errorf("%q: %w", name, err)
}

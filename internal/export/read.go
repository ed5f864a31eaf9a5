package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Source is a bundle that can be read at any offset. The reader never holds
// more of it than one window and the values it has to compare.
type Source struct {
	reader  io.ReaderAt
	size    int64
	release func() error
}

// NewSource returns a bundle of size bytes that r holds.
func NewSource(r io.ReaderAt, size int64) *Source {
	return &Source{reader: r, size: size, release: func() error { return nil }}
}

// OpenSource opens a bundle file. What is not a regular file (a pipe, a
// device) is spooled first. The texts of its errors are those that the Node
// CLI prints for a missing file, a folder and a file without read permission.
func OpenSource(path string) (*Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nodeError(err, path)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(nodeError(err, path), f.Close())
	case info.IsDir():
		return nil, errors.Join(errors.New("EISDIR: illegal operation on a directory, read"), f.Close())
	case !info.Mode().IsRegular():
		src, err := SpoolSource(f)
		return src, errors.Join(err, f.Close())
	}
	return &Source{reader: f, size: info.Size(), release: f.Close}, nil
}

// SpoolSource copies a stream, such as standard input, to a temporary file
// that nobody else can name, because verification reads every byte twice. A
// regular file that is redirected to standard input is read in place.
func SpoolSource(r io.Reader) (*Source, error) {
	if src, ok := redirected(r); ok {
		return src, nil
	}
	f, err := os.CreateTemp("", "agentxchain-verify-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file for the bundle: %w", err)
	}
	// Where an open file cannot be removed (Windows), release does it.
	unlinked := os.Remove(f.Name()) == nil
	src := &Source{reader: f, release: func() error {
		err := f.Close()
		if !unlinked {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}}
	if src.size, err = io.Copy(f, r); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read the bundle: %w", err), src.Close())
	}
	return src, nil
}

// redirected recognises `< bundle.json`: a regular file, read from where the
// caller left it. Closing the source leaves the caller's file open.
func redirected(r io.Reader) (*Source, bool) {
	f, ok := r.(*os.File)
	if !ok {
		return nil, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	start, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, false
	}
	size := max(info.Size()-start, 0)
	return NewSource(io.NewSectionReader(f, start, size), size), true
}

// Size returns the length of the bundle in bytes.
func (s *Source) Size() int64 { return s.size }

// Close releases what the source holds open.
func (s *Source) Close() error { return s.release() }

// section returns the bytes from off to end as a stream that stops when ctx does.
func (s *Source) section(ctx context.Context, off, end int64) io.Reader {
	return &sectionReader{ctx: ctx, src: s.reader, off: off, end: end}
}

// sectionReader is an io.SectionReader that heeds a context and treats a
// bundle that became shorter as an error instead of an early end.
type sectionReader struct {
	ctx      context.Context
	src      io.ReaderAt
	off, end int64
}

func (r *sectionReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.off >= r.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.end-r.off)]
	n, err := r.src.ReadAt(p, r.off)
	r.off += int64(n)
	switch {
	case n > 0:
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		return 0, errors.New("the bundle became shorter while it was read")
	}
	return 0, err
}

// nodeError words an error of opening a file as Node does.
func nodeError(err error, path string) error {
	abs, absErr := filepath.Abs(path)
	if absErr != nil {
		abs = path
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("ENOENT: no such file or directory, open '%s'", abs)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("EACCES: permission denied, open '%s'", abs)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("ENOTDIR: not a directory, open '%s'", abs)
	}
	return err
}

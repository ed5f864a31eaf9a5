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

// Source is a bundle that can be read at any offset. Verification never holds
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
// device) is spooled first, as by [SpoolSource]. The texts of its errors are those that the Node
// CLI prints for a missing file, a folder and a file without read permission.
func OpenSource(ctx context.Context, path string) (*Source, error) {
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
		src, err := SpoolSource(ctx, f)
		return src, errors.Join(err, f.Close())
	}
	return &Source{reader: f, size: info.Size(), release: f.Close}, nil
}

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

// interrupted reports whether err says that a context ended.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

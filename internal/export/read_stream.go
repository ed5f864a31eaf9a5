package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// streamLimits say where a stream is kept. Both are in bytes and multiples of
// blockSize.
type streamLimits struct {
	// held is how much is kept in memory before a temporary file is made: most
	// bundles are smaller, and a file costs more than their bytes.
	held int64
	// memory is how much is kept there when no file can be made, as in a
	// container with a read-only disk.
	memory int64
}

// SpoolSource keeps a stream, such as standard input, because verification
// reads every byte twice: up to 8 MiB in memory, more in a temporary file that
// nobody else can name. Where none can be made, up to 256 MiB are kept in
// memory. A regular file that is redirected to standard input is read in place.
//
// When ctx ends, SpoolSource returns its cause at once. A Read of r that is
// under way then goes on in a goroutine until it returns, which for standard
// input may be never: so the caller must not read from r afterwards.
func SpoolSource(ctx context.Context, r io.Reader) (*Source, error) {
	if src, ok := redirected(r); ok {
		return src, nil
	}
	return keepStream(ctx, r, streamLimits{held: 8 << 20, memory: 256 << 20})
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

// keepStream is [SpoolSource] for what is certainly a stream.
func keepStream(ctx context.Context, r io.Reader, limits streamLimits) (*Source, error) {
	stream, stop := interruptible(ctx, r)
	defer stop()
	src, err := keep(stream, limits)
	switch {
	case err == nil:
		return src, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("cannot read the bundle: %w", err)
}

// interruptible returns a stream of what r has that fails with ctx's cause
// when ctx ends, even during a Read of r. The caller has to call stop.
func interruptible(ctx context.Context, r io.Reader) (stream io.Reader, stop func()) {
	out, in := io.Pipe()
	// Nothing can end a blocked Read of standard input, so this goroutine may
	// live until the process ends. Nobody waits for it.
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err) // after a stop nobody is told
	}()
	ignore := context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	return out, func() {
		ignore()
		_ = out.Close() // ends the goroutine when it next has something
	}
}

// keep reads a stream to its end.
func keep(r io.Reader, limits streamLimits) (*Source, error) {
	var h heldStream
	if ended, err := h.fill(r, limits.held); ended || err != nil {
		return NewSource(&h, h.size), err
	}
	f, noFile := os.CreateTemp("", "agentxchain-verify-*")
	if noFile == nil {
		return keepInFile(f, io.MultiReader(io.NewSectionReader(&h, 0, h.size), r))
	}
	ended, err := h.fill(r, limits.memory)
	if err == nil && !ended {
		err = fmt.Errorf("it has %d MiB or more, which needs a temporary file: %w; name the bundle's file instead of piping it",
			limits.memory>>20, noFile)
	}
	return NewSource(&h, h.size), err
}

// keepInFile copies a stream to a temporary file, which the source then owns.
func keepInFile(f *os.File, r io.Reader) (*Source, error) {
	// Where an open file cannot be removed (Windows), release does it.
	unlinked := os.Remove(f.Name()) == nil
	src := &Source{reader: f, release: func() error {
		err := f.Close()
		if !unlinked {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}}
	var err error
	if src.size, err = io.Copy(f, r); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return src, nil
}

// blockSize is the size of a block of a [heldStream], in bytes.
const blockSize = 1 << 20

// heldStream is a stream in memory. In blocks it grows without being copied,
// which would take twice its size and more.
type heldStream struct {
	blocks [][]byte
	size   int64
}

// fill reads until r ends, which it reports, or until limit bytes are held.
func (h *heldStream) fill(r io.Reader, limit int64) (ended bool, err error) {
	for h.size < limit {
		if h.size == int64(len(h.blocks))*blockSize {
			h.blocks = append(h.blocks, make([]byte, blockSize))
		}
		n, err := r.Read(h.blocks[h.size/blockSize][h.size%blockSize:])
		h.size += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return false, nil
}

// ReadAt implements [io.ReaderAt] for offsets that are not negative.
func (h *heldStream) ReadAt(p []byte, off int64) (n int, err error) {
	if left := max(h.size-off, 0); int64(len(p)) > left {
		p, err = p[:left], io.EOF
	}
	for n < len(p) {
		at := off + int64(n)
		n += copy(p[n:], h.blocks[at/blockSize][at%blockSize:])
	}
	return n, err
}

package export

import (
	"context"
	"errors"
	"io"
)

const (
	// windowSize is how many bytes of a stream are held at a time; a smaller
	// stream gets a smaller window.
	windowSize = 256 << 10
	// maxToken is the longest value that is held in memory as a whole: one
	// record of a JSONL file, one string, one key.
	maxToken = 64 << 20
)

// errTooLong is why a cursor stops at a value longer than maxToken.
var errTooLong = errors.New("a single value is longer than 64 MiB")

// cursor is a window that moves over a stream once, forwards.
type cursor struct {
	src io.Reader
	// base is the offset of window[0] in the stream or, for a section of a
	// bundle, in the bundle.
	base int64
	// window is what can be looked at; window[pos] is the next byte.
	window []byte
	pos    int
	// mark, if not negative, is the index of the first byte that must stay
	// in the window when it moves.
	mark int
	// err is why the stream gives no more bytes; io.EOF at its end.
	err error
}

// newCursor returns a cursor over a stream of at most size bytes, whose first
// byte has the offset base.
func newCursor(src io.Reader, base, size int64) cursor {
	return cursor{src: src, base: base, mark: -1, window: make([]byte, 0, max(min(size, windowSize), 16))}
}

// newSection returns a cursor over the bytes from off to end of a bundle.
func (s *Source) newSection(ctx context.Context, off, end int64) cursor {
	return newCursor(s.section(ctx, off, end), off, end-off)
}

// bytesCursor returns a cursor over b, whose first byte has the offset base.
func bytesCursor(b []byte, base int64) cursor {
	return cursor{base: base, mark: -1, window: b, err: io.EOF}
}

// offset returns where the next byte lies.
func (c *cursor) offset() int64 { return c.base + int64(c.pos) }

// peek returns the next byte, or -1 when there is none.
func (c *cursor) peek() int {
	if c.pos < len(c.window) {
		return int(c.window[c.pos])
	}
	return c.peekMore()
}

func (c *cursor) peekMore() int {
	if !c.more() {
		return -1
	}
	return int(c.window[c.pos])
}

// need reports whether at least n bytes can be looked at.
func (c *cursor) need(n int) bool {
	for len(c.window)-c.pos < n {
		if !c.more() {
			return false
		}
	}
	return true
}

// more moves the window on, so that it holds at least one more byte. It
// reports false at the end and after a fault; c.err tells which.
func (c *cursor) more() bool {
	if c.err != nil {
		return false
	}
	keep := c.pos
	if c.mark >= 0 {
		keep, c.mark = c.mark, 0
	}
	held := copy(c.window, c.window[keep:])
	c.base, c.pos = c.base+int64(keep), c.pos-keep
	c.window = c.window[:held]
	if held == cap(c.window) && !c.grow() {
		return false
	}
	for c.err == nil {
		n, err := c.src.Read(c.window[held:cap(c.window)])
		c.window, c.err = c.window[:held+n], err
		if n > 0 {
			return true
		}
	}
	return false
}

// grow doubles the window, which is full of bytes that must stay.
func (c *cursor) grow() bool {
	if cap(c.window) >= maxToken {
		c.err = errTooLong
		return false
	}
	larger := make([]byte, len(c.window), 2*cap(c.window))
	copy(larger, c.window)
	c.window = larger
	return true
}

// fault returns why reading stopped before the end, if it did.
func (c *cursor) fault() error {
	if errors.Is(c.err, io.EOF) {
		return nil
	}
	return c.err
}

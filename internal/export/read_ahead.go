package export

import "io"

// aheadSize is the size of one of the two buffers of a [readAhead], and the
// size of a stream from which on a second goroutine is worth its start.
const aheadSize = 256 << 10

// readAhead reads a stream in a goroutine, up to two buffers ahead: a large
// file is decoded and hashed while what came before is compared. What the
// stream keeps track of may be looked at once Read has returned an error.
type readAhead struct {
	src io.Reader
	// full carries buffers to Read, empty carries them back; both are nil for
	// a small stream, which is read directly.
	full  chan chunk
	empty chan []byte
	// chunk is what Read hands out.
	chunk
	left []byte
}

// chunk is the outcome of one Read.
type chunk struct {
	buffer []byte
	n      int
	err    error
}

// newReadAhead starts to read a stream of about size bytes. The caller has to
// call stop.
func newReadAhead(src io.Reader, size int64) *readAhead {
	r := &readAhead{src: src}
	if size < aheadSize {
		return r
	}
	r.full, r.empty = make(chan chunk, 2), make(chan []byte, 2)
	for range 2 {
		r.empty <- make([]byte, aheadSize)
	}
	go r.run()
	return r
}

// run fills buffers until the stream ends or empty is closed.
func (r *readAhead) run() {
	defer close(r.full)
	for buffer := range r.empty {
		c := chunk{buffer: buffer}
		// Whole buffers make fewer handovers.
		for c.n < len(buffer) && c.err == nil {
			var n int
			n, c.err = r.src.Read(buffer[c.n:])
			c.n += n
		}
		r.full <- c
		if c.err != nil {
			return
		}
	}
}

// Read implements io.Reader.
func (r *readAhead) Read(p []byte) (int, error) {
	if r.full == nil {
		return r.src.Read(p)
	}
	for len(r.left) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.buffer != nil {
			r.empty <- r.buffer
		}
		r.chunk = <-r.full
		r.left = r.buffer[:r.n]
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// stop ends the goroutine and waits for it.
func (r *readAhead) stop() {
	if r.full == nil {
		return
	}
	close(r.empty)
	for range r.full {
	}
}

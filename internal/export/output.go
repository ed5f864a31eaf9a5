package export

import (
	"io"

	"agentxchain/internal/ecmajson"
)

// output is where a bundle goes: a stream, or a file in which a region of
// known length can be filled later, while writing goes on behind it. The first
// error sticks and is reported by flush.
type output struct {
	stream io.Writer
	file   bundleFile
	// at is the offset of buf's first byte.
	at  int64
	buf []byte
	// pushed is up to where the system was asked to write to the disk.
	pushed int64
	err    error
}

// bundleFile is what a bundle is written to when it is not a stream.
type bundleFile interface {
	io.WriterAt
	// push starts, without waiting, what a later sync would have to do.
	push(offset, n int64)
}

// pushEvery is after how many bytes the disk is set to work. Syncing a big
// bundle at the end alone would take as long again as making it.
const pushEvery = 8 << 20

// outputBuffer is how many bytes are gathered before they are written.
const outputBuffer = 256 << 10

func newOutput(stream io.Writer, file bundleFile) *output {
	return &output{stream: stream, file: file, buf: make([]byte, 0, outputBuffer)}
}

// position is the offset of the next byte.
func (o *output) position() int64 { return o.at + int64(len(o.buf)) }

// Write implements [io.Writer]; it never fails before flush.
func (o *output) Write(p []byte) (int, error) {
	if len(o.buf)+len(p) > cap(o.buf) {
		o.drain()
	}
	if len(p) >= cap(o.buf) {
		o.put(p)
	} else {
		o.buf = append(o.buf, p...)
	}
	return len(p), nil
}

func (o *output) text(s string) {
	if len(o.buf)+len(s) <= cap(o.buf) {
		o.buf = append(o.buf, s...)
		return
	}
	_, _ = o.Write([]byte(s))
}

// drain hands the buffer over.
func (o *output) drain() {
	o.put(o.buf)
	o.buf = o.buf[:0]
}

func (o *output) put(p []byte) {
	if o.err == nil && len(p) > 0 {
		if o.file != nil {
			_, o.err = o.file.WriteAt(p, o.at)
		} else {
			_, o.err = o.stream.Write(p)
		}
	}
	o.at += int64(len(p))
	if o.file != nil && o.at-o.pushed >= pushEvery {
		o.file.push(o.pushed, o.at-o.pushed)
		o.pushed = o.at
	}
}

// flush writes what is buffered and returns the first error.
func (o *output) flush() error {
	o.drain()
	return o.err
}

// region sets n bytes aside at the current position and returns an output for
// exactly them; o continues behind.
func (o *output) region(n int64, buf []byte) *output {
	o.drain()
	r := &output{file: o.file, at: o.at, pushed: o.at, buf: buf[:0]}
	o.at += n
	o.pushed = o.at
	return r
}

// document writes one JSON document to an output, member by member, compact or
// indented by two spaces.
type document struct {
	*output
	pretty bool
	// empty has one element per open container: nothing was written in it yet.
	empty []bool
}

// next begins a new element of the innermost container.
func (d *document) next() {
	if n := len(d.empty); n > 0 {
		if !d.empty[n-1] {
			d.text(",")
		}
		d.empty[n-1] = false
		d.newline()
	}
}

func (d *document) newline() {
	if d.pretty {
		d.text("\n")
		d.text(d.indentation())
	}
}

func (d *document) indentation() string {
	const blanks = "                " // eight levels, more than a bundle has
	return blanks[:min(2*len(d.empty), len(blanks))]
}

// key begins a member; its value must follow.
func (d *document) key(name string) {
	d.next()
	_, _ = d.Write(ecmajson.AppendString(nil, name))
	if d.pretty {
		d.text(": ")
	} else {
		d.text(":")
	}
}

func (d *document) open(bracket string) {
	d.text(bracket)
	d.empty = append(d.empty, true)
}

func (d *document) close(bracket string) {
	last := len(d.empty) - 1
	empty := d.empty[last]
	d.empty = d.empty[:last]
	if !empty {
		d.newline()
	}
	d.text(bracket)
}

// value writes a value, indented like the rest.
func (d *document) value(v *ecmajson.Value) {
	if d.pretty {
		_, _ = d.Write(ecmajson.AppendIndent(nil, v, d.indentation()))
		return
	}
	_, _ = d.Write(ecmajson.Append(nil, v))
}

// member writes a key and its value; a nil value is left out.
func (d *document) member(name string, v *ecmajson.Value) {
	if v != nil {
		d.key(name)
		d.value(v)
	}
}

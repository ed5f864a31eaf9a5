package export

import (
	"encoding/base64"
	"encoding/binary"
)

// base64Pairs maps 12 bits to their two characters, as a little-endian word.
type base64Pairs [1 << 12]uint16

func newBase64Pairs() *base64Pairs {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	t := new(base64Pairs)
	for i := range t {
		t[i] = uint16(alphabet[i>>6]) | uint16(alphabet[i&63])<<8
	}
	return t
}

// encode writes the whole groups of three bytes in src to dst, which must have
// room for four thirds of them. Twelve bits at a time it is twice as fast as
// the standard library's six.
func (t *base64Pairs) encode(dst, src []byte) {
	for ; len(src) >= 8 && len(dst) >= 8; src, dst = src[6:], dst[8:] {
		w := binary.BigEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, uint64(t[w>>52])|uint64(t[w>>40&0xFFF])<<16|
			uint64(t[w>>28&0xFFF])<<32|uint64(t[w>>16&0xFFF])<<48)
	}
	base64.StdEncoding.Encode(dst, src[:len(src)/3*3])
}

// base64Writer encodes to o what is written to it; close adds the last group.
type base64Writer struct {
	o       *output
	pairs   *base64Pairs
	carry   [3]byte
	carried int
}

// Write implements [io.Writer]; errors stay with the output.
func (w *base64Writer) Write(p []byte) (int, error) {
	n := len(p)
	if w.carried > 0 {
		more := copy(w.carry[w.carried:], p)
		w.carried, p = w.carried+more, p[more:]
		if w.carried < len(w.carry) {
			return n, nil
		}
		w.encode(w.carry[:])
	}
	whole := len(p) / 3 * 3
	w.encode(p[:whole])
	w.carried = copy(w.carry[:], p[whole:])
	return n, nil
}

// encode writes whole groups, as many at a time as the buffer has room for.
func (w *base64Writer) encode(p []byte) {
	for len(p) > 0 {
		used := len(w.o.buf)
		n := min((cap(w.o.buf)-used)/4*3, len(p))
		if n == 0 {
			w.o.drain()
			continue
		}
		w.o.buf = w.o.buf[:used+n/3*4]
		w.pairs.encode(w.o.buf[used:], p[:n])
		p = p[n:]
	}
}

func (w *base64Writer) close() {
	w.o.text(base64.StdEncoding.EncodeToString(w.carry[:w.carried]))
	w.carried = 0
}

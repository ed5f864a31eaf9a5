package export

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// minRoom is how many bytes the decoders below need room for at least.
const minRoom = 16

// roomy lets a decoder that needs room for minRoom bytes fill any buffer.
type roomy struct {
	decode io.Reader
	store  [64]byte
	left   []byte
}

// Read fills p, which must not be empty.
func (r *roomy) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		if len(p) >= minRoom {
			return r.decode.Read(p)
		}
		n, err := r.decode.Read(r.store[:])
		if r.left = r.store[:n]; n == 0 {
			return 0, err
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// decoded is the decoded content of a file entry, measured as it is read.
type decoded struct {
	from   roomy
	base64 *base64Reader
	sum    hash.Hash
	// size is how many bytes were read.
	size int64
}

// newDecoded returns the content that the base64 text inside sp, a JSON
// string, stands for.
func (s *Source) newDecoded(ctx context.Context, sp span) *decoded {
	b := &base64Reader{text: s.newSection(ctx, sp.off+1, sp.end-1)}
	return &decoded{from: roomy{decode: b}, base64: b, sum: sha256.New()}
}

// Read decodes into p and hashes what it decoded.
func (c *decoded) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.sum.Write(p[:n])
	c.size += int64(n)
	return n, err
}

// maxSize returns an upper bound for the size of the content in sp.
func maxSize(sp span) int64 { return (sp.end - sp.off) / 4 * 3 }

// lineReader cuts a stream into JSONL lines.
type lineReader struct{ cursor }

// next returns the next line without its line feed and without one carriage
// return before that; the bytes are valid until the next call. It returns
// false at the end.
func (r *lineReader) next() ([]byte, bool, error) {
	r.mark = r.pos
	defer func() { r.mark = -1 }()
	for {
		k := bytes.IndexByte(r.window[r.pos:], '\n')
		if k >= 0 {
			line := r.window[r.mark : r.pos+k]
			r.pos += k + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), true, nil
		}
		r.pos = len(r.window)
		if !r.more() {
			break
		}
	}
	line := r.window[r.mark:r.pos]
	return bytes.TrimSuffix(line, []byte{'\r'}), len(line) > 0, r.fault()
}

// base64Reader decodes the base64 text of a JSON string as Node's Buffer does:
// characters outside the alphabet are skipped, '-' and '_' stand for '+' and
// '/', padding is optional, and the first '=' ends the text. A character
// beyond U+00FF counts as its low byte, which is what Node's decoder for
// two-byte strings sees.
type base64Reader struct {
	text cursor // the inside of the JSON string
	// group holds the bits of an unfinished group of four characters.
	group uint32
	bits  int
	// chars counts the characters of the alphabet, pads the '=' after them.
	chars, pads int64
	ended       bool
	// lenient is set once the text is not canonical (RFC 4648, section 4).
	lenient bool
}

// Read decodes as much as fits into p, which must have room for minRoom bytes.
func (r *base64Reader) Read(p []byte) (int, error) {
	for {
		if r.text.peek() < 0 {
			return 0, r.finish()
		}
		n := r.fast(p)
		if n == 0 {
			n = r.slow(p)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// finish judges what is left at the end and returns the reader's last error.
func (r *base64Reader) finish() error {
	if err := r.text.fault(); err != nil {
		return err
	}
	spare := r.group & (1<<r.bits - 1)
	if (r.chars+r.pads)%4 != 0 || r.pads > 2 || r.bits == 6 || spare != 0 {
		r.lenient = true
	}
	return io.EOF
}

// fast decodes whole groups of four characters with the standard library, or
// nothing when the text is not that simple. RawStdEncoding knows no '=' and no
// backslash, and line ends cannot stand in a JSON string.
func (r *base64Reader) fast(p []byte) int {
	if r.bits != 0 || r.ended {
		return 0
	}
	chunk := r.text.window[r.text.pos:]
	k := min(len(chunk), len(p)/3*4) &^ 3
	n, err := base64.RawStdEncoding.Decode(p, chunk[:k])
	if err != nil {
		// Up to the fault the groups are good.
		var at base64.CorruptInputError
		if !errors.As(err, &at) {
			return 0
		}
		k = int(at) &^ 3
		n = k / 4 * 3
	}
	r.text.pos += k
	r.chars += int64(k)
	return n
}

// slow decodes character by character until a group is complete and nothing
// stands in the way of fast, or p is full.
func (r *base64Reader) slow(p []byte) int {
	n := 0
	for n+2 <= len(p) && r.text.peek() >= 0 {
		ch, size := nextRune(&r.text)
		r.text.pos += size
		if high, low := utf16.EncodeRune(ch); low != utf8.RuneError {
			n += r.put(high, p[n:])
			ch = low
		}
		n += r.put(ch, p[n:])
		if r.bits == 0 && n > 0 {
			break
		}
	}
	return n
}

// put takes one UTF-16 code unit and stores a byte in p when one is complete.
func (r *base64Reader) put(unit rune, p []byte) int {
	v, known := sextet(byte(unit))
	switch {
	case byte(unit) == '=' && !r.ended:
		r.ended = true
		fallthrough
	case unit == '=':
		r.pads++
		r.lenient = r.lenient || unit != '='
		return 0
	case !known || r.ended:
		r.lenient = true
		return 0
	}
	r.lenient = r.lenient || unit > 0xFF || unit == '-' || unit == '_'
	r.chars++
	r.group, r.bits = r.group<<6|uint32(v), r.bits+6
	if r.bits < 8 {
		return 0
	}
	r.bits -= 8
	p[0] = byte(r.group >> r.bits)
	return 1
}

func sextet(c byte) (byte, bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A', true
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26, true
	case c >= '0' && c <= '9':
		return c - '0' + 52, true
	case c == '+' || c == '-':
		return 62, true
	case c == '/' || c == '_':
		return 63, true
	}
	return 0, false
}

// nextRune decodes the character that comes next inside a JSON string, whose
// escapes are known to be well-formed, and returns how many bytes it takes. A
// surrogate escape is returned as that surrogate.
func nextRune(c *cursor) (rune, int) {
	if c.window[c.pos] != '\\' {
		c.need(utf8.UTFMax)
		return ecmajson.DecodeRune(c.window[c.pos:])
	}
	if !c.need(2) {
		return utf8.RuneError, 1
	}
	switch e := c.window[c.pos+1]; e {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		if !c.need(6) {
			return utf8.RuneError, 2
		}
		return hexRune(c.window[c.pos+2 : c.pos+6]), 6
	default:
		return rune(e), 2
	}
}

// hexRune returns the number that four hexadecimal digits stand for.
func hexRune(digits []byte) rune {
	n := rune(0)
	for _, c := range digits {
		if c > '9' {
			c = c&0x0F + 9 // 'A' and 'a' are 1 modulo 16
		}
		n = n<<4 | rune(c&0x0F)
	}
	return n
}

// stringReader decodes the inside of a JSON string to WTF-8.
type stringReader struct{ text cursor }

// Read fills p, which must have room for minRoom bytes.
func (r *stringReader) Read(p []byte) (int, error) {
	n := 0
	for n+minRoom <= len(p) {
		if r.text.peek() < 0 {
			if n == 0 {
				return 0, cmp.Or(r.text.fault(), io.EOF)
			}
			break
		}
		if k := r.ascii(p[n:]); k > 0 {
			n += k
			continue
		}
		ch, size := nextRune(&r.text)
		r.text.pos += size
		n += len(appendRune(p[n:n], r.joined(ch)))
	}
	return n, nil
}

// ascii copies what needs no decoding.
func (r *stringReader) ascii(p []byte) int {
	from := r.text.window[r.text.pos:]
	from = from[:min(len(from), len(p))]
	k := 0
	for k < len(from) && from[k] < utf8.RuneSelf && from[k] != '\\' {
		k++
	}
	r.text.pos += copy(p, from[:k])
	return k
}

// joined returns the character that a high surrogate escape makes with a low
// one that follows it, and consumes that; any other character stays as it is.
func (r *stringReader) joined(high rune) rune {
	if high < 0xD800 || high > 0xDBFF || !r.text.need(6) || r.text.window[r.text.pos] != '\\' {
		return high
	}
	low, size := nextRune(&r.text)
	if whole := utf16.DecodeRune(high, low); whole != utf8.RuneError {
		r.text.pos += size
		return whole
	}
	return high
}

// appendRune is utf8.AppendRune that keeps surrogates (WTF-8).
func appendRune(b []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(b, 0xED, 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(b, r)
}

// textReader turns bytes into text as Node reads a file: what is not UTF-8
// becomes U+FFFD.
type textReader struct{ bytes cursor }

// Read fills p, which must have room for minRoom bytes.
func (r *textReader) Read(p []byte) (int, error) {
	n := 0
	for n+minRoom <= len(p) {
		if r.bytes.peek() < 0 {
			if n == 0 {
				return 0, cmp.Or(r.bytes.fault(), io.EOF)
			}
			break
		}
		from := r.bytes.window[r.bytes.pos:]
		if k := asciiPrefix(from[:min(len(from), len(p)-n)]); k > 0 {
			n += copy(p[n:], from[:k])
			r.bytes.pos += k
			continue
		}
		r.bytes.need(utf8.UTFMax)
		ch, size := ecmajson.DecodeRune(r.bytes.window[r.bytes.pos:])
		r.bytes.pos += size
		n += utf8.EncodeRune(p[n:], ch)
	}
	return n, nil
}

// asciiPrefix returns how many bytes at the start of b are ASCII.
func asciiPrefix(b []byte) int {
	i := 0
	for ; i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 == 0; i += 8 {
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

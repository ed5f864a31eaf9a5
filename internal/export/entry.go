package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// The formats of an entry (contract, section 6.3).
const (
	formatJSON  = "json"
	formatJSONL = "jsonl"
	formatText  = "text"
)

// entry is one file of a bundle, counted and hashed, ready to be written.
type entry struct {
	// key is the path in the bundle: relative, with slashes, UTF-8.
	key    string
	format string
	// size counts the bytes that are exported; a torn tail is not among them.
	size int64
	// sum is the SHA-256 of those bytes, in lower-case hex. It is empty until
	// writing when the file is read once more then anyway.
	sum string
	// check is a checksum of those bytes that tells whether they are still
	// the same when they are read again.
	check uint32
	// records counts the elements of data of a JSONL file.
	records int64
	// foreign lists the first lines of a JSONL file that are not JSON, by
	// physical number; foreignLines counts them all.
	foreign      []int64
	foreignLines int64
	// tail is the unfinished last line of the audit.
	tail []byte
	// broken says that a .json file is not JSON, so its format is text.
	broken bool
	src    *snapshot
}

// maxForeignListed is how many foreign lines are listed by number.
const maxForeignListed = 20

// reader reads governed files into entries and writes entries into documents.
// Its buffers are shared by all files of a bundle.
type reader struct {
	ctx       context.Context
	keeper    keeper
	validator validator
	buf       []byte
	region    []byte
	pairs     *base64Pairs
}

// survey says how one file is read.
type survey struct {
	// name is the file's path below root, key its path in the bundle.
	name, key string
	// hold keeps the content in memory whatever its size.
	hold bool
	// audit is set for the notification audit: it is opened between two
	// appends, and an unfinished last line is left out.
	audit bool
	// record, if set, is called with every JSONL record in order; restart,
	// if set, before the first one, and again when reading starts anew.
	record  func(line []byte) error
	restart func()
}

// surveyAttempts is how often a file that is being rewritten is read before
// its export fails.
const surveyAttempts = 3

// read takes a snapshot of one file and reads it once: hash, format, records.
func (r *reader) read(root *os.Root, s survey) (*entry, error) {
	err := r.ctx.Err()
	for range surveyAttempts {
		if err != nil && !errors.Is(err, errShrank) {
			break
		}
		var src *snapshot
		if src, err = r.keeper.take(r.ctx, root, s.name, s.audit); err != nil {
			break
		}
		if s.restart != nil {
			s.restart()
		}
		var e *entry
		if e, err = r.examine(src, s); err == nil {
			return e, nil
		}
		src.release()
	}
	return nil, fileError(s.name, err)
}

func (r *reader) examine(src *snapshot, s survey) (*entry, error) {
	e := &entry{key: s.key, format: formatText, src: src, size: src.size}
	sum := r.newDigest(!r.keeper.later(src, s.hold))
	cut, check := cutAtRunes, func([]byte, bool) (int, error) { return 0, nil }
	switch {
	case strings.HasSuffix(s.key, ".jsonl"):
		e.format, cut, check = formatJSONL, cutAtLines, r.lineChecker(e, s)
	case strings.HasSuffix(s.key, ".json"):
		e.format = formatJSON
		r.validator.reset()
		check = r.documentChecker(e)
	}
	err := r.keeper.first(r.ctx, src, s.hold, &r.buf, cut, func(block []byte, last bool) error {
		leftOut, err := check(block, last)
		sum.add(block[:len(block)-leftOut])
		return err
	})
	e.size -= int64(len(e.tail))
	e.sum, e.check = sum.hex(), sum.check
	return e, err
}

// digest hashes a file: for the bundle, and cheaply to recognise the file.
type digest struct {
	sha   hash.Hash
	table *crc32.Table
	check uint32
}

func (r *reader) newDigest(withSHA bool) *digest {
	d := &digest{table: crc32.MakeTable(crc32.Castagnoli)}
	if withSHA {
		d.sha = sha256.New()
	}
	return d
}

func (d *digest) add(b []byte) {
	if d.sha != nil {
		d.sha.Write(b)
	}
	d.check = crc32.Update(d.check, d.table, b)
}

// hex returns the SHA-256, or nothing when it was not asked for.
func (d *digest) hex() string {
	if d.sha == nil {
		return ""
	}
	return hex.EncodeToString(d.sha.Sum(nil))
}

// documentChecker checks a .json file. One that is not JSON is exported as
// text: its bytes are evidence all the same.
func (r *reader) documentChecker(e *entry) func(block []byte, last bool) (int, error) {
	return func(block []byte, last bool) (int, error) {
		r.validator.feed(block)
		if last && !r.validator.complete() {
			e.format, e.broken = formatText, true
		}
		return 0, nil
	}
}

// lineChecker checks the records of a JSONL file. It returns how many bytes at
// the end of a block do not belong to the entry.
func (r *reader) lineChecker(e *entry, s survey) func(block []byte, last bool) (int, error) {
	number := int64(0)
	return func(block []byte, _ bool) (int, error) {
		for rest := block; len(rest) > 0; {
			line, after, terminated := cutLine(rest)
			number++
			switch {
			case ecmajson.IsBlank(line):
			case r.validator.valid(line):
				e.records++
				if s.record != nil {
					if err := s.record(line); err != nil {
						return 0, err
					}
				}
			case s.audit && !terminated:
				e.tail = bytes.Clone(rest)
				return len(rest), nil
			default:
				e.addForeign(number)
			}
			rest = after
		}
		return 0, nil
	}
}

func (e *entry) addForeign(line int64) {
	e.foreignLines++
	if len(e.foreign) < maxForeignListed {
		e.foreign = append(e.foreign, line)
	}
}

// write writes the entry as a member of the files object.
func (r *reader) write(d *document, e *entry) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	d.key(e.key)
	d.open("{")
	d.member("format", ecmajson.NewString(e.format))
	err := r.writeContent(d, e, r.dataWriter(d, e))
	d.close("}")
	return err
}

// writeContent writes bytes, sha256, content_base64 and, through data, the key
// data. Into a file all of them are written side by side, so that the content
// is read once; into a stream one after the other.
func (r *reader) writeContent(d *document, e *entry, data *dataWriter) error {
	d.member("bytes", ecmajson.NewInt(e.size))
	d.key("sha256")
	if e.sum == "" {
		return r.writeSideBySide(d, e, data)
	}
	d.value(ecmajson.NewString(e.sum))
	d.key("content_base64")
	d.text(`"`)
	err := r.copyContent(e, copies{encoder: &base64Writer{o: d.output, pairs: r.base64()}})
	d.text(`"`)
	if err != nil || data == nil {
		return err
	}
	data.begin()
	return r.copyContent(e, copies{data: data})
}

// writeSideBySide leaves room for the hash and for content_base64, whose
// lengths are known, and writes data behind them while it fills both.
func (r *reader) writeSideBySide(d *document, e *entry, data *dataWriter) error {
	sum := r.newDigest(true)
	d.text(`"`)
	hashed := d.region(int64(hex.EncodedLen(sha256.Size)), make([]byte, 0, hex.EncodedLen(sha256.Size)))
	d.text(`"`)
	d.key("content_base64")
	d.text(`"`)
	encoded := d.region((e.size+2)/3*4, r.regionBuffer())
	d.text(`"`)
	if data != nil {
		data.begin()
	}
	err := r.copyContent(e, copies{sum: sum, encoder: &base64Writer{o: encoded, pairs: r.base64()}, data: data})
	hashed.text(sum.hex())
	return errors.Join(err, encoded.flush(), hashed.flush())
}

func (r *reader) regionBuffer() []byte {
	if r.region == nil {
		r.region = make([]byte, 0, outputBuffer)
	}
	return r.region
}

func (r *reader) base64() *base64Pairs {
	if r.pairs == nil {
		r.pairs = newBase64Pairs()
	}
	return r.pairs
}

// copies says what a content is written to; each may be nil.
type copies struct {
	sum     *digest
	encoder *base64Writer
	data    *dataWriter
}

// copyContent reads the content again and makes sure that it is still what was
// counted.
func (r *reader) copyContent(e *entry, to copies) error {
	cut := cutAtRunes
	if e.format == formatJSONL {
		cut = cutAtLines
	}
	if to.sum == nil {
		to.sum = r.newDigest(false)
	}
	err := r.keeper.again(r.ctx, e.src, e.size, &r.buf, cut, func(block []byte, _ bool) error {
		// Encoding and writing base64 is half of the work, and needs nothing
		// of the other half but the block.
		var encoding sync.WaitGroup
		if to.encoder != nil {
			encoding.Go(func() { _, _ = to.encoder.Write(block) })
		}
		to.sum.add(block)
		if to.data != nil {
			to.data.add(block)
		}
		encoding.Wait()
		return nil
	})
	if err == nil && to.sum.check != e.check {
		err = errChanged
	}
	if err != nil {
		return fileError(e.src.name, err)
	}
	if to.encoder != nil {
		to.encoder.close()
	}
	if to.data != nil {
		to.data.end()
	}
	return nil
}

// dataWriter writes the key data: begin, add for each block, end.
type dataWriter struct {
	begin func()
	add   func(block []byte)
	end   func()
}

func (r *reader) dataWriter(d *document, e *entry) *dataWriter {
	switch e.format {
	case formatJSONL:
		return r.recordsWriter(d, e)
	case formatJSON:
		return jsonWriter(d)
	}
	return textWriter(d)
}

// recordsWriter writes the records of a JSONL file as they are, byte for byte,
// which a verifier can compare without parsing; lines that are not JSON are
// left out.
func (r *reader) recordsWriter(d *document, e *entry) *dataWriter {
	return &dataWriter{
		begin: func() { d.key("data"); d.open("[") },
		add: func(block []byte) {
			for len(block) > 0 {
				var line []byte
				line, block, _ = cutLine(block)
				if ecmajson.IsBlank(line) || e.foreignLines > 0 && !r.validator.valid(line) {
					continue
				}
				d.next()
				d.jsonText(bytes.Trim(line, " \t\r"))
			}
		},
		end: func() { d.close("]") },
	}
}

// jsonText writes text that is JSON once bytes that are not UTF-8 are replaced.
func (d *document) jsonText(b []byte) {
	if utf8.Valid(b) {
		_, _ = d.Write(b)
		return
	}
	d.text(ecmajson.DecodeText(b))
}

// jsonWriter writes a .json file without the white space between its tokens.
func jsonWriter(d *document) *dataWriter {
	inString, escaped := false, false
	return &dataWriter{
		begin: func() { d.key("data") },
		add: func(block []byte) {
			start := 0
			for i, c := range block {
				switch {
				case escaped:
					escaped = false
				case inString:
					escaped, inString = c == '\\', c != '"'
				case c == '"':
					inString = true
				case c == ' ', c == '\n', c == '\t', c == '\r':
					d.jsonText(block[start:i])
					start = i + 1
				}
			}
			d.jsonText(block[start:])
		},
		end: func() {},
	}
}

// textWriter writes the content as one string.
func textWriter(d *document) *dataWriter {
	var buf []byte
	return &dataWriter{
		begin: func() { d.key("data"); d.text(`"`) },
		add: func(block []byte) {
			buf = ecmajson.AppendString(buf[:0], ecmajson.DecodeText(block))
			_, _ = d.Write(buf[1 : len(buf)-1])
		},
		end: func() { d.text(`"`) },
	}
}

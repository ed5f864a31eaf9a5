package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
)

// readBuffer is how much a [Reader] asks for at a time, in bytes.
const readBuffer = 64 << 10

// RawLine is one line as it stands in the file, whoever wrote it.
type RawLine struct {
	// Offset is where the line begins, in bytes from the start of the file.
	Offset int64
	// Bytes are the line without its newline. They are valid until the next
	// call of [Reader.Next].
	Bytes []byte
}

// isObject reports whether b is one JSON object.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{' && json.Valid(b)
}

// Entry returns the line's fields. It is false when the line is no JSON
// object; a field that is missing or of another type is zero, because other
// programs and other versions write to the same file.
func (l RawLine) Entry() (Entry, bool) {
	v, err := ecmajson.Parse(l.Bytes, ecmajson.Options{})
	if err != nil || !v.Is(ecmajson.Object) {
		return Entry{}, false
	}
	return Entry{
		EventID:      v.Get("event_id").Str(),
		EventType:    v.Get("event_type").Str(),
		Name:         v.Get("notification_name").Str(),
		Transport:    v.Get("transport").Str(),
		Delivered:    v.Get("delivered").True(),
		StatusCode:   integer(v.Get("status_code")),
		TimedOut:     v.Get("timed_out").True(),
		DurationMS:   integer(v.Get("duration_ms")),
		Message:      v.Get("message").Str(),
		EmittedAt:    v.Get("emitted_at").Str(),
		AttemptedAt:  v.Get("attempted_at").Str(),
		RunID:        v.Get("run_id").Str(),
		Attempt:      integer(v.Get("attempt")),
		Reason:       delivery.Reason(v.Get("reason").Str()),
		Phase:        delivery.Phase(v.Get("phase").Str()),
		BodySHA256:   v.Get("body_sha256").Str(),
		TargetID:     v.Get("target_id").Str(),
		FallbackBody: v.Get("fallback_body").True(),
	}, true
}

// integer returns a number that is an integer a float64 holds exactly, else 0.
func integer(v *ecmajson.Value) int {
	const exact = 1 << 53
	if n := v.Num(); n >= -exact && n <= exact && n == float64(int(n)) {
		return int(n)
	}
	return 0
}

// Entry is one audit line, decoded. Lines of the Node CLI have the fields up
// to EmittedAt; the others are zero there. Times are kept as they are written.
type Entry struct {
	EventID, EventType string
	// Name is the target's name ("notification_name").
	Name      string
	Transport string
	Delivered bool
	// StatusCode is 0 where the line says null.
	StatusCode int
	TimedOut   bool
	DurationMS int
	Message    string
	EmittedAt  string

	AttemptedAt string
	RunID       string
	// Attempt counts from 1; 0 in lines that are not ours.
	Attempt      int
	Reason       delivery.Reason
	Phase        delivery.Phase
	BodySHA256   string
	TargetID     string
	FallbackBody bool
}

// Reader iterates over the complete lines of an audit file. It holds one
// buffer and the longest line, however long the file is.
type Reader struct {
	src    *bufio.Reader
	long   []byte
	offset int64
	torn   []byte
	err    error
}

// NewReader reads lines from src, whose first byte stands at offset of the file.
func NewReader(src io.Reader, offset int64) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, readBuffer), offset: offset}
}

// Next returns the next complete line, [io.EOF] after the last one, or the
// error of the source. A tail without a newline is no line: see [Reader.Torn].
func (r *Reader) Next() (RawLine, error) {
	if r.err != nil {
		return RawLine{}, r.err
	}
	r.long = r.long[:0]
	for {
		part, err := r.src.ReadSlice('\n')
		if err == nil && len(r.long) == 0 {
			return r.line(part), nil
		}
		r.long = append(r.long, part...)
		switch {
		case err == nil:
			return r.line(r.long), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			r.torn, r.err = r.long, err
			return RawLine{}, err
		}
	}
}

func (r *Reader) line(b []byte) RawLine {
	l := RawLine{Offset: r.offset, Bytes: b[:len(b)-1]}
	r.offset += int64(len(b))
	return l
}

// Torn returns what follows the last newline, once Next has returned
// [io.EOF]: a line that is still being written, or one whose writer died. It
// is false when the file ends as it should.
func (r *Reader) Torn() (RawLine, bool) {
	return RawLine{Offset: r.offset, Bytes: r.torn}, len(r.torn) > 0
}

// Offset returns where the line after the last one returned begins. A
// follower reads on from there.
func (r *Reader) Offset() int64 { return r.offset }

// Recorded returns which of keys have a line at or after the byte offset
// from, with the reason that the line gives. It reads from the start when the
// file is shorter than from (somebody replaced it), and finds nothing when
// there is no file. Lines that are not ours are passed over.
func (l *Log) Recorded(from int64, keys []delivery.AttemptKey) (map[delivery.AttemptKey]delivery.Reason, error) {
	found := make(map[delivery.AttemptKey]delivery.Reason)
	if len(keys) == 0 {
		return found, nil
	}
	f, size, err := l.openToRead()
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if from < 0 || from > size {
		from = 0
	}
	wanted := make(map[delivery.AttemptKey]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	r := NewReader(io.NewSectionReader(f, from, size-from), from)
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, l.wrap("read", err)
		}
		if k, reason, ok := line.attempt(); ok && wanted[k] {
			found[k] = reason
		}
	}
}

// attempt returns the attempt that a line of ours records. The look for the
// key spares parsing what others wrote, which may be long.
func (l RawLine) attempt() (delivery.AttemptKey, delivery.Reason, bool) {
	if !bytes.Contains(l.Bytes, []byte(`"target_id":`)) {
		return delivery.AttemptKey{}, "", false
	}
	e, ok := l.Entry()
	return delivery.AttemptKey{EventID: e.EventID, TargetID: e.TargetID, Attempt: e.Attempt}, e.Reason, ok
}

// openToRead opens the file for reading and returns its size.
func (l *Log) openToRead() (*os.File, int64, error) {
	if _, err := lookAt(l.path); err != nil {
		return nil, 0, l.wrap("read", err)
	}
	f, err := os.OpenFile(l.path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, 0, l.wrap("read", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(l.wrap("read", err), f.Close())
	}
	return f, info.Size(), nil
}

// lookAt returns what stands at path, and an error when that is anything but
// a regular file: evidence written through a symbolic link could land in any
// file of the user's, and a repair would overwrite it.
func lookAt(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is %s, not a regular file; move it away", kindOf(info.Mode()))
	}
	return info, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

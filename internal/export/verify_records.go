package export

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"agentxchain/internal/ecmajson"
)

// records walks the elements of a "data" array without building values.
type records struct {
	jsonCursor
	begun bool
}

// newRecords returns the elements of the array at sp.
func (v *verifier) newRecords(sp span) *records {
	return &records{jsonCursor: jsonCursor{cursor: v.src.newSection(v.ctx, sp.off, sp.end)}}
}

// next returns the bytes of the next element, valid until the next call, and
// its offset in the bundle; nil at the end.
func (r *records) next() (record []byte, off int64, err error) {
	switch {
	case !r.begun:
		r.begun = true
		r.pos++ // the bracket
	default:
		r.space()
		if r.peek() == ',' {
			r.pos++
		}
	}
	r.space()
	if c := r.peek(); c == ']' || c < 0 {
		return nil, 0, r.fault()
	}
	off = r.offset()
	record, err = r.raw()
	return record, off, err
}

// unread puts back the element that next returned last.
func (r *records) unread(record []byte) { r.pos -= len(record) }

// tooLongRecord is the message for a record longer than maxToken.
const tooLongRecord = "a record is longer than 64 MiB; it is not judged"

// linesJudge compares the lines of a JSONL file with the elements of "data",
// in three steps of growing cost. Nearly all lines are spelt like their element
// and are done with a comparison of bytes: the element is known to be one valid
// value, so the line is one, too. Lines with other escapes or white space are
// walked through token by token. Only where that fails, values are built, of
// this one line, to allow for another order of keys.
type linesJudge struct {
	*entryJudge
	lines lineReader
	// said holds the elements of data; nil when there is nothing to compare
	// with, or when the comparison was given up.
	said *records
	// differ tells that a difference was found and reported.
	differ bool
}

// compareJSONL compares line by line. After the first difference it goes on to
// look for lines that are no JSON.
func (e *entryJudge) compareJSONL(content cursor) {
	data := e.entry.data
	l := &linesJudge{entryJudge: e, lines: lineReader{content}}
	code, message := data.limit()
	switch {
	case code == CodeLimitDepth:
		e.unjudged(e.where, code, message, data)
	case data.kind == ecmajson.Array:
		l.said = e.newRecords(data)
		l.said.peek()
	default:
		l.different("data is not an array")
	}
	if err := l.all(); errors.Is(err, errTooLong) {
		e.unjudged(e.where, CodeLimitSize, tooLongRecord, data)
	} else if err != nil {
		e.stop(err)
	}
}

// different reports the first difference.
func (l *linesJudge) different(detail string) {
	if !l.differ {
		l.differs("JSONL", detail)
	}
	l.differ, l.said = true, nil
}

// all compares all lines. Lines are counted as the Node CLI counts them here:
// blank ones do not count.
func (l *linesJudge) all() error {
	for n := 1; ; {
		line, ok, err := l.lines.next()
		if err != nil || !ok {
			return cmp.Or(err, l.rest(n))
		}
		if ecmajson.IsBlank(line) {
			continue
		}
		if err := l.one(n, line); err != nil {
			return err
		}
		l.auditShape(n, line)
		n++
	}
}

// rest reports what data holds beyond the last line; n is the number of the
// line that there is not.
func (l *linesJudge) rest(n int) error {
	if l.said == nil {
		return nil
	}
	record, _, err := l.said.next()
	if record != nil {
		l.different(fmt.Sprintf("data goes on after record %d, the last", n-1))
	}
	return err
}

// one compares line n with the next element of data.
func (l *linesJudge) one(n int, line []byte) error {
	if l.said == nil {
		l.valid(n, line)
		return nil
	}
	record, _, err := l.said.next()
	switch {
	case err != nil:
		return err
	case bytes.Equal(record, line):
		return nil
	case record == nil:
		if l.valid(n, line) {
			l.different(fmt.Sprintf("data ends before record %d", n))
		}
		return nil
	case sameJSON(textScanner(line), textScanner(record)):
		return nil
	case !l.valid(n, line):
		// The record, if there is one for this line, is compared with the
		// next: a builder leaves out what is no JSON.
		if l.said != nil {
			l.said.unread(record)
		}
		return nil
	case !l.sameTree(line, record):
		l.different(fmt.Sprintf("record %d is the first that differs", n))
	}
	return nil
}

func textScanner(b []byte) *jsonCursor { return &jsonCursor{cursor: bytesCursor(b, 0)} }

// valid reports whether line n is JSON, and if not, says so.
func (l *linesJudge) valid(n int, line []byte) bool {
	depth, err := checkJSON(line)
	switch {
	case err != nil:
		l.bad(CodeInvalidJSONL, fmt.Sprintf("%s: invalid JSONL at line %d: %v", l.entry.path, n, err), l.entry.content)
		return false
	case depth > maxJudgedDepth:
		l.unjudged(l.where, CodeLimitDepth, fmt.Sprintf("record %d is nested %d levels deep; more than %d are not judged", n, depth, maxJudgedDepth), l.entry.content)
		l.differ, l.said = true, nil
		return false
	}
	return true
}

// sameTree compares a line and a record whose keys may stand in another order.
func (l *linesJudge) sameTree(line, record []byte) bool {
	l.strictContent(line, " in a record")
	meant, err := ecmajson.Parse(line, ecmajson.Options{})
	if err != nil {
		return false
	}
	said, err := ecmajson.Parse(record, ecmajson.Options{})
	return err == nil && ecmajson.Equal(meant, said)
}

// array returns the place of files[path].data when that is an array.
func (b *bundle) array(path string) (span, bool) {
	f := b.byPath[path]
	if f == nil || f.kind != ecmajson.Object || f.data.kind != ecmajson.Array {
		return span{}, false
	}
	return f.data, true
}

// count is the length of files[path].data, 0 when that is no array.
func (b *bundle) count(path string) int64 {
	data, _ := b.array(path)
	return int64(data.items)
}

// each visits the elements of files[path].data. It reports false when they
// cannot be judged, which is then reported. A null element, of which the Node CLI dies, is a failure
// and not visited. Elements for which wanted says false are not parsed.
func (j *judge) each(path string, wanted func([]byte) bool, visit func(*ecmajson.Value)) bool {
	data, ok := j.array(path)
	if !ok {
		return true
	}
	if code, message := data.limit(); code == CodeLimitDepth {
		j.unjudged("files."+path, code, message, data)
		return false
	}
	elements := j.newRecords(data)
	elements.peek()
	for n := 1; ; n++ {
		record, off, err := elements.next()
		switch {
		case errors.Is(err, errTooLong):
			j.unjudged("files."+path, CodeLimitSize, tooLongRecord, data)
			return false
		case err != nil:
			j.stop(err)
			return false
		case record == nil:
			return true
		case string(record) == "null":
			j.fail(CodeNullRecord, "files."+path, fmt.Sprintf("record %d is null", n), off)
			continue
		case !wanted(record):
			continue
		}
		value, err := ecmajson.Parse(record, ecmajson.Options{})
		if err != nil {
			j.stop(fmt.Errorf("the bundle changed while it was read: %w", err))
			return false
		}
		visit(value)
	}
}

// always wants every record.
func always([]byte) bool { return true }

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"agentxchain/internal/ecmajson"
)

// maxFragment is the longest torn line that a repair judges, in bytes. A
// longer one is closed and left as it is.
const maxFragment = 64 << 20

var (
	errTooLong  = errors.New("line too long to be judged")
	errReplaced = errors.New("it was replaced while it was being repaired")
)

// repair makes the locked file end with a newline and returns its size, or -1
// when that is not known because something was appended. Others append
// without the lock, so the file is never shortened, and nothing is done that
// a line of theirs, landing at any moment, could suffer from:
//
//  1. the place of the torn line is noted in the journal;
//  2. a newline is appended. From here on nobody can write into that line, and
//     a write that was in progress when we looked has become whole;
//  3. the closed line is judged. If it is JSON, somebody was merely slow;
//  4. else its bytes are saved in the journal, synced, and blanked.
//
// A process may die between any two of these steps; the journal tells the
// next one where to go on.
func (l *Log) repair() (int64, error) {
	size, whole, err := l.look()
	if err != nil || whole && l.settled() {
		return size, err
	}
	j, err := l.openJournal(!whole)
	if j == nil || err != nil {
		return size, err
	}
	defer j.close()
	if err := l.resume(j); err != nil {
		return 0, err
	}
	if !whole {
		if err := l.heal(j, size); err != nil {
			return 0, err
		}
		size = -1
	}
	l.settledSize = j.start
	return size, nil
}

// settled reports whether no process left a repair unfinished, by the size of
// the journal. It is asked before every write, because who seals or exports
// the line of a fragment must find it blanked for good.
func (l *Log) settled() bool {
	if l.journalPath == "" {
		return false
	}
	info, err := os.Lstat(l.journalPath)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return err == nil && (info.Size() == 0 || info.Size() == l.settledSize)
}

// look returns the file's size and whether it ends with a newline. As long as
// it grows without one, somebody is writing a line: that is no torn tail yet.
func (l *Log) look() (size int64, whole bool, err error) {
	const looks = 100
	for range looks {
		last := size
		if size, err = l.size(); err != nil {
			return 0, false, err
		}
		if whole, err = l.endsLine(size); err != nil || whole || size == last {
			break
		}
	}
	return size, whole, err
}

// heal closes the line that is torn at size, and judges it.
func (l *Log) heal(j *journal, size int64) error {
	start, err := lineStart(l.file, size, maxFragment)
	judged := !errors.Is(err, errTooLong)
	if err != nil && judged {
		return l.wrap("read", err)
	}
	if judged {
		if err := j.begin(start); err != nil {
			return err
		}
	}
	if _, err := l.put([]byte{'\n'}); err != nil {
		return l.wrap("close the torn line of", err)
	}
	if !judged {
		return nil
	}
	return l.judge(j, start, size)
}

// judge saves and blanks the fragment in the closed line at start, if there is
// one. The line was torn at seen; start when that is not known.
func (l *Log) judge(j *journal, start, seen int64) error {
	line, closed, err := lineAt(l.file, start)
	if err != nil && !errors.Is(err, errTooLong) {
		return l.wrap("read", err)
	}
	n := 0
	if closed {
		n = fragmentLen(line, int(seen-start))
	}
	if n == 0 {
		return j.drop()
	}
	if err := j.save(start, line[:n], l.now()); err != nil {
		return err
	}
	if err := l.blank(start, n); err != nil {
		return l.wrap("repair", err)
	}
	return j.finish()
}

// resume does what a process that died left to do.
func (l *Log) resume(j *journal) error {
	if len(j.pending) == 0 {
		return nil
	}
	if f, err := parseFragment(j.pending); err == nil {
		return l.resumeBlanking(j, f)
	}
	start, ok := begunAt(j.pending)
	if !ok {
		return j.drop()
	}
	return l.judge(j, start, start)
}

// resumeBlanking blanks a fragment whose bytes are saved. The file is only
// touched where it still holds those bytes, in part blanked perhaps, as a
// fragment of a line: it may have been replaced, and the journal may have
// come with somebody's repository.
func (l *Log) resumeBlanking(j *journal, f savedFragment) error {
	line, closed, err := lineAt(l.file, f.Offset)
	if err != nil && !errors.Is(err, errTooLong) {
		return l.wrap("read", err)
	}
	if closed && holdsFragment(line, f.Bytes) {
		if err := l.blank(f.Offset, len(f.Bytes)); err != nil {
			return l.wrap("repair", err)
		}
	}
	return j.finish()
}

func holdsFragment(line, fragment []byte) bool {
	if len(line) < len(fragment) || json.Valid(fragment) {
		return false
	}
	for i, c := range fragment {
		if line[i] != c && line[i] != ' ' {
			return false
		}
	}
	rest := line[len(fragment):]
	return len(rest) == 0 || isObject(rest)
}

// blank overwrites n bytes of the file with spaces, durably. The file is
// opened anew because what is written through a descriptor for appending lands
// at the end. Where the operator lets files only grow (chattr +a), that says
// no, and the fragment stays as it is.
func (l *Log) blank(start int64, n int) (err error) {
	w, err := os.OpenFile(l.path, os.O_WRONLY|noFollow, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	info, err := w.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, l.identity) {
		return errReplaced
	}
	spaces := bytes.Repeat([]byte{' '}, min(n, 64<<10))
	for n > 0 {
		k := min(n, len(spaces))
		if _, err := w.WriteAt(spaces[:k], start); err != nil {
			return err
		}
		start, n = start+int64(k), n-k
	}
	return syncData(w)
}

// fragmentLen returns how many bytes at the start of a closed line are the
// rest of a line that was never finished: none when the line is JSON or blank,
// all of them, or those before a complete object. Such an object is the line
// of a writer without the lock, which landed behind the fragment before we
// closed it. That it did so at seen is known if the fragment ended there.
func fragmentLen(line []byte, seen int) int {
	if ecmajson.IsBlank(line) || json.Valid(line) {
		return 0
	}
	if 0 < seen && seen < len(line) && isObject(line[seen:]) {
		return seen
	}
	return objectAtEnd(line)
}

// objectAtEnd returns where the complete object that ends the line begins, or
// the line's length. Each place where the text stops being JSON is a seam, and
// the object behind it begins at the last brace up to there. An object inside
// an unfinished one makes no seam: it is a part of the fragment. Each byte is
// read at most twice; more seams than writers make are not followed.
func objectAtEnd(line []byte) int {
	const maxSeams = 1000
	at := bytes.IndexByte(line, '{')
	for seams := 0; at >= 0 && seams < maxSeams; seams++ {
		rest := line[at:]
		valid, err := validPrefix(rest)
		switch {
		case err == nil && valid == len(rest):
			return at
		case errors.Is(err, io.ErrUnexpectedEOF):
			return len(line)
		}
		seam := min(valid+1, len(rest))
		next := bytes.LastIndexByte(rest[1:seam], '{')
		if next < 0 {
			if next = bytes.IndexByte(rest[seam:], '{'); next < 0 {
				break
			}
			next += seam - 1
		}
		at += 1 + next
	}
	return len(line)
}

// validPrefix returns how many bytes of b are JSON: up to the end of the first
// value and the blanks behind it, or up to the first byte that fits no value.
// The error is nil in the first case and [io.ErrUnexpectedEOF] when b ends too
// early.
func validPrefix(b []byte) (int, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	var v json.RawMessage
	err := d.Decode(&v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return int(syntax.Offset) - 1, err
	}
	n := int(d.InputOffset())
	n += len(b[n:]) - len(bytes.TrimLeft(b[n:], " \t\r\n"))
	return n, err
}

// lineStart returns where the line begins that ends at end, or errTooLong when
// it is longer than limit, give or take a read.
func lineStart(f io.ReaderAt, end, limit int64) (int64, error) {
	buf := make([]byte, min(end, 4<<10))
	for at := end; at > 0; buf = make([]byte, min(at, 64<<10)) {
		if end-at > limit {
			return 0, errTooLong
		}
		at -= int64(len(buf))
		if _, err := f.ReadAt(buf, at); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf, '\n'); i >= 0 {
			return at + int64(i) + 1, nil
		}
	}
	return 0, nil
}

// lineAt returns the line that begins at start, without its newline. closed is
// false when no line begins there or it has no newline.
func lineAt(f io.ReaderAt, start int64) (line []byte, closed bool, err error) {
	if start > 0 {
		before := make([]byte, 1)
		if _, err := f.ReadAt(before, start-1); err != nil || before[0] != '\n' {
			return nil, false, ignoreEOF(err)
		}
	}
	r := NewReader(io.NewSectionReader(f, start, maxFragment), start)
	l, err := r.Next()
	if errors.Is(err, io.EOF) {
		if torn, _ := r.Torn(); len(torn.Bytes) == maxFragment {
			err = fmt.Errorf("%w: over %d bytes", errTooLong, maxFragment)
		}
		return nil, false, ignoreEOF(err)
	}
	return l.Bytes, err == nil, err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

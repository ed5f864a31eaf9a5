package audit

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// savedFragment is what a repair took out of the evidence: the beginning of a line
// whose writer died.
type savedFragment struct {
	// Offset is where the bytes stood, from the start of the audit file. The
	// file has blanks there now.
	Offset int64 `json:"offset"`
	// Length is the number of bytes.
	Length int `json:"length"`
	// RecoveredAt is when they were saved, UTC.
	RecoveredAt time.Time `json:"recovered_at"`
	// Bytes are the bytes, base64 in the file: they need not be text.
	Bytes []byte `json:"bytes"`
}

func parseFragment(line []byte) (savedFragment, error) {
	var f savedFragment
	if err := json.Unmarshal(line, &f); err != nil {
		return savedFragment{}, fmt.Errorf("record of the recovered file: %w", err)
	}
	if f.Offset < 0 || f.Length != len(f.Bytes) || f.Length == 0 {
		return savedFragment{}, errors.New("record of the recovered file: length and bytes differ, or there are none")
	}
	return f, nil
}

// noteFormat is how a record begins. Alone it is the note that the line at
// that offset is being closed.
const noteFormat = `{"offset":%d,`

// begunAt returns the offset in a note, whatever follows it.
func begunAt(record []byte) (int64, bool) {
	var offset int64
	n, err := fmt.Sscanf(string(record[:min(len(record), 40)]), noteFormat, &offset)
	return offset, n == 1 && err == nil && offset >= 0
}

// journal is the recovered file, held under the lock of the audit file. It
// doubles as the log of the repair in hand: the last record grows from a note
// to the saved bytes, and gets its newline when the repair is finished. Only
// repairs write to it, so it may be shortened.
type journal struct {
	f *os.File
	// start is where the last record stands that has no newline, or where the
	// next one will.
	start int64
	// pending is that record as a process that died left it; usually empty.
	pending []byte
	// length is that of the record as it stands in the file now.
	length int
	// created says that the file's name is not yet durable.
	created bool
}

// openJournal opens the recovered file. Without create it returns nil when
// there is none to be had: what cannot be opened cannot be finished now, and
// new evidence does not wait for that.
func (l *Log) openJournal(create bool) (*journal, error) {
	dir, err := l.ownDir()
	if err != nil {
		if !create {
			return nil, nil
		}
		return nil, l.wrap("repair", err)
	}
	path := filepath.Join(dir, RecoveredName)
	l.journalPath = path
	j := &journal{}
	if create {
		j.f, j.created, err = openOrCreate(path, os.O_RDWR)
	} else if _, err = lookAt(path); err == nil {
		j.f, err = os.OpenFile(path, os.O_RDWR|noFollow, 0)
	}
	switch {
	case err != nil && !create:
		return nil, nil
	case err != nil:
		return nil, l.wrap("repair", fmt.Errorf("its torn line cannot be saved in %q: %w", path, err))
	}
	if err := j.readPending(); err != nil {
		return nil, errors.Join(j.error("read", err), j.f.Close())
	}
	return j, nil
}

func (j *journal) readPending() error {
	info, err := j.f.Stat()
	if err != nil {
		return err
	}
	// Base64 makes a fragment a third longer.
	if j.start, err = lineStart(j.f, info.Size(), 2*maxFragment); err != nil {
		return err
	}
	j.pending = make([]byte, info.Size()-j.start)
	j.length = len(j.pending)
	_, err = j.f.ReadAt(j.pending, j.start)
	return ignoreEOF(err)
}

// begin notes that the line at offset of the audit file is about to be closed.
func (j *journal) begin(offset int64) error {
	return j.write(fmt.Appendf(nil, noteFormat, offset))
}

// save completes the note with the fragment's bytes and makes the record durable.
func (j *journal) save(offset int64, fragment []byte, at time.Time) error {
	record := make([]byte, 0, base64.StdEncoding.EncodedLen(len(fragment))+128)
	record = fmt.Appendf(record, noteFormat+`"length":%d`, offset, len(fragment))
	record = appendTime(record, `,"recovered_at":`, at)
	record = append(record, `,"bytes":"`...)
	record = base64.StdEncoding.AppendEncode(record, fragment)
	if err := j.write(append(record, `"}`...)); err != nil {
		return err
	}
	err := j.f.Sync()
	if err == nil && j.created {
		err = syncDir(filepath.Dir(j.f.Name()))
	}
	if err != nil {
		return j.error("sync", err)
	}
	return nil
}

// write replaces what stands of the last record. A record of a process that
// died may be longer than the new one.
func (j *journal) write(record []byte) error {
	_, err := j.f.WriteAt(record, j.start)
	if err == nil {
		j.length = len(record)
		err = j.f.Truncate(j.start + int64(j.length))
	}
	if err != nil {
		return j.error("write", err)
	}
	return nil
}

// finish says that the fragment is blanked.
func (j *journal) finish() error {
	end := j.start + int64(j.length)
	if _, err := j.f.WriteAt([]byte{'\n'}, end); err != nil {
		return j.error("write", err)
	}
	j.start, j.pending, j.length = end+1, nil, 0
	return nil
}

// drop forgets the last record: there was nothing to repair.
func (j *journal) drop() error {
	if err := j.f.Truncate(j.start); err != nil {
		return j.error("write", err)
	}
	j.pending, j.length = nil, 0
	return nil
}

// close releases the file. What counts was synced before.
func (j *journal) close() { _ = j.f.Close() }

func (j *journal) error(doing string, err error) error {
	return fmt.Errorf("cannot %s the recovered file %q: %w", doing, j.f.Name(), bare(err, j.f.Name()))
}

package service

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// importLines is how many lines of the evidence one transaction takes.
const importLines = 1000

// beginningSize is how much of a file tells it from others, in bytes.
const beginningSize = 4096

// Archive is the part of the delivery log that takes in the evidence of
// others.
type Archive interface {
	// ImportedTo returns how far, in bytes, a source has been imported.
	ImportedTo(ctx context.Context, source string) (int64, error)
	// Import stores records and how far their source is imported now, all or
	// nothing. What the log drives itself it knows better, and keeps.
	Import(ctx context.Context, source string, offset int64, records []delivery.Record) error
}

// Import takes in what was appended to the evidence at path since the last
// call, whichever program wrote it, or all of a file that took its place, so that the log shows every attempt that
// was ever made. It returns how many lines it took in. Lines that are no
// record of an attempt are passed over: they are the business of `export` and
// `verify`, which judge the file.
func Import(ctx context.Context, path, source string, to Archive) (int, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	begin, err := beginning(f)
	if err != nil || begin == "" {
		return 0, err
	}
	source += " " + begin
	from, err := to.ImportedTo(ctx, source)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() == from {
		return 0, err
	}
	if info.Size() < from {
		return 0, fmt.Errorf("%s has %d bytes, fewer than the %d that were imported: it was shortened, and is not imported any further", path, info.Size(), from)
	}
	return importFrom(ctx, io.NewSectionReader(f, from, info.Size()-from), from, source, to)
}

// beginning is a digest of the first line, by which a file is told from another
// that takes its place: that one is imported from its start. It is empty before
// there is a line. Of one longer than beginningSize bytes it is of so many.
func beginning(f io.ReaderAt) (string, error) {
	b := make([]byte, beginningSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line, _, whole := bytes.Cut(b[:n], []byte("\n"))
	if !whole && n < beginningSize {
		return "", nil
	}
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:8]), nil
}

func importFrom(ctx context.Context, src io.Reader, from int64, source string, to Archive) (int, error) {
	lines := audit.NewReader(src, from)
	taken := 0
	for {
		batch, n := &batch{at: map[string]int{}}, 0
		var err error
		var line audit.RawLine
		for n < importLines {
			if line, err = lines.Next(); err != nil {
				break
			}
			n, from = n+1, line.Offset+int64(len(line.Bytes))+1
			if e, ok := line.Entry(); ok {
				batch.add(e)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return taken, err
		}
		if n == 0 {
			return taken, nil
		}
		if err := to.Import(ctx, source, from, batch.records); err != nil {
			return taken, err
		}
		taken += n
	}
}

// batch gathers the lines of one delivery into one record.
type batch struct {
	records []delivery.Record
	at      map[string]int
}

func (b *batch) add(e audit.Entry) {
	r, ok := record(e)
	if !ok {
		return
	}
	i, known := b.at[r.ID]
	if !known {
		b.at[r.ID] = len(b.records)
		b.records = append(b.records, r)
		return
	}
	have := &b.records[i]
	r.Tries = append(have.Tries, r.Tries...)
	r.Attempts = max(r.Attempts, have.Attempts, len(r.Tries))
	if have.Status == delivery.Delivered { // a later line can't undo it
		r.Status, r.DeliveredAt, r.LastReason, r.LastMessage, r.StatusCode = have.Status, have.DeliveredAt, have.LastReason, have.LastMessage, have.StatusCode
	}
	*have = r
}

// record reads one line. It is false for a line that names no event or target,
// or whose event has no time: part of a delivery's id is that time, and the
// same delivery must not be in the log twice.
func record(e audit.Entry) (delivery.Record, bool) {
	if e.EventID == "" || e.Name == "" && e.TargetID == "" {
		return delivery.Record{}, false
	}
	emitted, ok := moment(e.EmittedAt)
	if !ok {
		return delivery.Record{}, false
	}
	attempted, ok := moment(e.AttemptedAt)
	if !ok { // the Node CLI writes the time of the event alone
		attempted = emitted
	}
	r := delivery.Record{CreatedAt: emitted, StatusCode: e.StatusCode, Imported: true}
	r.Event = events.Event{ID: e.EventID, Type: e.EventType, EmittedAt: emitted, RunID: e.RunID}
	r.Target = target(e)
	r.ID = delivery.NewID(r.Event, r.Target)
	r.ExecutionID, r.Label, r.FallbackBody = e.RunID, r.Target.Name, e.FallbackBody
	r.Attempts = max(1, e.Attempt)
	r.LastReason, r.LastMessage = e.Reason, e.Message
	switch {
	case e.Delivered:
		r.Status, r.DeliveredAt = delivery.Delivered, attempted
	case e.Reason == delivery.ReasonDiscarded:
		r.Status = delivery.Discarded
	default:
		r.Status = delivery.Failed
	}
	r.Tries = []delivery.Try{{Number: e.Attempt, At: attempted, Result: delivery.Result{
		Delivered: e.Delivered, StatusCode: e.StatusCode, TimedOut: e.TimedOut, Duration: time.Duration(e.DurationMS) * time.Millisecond,
		Reason: e.Reason, Phase: e.Phase, Message: e.Message,
	}}}
	return r, true
}

// target returns what a line names. Lines of the Node CLI name a webhook of
// agentxchain.json.
func target(e audit.Entry) delivery.Target {
	file, rest, ok := strings.Cut(e.TargetID, "#")
	channel, name, ok2 := strings.Cut(rest, "/")
	if ok && ok2 {
		return delivery.Target{File: file, Channel: delivery.Channel(channel), Name: name}
	}
	channel = e.Transport
	if channel != string(delivery.Slack) {
		channel = string(delivery.Webhook)
	}
	return delivery.Target{File: "agentxchain.json", Channel: delivery.Channel(channel), Name: e.Name}
}

// moment reads a time of a line; false means that it can't be read.
func moment(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Millisecond), true
}

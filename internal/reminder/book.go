package reminder

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
)

const (
	// bookVersion is that of the format in the package comment.
	bookVersion = 1
	// maxApprovals is more than the two kinds of approvals that can wait.
	maxApprovals = 16
	maxBookDepth = 8
	timeLayout   = "2006-01-02T15:04:05.000Z"
)

// book is what we remember of the approvals that wait.
type book []entry

// entry is one approval that waits.
type entry struct {
	identity
	// FirstSeen is when we first saw it, whole milliseconds.
	FirstSeen time.Time
	// Reminded are the thresholds in seconds whose keys we put into the list.
	Reminded []int64
	// Event is a reminder that may not be stored yet; else nil.
	Event *events.Event
}

// identity tells approvals apart. Phase transitions have no time of their own,
// so everything that the state says of them counts.
type identity struct {
	// Approval is the state's key.
	Approval string
	// Run is the governed run; the others are the values of the approval's
	// keys. All of them are empty where the state has no text.
	Run, RequestedAt, From, To, Gate, Turn string
}

func identify(approval, run string, pending *ecmajson.Value) identity {
	text := func(key string) string { return pending.Get(key).Str() }
	return identity{
		Approval: approval, Run: run, RequestedAt: text("requested_at"),
		From: text("from"), To: text("to"), Gate: text("gate"), Turn: text("requested_by_turn"),
	}
}

// entry returns what is known about an approval, which is seen now.
func (b book) entry(id identity, now time.Time) entry {
	for _, e := range b {
		if e.identity == id {
			e.Reminded = slices.Clone(e.Reminded)
			return e
		}
	}
	return entry{identity: id, FirstSeen: now}
}

func (e entry) reminded(threshold int64) bool { return slices.Contains(e.Reminded, threshold) }

// readBook returns our book, empty when there is none.
func readBook(root project.Root) (book, error) {
	src, err := root.ReadBook()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := parseBook(src)
	if err != nil {
		return nil, &FileError{Path: root.BookFile(), Err: err}
	}
	return b, nil
}

func (b book) format() []byte {
	entries := make([]*ecmajson.Value, len(b))
	for i, e := range b {
		entries[i] = e.value()
	}
	doc := ecmajson.NewObject().
		Set("version", ecmajson.NewInt(bookVersion)).
		Set("approvals", ecmajson.NewArray(entries...))
	return append(ecmajson.Append(nil, doc), '\n')
}

func (e entry) value() *ecmajson.Value {
	reminded := make([]*ecmajson.Value, len(e.Reminded))
	for i, threshold := range e.Reminded {
		reminded[i] = ecmajson.NewInt(threshold)
	}
	event := ecmajson.NewNull()
	if e.Event != nil {
		event = ecmajson.NewString(string(e.Event.Body))
	}
	return ecmajson.NewObject().
		Set("approval_type", ecmajson.NewString(e.Approval)).
		Set("run_id", ecmajson.NewStringOrNull(e.Run)).
		Set("requested_at", ecmajson.NewStringOrNull(e.RequestedAt)).
		Set("from", ecmajson.NewStringOrNull(e.From)).
		Set("to", ecmajson.NewStringOrNull(e.To)).
		Set("gate", ecmajson.NewStringOrNull(e.Gate)).
		Set("requested_by_turn", ecmajson.NewStringOrNull(e.Turn)).
		Set("first_seen_at", ecmajson.NewString(e.FirstSeen.Format(timeLayout))).
		Set("reminded", ecmajson.NewArray(reminded...)).
		Set("event", event)
}

// parseBook reads what [book.format] wrote, and nothing else.
func parseBook(src []byte) (book, error) {
	doc, err := ecmajson.Parse(src, ecmajson.Options{MaxDepth: maxBookDepth, UniqueKeys: true, ValidUTF8: true})
	if err != nil {
		return nil, fmt.Errorf("invalid JSON: %w", err)
	}
	if v := doc.Get("version"); v.Num() != bookVersion {
		return nil, fmt.Errorf("its version is not %d", bookVersion)
	}
	list := doc.Get("approvals")
	if !list.Is(ecmajson.Array) || list.Len() > maxApprovals {
		return nil, fmt.Errorf("it has no approvals, or more than %d", maxApprovals)
	}
	var b book
	for _, v := range list.Items() {
		e, err := parseEntry(v)
		if err != nil {
			return nil, err
		}
		b = append(b, e)
	}
	if got := b.format(); string(got) != string(src) {
		return nil, errors.New("it is not what this program writes")
	}
	return b, nil
}

func parseEntry(v *ecmajson.Value) (entry, error) {
	e := entry{identity: identify(v.Get("approval_type").Str(), v.Get("run_id").Str(), v)}
	at, err := time.Parse(timeLayout, v.Get("first_seen_at").Str())
	if err != nil {
		return entry{}, fmt.Errorf("first_seen_at: %w", err)
	}
	e.FirstSeen = at
	for _, threshold := range v.Get("reminded").Items() {
		e.Reminded = append(e.Reminded, int64(threshold.Num()))
	}
	body := v.Get("event")
	if !body.Is(ecmajson.String) {
		return e, nil
	}
	envelope, err := events.Parse([]byte(body.Str()))
	if err != nil {
		return entry{}, fmt.Errorf("event: %w", err)
	}
	e.Event = &events.Event{
		ID: envelope.ID, Type: string(envelope.Type), EmittedAt: envelope.EmittedAt, RunID: envelope.Run.ID,
		Body: []byte(body.Str()),
	}
	return e, nil
}

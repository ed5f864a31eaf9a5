package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/outbox"
	"agentxchain/internal/pgtest"
	"agentxchain/internal/queue"
)

func TestMain(m *testing.M) {
	if window := os.Getenv(windowEnv); window != "" {
		victim(window)
	}
	if url := os.Getenv(fleetEnv); url != "" {
		fleetWorker(url)
	}
	goleak.VerifyTestMain(pgtest.Main(m))
}

// line is what the tests' evidence holds of an attempt.
type line struct {
	Event   string          `json:"event"`
	Target  string          `json:"target"`
	Attempt int             `json:"attempt"`
	Reason  delivery.Reason `json:"reason"`
	Message string          `json:"message"`
	Body    string          `json:"body"`
	At      time.Time       `json:"at"`
}

func (l line) key() delivery.AttemptKey {
	return delivery.AttemptKey{EventID: l.Event, TargetID: l.Target, Attempt: l.Attempt}
}

// evidence is a real file of lines, which several processes append to.
type evidence struct {
	path string
	// refuse and unsynced make the evidence fail.
	refuse, unsynced error
	// stuck says that another writer has the lock and keeps it.
	stuck bool
	mu    sync.Mutex
	syncs int
}

func (e *evidence) Record(ctx context.Context, attempts ...delivery.Attempt) error {
	if e.refuse != nil {
		return e.refuse
	}
	if e.stuck {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	b, err := linesOf(attempts)
	if err != nil {
		return err
	}
	return e.append(b)
}

func linesOf(attempts []delivery.Attempt) ([]byte, error) {
	var b []byte
	for _, a := range attempts {
		l, err := json.Marshal(line{
			Event: a.Delivery.Event.ID, Target: a.Delivery.Target.ID(), Attempt: a.Number,
			Reason: a.Result.Reason, Message: a.Result.Message, Body: string(a.Delivery.Body), At: a.At,
		})
		if err != nil {
			return nil, err
		}
		b = append(append(b, l...), '\n')
	}
	return b, nil
}

// append closes a line that a dead process left torn, and writes b.
func (e *evidence) append(b []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := os.OpenFile(e.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, end-1); last[0] != '\n' {
			b = append([]byte("\n"), b...)
		}
	}
	if err == nil {
		_, err = f.Write(b)
	}
	return errors.Join(err, f.Close())
}

func (e *evidence) Sync() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.syncs++
	return e.unsynced
}

func (e *evidence) Size() (int64, error) {
	info, err := os.Stat(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (e *evidence) Recorded(from int64, keys []delivery.AttemptKey) (map[delivery.AttemptKey]delivery.Reason, error) {
	lines, err := e.read(from)
	known := make(map[delivery.AttemptKey]delivery.Reason)
	for _, l := range lines {
		if slices.Contains(keys, l.key()) {
			known[l.key()] = l.Reason
		}
	}
	return known, err
}

func (e *evidence) read(from int64) ([]line, error) {
	b, err := os.ReadFile(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if from > int64(len(b)) {
		return nil, fmt.Errorf("evidence has %d bytes, asked from %d on", len(b), from)
	}
	var lines []line
	for text := range bytes.Lines(b[from:]) {
		var l line
		if json.Unmarshal(text, &l) == nil { // else it is a torn one
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// senderFunc is a sender made of a function.
type senderFunc func(ctx context.Context, d delivery.Delivery) delivery.Result

func (f senderFunc) Send(ctx context.Context, d delivery.Delivery) delivery.Result { return f(ctx, d) }

// answer is a sender whose receivers all answer r.
func answer(r delivery.Result) senderFunc {
	return func(context.Context, delivery.Delivery) delivery.Result { return r }
}

var (
	good       = delivery.Result{Delivered: true, StatusCode: 204, Reason: delivery.ReasonDelivered, Message: "Delivered"}
	down       = delivery.Result{StatusCode: 503, Reason: delivery.ReasonServerError, Retry: true, Message: "Webhook returned HTTP 503"}
	gone       = delivery.Result{StatusCode: 410, Reason: delivery.ReasonRejected, Message: "Webhook returned HTTP 410"}
	errRefused = errors.New("no space left on device")
)

// world is a queue with a real outbox and a real evidence file in a folder.
type world struct {
	dir      string
	evidence *evidence
	box      *outbox.Outbox
	store    queue.Store
	send     queue.Sender
	opts     queue.Options
}

func newWorld(t *testing.T, dir string, send queue.Sender) *world {
	w := makeWorld(dir, send)
	t.Cleanup(func() {
		if err := w.box.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

func makeWorld(dir string, send queue.Sender) *world {
	notify := filepath.Join(dir, "notify")
	w := &world{dir: dir, send: send, evidence: &evidence{path: filepath.Join(dir, "audit.jsonl")}}
	w.box = outbox.New(outbox.Options{
		Path:   notify,
		Create: func() error { return os.MkdirAll(notify, 0o700) },
		Now:    func() time.Time { return time.Now() },
	})
	w.store = w.box
	w.opts.Policy = delivery.DefaultPolicy()
	w.opts.Jitter = func() float64 { return 1 }
	return w
}

func (w *world) queue() *queue.Queue {
	o := w.opts
	o.Store, o.Audit = w.store, w.evidence
	if o.Sender == nil {
		o.Sender = one(w.send)
	}
	return queue.New(o)
}

// one sends to every target with s.
func one(s queue.Sender) func(delivery.Target) queue.Sender {
	return func(delivery.Target) queue.Sender { return s }
}

// event makes an event and n messages of it; the last of several has a body of
// its own.
func event(id string, n int) (events.Event, []queue.Message) {
	ev := events.Event{ID: id, Type: "run_blocked", RunID: "run_1", EmittedAt: time.Now().UTC().Truncate(time.Millisecond)}
	ev.Body = []byte(`{"event_id":"` + id + `"}`)
	var ms []queue.Message
	for i := range n {
		ms = append(ms, queue.Message{
			Target:      delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: fmt.Sprintf("hook%d", i+1)},
			ContentType: "application/json",
		})
	}
	if n > 1 {
		ms[n-1].Body = []byte("own body of " + id)
	}
	return ev, ms
}

// emit is what `notify emit` does with one event.
func (w *world) emit(ctx context.Context, id string, n, attempts int) queue.Report {
	ev, ms := event(id, n)
	for i := range ms {
		ms[i].Attempts = attempts
	}
	q := w.queue()
	b, _ := q.Submit(ctx, ev, ms) // the report has the error too
	return q.Drain(ctx, b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines are the evidence as "event target attempt reason".
func (w *world) lines(t *testing.T) []string {
	t.Helper()
	ls, err := w.evidence.read(0)
	must(t, err)
	var all []string
	for _, l := range ls {
		all = append(all, fmt.Sprintf("%s %s %d %s", l.Event, strings.TrimPrefix(l.Target, "agentxchain.json#webhook/"), l.Attempt, l.Reason))
	}
	return all
}

// pending is the backlog as "event target attempts status reason".
func (w *world) pending(t *testing.T) []string {
	t.Helper()
	ds, err := w.queue().Pending(t.Context())
	must(t, err)
	var all []string
	for _, d := range ds {
		all = append(all, fmt.Sprintf("%s %s %d %s %s", d.Event.ID, d.Target.Name, d.Attempts, d.Status, d.LastReason))
	}
	return all
}

// states are the outcomes of a report as "target state attempts".
func states(r queue.Report) []string {
	var all []string
	for _, o := range r.Outcomes {
		all = append(all, fmt.Sprintf("%s %s %d", o.Target.Name, o.State, o.Attempts))
	}
	return all
}

func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

package reminder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a governed project with a clock, and what was handed over in it.
type world struct {
	tb   testing.TB
	root project.Root
	now  time.Time
	// fail is what storing answers.
	fail error

	mu     sync.Mutex
	stored []Reminder
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	dir := tb.TempDir()
	w := &world{tb: tb, root: project.Root{Dir: dir, Kind: project.Run}, now: noon}
	if err := os.MkdirAll(filepath.Join(dir, ".agentxchain"), 0o755); err != nil {
		tb.Fatal(err)
	}
	return w
}

func (w *world) options() Options {
	return Options{
		Root: w.root, Project: events.Project{ID: "p", Name: "P", Root: "/p"},
		Thresholds: []time.Duration{300 * time.Second, time.Hour, 4 * time.Hour},
		Now:        func() time.Time { return w.now },
	}
}

// send evaluates the reminders and returns the payloads that were handed over,
// those that came again marked.
func (w *world) send() []string {
	w.tb.Helper()
	list, err := w.trySend()
	if err != nil {
		w.tb.Fatal(err)
	}
	return list
}

func (w *world) trySend() ([]string, error) {
	var list []string
	err := Send(w.tb.Context(), w.options(), func(_ context.Context, r Reminder) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.fail == nil {
			w.stored = append(w.stored, r)
			list = append(list, describe(w.tb, r))
		}
		return w.fail
	})
	return list, err
}

func describe(tb testing.TB, r Reminder) string {
	tb.Helper()
	e, err := events.Parse(r.Event.Body)
	if err != nil {
		tb.Fatal(err)
	}
	text := string(ecmajson.Append(nil, e.Payload))
	if r.Again {
		return "again " + text
	}
	return text
}

func (w *world) write(name, content string) {
	w.tb.Helper()
	if err := os.WriteFile(filepath.Join(w.root.Dir, ".agentxchain", name), []byte(content), 0o644); err != nil {
		w.tb.Fatal(err)
	}
}

// state writes a state with the given approvals.
func (w *world) state(approvals string) {
	w.tb.Helper()
	w.write("state.json", `{"schema_version":"1.1","run_id":"run_1","status":"paused","phase":"qa"`+approvals+`}`)
}

func (w *world) list() string {
	w.tb.Helper()
	b, err := os.ReadFile(w.root.RemindersFile())
	if err != nil {
		return ""
	}
	return string(b)
}

// keys is a list as the Node CLI writes it.
func keys(names ...string) string {
	if len(names) == 0 {
		return "[]\n"
	}
	return "[\n  \"" + strings.Join(names, "\",\n  \"") + "\"\n]\n"
}

const (
	completion = `,"pending_run_completion":{"gate":"ship","requested_by_turn":"turn_1","requested_at":"2026-11-21T10:59:59.500Z"}`
	transition = `,"pending_phase_transition":{"from":"planning","to":"qa","gate":"signoff","requested_by_turn":"turn_1"}`
)

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Each threshold is told of once. When several have passed it is one message,
// and the list says so of all.
func TestEachThresholdOnce(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	want(t, "first look", w.send(), []string{
		`{"approval_type":"pending_run_completion","requested_at":"2026-11-21T10:59:59.500Z","elapsed_seconds":3600,` +
			`"threshold_seconds":3600,"reminder_index":2,"total_thresholds":3,"gate":"ship"}`,
	})
	want(t, "list", w.list(), keys("pending_run_completion:300", "pending_run_completion:3600"))
	want(t, "second look", w.send(), []string(nil))
	w.now = noon.Add(3 * time.Hour)
	want(t, "last threshold", w.send(), []string{
		`{"approval_type":"pending_run_completion","requested_at":"2026-11-21T10:59:59.500Z","elapsed_seconds":14400,` +
			`"threshold_seconds":14400,"reminder_index":3,"total_thresholds":3,"gate":"ship"}`,
	})
	w.now = noon.Add(1000 * time.Hour)
	want(t, "long after", w.send(), []string(nil))
	want(t, "list", w.list(), keys("pending_run_completion:300", "pending_run_completion:3600", "pending_run_completion:14400"))
}

// A reminder knows its run, and an approval that just began is not due.
func TestEnvelope(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	w.now = noon.Add(-time.Hour)
	want(t, "before the first threshold", w.send(), []string(nil))
	w.now = noon.Add(-time.Hour + 299500*time.Millisecond)
	want(t, "count", len(w.send()), 1)
	e, err := events.Parse(w.stored[0].Event.Body)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "run", e.Run, events.Run{ID: "run_1", Status: "paused", Phase: "qa"})
	want(t, "project", e.Project, events.Project{ID: "p", Name: "P", Root: "/p"})
	if e.Turn != nil || e.Type != events.ApprovalSLAReminder {
		t.Errorf("turn %v, type %s", e.Turn, e.Type)
	}
}

// A phase transition waits since it was first seen, or since the state says.
func TestPhaseTransition(t *testing.T) {
	w := newWorld(t)
	w.state(transition + completion)
	want(t, "first look", len(w.send()), 1) // the completion
	w.now = noon.Add(299 * time.Second)
	want(t, "too early", w.send(), []string(nil))
	w.now = noon.Add(300 * time.Second)
	want(t, "due", w.send(), []string{
		`{"approval_type":"pending_phase_transition","requested_at":null,"elapsed_seconds":300,"threshold_seconds":300,` +
			`"reminder_index":1,"total_thresholds":3,"from_phase":"planning","to_phase":"qa","gate":"signoff","first_seen_at":"2026-11-21T12:00:00.000Z"}`,
	})
	want(t, "once", w.send(), []string(nil))

	// Granted, and then another one, which is first seen now. The Node CLI
	// takes the keys of the first out of the list; if it does not, we do.
	w.state("")
	want(t, "granted", w.send(), []string(nil))
	want(t, "list", w.list(), keys())
	w.state(strings.Replace(transition, "turn_1", "turn_2", 1))
	want(t, "another", w.send(), []string(nil))
	w.now = w.now.Add(300 * time.Second)
	want(t, "another, due", len(w.send()), 1)

	dated := strings.Replace(transition, `"from"`, `"requested_at":"2026-11-21T08:00:00Z","from"`, 1)
	w = newWorld(t)
	w.state(dated)
	got := w.send()
	if len(got) != 1 || !strings.Contains(got[0], `"requested_at":"2026-11-21T08:00:00Z","elapsed_seconds":14400,`) || strings.Contains(got[0], "first_seen_at") {
		t.Errorf("with requested_at: %q", got)
	}
}

// What the Node CLI sent is not sent again, what it cleared is forgotten, and
// what others wrote stays.
func TestListIsShared(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	w.write("sla-reminders.json", `["pending_run_completion:300","other:1",7,"pending_run_completion:3600","other:1"]`)
	want(t, "sent by the Node CLI", w.send(), []string(nil))
	want(t, "untouched", w.list(), `["pending_run_completion:300","other:1",7,"pending_run_completion:3600","other:1"]`)
	w.now = noon.Add(3 * time.Hour)
	want(t, "the next one", len(w.send()), 1)
	want(t, "list", w.list(), "[\n  \"pending_run_completion:300\",\n  \"other:1\",\n  7,\n  \"pending_run_completion:3600\",\n  \"other:1\",\n  \"pending_run_completion:14400\"\n]\n")

	// The Node CLI writes the list it read before we wrote ours.
	w.write("sla-reminders.json", keys("pending_run_completion:300"))
	want(t, "overwritten", w.send(), []string(nil))
	want(t, "list", w.list(), keys("pending_run_completion:300", "pending_run_completion:14400", "pending_run_completion:3600"))
	info, err := os.Stat(w.root.RemindersFile())
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o644 {
		t.Errorf("mode of the list: %v, %v", info.Mode(), err)
	}

	// A list without the highest threshold that passed is no reason to tell of
	// a lower one.
	w = newWorld(t)
	w.state(completion)
	w.write("sla-reminders.json", keys("pending_run_completion:3600"))
	want(t, "lower", w.send(), []string(nil))
	want(t, "list", w.list(), keys("pending_run_completion:3600", "pending_run_completion:300"))
}

// A key that may be about the approval that waits now stays.
func TestKeysOfTheNextApprovalStay(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	w.send()
	next := strings.Replace(completion, "10:59:59.500Z", "11:50:00.000Z", 1)
	w.state(next)
	want(t, "another approval", w.send(), []string(nil))
	want(t, "list", w.list(), keys("pending_run_completion:300"))
}

// What can't be understood is reported, and nothing is sent or changed.
func TestUnreadable(t *testing.T) {
	const listName, bookName, stateName = "sla-reminders.json", "notify/reminders.json", "state.json"
	for _, test := range []struct{ name, content string }{
		{listName, ""},
		{listName, `["pending_run_completion:300"`},
		{listName, `{"a":1}`},
		{listName, `null`},
		{bookName, ""},
		{bookName, `{"version":2,"approvals":[]}` + "\n"},
		{bookName, `{"version":1}` + "\n"},
		{bookName, `{"version":1,"approvals":[{}]}` + "\n"},
		{bookName, `{"version":1,"approvals":[]}`},
		{stateName, `{`},
		{stateName, `{"pending_run_completion":5}`},
	} {
		w := newWorld(t)
		w.state(completion)
		if err := os.Mkdir(filepath.Join(w.root.Dir, ".agentxchain", "notify"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write(test.name, test.content)
		got, err := w.trySend()
		if err == nil || len(got) > 0 {
			t.Fatalf("%s %q: sent %q, error %v", test.name, test.content, got, err)
		}
		if !strings.Contains(err.Error(), filepath.Base(test.name)) {
			t.Errorf("%s %q: the error does not name the file: %v", test.name, test.content, err)
		}
		var file *FileError
		if errors.As(err, &file) != (test.name != stateName) {
			t.Errorf("%s %q: %v", test.name, test.content, err)
		}
		if b, err := os.ReadFile(filepath.Join(w.root.Dir, ".agentxchain", test.name)); err != nil || string(b) != test.content {
			t.Errorf("%s %q: now %q, %v", test.name, test.content, b, err)
		}
		if _, err := Due(w.options()); err == nil {
			t.Errorf("%s %q: Due finds nothing wrong", test.name, test.content)
		}
	}
}

// What can't be remembered is not sent.
func TestUnwritable(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	if err := os.MkdirAll(filepath.Join(w.root.BookFile(), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := w.trySend(); err == nil || len(got) > 0 {
		t.Errorf("sent %q, error %v", got, err)
	}
	want(t, "list", w.list(), "")
}

// However many look at once, one of them sends.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.state(completion + transition)
	const looks = 16
	var running sync.WaitGroup
	for range looks {
		running.Go(func() {
			if _, err := w.trySend(); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	want(t, "reminders", len(w.stored), 1)
	t.Logf("%d looks at once: %d reminder", looks, len(w.stored))
}

// A look waits for another, and gives up when its time is over.
func TestWaitsForTheLock(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	unlock, err := w.root.Lock(t.Context(), lockName)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	err = Send(ctx, w.options(), func(context.Context, Reminder) error { t.Error("sent"); return nil })
	if err == nil || !strings.Contains(err.Error(), lockName) || !strings.Contains(err.Error(), "no time") {
		t.Errorf("error %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	want(t, "after that", len(w.send()), 1)
}

// A reminder that could not be stored, or whose process died before it was, is
// handed over again with the same bytes, for as long as its approval waits.
func TestHandedOverAgain(t *testing.T) {
	for name, die := range map[string]func(*world){
		"not stored": func(w *world) {
			w.fail = errors.New("disk full")
			if _, err := w.trySend(); !errors.Is(err, w.fail) {
				w.tb.Fatal(err)
			}
			w.fail = nil
		},
		"died before the book": func(w *world) { w.look() },
		"died before the list": func(w *world) {
			if err := w.look().write(); err != nil {
				w.tb.Fatal(err)
			}
		},
		"died before it was stored": func(w *world) {
			if err := w.look().remember(); err != nil {
				w.tb.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.state(completion)
			die(w)
			minted, err := readBook(w.root)
			if err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Minute)
			want(t, "count", len(w.send()), 1)
			got := w.stored[0]
			if again := len(minted) > 0; got.Again != again {
				t.Errorf("again: %v, want %v", got.Again, again)
			}
			if len(minted) > 0 {
				want(t, "event", got.Event, *minted[0].Event)
			}
			want(t, "list", w.list(), keys("pending_run_completion:300", "pending_run_completion:3600"))
			want(t, "after that", w.send(), []string(nil))

			w = newWorld(t)
			w.state(completion)
			die(w)
			w.state("")
			want(t, "granted meanwhile", w.send(), []string(nil))
			if got := w.list(); got != "" && got != keys() {
				t.Errorf("granted meanwhile: list %q", got)
			}
		})
	}
}

func (w *world) look() *round {
	w.tb.Helper()
	r, err := look(w.options())
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// The next threshold takes the place of a reminder that was never stored.
func TestNewestReminderCounts(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	w.fail = errors.New("disk full")
	if _, err := w.trySend(); err == nil {
		t.Fatal("no error")
	}
	w.fail, w.now = nil, noon.Add(3*time.Hour)
	got := w.send()
	if len(got) != 1 || !strings.Contains(got[0], `"threshold_seconds":14400,`) || strings.HasPrefix(got[0], "again") {
		t.Errorf("got %q", got)
	}
}

// So does one of the Node CLI.
func TestNodeReminderCounts(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	w.fail = errors.New("disk full")
	if _, err := w.trySend(); err == nil {
		t.Fatal("no error")
	}
	w.fail, w.now = nil, noon.Add(3*time.Hour)
	w.write("sla-reminders.json", keys("pending_run_completion:300", "pending_run_completion:3600", "pending_run_completion:14400"))
	want(t, "after the Node CLI", w.send(), []string(nil))
}

// Due sends, writes and makes nothing.
func TestDue(t *testing.T) {
	w := newWorld(t)
	w.state(completion + transition)
	list, err := Due(w.options())
	if err != nil || len(list) != 1 || list[0].Approval != events.PendingRunCompletion {
		t.Errorf("due %v, %v", list, err)
	}
	names, err := os.ReadDir(filepath.Join(w.root.Dir, ".agentxchain"))
	if err != nil || len(names) != 1 {
		t.Errorf("files %v, %v", names, err)
	}
}

// Everything of ours is private and lies in our own folder, but for the list.
func TestFiles(t *testing.T) {
	w := newWorld(t)
	w.state(completion)
	w.send()
	var got []string
	err := filepath.WalkDir(w.root.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		rel, _ := filepath.Rel(w.root.Dir, path)
		mode := info.Mode().Perm()
		if runtime.GOOS == "windows" {
			mode = 0o600
		}
		got = append(got, fmt.Sprintf("%s %o", filepath.ToSlash(rel), mode))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, "state.json") })
	want(t, "files", got, []string{
		".agentxchain/notify/.gitignore 600", ".agentxchain/notify/reminders.json 600",
		".agentxchain/notify/reminders.lock 600", ".agentxchain/sla-reminders.json 600",
	})
}

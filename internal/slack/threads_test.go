package slack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// threadsIn returns threads in a folder that is made when it is needed.
func threadsIn(dir string) *Threads {
	return NewThreads(ThreadsOptions{
		Path:   filepath.Join(dir, "own", "slack-threads.json"),
		Create: func() error { return os.MkdirAll(filepath.Join(dir, "own"), 0o700) },
	})
}

func mustFor(t *testing.T, th *Threads, run, channel string) string {
	t.Helper()
	ts, err := th.For(run, channel)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// The messages of a run lie in one thread for each channel, and a retry sends
// the same bytes.
func TestThreads(t *testing.T) {
	slack := workspace()
	o := options(t, slack)
	dir := t.TempDir()
	o.Threads = threadsIn(dir)
	s := NewSender(o)
	say := func(kind events.Type, channel string) delivery.Result {
		e := governed(kind, nil)
		d := delivery.Delivery{Event: e, Body: Body(e, Post{Channel: channel, Thread: mustFor(t, threadsIn(dir), e.RunID, channel)})}
		return s.Send(t.Context(), d)
	}
	for _, kind := range events.Types(events.Governed)[:3] {
		if res := say(kind, "#alerts"); !res.Delivered || res.Message != "Delivered" {
			t.Fatalf("%+v", res)
		}
	}
	say("run_completed", "alerts")
	m := slack.Messages()
	if m[0].ThreadTS != "" || m[1].ThreadTS != m[0].TS || m[2].ThreadTS != m[0].TS || m[3].ThreadTS != "" {
		t.Errorf("%+v", m)
	}
	if ts := mustFor(t, o.Threads, "", "#alerts"); ts != "" {
		t.Errorf("an event of no run continues %q", ts)
	}
	if ts := mustFor(t, o.Threads, "run_2", "#alerts"); ts != "" {
		t.Errorf("another run continues %q", ts)
	}
}

// A thread that Slack no longer has fails its message and is forgotten.
func TestThreadGone(t *testing.T) {
	slack := workspace()
	o := options(t, slack)
	o.Threads = threadsIn(t.TempDir())
	e := governed("run_blocked", nil)
	if err := o.Threads.remember(e.RunID, "#alerts", "1.000001"); err != nil {
		t.Fatal(err)
	}
	res := NewSender(o).Send(t.Context(), delivery.Delivery{Event: e, Body: Body(e, Post{Channel: "#alerts", Thread: "1.000001"})})
	if res.Message != "thread_not_found" || res.Retry || res.Reason != delivery.ReasonRejected {
		t.Errorf("%+v", res)
	}
	if ts := mustFor(t, o.Threads, e.RunID, "#alerts"); ts != "" {
		t.Errorf("%q is still remembered", ts)
	}
}

// A refusal for another reason forgets nothing.
func TestThreadStays(t *testing.T) {
	slack := workspace()
	o := options(t, slack)
	o.Threads = threadsIn(t.TempDir())
	e := governed("run_blocked", nil)
	if err := o.Threads.remember(e.RunID, "#old", "1.000001"); err != nil {
		t.Fatal(err)
	}
	NewSender(o).Send(t.Context(), delivery.Delivery{Event: e, Body: Body(e, Post{Channel: "#old", Thread: "1.000001"})})
	if ts := mustFor(t, o.Threads, e.RunID, "#old"); ts != "1.000001" {
		t.Errorf("%q", ts)
	}
}

func TestThreadsFile(t *testing.T) {
	dir := t.TempDir()
	th := threadsIn(dir)
	if ts := mustFor(t, th, "r", "c"); ts != "" {
		t.Errorf("%q of no file", ts)
	}
	if err := errors.Join(th.remember("r", "#c", "1.1"), th.remember("r", "#c", "2.2"), th.remember("r2", "é\"", "3.3")); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(th.opts.Path)
	const want = `{"version":1,"threads":[{"run":"r","channel":"#c","ts":"1.1"},{"run":"r2","channel":"é\"","ts":"3.3"}]}` + "\n"
	if err != nil || string(raw) != want {
		t.Errorf("%v %s", err, raw)
	}
	if err := errors.Join(th.forget("r", "#c", "9.9"), th.forget("nobody", "#c", "1.1")); err != nil {
		t.Fatal(err)
	}
	if ts := mustFor(t, th, "r", "#c"); ts != "1.1" {
		t.Errorf("%q", ts)
	}
	left, err := filepath.Glob(filepath.Join(dir, "own", "*"))
	if hidden, _ := filepath.Glob(filepath.Join(dir, "own", ".*")); err != nil || len(left) != 1 || len(hidden) > 0 {
		t.Errorf("%q %q %v", left, hidden, err)
	}
}

func TestThreadsAreBounded(t *testing.T) {
	th := threadsIn(t.TempDir())
	list := make([]thread, MaxThreads)
	for i := range list {
		list[i] = thread{fmt.Sprintf("run_%d", i), "#alerts", "1760000000.000100"}
	}
	if err := th.write(list); err != nil {
		t.Fatal(err)
	}
	if err := th.remember("new", "#alerts", "1.1"); err != nil {
		t.Fatal(err)
	}
	if mustFor(t, th, "run_0", "#alerts") != "" || mustFor(t, th, "run_1", "#alerts") == "" || mustFor(t, th, "new", "#alerts") != "1.1" {
		t.Error("not the oldest was forgotten")
	}
}

// A file that cannot be understood is a warning, and the next message replaces it.
func TestThreadsDamaged(t *testing.T) {
	for _, text := range []string{
		"", "{", `{"version":2,"threads":[]}`, `{"version":1}`, `{"version":1,"threads":[1]}`, `{"version":1,"threads":[{"run":"r","ts":"x"}]}`,
		strings.Repeat(" ", maxThreadsBytes) + `{"version":1,"threads":[]}`,
	} {
		th := threadsIn(t.TempDir())
		if err := errors.Join(th.opts.Create(), os.WriteFile(th.opts.Path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if ts, err := th.For("r", "c"); ts != "" || err == nil || err.Error() != "slack-threads.json cannot be understood; threads begin anew" {
			t.Errorf("%.40q: %q %v", text, ts, err)
		}
		if err := th.remember("r", "c", "1.1"); err != nil || mustFor(t, th, "r", "c") != "1.1" {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// What cannot be remembered never fails a message.
func TestThreadsCannotBeWritten(t *testing.T) {
	o := options(t, workspace())
	o.Threads = NewThreads(ThreadsOptions{Path: filepath.Join(t.TempDir(), "no", "x"), Create: func() error { return nil }})
	res := NewSender(o).Send(t.Context(), post("#alerts"))
	const want = "Delivered; its thread was not remembered: no such file or directory"
	if !res.Delivered || !strings.HasPrefix(res.Message, want[:40]) || strings.Contains(res.Message, string(filepath.Separator)) {
		t.Errorf("%+v", res)
	}
	bad := NewThreads(ThreadsOptions{Path: t.TempDir(), Create: func() error { return nil }}) // a folder
	if _, err := bad.For("r", "c"); err == nil {
		t.Error("a folder was read")
	}
	if err := bad.remember("r", "c", "1.1"); err == nil {
		t.Error("a folder was replaced")
	}
}

func TestThreadsConcurrently(t *testing.T) {
	th := threadsIn(t.TempDir())
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if err := th.remember(fmt.Sprintf("run_%d", i), "c", fmt.Sprintf("1.%d", i)); err != nil {
				t.Error(err)
			}
			if _, err := th.For("run_0", "c"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 16 {
		if mustFor(t, th, fmt.Sprintf("run_%d", i), "c") != fmt.Sprintf("1.%d", i) {
			t.Errorf("run_%d is lost", i)
		}
	}
}

func FuzzThreads(f *testing.F) {
	f.Add(formatThreads([]thread{{"r", "#c", "1.1"}}))
	f.Add([]byte(`{"version":1,"threads":[{"run":"\ud800","channel":"","ts":"0.0"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, ok := parseThreads(raw)
		if !ok {
			return
		}
		again, ok := parseThreads(formatThreads(list))
		if !ok || len(again) != len(list) {
			t.Fatalf("%q reads back as %q", list, again)
		}
		for i := range list {
			if again[i] != list[i] {
				t.Fatalf("%q reads back as %q", list[i], again[i])
			}
		}
	})
}

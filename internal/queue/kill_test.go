package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/queue"
)

// The variables that make a re-executed test binary a process that kills
// itself, as kill -9 would, or one that recovers.
const (
	windowEnv  = "AGENTXCHAIN_QUEUETEST_WINDOW"
	dirEnv     = "AGENTXCHAIN_QUEUETEST_DIR"
	urlEnv     = "AGENTXCHAIN_QUEUETEST_URL"
	commandEnv = "AGENTXCHAIN_QUEUETEST_COMMAND"
	chanceEnv  = "AGENTXCHAIN_QUEUETEST_CHANCE"
	recoverer  = "recover"
)

// windows are the places between two steps where a process can die.
var windows = []string{
	"before intent", "intent to connect", "connect to answer", "answer to append", "inside the append", "append to finish",
}

// suicide kills its process at a window.
type suicide struct {
	*world
	window string
	url    string
	// chance lets some of the passes through the window live, so that targets
	// of one event die in different places.
	mu     sync.Mutex
	chance int
}

// at dies if the window is this one and the chance is used up.
func (s *suicide) at(window string) {
	if s.window != window {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chance--; s.chance < 0 {
		die()
	}
}

func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill oneself:", err)
		os.Exit(3)
	}
	select {} // until the signal arrives
}

func (s *suicide) Add(ctx context.Context, in delivery.Intent) error {
	s.at("before intent")
	return s.box.Add(ctx, in)
}

func (s *suicide) Begin(ctx context.Context, in delivery.Intent) error {
	s.at("before intent")
	return s.box.Begin(ctx, in)
}

func (s *suicide) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	s.at("append to finish")
	return s.box.Finish(ctx, ds...)
}

// Send is a real HTTP attempt.
func (s *suicide) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	s.at("intent to connect")
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { s.at("connect to answer") },
	})
	status := post(ctx, s.url, d)
	s.at("answer to append")
	if status == http.StatusNoContent {
		return good
	}
	return down
}

func post(ctx context.Context, url string, d delivery.Delivery) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Body))
	if err != nil {
		return 0
	}
	req.Header.Set("X-Event", d.Event.ID)
	req.Header.Set("X-Target", d.Target.ID())
	req.Header.Set("X-Attempt", strconv.Itoa(d.Attempts))
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// Record writes half a line and dies in the middle.
func (s *suicide) Record(ctx context.Context, as ...delivery.Attempt) error {
	if s.window == "inside the append" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.chance--; s.chance < 0 {
			b, err := linesOf(as)
			exitOn(err)
			exitOn(s.evidence.append(b[:len(b)/2]))
			die()
		}
	}
	return s.evidence.Record(ctx, as...)
}

// Sync is in the last window too: everything is written, nothing is finished.
func (s *suicide) Sync() error {
	s.at("append to finish")
	return s.evidence.Sync()
}

func (s *suicide) Size() (int64, error) { return s.evidence.Size() }

func (s *suicide) Recorded(from int64, keys []delivery.AttemptKey) (map[delivery.AttemptKey]delivery.Reason, error) {
	return s.evidence.Recorded(from, keys)
}

// wrapped is the store of a suicide: the outbox, with the suicide's steps.
type wrapped struct {
	queue.Store
	*suicide
}

func (w wrapped) Add(ctx context.Context, in delivery.Intent) error { return w.suicide.Add(ctx, in) }

func (w wrapped) Begin(ctx context.Context, in delivery.Intent) error {
	return w.suicide.Begin(ctx, in)
}

func (w wrapped) Finish(ctx context.Context, ds ...delivery.Delivery) error {
	return w.suicide.Finish(ctx, ds...)
}

// victim is what a re-executed test binary does.
func victim(window string) {
	chance, err := strconv.Atoi(os.Getenv(chanceEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	w := makeWorld(os.Getenv(dirEnv), nil)
	s := &suicide{world: w, window: window, url: os.Getenv(urlEnv), chance: chance}
	q := queue.New(queue.Options{
		Store: wrapped{Store: w.box, suicide: s}, Audit: s, Policy: delivery.Policy{},
		Sender: one(s),
	})
	ctx := context.Background()
	switch os.Getenv(commandEnv) {
	case "emit":
		ev, ms := event("e1", 3)
		for i := range ms {
			ms[i].Attempts = 2
		}
		b, err := q.Submit(ctx, ev, ms)
		exitOn(err)
		exitOn(q.Drain(ctx, b).Err)
	case "retry":
		_, err := q.Retry(ctx)
		exitOn(err)
	case recoverer:
		exitOn(q.Recover(ctx).Err)
	}
	os.Exit(0)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// run runs this test binary as a victim and reports whether it was killed.
func run(t *testing.T, dir, url, window, command string, chance int) bool {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), windowEnv+"="+window, dirEnv+"="+dir, urlEnv+"="+url, commandEnv+"="+command, chanceEnv+"="+strconv.Itoa(chance))
	out, err := cmd.CombinedOutput()
	if len(out) > 0 {
		t.Errorf("%s %s says: %s", window, command, out)
	}
	code := cmd.ProcessState.ExitCode()
	if code == 3 {
		t.Fatalf("%s %s failed", window, command)
	}
	return err != nil
}

// serve starts a real receiver: hook1 answers 204, hook2 503, hook3 first 503
// and then 204.
func (r *receiver) serve(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		attempt, err := strconv.Atoi(req.Header.Get("X-Attempt"))
		if err != nil {
			t.Errorf("attempt: %v", err)
		}
		target := req.Header.Get("X-Target")
		r.note(delivery.AttemptKey{EventID: req.Header.Get("X-Event"), TargetID: target, Attempt: attempt})
		if name := target[len(target)-1]; name == '1' || name == '3' && attempt > 1 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestKill kills commands in every window, lets two recover at once, and
// wants every attempt that the receiver saw on record exactly once, and every
// target that is not delivered in the backlog.
func TestKill(t *testing.T) {
	kills := 25
	if testing.Short() {
		kills = 4
	}
	for _, window := range windows {
		for command, kills := range map[string]int{"emit": kills, "retry": kills/2 + 1} {
			t.Run(command+", "+window, func(t *testing.T) {
				t.Parallel()
				for i := range kills {
					killOnce(t, window, command, i)
				}
				fixtures.Ran(t, "kill -9 in "+command+", "+window, kills)
			})
		}
	}
}

func killOnce(t *testing.T, window, command string, i int) {
	t.Helper()
	dir, sent := t.TempDir(), newReceiver()
	url := sent.serve(t)
	if command == "retry" {
		for _, id := range []string{"e1", "e2"} {
			must(t, newWorld(t, dir, sent.sender(func(delivery.Delivery) delivery.Result { return down })).emit(t.Context(), id, 3, 1).Err)
		}
	}
	chance := i % 3
	if window == "before intent" {
		chance = i % 2 // of emit, the second is that of the second attempt
	}
	if !run(t, dir, url, window, command, chance) {
		t.Fatalf("kill %d: it lived", i)
	}
	before := len(newWorld(t, dir, nil).lines(t))
	if i%5 == 0 {
		inParallel(2, func() { run(t, dir, url, "none", recoverer, 0) })
	} else {
		inParallel(2, func() {
			recovered(t, newWorld(t, dir, nil))
		})
	}
	w := newWorld(t, dir, nil)
	sent.wantEvidence(t, w)
	wantBacklog(t, w, command)
	if window == "before intent" && chance == 0 && len(w.lines(t)) != before {
		t.Errorf("kill %d: nothing was begun, and recovery recorded %q", i, w.lines(t)[before:])
	}
}

func inParallel(n int, f func()) {
	var running sync.WaitGroup
	for range n {
		running.Go(f)
	}
	running.Wait()
}

// wantBacklog wants in the backlog, free for a retry, what the evidence does
// not call delivered.
func wantBacklog(t *testing.T, w *world, command string) {
	t.Helper()
	lines, err := w.evidence.read(0)
	must(t, err)
	type place struct{ event, target string }
	last := make(map[place]line)
	for _, l := range lines {
		if p := (place{l.Event, l.Target}); last[p].Attempt < l.Attempt {
			last[p] = l
		}
	}
	ds, err := w.queue().Pending(t.Context())
	must(t, err)
	listed := make(map[place]delivery.Delivery)
	for _, d := range ds {
		listed[place{d.Event.ID, d.Target.ID()}] = d
		if d.Status == delivery.Sending {
			t.Errorf("%s is still being sent", d.ID)
		}
	}
	for p, l := range last {
		d, ok := listed[p]
		if delivered := l.Reason == delivery.ReasonDelivered; delivered == ok {
			t.Errorf("%v: delivered %v, in the backlog %v", p, delivered, ok)
		}
		if ok && (d.Attempts != l.Attempt || d.LastReason != l.Reason) {
			t.Errorf("%v: the backlog has attempt %d %s, the evidence %d %s", p, d.Attempts, d.LastReason, l.Attempt, l.Reason)
		}
	}
	if command == "retry" && len(last) != 6 {
		t.Errorf("evidence of %d targets", len(last))
	}
}

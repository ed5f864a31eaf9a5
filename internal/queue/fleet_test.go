package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/pgtest"
	"agentxchain/internal/queue"
	"agentxchain/internal/secret"
	"agentxchain/internal/store"
)

// fleetEnv makes a re-executed test binary a worker: its value is the URL of
// the database, and dirEnv and urlEnv name the project and the receiver.
const fleetEnv = "AGENTXCHAIN_QUEUETEST_FLEET"

// fleetLease is how long claims last in the tests of several processes.
const fleetLease = 2 * time.Second

func openStore(url, dir string) (*store.Store, error) {
	return store.Open(context.Background(), store.Options{URL: secret.New(url), Dir: dir, Site: "fleet", Lease: fleetLease})
}

// fleetWorker accepts the events that are named on its standard input, says
// so, and sends until its input ends.
func fleetWorker(url string) {
	dir, to := os.Getenv(dirEnv), os.Getenv(urlEnv)
	s, err := openStore(url, dir)
	exitOn(err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: fleetLease / 4}
	r := queue.NewRunner(s, queue.Options{
		Audit: &synced{evidence: evidence{path: filepath.Join(dir, "audit.jsonl")}},
		Sender: one(senderFunc(func(ctx context.Context, d delivery.Delivery) delivery.Result {
			return fleetSend(ctx, &client, to, d)
		})),
		Policy: delivery.Policy{Steps: []time.Duration{50 * time.Millisecond}},
	}, queue.RunOptions{Workers: 16, MaxWait: fleetLease / 4, Sweep: fleetLease / 8, Grace: time.Second})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var accepting sync.WaitGroup
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		id := in.Text()
		accepting.Go(func() {
			ev, ms := event(id, 1)
			if err := r.Accept(ctx, ev, ms); err != nil && !errors.Is(err, delivery.ErrExists) {
				fmt.Fprintln(os.Stderr, "accept:", err)
				return
			}
			fmt.Println(id)
		})
	}
	accepting.Wait()
	stop()
	exitOn(<-ended)
	exitOn(s.Close())
	os.Exit(0)
}

func fleetSend(ctx context.Context, c *http.Client, url string, d delivery.Delivery) delivery.Result {
	if !delivery.GateOpen(ctx) {
		return delivery.Result{Reason: delivery.ReasonInterrupted, Retry: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(d.Body)))
	exitOn(err)
	req.Header.Set("X-Event", d.Event.ID)
	req.Header.Set("X-Target", d.Target.ID())
	req.Header.Set("X-Attempt", strconv.Itoa(d.Attempts))
	req.Header.Set("X-Worker", strconv.Itoa(os.Getpid()))
	resp, err := c.Do(req)
	if err != nil {
		return delivery.Result{Reason: delivery.ReasonReset, Retry: true, Message: "no answer"}
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return good
	}
	return down
}

// fleet is a few workers on one database.
type fleet struct {
	url, dir, to string
	mu           sync.Mutex
	acked        map[string]bool
	news         chan struct{}
	workers      []*fleetProcess
	reading      sync.WaitGroup
}

type fleetProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func (f *fleet) hire(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p := &fleetProcess{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), fleetEnv+"="+f.url, dirEnv+"="+f.dir, urlEnv+"="+f.to)
	p.cmd.Stderr = os.Stderr
	p.in, err = p.cmd.StdinPipe()
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	f.reading.Go(func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			f.note(lines.Text())
		}
	})
	f.workers = append(f.workers, p)
}

// fleetReceiver counts what arrives. Every seventh event is refused once.
type fleetReceiver struct {
	*receiver
	delivered map[string]int
	// from is which worker sent an attempt.
	from map[delivery.AttemptKey]int
}

func (r *fleetReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	defer func() { <-time.After(5 * time.Millisecond) }() // so that a kill finds some on their way
	attempt, _ := strconv.Atoi(req.Header.Get("X-Attempt"))
	worker, _ := strconv.Atoi(req.Header.Get("X-Worker"))
	k := delivery.AttemptKey{EventID: req.Header.Get("X-Event"), TargetID: req.Header.Get("X-Target"), Attempt: attempt}
	r.note(k)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from[k] = worker
	if n, _ := strconv.Atoi(strings.TrimPrefix(k.EventID, "f")); n%7 == 0 && attempt == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.delivered[k.EventID]++
	w.WriteHeader(http.StatusNoContent)
}

// inFlight counts the deliveries that a worker has sent, or begun to send, and
// whose outcome the database does not have.
func (r *fleetReceiver) inFlight(t *testing.T, s *store.Store, worker int) int {
	t.Helper()
	ds, err := s.List(t.Context())
	must(t, err)
	n := 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range ds {
		if d.Status == delivery.Sending && r.from[delivery.Attempt{Delivery: d, Number: d.Attempts}.Key()] == worker {
			n++
		}
	}
	return n
}

// TestFleetKill has three processes on one database accept and send, and kills
// one after the other: nothing that was accepted is lost, what arrives twice
// was in flight at a kill, and the evidence knows every attempt.
func TestFleetKill(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "sqlite:///notify.db" },
		"postgres": func(t *testing.T) string { return pgtest.Start(t) },
	} {
		t.Run(name, func(t *testing.T) { fleetKill(t, name, url(t)) })
	}
}

func fleetKill(t *testing.T, name, url string) {
	const events, kills = 500, 6
	r := &fleetReceiver{receiver: newReceiver(), delivered: map[string]int{}, from: map[delivery.AttemptKey]int{}}
	srv := httptest.NewServer(r)
	defer srv.Close()
	f := &fleet{url: url, dir: t.TempDir(), to: srv.URL, acked: map[string]bool{}, news: make(chan struct{}, events)}
	watcher, err := openStore(url, f.dir)
	must(t, err)
	defer watcher.Close()
	for range 3 {
		f.hire(t)
	}
	bound, killed := 0, 0
	for len(f.missing(events)) > 0 {
		for _, id := range f.missing(min(events, (killed+1)*events/kills)) { // again, to another
			_, _ = fmt.Fprintln(f.workers[rand.IntN(len(f.workers))].in, id)
		}
		f.collect()
		if killed < kills {
			bound += f.kill(t, r, watcher)
			killed++
			f.hire(t)
		}
	}
	for _, p := range f.workers[1:] { // one stays until all is done
		must(t, p.in.Close())
		must(t, p.cmd.Wait())
	}
	awaitEmpty(t, watcher)
	must(t, f.workers[0].in.Close())
	must(t, f.workers[0].cmd.Wait())
	f.reading.Wait()
	twice := 0
	for id := range f.acked {
		if r.delivered[id] == 0 {
			t.Errorf("%s was accepted and is lost", id)
		}
		twice += max(0, r.delivered[id]-1)
	}
	if twice > bound {
		t.Errorf("%d arrived twice, %d were in flight at the kills", twice, bound)
	}
	r.wantEvidence(t, &world{evidence: &evidence{path: filepath.Join(f.dir, "audit.jsonl")}})
	t.Logf("%s: %d kills, %d in flight at a kill, %d twice, 0 lost", name, killed, bound, twice)
	fixtures.Ran(t, "accepted by three workers that are killed, "+name, len(f.acked))
}

// collect waits for some acknowledgements, so that the next kill comes in the
// middle of the work, or for all that are to be had.
func (f *fleet) collect() {
	for range 20 + rand.IntN(60) {
		select {
		case <-f.news:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

// note keeps an acknowledgement.
func (f *fleet) note(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked[id] = true
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// missing are those of the first n events that were not acknowledged.
func (f *fleet) missing(n int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for i := range n {
		if id := fmt.Sprint("f", i); !f.acked[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// kill kills one worker and returns how much it had in flight.
func (f *fleet) kill(t *testing.T, r *fleetReceiver, s *store.Store) int {
	t.Helper()
	n := rand.IntN(len(f.workers))
	p := f.workers[n]
	f.workers = append(f.workers[:n], f.workers[n+1:]...)
	must(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait() // it says that it was killed
	return r.inFlight(t, s, p.cmd.Process.Pid)
}

// awaitEmpty waits until everything is delivered.
func awaitEmpty(t *testing.T, s *store.Store) {
	t.Helper()
	for range 600 {
		ds, err := s.List(t.Context())
		must(t, err)
		if len(ds) == 0 {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	ds, _ := s.List(t.Context())
	t.Fatalf("after a minute %d are not delivered, such as %+v", len(ds), ds[0])
}

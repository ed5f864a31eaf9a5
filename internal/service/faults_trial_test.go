//go:build linux

package service

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The usual order of a worker.
const (
	faultLease   = 4 * time.Second
	faultTimeout = 2 * time.Second
)

// trial is one scenario: workers on one database, deliveries that they
// accepted, and what became of them.
type trial struct {
	t    *testing.T
	name string
	// program is what workers are.
	program string
	// url is the database's for workers, db how the test looks into it.
	url   string
	db    *sql.DB
	steps []time.Duration
	// dirs are the projects; worker n serves dirs[n % len(dirs)].
	dirs    []string
	book    *ledger
	workers []*hand
	// everybody are all that were ever hired.
	everybody []*hand
	hired     int
	said      chan saying
	reading   sync.WaitGroup

	// next is the number of the next event; waiting are those that a worker
	// was asked to accept and has not, again those to be asked for once more.
	next    int
	waiting map[string]*hand
	again   []string
	// accepted are the events by run.
	accepted map[string]string

	// excused says how often a parcel may come twice: once for each fault that
	// found it on its way.
	excused                      map[parcel]int
	faults, inFlight, lostClaims int
}

// hand is a worker as the test sees it.
type hand struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	desk *desk
	log  string
	dead bool
}

// saying is one line of a worker.
type saying struct {
	by    *hand
	words []string
}

// workerProgram is this test binary, without the race detector: under it SQLite is
// too slow for two processes to share a file, and all of a fault's timing is
// another. The parts of a worker have tests of their own under it.
func workerProgram(t *testing.T) string {
	t.Helper()
	info, ok := debug.ReadBuildInfo()
	if !ok || !slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		self, err := os.Executable()
		must(t, err)
		return self
	}
	bin := filepath.Join(t.TempDir(), "worker")
	if out, err := exec.Command("go", "test", "-c", "-o", bin, "agentxchain/internal/service").CombinedOutput(); err != nil {
		t.Fatalf("build the worker: %v: %s", err, out)
	}
	return bin
}

// newTrial makes a trial over projects with workers each.
func newTrial(t *testing.T, program, name, driver, url, dsn string, projects int) *trial {
	t.Helper()
	r := &trial{
		t: t, program: program, name: name, url: url, said: make(chan saying, 10_000),
		steps:   []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond},
		waiting: map[string]*hand{}, accepted: map[string]string{}, excused: map[parcel]int{},
		book: &ledger{
			answer: usual, slow: 3 * time.Millisecond,
			receipts: map[parcel][]*receipt{}, events: map[parcel]string{}, bodies: map[parcel][32]byte{},
		},
	}
	for range projects {
		r.dirs = append(r.dirs, t.TempDir())
	}
	var err error
	r.db, err = sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(r.clean)
	return r
}

// sqliteTrial is a trial over a file, which all workers share with a project.
func sqliteTrial(t *testing.T, program, name, dir string) *trial {
	t.Helper()
	path := filepath.Join(dir, "log.db")
	r := newTrial(t, program, name, "sqlite", "sqlite:///"+path, "file:"+path+"?_pragma=busy_timeout(20000)", 1)
	r.dirs[0] = dir
	return r
}

func (r *trial) clean() {
	for _, h := range r.everybody {
		if !h.dead {
			_ = h.cmd.Process.Kill() // the test failed
			_ = h.cmd.Wait()
			h.desk.close()
		}
	}
	r.reading.Wait()
	_ = r.db.Close() // it was only looked into
	if !r.t.Failed() {
		return
	}
	for _, h := range r.everybody {
		if text, err := os.ReadFile(h.log); err == nil && len(text) > 0 {
			r.t.Logf("%s ends:\n%s", filepath.Base(h.log), text[max(0, len(text)-3000):])
		}
	}
}

// usual refuses every seventh event once and one target of some for ever.
func usual(p parcel, n int) (code int, retryAfter string) {
	switch number, _ := strconv.Atoi(strings.TrimPrefix(p.run, "r")); {
	case refused(p):
		return 410, ""
	case number%7 == 0 && n == 1:
		return 503, ""
	}
	return 204, ""
}

// refused reports whether the receiver never takes a parcel.
func refused(p parcel) bool {
	number, _ := strconv.Atoi(strings.TrimPrefix(p.run, "r"))
	return p.target == "t1" && number%41 == 0
}

// hire starts a worker.
func (r *trial) hire() *hand {
	r.t.Helper()
	h := &hand{cmd: exec.Command(r.program), desk: r.book.open(r.t, "127.0.0.1:0")}
	h.log = filepath.Join(r.t.TempDir(), fmt.Sprintf("worker-%d.log", r.hired))
	order, err := json.Marshal(workerOrder{
		Dir: r.dirs[r.hired%len(r.dirs)], URL: r.url, Receiver: "http://" + h.desk.addr,
		Lease: faultLease, Timeout: faultTimeout, Steps: r.steps,
	})
	must(r.t, err)
	r.hired++
	h.cmd.Env = append(os.Environ(), workerEnv+"="+string(order))
	log, err := os.Create(h.log)
	must(r.t, err)
	h.cmd.Stderr = log
	h.in, err = h.cmd.StdinPipe()
	must(r.t, err)
	out, err := h.cmd.StdoutPipe()
	must(r.t, err)
	must(r.t, h.cmd.Start())
	must(r.t, log.Close())
	r.workers, r.everybody = append(r.workers, h), append(r.everybody, h)
	r.reading.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.said <- saying{h, strings.Fields(lines.Text())}
		}
	})
	return h
}

// alive are the workers that were not killed.
func (r *trial) alive() []*hand {
	var list []*hand
	for _, h := range r.workers {
		if !h.dead {
			list = append(list, h)
		}
	}
	return list
}

// window is how many events wait to be accepted.
const window = 128

// load has workers accept until so many events are accepted, or for so long.
func (r *trial) load(events int, atMost time.Duration) {
	r.t.Helper()
	over := time.NewTimer(atMost)
	defer over.Stop()
	stuck := time.NewTimer(time.Minute)
	defer stuck.Stop()
	for len(r.accepted) < events {
		r.ask(events)
		select {
		case s := <-r.said:
			r.hear(s)
			stuck.Reset(time.Minute)
		case <-over.C:
			return
		case <-stuck.C:
			r.t.Fatalf("nothing happened for a minute: %d of %d accepted, %d asked for", len(r.accepted), events, len(r.waiting))
		}
	}
}

// ask asks workers to accept what they were not asked for yet, or what was
// refused, with somebody else.
func (r *trial) ask(events int) {
	for len(r.waiting) < window {
		var run string
		switch {
		case len(r.again) > 0:
			run, r.again = r.again[0], r.again[1:]
		case r.next < events:
			run = fmt.Sprint("r", r.next)
			r.next++
		default:
			return
		}
		list := r.alive()
		h := list[rand.IntN(len(list))]
		r.waiting[run] = h
		if _, err := fmt.Fprintln(h.in, "accept", run); err != nil {
			r.t.Fatalf("%s is gone: %v", filepath.Base(h.log), err)
		}
	}
}

func (r *trial) hear(s saying) {
	switch s.words[0] {
	case "accepted":
		if was := r.accepted[s.words[1]]; was != "" && was != s.words[2] {
			r.t.Errorf("%s was accepted as %s and as %s", s.words[1], was, s.words[2])
		}
		r.accepted[s.words[1]] = s.words[2]
		delete(r.waiting, s.words[1])
	case "refused":
		if r.waiting[s.words[1]] == s.by {
			r.askAgain(s.words[1])
		}
	case "lost":
		n, err := strconv.Atoi(s.words[1])
		must(r.t, err)
		r.lostClaims += n
	}
}

func (r *trial) askAgain(run string) {
	delete(r.waiting, run)
	r.again = append(r.again, run)
}

// kill kills a worker at once, and notes what it had on its way.
func (r *trial) kill(h *hand) {
	r.t.Helper()
	h.dead = true
	must(r.t, h.cmd.Process.Kill())
	_ = h.cmd.Wait() // it says that it was killed
	sending := r.parcels(`status = 'sending'`)
	h.desk.drain(r.t, true)
	h.desk.close()
	r.excuse(r.book.taken(h.desk), func(p parcel) bool { return sending[p] })
	for run, by := range r.waiting {
		if by == h {
			r.askAgain(run)
		}
	}
}

// excuse notes a fault that found on their way what which chooses of parcels.
func (r *trial) excuse(parcels map[parcel]bool, which func(parcel) bool) {
	r.faults++
	for p := range parcels {
		if which(p) {
			r.excused[p]++
			r.inFlight++
		}
	}
}

// parcels are those of the log's rows that a condition chooses.
func (r *trial) parcels(condition string) map[parcel]bool {
	r.t.Helper()
	all := map[parcel]bool{}
	rows, err := r.db.QueryContext(r.t.Context(), `SELECT execution_id, target_name FROM notification_log WHERE `+condition)
	must(r.t, err)
	defer rows.Close()
	for rows.Next() {
		var p parcel
		must(r.t, rows.Scan(&p.run, &p.target))
		all[p] = true
	}
	must(r.t, rows.Err())
	return all
}

// settle waits until nothing is to be done any more.
func (r *trial) settle() {
	r.t.Helper()
	await(r.t, "every delivery to end", 90*time.Second, func() bool {
		var open int
		must(r.t, r.db.QueryRowContext(r.t.Context(), `SELECT count(*) FROM notification_log WHERE status IN ('pending', 'sending')`).Scan(&open))
		if open > 0 {
			<-time.After(50 * time.Millisecond)
		}
		return open == 0
	})
	for _, h := range r.alive() {
		h.dead = true
		must(r.t, h.in.Close())
		if err := h.cmd.Wait(); err != nil {
			r.t.Errorf("%s: %v", filepath.Base(h.log), err)
		}
		h.desk.close()
	}
	r.reading.Wait()
	for len(r.said) > 0 {
		r.hear(<-r.said)
	}
}

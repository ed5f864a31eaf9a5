//go:build linux

package service

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"agentxchain/internal/fixtures"
	"agentxchain/internal/pgtest"
)

// TestFaults kills, stops and starves processes that serve, and their
// databases and receivers, under load. Nothing that was accepted is lost, every
// row tells the truth, and nothing arrives twice but what was on its way when
// the fault came.
func TestFaults(t *testing.T) {
	program := workerProgram(t)
	accepted := 0
	for _, scenario := range []struct {
		name string
		run  func(t *testing.T, program string) outcome
	}{
		{"sqlite killed", sqliteKilled},
		{"postgres killed", postgresKilled},
		{"postgres restarted", postgresRestarted},
		{"sqlite locked", sqliteLocked},
		{"disk full", diskFull},
		{"receiver down", receiverDown},
		{"stopped beyond the lease", stopped},
		{"clock moved", clockMoved},
	} {
		t.Run(scenario.name, func(t *testing.T) { accepted += scenario.run(t, program).accepted })
	}
	fixtures.Ran(t, "delivery-faults", accepted)
}

// killing kills workers at random moments while events are accepted.
func (r *trial) killing(workers, kills, events int) {
	for range workers {
		r.hire()
	}
	for n := range kills {
		r.load((n+1)*events/(kills+1), time.Minute)
		r.load(events, time.Duration(rand.IntN(50))*time.Millisecond)
		alive := r.alive()
		r.kill(alive[rand.IntN(len(alive))])
		r.hire()
	}
	r.load(events, time.Hour)
}

func sqliteKilled(t *testing.T, program string) outcome {
	r := sqliteTrial(t, program, "sqlite-killed", t.TempDir())
	r.killing(2, 15, 2_050)
	return r.end()
}

func postgresKilled(t *testing.T, program string) outcome {
	url := pgtest.Start(t)
	r := newTrial(t, program, "postgres-killed", "pgx", url, url, 3)
	r.killing(3, 15, 2_050)
	return r.end()
}

// hit notes a fault of something that all workers share, which lasts while
// during runs: what was not delivered before it and was taken by the end.
func (r *trial) hit(during func()) {
	r.t.Helper()
	before := r.parcels(`status = 'delivered'`)
	during()
	r.excuse(r.book.taken(nil), func(p parcel) bool { return !before[p] })
}

func postgresRestarted(t *testing.T, program string) outcome {
	c := pgtest.New(t)
	url := c.Database(t)
	r := newTrial(t, program, "postgres-restarted", "pgx", url, url, 2)
	const events = 520
	r.hire()
	r.hire()
	for n := range 2 {
		r.load((n+1)*events/3, time.Minute)
		r.hit(func() { must(t, c.Restart(pgtest.Immediate)) })
	}
	r.load(events, time.Hour)
	return r.end()
}

func sqliteLocked(t *testing.T, program string) outcome {
	r := sqliteTrial(t, program, "sqlite-locked", t.TempDir())
	const events = 260
	r.hire()
	r.hire()
	for n := range 2 {
		r.load((n+1)*events/3, time.Minute)
		r.hit(func() { r.lock(events) })
	}
	r.load(events, time.Hour)
	return r.end()
}

// lock holds SQLite's lock for longer than anybody waits for it.
func (r *trial) lock(events int) {
	r.t.Helper()
	conn, err := r.db.Conn(r.t.Context())
	must(r.t, err)
	defer conn.Close()
	_, err = conn.ExecContext(r.t.Context(), "BEGIN IMMEDIATE")
	must(r.t, err)
	r.load(events, 7*time.Second)
	_, err = conn.ExecContext(r.t.Context(), "ROLLBACK")
	must(r.t, err)
}

// spaceEnv makes the test of the full disk one that has a file system of its
// own: its value is where to mount that.
const spaceEnv = "AGENTXCHAIN_SERVICETEST_SPACE"

// diskFull runs itself again where it may mount a small file system.
func diskFull(t *testing.T, program string) outcome {
	if dir := os.Getenv(spaceEnv); dir != "" {
		return fillDisk(t, program, dir)
	}
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		t.Skipf("this machine allows no file system of our own: %v", err)
	}
	c := exec.CommandContext(t.Context(), "unshare", "-rm", program, "-test.run=^TestFaults$/^disk_full$", "-test.v")
	c.Env = append(os.Environ(), spaceEnv+"="+t.TempDir())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	var o outcome
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "faults: ") {
			fmt.Print(line)
			_, err := fmt.Sscanf(line, "faults: disk-full faults=2 accepted=%d", &o.accepted)
			must(t, err)
		}
	}
	return o
}

// fillDisk fills the disk that has the database and the evidence, twice.
func fillDisk(t *testing.T, program, dir string) outcome {
	must(t, syscall.Mount("none", dir, "tmpfs", 0, "size=24m"))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // it goes with its namespace
	r := sqliteTrial(t, program, "disk-full", dir)
	const events = 300
	r.hire()
	r.hire()
	for n := range 2 {
		r.load((n+1)*events/3, time.Minute)
		r.hit(func() {
			ballast := filepath.Join(dir, "ballast")
			fill(t, ballast)
			r.load(events, 5*time.Second)
			must(t, os.Remove(ballast))
		})
	}
	r.load(events, time.Hour)
	o := r.end()
	var verdict string
	must(t, r.db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("the database after a full disk: %s", verdict)
	}
	return o
}

// fill writes until nothing more can be written.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	must(t, f.Close())
}

// receiverDown closes the receiver, then lets it answer that it is too busy.
func receiverDown(t *testing.T, program string) outcome {
	r := sqliteTrial(t, program, "receiver-down", t.TempDir())
	const events = 80
	h := r.hire()
	r.load(events/4, time.Minute)
	r.hit(h.desk.close)
	r.load(events/2, time.Minute)
	await(t, "attempts to be refused", 20*time.Second, func() bool {
		return len(r.parcels(`status = 'pending' AND attempts > 1 AND reason = 'refused'`)) > 0
	})
	busy := true
	r.book.mu.Lock()
	r.book.answer = func(p parcel, n int) (int, string) {
		if busy {
			return 503, "1"
		}
		return usual(p, n+1)
	}
	r.book.mu.Unlock()
	h.desk = r.book.open(t, h.desk.addr)
	r.load(events, time.Minute)
	await(t, "receivers to say they are busy", 20*time.Second, func() bool {
		return len(r.parcels(`status = 'pending' AND reason = 'server_error'`)) > events
	})
	r.book.mu.Lock()
	busy = false
	r.book.mu.Unlock()
	o := r.end()
	for p, list := range r.book.receipts {
		for i, got := range list[1:] {
			if before := list[i]; before.code == 503 && before.desk == h.desk && got.at.Sub(before.answered) < time.Second {
				t.Errorf("%v: asked to wait a second, came again after %v", p, got.at.Sub(before.answered))
			}
		}
	}
	return o
}

// stopped stops workers for longer than their leases, and lets them go on when
// others have taken over what they had.
func stopped(t *testing.T, program string) outcome {
	url := pgtest.Start(t)
	r := newTrial(t, program, "stopped", "pgx", url, url, 3)
	r.book.slow = 50 * time.Millisecond
	const events = 300
	for range 3 {
		r.hire()
	}
	for n := range 3 {
		r.load((n+1)*events/4, time.Minute)
		h := r.workers[n]
		must(t, h.cmd.Process.Signal(syscall.SIGSTOP))
		had := r.parcels(`status = 'sending'`)
		before := r.parcels(`status = 'delivered'`)
		r.workers = slices.Delete(r.workers, n, n+1) // it is asked for nothing
		r.load((n+1)*events/4+events/8, 2*faultLease)
		await(t, "others to take over", 5*faultLease, func() bool {
			sending := r.parcels(`status = 'sending'`)
			maps.DeleteFunc(sending, func(p parcel, _ bool) bool { return !had[p] })
			return len(sending) == 0
		})
		h.desk.drain(t, false)
		r.excuse(r.book.taken(h.desk), func(p parcel) bool { return had[p] && !before[p] })
		r.workers = slices.Insert(r.workers, n, h)
		must(t, h.cmd.Process.Signal(syscall.SIGCONT))
	}
	r.load(events, time.Hour)
	o := r.end()
	if r.lostClaims == 0 {
		t.Error("no outcome of a stopped worker was fenced")
	}
	return o
}

// clockMoved moves the clock of a machine, which all its processes see: forward
// and back, back and forward. What was planned by a clock that was ahead is due
// when the time comes once more.
func clockMoved(t *testing.T, program string) outcome {
	r := sqliteTrial(t, program, "clock-moved", t.TempDir())
	const events = 400
	r.hire()
	r.hire()
	for n, by := range []time.Duration{time.Hour, 0, -time.Hour, 0} {
		r.load((n+1)*events/5, time.Minute)
		r.hit(func() { r.moveClock(by); r.load(events, 100*time.Millisecond) })
	}
	r.load(events, time.Hour)
	r.hit(func() {
		r.moveClock(time.Hour)
		for _, h := range r.workers {
			h.desk.drain(r.t, false) // what had left before the move arrives
		}
	})
	return r.end()
}

// moveClock moves the clock of all workers.
func (r *trial) moveClock(by time.Duration) {
	r.t.Helper()
	for _, h := range r.workers {
		_, err := fmt.Fprintln(h.in, "clock", by)
		must(r.t, err)
	}
	for moved := 0; moved < len(r.workers); {
		s := <-r.said
		r.hear(s)
		if s.words[0] == "moved" {
			moved++
		}
	}
}

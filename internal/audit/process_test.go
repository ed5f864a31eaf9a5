package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
)

// helpers are the jobs of other processes, by the name in helperEnv. Each
// gets the path of the audit file first.
var helpers = map[string]func(args []string) error{
	"record":       helpRecord,
	"recordlong":   helpRecordLong,
	"append":       helpAppend,
	"record-limit": helpRecordLimited,
	"die-closing":  helpDieClosing,
}

// helper returns a process that runs one of helpers.
func helper(tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name, "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	return cmd
}

func at(path string) folder {
	return folder{path: path, own: filepath.Join(filepath.Dir(path), "notify")}
}

// helpRecord PATH NAME COUNT records COUNT attempts.
func helpRecord(args []string) error {
	l := at(args[0]).open()
	count, err := strconv.Atoi(args[2])
	for i := 0; err == nil && i < count; i++ {
		err = l.Record(context.Background(), attempt(fmt.Sprintf("ours-%s-%d", args[1], i), 1))
	}
	return errors.Join(err, l.Close())
}

// helpAppend PATH WRITER LIMIT appends lines of 70 KB without the lock, until
// its input ends or LIMIT is reached, and prints how many.
func helpAppend(args []string) error {
	writer, err := strconv.Atoi(args[1])
	limit, limitErr := strconv.Atoi(args[2])
	f, openErr := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND, 0)
	if err := errors.Join(err, limitErr, openErr); err != nil {
		return err
	}
	defer f.Close()
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	pace := time.NewTicker(2 * time.Millisecond) // 35 MB a second are enough
	defer pace.Stop()
	n := 0
	for ; n < limit; n++ {
		if _, err := writeOnce(f, foreignLine(writer, n, 70<<10)); err != nil {
			return err
		}
		select {
		case <-stop:
			limit = 0
		case <-pace.C:
		}
	}
	_, err = fmt.Println(n)
	return err
}

// TestManyProcesses is the row: processes that emit on one project,
// beside others that append without the lock.
func TestManyProcesses(t *testing.T) {
	processes, each := 64, 100
	if testing.Short() {
		processes, each = 16, 50
	}
	f := newFolder(t).holding(t, "")
	var appenders sync.WaitGroup
	var mu sync.Mutex
	foreign := make(map[int]int) // lines by writer
	release := make([]io.Closer, 4)
	for w := range release {
		cmd := helper(t, "append", f.path, strconv.Itoa(w), "2000")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		release[w] = in
		appenders.Go(func() {
			out, err := cmd.Output()
			n, convErr := strconv.Atoi(strings.TrimSpace(string(out)))
			if err := errors.Join(err, convErr); err != nil {
				t.Errorf("appender %d: %v", w, err)
			}
			mu.Lock()
			defer mu.Unlock()
			foreign[w] = n
		})
	}
	var emitters sync.WaitGroup
	for p := range processes {
		emitters.Go(func() {
			if err := helper(t, "record", f.path, strconv.Itoa(p), strconv.Itoa(each)).Run(); err != nil {
				t.Errorf("emitter %d: %v", p, err)
			}
		})
	}
	emitters.Wait()
	for _, r := range release {
		_ = r.Close()
	}
	appenders.Wait()

	got := tally(t, f)
	total := 0
	for p := range processes {
		for i := range each {
			if n := got.ours[fmt.Sprintf("ours-%d-%d", p, i)]; n != 1 {
				t.Errorf("emit %d-%d has %d lines", p, i, n)
			}
			total++
		}
	}
	if len(got.ours) != total {
		t.Errorf("%d different lines of ours, want %d", len(got.ours), total)
	}
	for w, n := range foreign {
		if got.foreign[w] != n || n == 0 {
			t.Errorf("appender %d wrote %d lines, %d are there", w, n, got.foreign[w])
		}
	}
	if len(got.broken) > 0 || f.recovered(t) != nil {
		t.Errorf("%d broken lines, %d fragments: %.300q", len(got.broken), len(f.recovered(t)), got.broken)
	}
	t.Logf("%d lines of ours, %v of others, %d blank", total, foreign, got.blank)
	fixtures.Ran(t, "emits on one audit file", total)
}

// contents is what stands in an audit file that only our helpers wrote.
type contents struct {
	// ours counts the lines by event id, foreign by writer.
	ours    map[string]int
	foreign map[int]int
	blank   int
	broken  []string
}

// tally reads a file strictly: every line is byte for byte what a helper
// wrote, or blank, or broken.
func tally(t *testing.T, f folder) contents {
	t.Helper()
	file, err := os.Open(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := contents{ours: make(map[string]int), foreign: make(map[int]int)}
	r := NewReader(file, 0)
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		c.add(l)
	}
	if tail, ok := r.Torn(); ok {
		t.Errorf("torn tail of %d bytes", len(tail.Bytes))
	}
	return c
}

func (c *contents) add(l RawLine) {
	var writer, seq int
	if _, err := fmt.Sscanf(string(l.Bytes[:min(60, len(l.Bytes))]), foreignFormat, &writer, &seq); err == nil &&
		bytes.Equal(l.Bytes, bytes.TrimSuffix(foreignLine(writer, seq, 70<<10), []byte("\n"))) {
		c.foreign[writer]++
		return
	}
	switch e, ok := l.Entry(); {
	case ecmajson.IsBlank(l.Bytes):
		c.blank++
	case ok && bytes.Equal(l.Bytes, bytes.TrimSuffix(expected(e), []byte("\n"))):
		c.ours[e.EventID]++
	default:
		c.broken = append(c.broken, string(l.Bytes))
	}
}

// expected rebuilds the line of ours that e was read from.
func expected(e Entry) []byte {
	a := attempt(e.EventID, 1)
	if strings.HasPrefix(e.EventID, "long-") {
		a.Result.Message = longMessage(e.EventID)
	}
	return Line(a)
}

// longMessage makes lines that a kill can tear: 60 to 600 KB.
func longMessage(id string) string {
	return strings.Repeat(id+" ", 5000*(1+len(id)%10))
}

// helpRecordLong PATH NAME WRITE MICROSECONDS records long lines and prints
// the id of each that is recorded, until it is killed that long after the
// beginning of the given write (the closing of a torn line counts as one).
func helpRecordLong(args []string) error {
	l := at(args[0]).open()
	fatal, err := strconv.Atoi(args[2])
	delay, delayErr := strconv.Atoi(args[3])
	self, selfErr := os.FindProcess(os.Getpid())
	if err := errors.Join(err, delayErr, selfErr); err != nil {
		return err
	}
	writes := 0
	l.write = func(f *os.File, b []byte) (int, error) {
		if writes++; writes == fatal {
			began := time.Now()
			go func() {
				for time.Since(began) < time.Duration(delay)*time.Microsecond {
				}
				_ = self.Kill()
			}()
		}
		return writeOnce(f, b)
	}
	for i := 0; ; i++ {
		a := attempt(fmt.Sprintf("long-%s-%d", args[1], i), 1)
		a.Result.Message = longMessage(a.Delivery.Event.ID)
		if err := l.Record(context.Background(), a); err != nil {
			return err
		}
		fmt.Println(a.Delivery.Event.ID)
	}
}

// Processes are killed while they append or repair. What they reported as
// recorded is there, nothing else is damaged, and the file ends up sound.
func TestKilledWhileAppending(t *testing.T) {
	kills := 40
	if testing.Short() {
		kills = 25
	}
	f := newFolder(t).holding(t, sound)
	tears, reported := 0, make(map[string]bool)
	for k := range kills {
		write, delay := 1+rand.IntN(2), rand.IntN(400)
		for _, id := range runUntilKilled(t, helper(t, "recordlong", f.path, strconv.Itoa(k), strconv.Itoa(write), strconv.Itoa(delay))) {
			reported[id] = true
		}
		if !strings.HasSuffix(f.content(t), "\n") {
			tears++
		}
	}
	record(t, f.log(t), "last")

	content := f.content(t)
	if !strings.HasPrefix(content, sound) {
		t.Fatal("the first line changed")
	}
	write(t, f.path, content[len(sound):]) // tally knows lines of helpers only
	got := tally(t, f)
	for id := range reported {
		if got.ours[id] != 1 {
			t.Errorf("%s was recorded, %d lines are there", id, got.ours[id])
		}
	}
	if len(got.broken) > 0 {
		t.Errorf("%d broken lines: %.300q", len(got.broken), got.broken)
	}
	if got.ours["last"] != 1 {
		t.Error("the last line is not there")
	}
	t.Logf("%d kills, %d torn tails, %d fragments saved, %d lines", kills, tears, len(f.recovered(t)), len(got.ours))
	fixtures.Ran(t, "kills while appending", kills)
}

// runUntilKilled runs a process that must not end by itself, and returns the
// lines that it printed.
func runUntilKilled(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() && runtime.GOOS != "windows" {
		t.Fatalf("was not killed: %v", err)
	}
	return strings.Fields(string(out))
}

// helpDieClosing PATH before|after dies around the write that closes a torn line.
func helpDieClosing(args []string) error {
	l := at(args[0]).open()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	l.write = func(f *os.File, b []byte) (int, error) {
		if args[1] == "after" {
			if _, err := writeOnce(f, b); err != nil {
				return 0, err
			}
		}
		return 0, errors.Join(self.Kill(), errors.New("still alive"))
	}
	return l.Record(context.Background(), attempt("dead", 1))
}

func TestKilledWhileRepairing(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			f := newFolder(t).holding(t, sound+torn)
			if err := helper(t, "die-closing", f.path, when).Run(); err == nil {
				t.Fatal("it lived")
			}
			appendAs(t, f.path, map[string]string{"before": "", "after": sound}[when])
			record(t, f.log(t), "a")
			want := sound + blanks(len(torn)) + "\n" + map[string]string{"before": "", "after": sound}[when] + line("a")
			if got := f.content(t); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if saved := f.recovered(t); len(saved) != 1 || string(saved[0].Bytes) != torn {
				t.Errorf("saved %+v", saved)
			}
		})
	}
}

package cmd_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestPeakMemory emits to two receivers whose answers never end, 64 MiB plain
// and a gzip bomb, and to a third one that waits until the other two were
// given up and then reads how much memory the emitting process ever had. The
// Maxrss of its ProcessState would not do: the kernel starts it with the peak
// of the process that called exec, and that is this test.
func TestPeakMemory(t *testing.T) {
	const limit = 64 << 20
	var written atomic.Int64
	var endlessOnes sync.WaitGroup
	endlessOnes.Add(2)
	counted := func(answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			defer endlessOnes.Done()
			answer(w, q)
		}
	}
	large := receive(t, counted(endless(&written, limit, nil)))
	packed := receive(t, counted(endless(&written, limit, bomb(t))))
	pid, peak := make(chan int, 1), make(chan int64, 1)
	witness := receive(t, func(http.ResponseWriter, *http.Request) {
		endlessOnes.Wait()
		peak <- peakMemory(t, <-pid)
	})
	dir := project(t, to("large-answer", large.URL), to("gzip-bomb", packed.URL), to("witness", witness.URL))
	c := exec.Command(binary(t), "notify", "emit", "run_blocked", "--require-delivery")
	c.Dir = dir
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid <- c.Process.Pid
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	got := <-peak
	t.Logf("peak memory %.1f MiB", float64(got)/(1<<20))
	if got <= 0 || got >= limit {
		t.Errorf("the process had %d bytes of memory at its peak, want less than %d", got, limit)
	}
	if written.Load() == 0 {
		t.Error("nothing was answered")
	}
}

// peakMemory returns the most memory that a running process ever had, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 && err == nil {
			return kib << 10
		}
	}
	t.Error("the kernel does not tell the peak")
	return 0
}

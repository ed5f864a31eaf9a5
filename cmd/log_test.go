//go:build unix

package cmd_test

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestLogFollows reads what is appended while it runs, and ends with the
// signal's exit code.
func TestLogFollows(t *testing.T) {
	a := receive(t, nil)
	dir := project(t, to("good", a.URL))
	execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	c := exec.Command(binary(t), "notify", "log", "--follow", "--json")
	c.Dir = dir
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, event := range []string{"run_blocked", "run_completed", "escalation_resolved"} {
		if event != "run_blocked" {
			execute(t, dir, nil, "notify", "emit", event).want(t, 0)
		}
		if !lines.Scan() || !strings.Contains(lines.Text(), `"event_type":"`+event+`"`) {
			t.Fatalf("%s: %q, %v", event, lines.Text(), lines.Err())
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // the exit code is looked at
	if code := c.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
}

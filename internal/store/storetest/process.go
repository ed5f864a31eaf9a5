package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"agentxchain/internal/delivery"
)

// The variables that make a re-executed test binary a process of the suite.
const (
	roleEnv  = "AGENTXCHAIN_STORETEST_ROLE"
	placeEnv = "AGENTXCHAIN_STORETEST_PLACE"
)

// Main is for TestMain: it runs m, or what another process of the suite asks
// this one to do, with stores that open opens, and exits.
func Main(m interface{ Run() int }, open func(place string) (Store, error)) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// play says "ready", waits for a line, does its part, says what it did and
// "done", and lives until its input ends.
func play(role string, open func(place string) (Store, error)) error {
	s, err := open(os.Getenv(placeEnv))
	if err != nil {
		return err
	}
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	ids, err := input.ReadString('\n')
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch role {
	case "claim":
		for _, id := range strings.Fields(ids) {
			if _, err := s.Claim(ctx, id); err == nil {
				fmt.Println(id)
			}
		}
	case "add":
		for _, id := range strings.Fields(ids) {
			if err := s.Add(ctx, intent(id, 2)); err != nil {
				return err
			}
		}
	case "orphans":
		found, err := s.Orphans(ctx)
		if err != nil {
			return err
		}
		for _, in := range found {
			fmt.Println(in.Deliveries[0].Event.ID)
		}
	}
	fmt.Println("done")
	_, err = io.Copy(io.Discard, input)
	return err
}

// actor is another process of the suite.
type actor struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// start starts an actor and waits until it is ready.
func start(tb testing.TB, role, place string) *actor {
	tb.Helper()
	self, err := os.Executable()
	ok(tb, err)
	a := &actor{cmd: exec.Command(self)}
	a.cmd.Env = append(os.Environ(), roleEnv+"="+role, placeEnv+"="+place)
	a.cmd.Stderr = os.Stderr
	a.in, err = a.cmd.StdinPipe()
	ok(tb, err)
	out, err := a.cmd.StdoutPipe()
	ok(tb, err)
	a.out = bufio.NewScanner(out)
	ok(tb, a.cmd.Start())
	tb.Cleanup(a.kill)
	if !a.out.Scan() || a.out.Text() != "ready" {
		tb.Fatalf("%s: %q instead of ready", role, a.out.Text())
	}
	return a
}

// act lets the actor do its part and returns what it says it did. It reports
// problems with Errorf, so that any goroutine can call it.
func (a *actor) act(tb testing.TB, ids []string) []string {
	if _, err := fmt.Fprintln(a.in, strings.Join(ids, " ")); err != nil {
		tb.Errorf("speak to an actor: %v", err)
		return nil
	}
	var said []string
	for a.out.Scan() {
		if a.out.Text() == "done" {
			return said
		}
		said = append(said, a.out.Text())
	}
	tb.Errorf("an actor ended early, after %q", said)
	return said
}

// kill kills the actor as kill -9 would, and waits for its end.
func (a *actor) kill() {
	if a.cmd.ProcessState != nil {
		return
	}
	_ = a.cmd.Process.Kill() // it can be dead already
	_ = a.cmd.Wait()         // says that it was killed
}

func testClaimProcesses(t *testing.T, h Harness) {
	place := h.Fresh(t)
	ids := addFree(t, h.open(t, place), 40)
	claims := race(t, []*actor{start(t, "claim", place), start(t, "claim", place), start(t, "claim", place)}, ids)
	wantOnce(t, ids, claims)
}

// race lets actors act at the same time and counts what they say.
func race(tb testing.TB, actors []*actor, ids []string) map[string]int {
	var mu sync.Mutex
	count := make(map[string]int)
	var running sync.WaitGroup
	for _, a := range actors {
		running.Go(func() {
			for _, said := range a.act(tb, ids) {
				mu.Lock()
				count[said]++
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return count
}

// testKilledProcess lets processes inherit from killed ones, and be killed
// themselves: every event has one heir at a time.
func testKilledProcess(t *testing.T, h Harness) {
	place := h.Fresh(t)
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("notif_%04d", i))
	}
	owner := start(t, "add", place)
	owner.act(t, ids)
	s := h.open(t, place)
	_, err := s.Claim(t.Context(), ids[0])
	wantErr(t, "claim from a living process", err, delivery.ErrBusy)
	owner.kill()
	for range 2 {
		h.buried(place)
		heirs := []*actor{start(t, "orphans", place), start(t, "orphans", place)}
		wantOnce(t, ids, race(t, heirs, nil))
		for _, a := range heirs {
			a.kill()
		}
	}
	h.buried(place)
	for i, in := range orphans(t, s) {
		wantSame(t, "inherited", in.Deliveries, intent(ids[i], 2).Deliveries)
	}
}

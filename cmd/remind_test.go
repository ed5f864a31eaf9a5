package cmd_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"agentxchain/cmd"
)

const bookPath = ".agentxchain/notify/reminders.json"

// waitingProject is one whose run waits for two approvals, of which only the
// completion says since when.
func waitingProject(t testing.TB, hooks ...hook) string {
	t.Helper()
	dir := project(t, hooks...)
	path := filepath.Join(dir, "agentxchain.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	config["notifications"].(map[string]any)["approval_sla"] = map[string]any{"reminder_after_seconds": []int{300, 3600, 14400}}
	if b, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	write(t, path, string(b))
	write(t, filepath.Join(dir, ".agentxchain", "state.json"), `{"schema_version":"1.1","run_id":"run_0123456789abcdef",
		"project_id":"demo","status":"paused","phase":"planning","turn_sequence":1,"active_turns":{},
		"pending_phase_transition":{"from":"planning","to":"qa","gate":"signoff","requested_by_turn":"turn_a"},
		"pending_run_completion":{"gate":"ship","requested_by_turn":"turn_a","requested_at":"2026-01-01T00:00:00.000Z"}}`)
	return dir
}

// bodies are what a receiver got, in order.
func bodies(r *receiver) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bodies)
}

// remindAt runs `notify remind` at a time after midnight of 2026-01-01.
func remindAt(t testing.TB, dir string, after time.Duration) process {
	t.Helper()
	var stdout, stderr bytes.Buffer
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(after)
	code := cmd.Run(t.Context(), cmd.World{
		Args: []string{"notify", "remind"}, Dir: dir, Getenv: func(string) string { return "" },
		LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil },
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: func() time.Time { return now }, Entropy: rand.Reader,
	})
	return process{stdout.String(), stderr.String(), code}
}

// The thresholds pass one after the other, for two approvals with clocks of
// their own, as cron would see them.
func TestRemindersOverTime(t *testing.T) {
	good := receive(t, nil)
	dir := waitingProject(t, to("good", good.URL))
	const every = 7 * time.Minute
	looks := 0
	for at := time.Minute; at < 6*time.Hour; at += every {
		remindAt(t, dir, at).want(t, 0)
		looks++
	}
	told := map[string]int{}
	for _, body := range bodies(good) {
		var e struct {
			Payload struct {
				Approval  string `json:"approval_type"`
				Threshold int    `json:"threshold_seconds"`
				Elapsed   int    `json:"elapsed_seconds"`
			}
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatal(err)
		}
		p := e.Payload
		told[p.Approval]++
		if late := p.Elapsed - p.Threshold; late < 0 || late >= int(every/time.Second) {
			t.Errorf("%s of %d s told after %d s", p.Approval, p.Threshold, p.Elapsed)
		}
	}
	if told["pending_phase_transition"] != 3 || told["pending_run_completion"] != 3 {
		t.Errorf("told %v, want each of 3 thresholds of 2 approvals once", told)
	}
	t.Logf("%d looks in 6 hours: %v", looks, told)
	ran(t, "reminders of two approvals over six hours, each threshold once", len(bodies(good)))
}

// However many processes look at once, each reminder is sent once.
func TestRemindersOfManyProcesses(t *testing.T) {
	good := receive(t, nil)
	dir := waitingProject(t, to("good", good.URL))
	const processes = 12
	binary(t)
	var running sync.WaitGroup
	for range processes {
		running.Go(func() { execute(t, dir, nil, "notify", "remind").want(t, 0) })
	}
	running.Wait()
	if got := len(bodies(good)); got != 1 {
		t.Errorf("%d reminders, want 1", got)
	}
	ran(t, "processes that remind at once, one reminder", processes)
}

// putBack writes the book as a process left it that died after it had handed
// an envelope over to be stored.
func putBack(t testing.TB, dir string, envelope []byte) {
	t.Helper()
	path := filepath.Join(dir, bookPath)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(string(envelope))
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(b), `"approval_type":"pending_run_completion"`)
	if !found || !strings.Contains(after, `"event":null`) {
		t.Fatalf("book %s", b)
	}
	after = strings.Replace(after, `"event":null`, `"event":`+string(quoted), 1)
	write(t, path, before+`"approval_type":"pending_run_completion"`+after)
}

// A process that died before it noted that a reminder was stored leaves it to
// the next, which finds out how far the first one came.
func TestReminderOfAProcessThatDied(t *testing.T) {
	var answer atomic.Int64
	answer.Store(http.StatusOK)
	good := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(answer.Load())) })
	dir := waitingProject(t, to("good", good.URL))
	remind := func(want int) {
		t.Helper()
		execute(t, dir, nil, "notify", "remind").want(t, 0)
		if got := len(bodies(good)); got != want {
			t.Fatalf("%d requests, want %d", got, want)
		}
	}
	remind(1)
	envelope := bodies(good)[0]

	putBack(t, dir, envelope) // it was delivered
	remind(1)

	// It was neither stored nor sent.
	if err := os.Remove(filepath.Join(dir, auditPath)); err != nil {
		t.Fatal(err)
	}
	putBack(t, dir, envelope)
	answer.Store(http.StatusServiceUnavailable)
	remind(2)
	if !bytes.Equal(bodies(good)[1], envelope) {
		t.Errorf("sent %s, want %s", bodies(good)[1], envelope)
	}

	// It was stored and is undelivered; that nothing of it is on record is
	// what a process leaves that died before the first attempt.
	if err := os.Remove(filepath.Join(dir, auditPath)); err != nil {
		t.Fatal(err)
	}
	putBack(t, dir, envelope)
	remind(2)
	answer.Store(http.StatusOK)
	execute(t, dir, nil, "notify", "retry").want(t, 0)
	remind(3)
	if !bytes.Equal(bodies(good)[2], envelope) {
		t.Errorf("retried %s, want %s", bodies(good)[2], envelope)
	}
	ran(t, "places where a reminding process died", 3)
}

// The list is the one file of a reminder that git shows, as it is when the
// Node CLI writes it.
func TestRemindersLeaveNoTrace(t *testing.T) {
	needGit(t)
	good := receive(t, nil)
	dir := waitingProject(t, to("good", good.URL))
	commitAll(t, dir)
	execute(t, dir, nil, "notify", "remind", "--dry-run").want(t, 0)
	wantUntracked(t, dir, "dry run")
	execute(t, dir, nil, "notify", "remind").want(t, 0)
	wantUntracked(t, dir, "remind", auditPath, ".agentxchain/sla-reminders.json")
}

// Evidence that can't be written keeps no reminder from being sent, and is no
// reason to send it again and again.
func TestReminderWithoutEvidence(t *testing.T) {
	good := receive(t, nil)
	dir := waitingProject(t, to("good", good.URL))
	if err := os.Mkdir(filepath.Join(dir, auditPath), 0o755); err != nil {
		t.Fatal(err)
	}
	p := execute(t, dir, nil, "notify", "remind").want(t, 2)
	if !strings.Contains(p.stderr, `"event_type":"approval_sla_reminder"`) {
		t.Errorf("stderr lacks the audit line: %s", p.stderr)
	}
	execute(t, dir, nil, "notify", "remind").want(t, 0)
	if got := len(bodies(good)); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// However a reminding process is killed, its reminder is minted once, and
// either arrives once or is on record as unknown.
func TestRemindersOfKilledProcesses(t *testing.T) {
	good := receive(t, nil)
	dir := waitingProject(t, to("good", good.URL))
	statePath := filepath.Join(dir, ".agentxchain", "state.json")
	const rounds = 80
	dice := mathrand.New(mathrand.NewPCG(4, 22))
	killed := 0
	for n := range rounds {
		write(t, statePath, fmt.Sprintf(`{"run_id":"run_%d","status":"paused","phase":"qa","pending_run_completion":{
			"gate":"ship","requested_by_turn":"turn_a","requested_at":"2026-01-01T00:00:00.000Z"}}`, n))
		c := exec.Command(binary(t), "notify", "remind")
		c.Dir = dir
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(dice.IntN(18_000))*time.Microsecond, func() { _ = c.Process.Kill() })
		if c.Wait() != nil {
			killed++
		}
		timer.Stop()
		execute(t, dir, nil, "notify", "remind").want(t, 0)
		execute(t, dir, nil, "notify", "pending").want(t, 0) // settles what is left
		// The approval is granted, and its keys leave the list.
		write(t, statePath, fmt.Sprintf(`{"run_id":"run_%d","status":"completed","phase":"qa"}`, n))
		execute(t, dir, nil, "notify", "remind").want(t, 0)
	}
	events, unknown := map[string]map[string]bool{}, 0
	for _, line := range auditLines(t, dir) {
		run := line["run_id"].(string)
		if events[run] == nil {
			events[run] = map[string]bool{}
		}
		events[run][line["event_id"].(string)] = true
		if line["reason"] == "unknown_outcome" {
			unknown++
		}
	}
	for run, ids := range events {
		if len(ids) != 1 {
			t.Errorf("%s: %d reminders", run, len(ids))
		}
	}
	if len(events) != rounds {
		t.Errorf("reminders of %d runs, want %d", len(events), rounds)
	}
	for id, n := range good.seen() {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	if arrived := len(good.seen()); arrived < rounds-unknown || killed == 0 {
		t.Errorf("%d killed, %d arrived, %d unknown", killed, arrived, unknown)
	}
	t.Logf("%d rounds, %d killed: %d arrived, %d on record as unknown", rounds, killed, len(good.seen()), unknown)
	ran(t, "reminding processes that may be killed", rounds)
}

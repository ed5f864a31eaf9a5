package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

func newDemo(a *app) *cobra.Command {
	var look time.Duration
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole job on loopback with a throw-away project",
		Long: `Make a governed project in a temporary folder and a receiver on loopback, emit
every governed event, export the run, verify the bundle, tamper with a copy and
show the failing verdict, then serve the delivery log on a free port. Real sockets,
real files; nothing leaves this machine. The folder stays, so that you can look at
everything in it.
` + exitStatus("0  every step did what it should\n  2  a step could not be done"),
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), a, look) },
	}
	c.Flags().DurationVar(&look, "look", 0, "how long the dashboard stays up, so that you can look at it")
	return c
}

// demo is the stage: a project, a receiver, and the words on the terminal.
type demo struct {
	ctx     context.Context
	app     *app
	dir     string
	url     string
	healthy atomic.Bool
	// lookFor is how long the dashboard stays up.
	lookFor time.Duration
}

func runDemo(ctx context.Context, a *app, lookFor time.Duration) error {
	dir, err := os.MkdirTemp("", "agentxchain-demo-")
	if err != nil {
		return cannot("demo", err)
	}
	d := &demo{ctx: ctx, app: a, dir: dir, lookFor: lookFor}
	stop, err := d.receive()
	if err != nil {
		return cannot("demo", err)
	}
	defer stop()
	for _, scene := range []func() error{d.emitEverything, d.retry, d.exportAndVerify, d.tamper, d.serve} {
		if err := scene(); err != nil {
			return cannot("demo", err, "what it made lies in "+dir)
		}
	}
	d.say("\nEverything lies in %s:", dir)
	d.say("  agentxchain.json                          three webhooks, one of them nobody answers")
	d.say("  .agentxchain/notification-audit.jsonl     every attempt, one line each")
	d.say("  .agentxchain/notify/deliveries.db         the delivery log")
	d.say("  bundle.json, forged.json                  the export, and the copy that was edited")
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.app.Stdout, format+"\n", args...) }

// receive starts the receiver: /ops always takes the event, /audit answers
// 503 until the demo mends it.
func (d *demo) receive() (stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(d.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ops", func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, http.StatusNoContent) })
	mux.HandleFunc("POST /audit", func(w http.ResponseWriter, r *http.Request) {
		if d.healthy.Load() {
			d.answer(w, r, http.StatusOK)
			return
		}
		d.answer(w, r, http.StatusServiceUnavailable)
	})
	d.url = "http://" + l.Addr().String()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return func() {
		if err := server.Close(); err != nil {
			fmt.Fprintln(d.app.Stderr, "demo: receiver:", err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(d.app.Stderr, "demo: receiver:", err)
		}
	}, nil
}

func (d *demo) answer(w http.ResponseWriter, r *http.Request, status int) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
}

// run executes one command of ours as a user would type it, shows it, and
// wants the given exit code.
func (d *demo) run(want int, words ...string) error {
	d.say("\n$ agentxchain %s", strings.Join(words, " "))
	w := d.world(words...)
	var stdout, stderr bytes.Buffer
	w.Stdout, w.Stderr = &stdout, &stderr
	code := Run(d.ctx, w)
	shown := stdout.String() + stderr.String()
	for line := range strings.Lines(shown) {
		if strings.TrimSpace(line) != "" {
			d.say("  %s", strings.TrimRight(line, "\n"))
		}
	}
	if code != want {
		return fmt.Errorf("`agentxchain %s` ended with exit code %d, not %d", strings.Join(words, " "), code, want)
	}
	return nil
}

// world is that of a command of the story, which must not depend on how the
// operator tightened the environment.
func (d *demo) world(words ...string) World {
	w := d.app.World
	w.Args, w.Dir, w.Hangups = words, d.dir, nil
	w.Getenv = func(string) string { return "" }
	w.LookupEnv = func(string) (string, bool) { return "", false }
	w.Environ = func() []string { return nil }
	return w
}

// act is one step of the run's story: the state it leaves, a record it adds
// to the human escalations, and the event to tell.
type act struct{ event, state, record string }

// demoActs tell the story of one run, from its escalation to its end.
func demoActs() []act {
	const (
		turn       = `"active_turns":{"turn_01":{"turn_id":"turn_01","assigned_role":"dev","status":"running","attempt":2,"assigned_sequence":7}},"turn_sequence":7`
		escalation = `"escalation":{"source":"operator","raised_by":"human","from_role":"dev","from_turn_id":"turn_01","reason":"need-decision","detail":"Which region?","recovery_action":"Decide, then run agentxchain unblock hesc_0011223344556677","escalated_at":"2026-01-01T00:00:00.000Z"},`
		blockedOn  = `"blocked_on":"escalation:operator:need-decision",`
		raised     = `{"kind":"raised","escalation_id":"hesc_0011223344556677","created_at":"2026-01-01T00:00:00.000Z","run_id":"run_00112233445566ff","phase":"implementation",` + blockedOn +
			`"category":"operator_escalation","typed_reason":"operator_escalation","type":"needs_decision","service":null,"action":"Which region?","recovery_action":"Decide, then run agentxchain unblock hesc_0011223344556677",` +
			`"resolution_command":"agentxchain unblock hesc_0011223344556677","detail":"Which region?","turn_id":"turn_01","role_id":"dev"}` + "\n"
		resolved = `{"kind":"resolved","escalation_id":"hesc_0011223344556677","resolved_at":"2026-01-01T00:30:00.000Z","resolved_via":"operator_unblock","resolution_notes":null}` + "\n"
		blocked  = `"status":"blocked","phase":"implementation",` + blockedOn +
			`"blocked_reason":{"category":"operator_escalation","blocked_at":"2026-01-01T00:00:00.000Z","turn_id":"turn_01","recovery":{"typed_reason":"operator_escalation","owner":"human",` +
			`"recovery_action":"Decide, then run agentxchain unblock hesc_0011223344556677","turn_retained":true,"detail":"Which region?"}},` + escalation + turn
		active     = `"status":"active","phase":"implementation",` + escalation + turn
		transition = `"status":"paused","phase":"implementation","pending_phase_transition":{"from":"implementation","to":"qa","gate":"implementation_complete","requested_by_turn":"turn_01","requested_at":"2026-01-01T00:00:00.000Z"},` + turn
		completion = `"status":"paused","phase":"qa","pending_run_completion":{"gate":"ship","requested_by_turn":"turn_01","requested_at":"2026-01-01T00:45:00.000Z"},` + turn
		done       = `"status":"completed","phase":"qa","completed_at":"2026-01-01T01:00:00.000Z","last_completed_turn_id":"turn_01","active_turns":{},"turn_sequence":7`
	)
	return []act{
		{"run_blocked", blocked, raised},
		{"human_escalation_raised", blocked, ""},
		{"operator_escalation_raised", blocked, ""},
		{"human_escalation_resolved", active, resolved},
		{"escalation_resolved", active, ""},
		{"phase_transition_pending", transition, ""},
		{"approval_sla_reminder", transition, ""},
		{"run_completion_pending", completion, ""},
		{"run_completed", done, ""},
	}
}

// play makes the project look as it does at this step.
func (d *demo) play(a act) error {
	state := `{"schema_version":"1.1","run_id":"run_00112233445566ff","project_id":"demo",` + a.state + "}\n"
	if err := os.WriteFile(filepath.Join(d.dir, ".agentxchain", "state.json"), []byte(state), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, ".agentxchain", "human-escalations.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(a.record)
	return errors.Join(err, f.Close())
}

func (d *demo) emitEverything() error {
	d.say("A governed project in %s,\nand a receiver on %s. Every governed event, as a script would emit it:", d.dir, d.url)
	if err := d.writeConfig(); err != nil {
		return err
	}
	for _, step := range demoActs() {
		if err := d.play(step); err != nil {
			return err
		}
		if err := d.run(exitDone, "notify", "emit", step.event); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) writeConfig() error {
	const all = `["run_blocked","operator_escalation_raised","escalation_resolved","human_escalation_raised","human_escalation_resolved","phase_transition_pending","run_completion_pending","run_completed","approval_sla_reminder"]`
	closed, err := d.closedURL()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`{
  "schema_version": "1.0",
  "project": {"id": "demo", "name": "Demo"},
  "roles": {},
  "runtimes": {},
  "routing": {"implementation": {"exit_gate": "implementation_complete"}, "qa": {"exit_gate": "ship"}},
  "notifications": {
    "webhooks": [
      {"name": "ops_webhook", "url": "%[1]s/ops", "timeout_ms": 5000, "events": %[2]s},
      {"name": "audit_sink", "url": "%[1]s/audit", "timeout_ms": 5000, "events": ["run_blocked", "run_completed"]},
      {"name": "nobody_home", "url": "%[3]s/closed", "timeout_ms": 5000, "events": ["run_completed"]}
    ],
    "approval_sla": {"enabled": true, "reminder_after_seconds": [1800, 3600]}
  }
}
`, d.url, all, closed)
	if err := os.Mkdir(filepath.Join(d.dir, ".agentxchain"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, "agentxchain.json"), []byte(config), 0o600)
}

// closedURL names a port on which nobody listens any more.
func (d *demo) closedURL() (string, error) {
	l, err := new(net.ListenConfig).Listen(d.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return "http://" + l.Addr().String(), l.Close()
}

func (d *demo) retry() error {
	d.say("\nThe audit_sink was ill. It is mended now; what it missed is kept, byte for byte:")
	d.healthy.Store(true)
	if err := d.run(exitDone, "notify", "pending"); err != nil {
		return err
	}
	return d.run(exitBad, "notify", "retry") // nobody_home stays undelivered
}

func (d *demo) exportAndVerify() error {
	d.say("\nThe run as a portable bundle, and the proof:")
	if err := d.run(exitDone, "export", "--output", "bundle.json"); err != nil {
		return err
	}
	return d.run(exitDone, "verify", "export", "bundle.json")
}

// tamper makes a failed delivery look delivered in a copy of the bundle.
func (d *demo) tamper() error {
	d.say("\nSomebody edits a copy, so that a failure looks like a success:")
	b, err := os.ReadFile(filepath.Join(d.dir, "bundle.json"))
	if err != nil {
		return err
	}
	forged := bytes.Replace(b, []byte(`"delivered":false,"status_code":503`), []byte(`"delivered":true,"status_code":200`), 1)
	if bytes.Equal(b, forged) {
		return errors.New("the bundle holds no failed delivery to forge")
	}
	if err := os.WriteFile(filepath.Join(d.dir, "forged.json"), forged, 0o600); err != nil {
		return err
	}
	return d.run(exitBad, "verify", "export", "forged.json")
}

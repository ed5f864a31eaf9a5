//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const mib = 1 << 20

// rows is the whole table: each row names what stands beside it.
func rows(s settings) []row {
	return append(hostileRows(), []row{
		{
			name: "emit, 1 webhook, http / curl", rounds: s.rounds, wallGoal: 1.3, cpuGoal: 1.5, rssGoal: 20 * mib,
			prepare: emitRow(1, false, 0, 0),
		},
		{
			name: "emit, 1 webhook, https / curl", rounds: s.rounds, wallGoal: 1.3, cpuGoal: 1.5, rssGoal: 20 * mib,
			prepare: emitRow(1, true, 0, 0),
		},
		{
			name: "emit, 8 webhooks of 100 ms / curl -Z", rounds: max(s.rounds/3, 5), wallGoal: 1.1, rssGoal: 20 * mib,
			prepare: emitRow(8, false, 100*time.Millisecond, 0),
		},
		{
			name: "emit, 10,000 entries in the outbox / curl", rounds: s.rounds, wallGoal: 1.3, cpuGoal: 1.5, rssGoal: 20 * mib,
			prepare: emitRow(1, false, 0, 10_000),
		},
		{
			name: "export, a tenth of the lines / sha256sum", rounds: 7, rssGoal: 40 * mib,
			prepare: exportRow(s.lines / 10),
		},
		{name: "export / sha256sum of the input", rounds: 7, wallGoal: 1.3, rssGoal: 40 * mib, prepare: exportRow(s.lines)},
		{
			name: "verify, a tenth of the lines / sha256sum", rounds: 7, rssGoal: 40 * mib,
			prepare: verifyRow(s.lines / 10),
		},
		{name: "verify / sha256sum of the bundle", rounds: 7, wallGoal: 0.6, rssGoal: 40 * mib, prepare: verifyRow(s.lines)},
	}...)
}

// emitRow compares one emit with curl posting an envelope of the same size to
// the same receivers.
func emitRow(hooks int, secure bool, delay time.Duration, waiting int) func(context.Context, settings, string) (command, command, func(), error) {
	return func(ctx context.Context, s settings, dir string) (ours, other command, stop func(), err error) {
		dir, err = os.MkdirTemp(dir, "emit-")
		if err != nil {
			return ours, other, nil, err
		}
		sink, err := startSink(ctx, dir, secure, delay)
		if err != nil {
			return ours, other, nil, err
		}
		if err := writeProject(dir, hooks, sink.url); err != nil {
			return ours, other, nil, err
		}
		bin, err := filepath.Abs(s.bin)
		if err != nil {
			return ours, other, nil, err
		}
		if err := fillOutbox(ctx, bin, dir, waiting); err != nil {
			return ours, other, nil, err
		}
		body, err := exec.CommandContext(ctx, bin, "-C", dir, "notify", "emit", "run_completed", "--dry-run", "--json").Output()
		if err != nil {
			return ours, other, nil, err
		}
		var dry struct{ Envelope json.RawMessage }
		if err := json.Unmarshal(body, &dry); err != nil {
			return ours, other, nil, err
		}
		bodyFile := filepath.Join(dir, "body.json")
		if err := os.WriteFile(bodyFile, dry.Envelope, 0o600); err != nil {
			return ours, other, nil, err
		}
		ours = command{argv: []string{bin, "notify", "emit", "run_completed"}, dir: dir, env: sink.env}
		other = command{argv: append([]string{"curl", "-sS", "-Z", "--parallel-immediate", "-o", os.DevNull}, curlTargets(hooks, sink.url, bodyFile)...), dir: dir, env: sink.env}
		if hooks == 1 {
			other.argv = append([]string{"curl", "-sS", "-o", os.DevNull}, curlTargets(1, sink.url, bodyFile)...)
		}
		return ours, other, sink.stop, nil
	}
}

func curlTargets(n int, url, body string) []string {
	args := []string{"-H", "Content-Type: application/json", "--data-binary", "@" + body}
	for range n {
		args = append(args, url)
	}
	for range n - 1 {
		args = append(args, "-o", os.DevNull)
	}
	return args
}

// writeProject makes a governed project with so many webhooks on one receiver.
func writeProject(dir string, hooks int, url string) error {
	list := make([]string, hooks)
	for i := range list {
		list[i] = fmt.Sprintf(`{"name":"hook-%d","url":%q,"events":["run_completed"],"timeout_ms":5000,"headers":{"X-Bench":"1"}}`, i, url)
	}
	config := `{"schema_version":"1.0","project":{"id":"bench","name":"Bench"},"roles":{},"runtimes":{},"notifications":{"webhooks":[` +
		strings.Join(list, ",") + `]}}`
	if err := os.MkdirAll(filepath.Join(dir, ".agentxchain"), 0o700); err != nil {
		return err
	}
	state := `{"schema_version":"1.1","run_id":"run_0123456789abcdef","project_id":"bench","status":"completed","phase":"qa","active_turns":{},"turn_sequence":1}`
	if err := os.WriteFile(filepath.Join(dir, ".agentxchain", "state.json"), []byte(state), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "agentxchain.json"), []byte(config), 0o600)
}

// exportRow compares an export of so many audit lines with the hash of the
// same bytes.
func exportRow(lines int) func(context.Context, settings, string) (command, command, func(), error) {
	return func(_ context.Context, s settings, dir string) (ours, other command, stop func(), err error) {
		project, bin, err := auditProject(s, dir, lines)
		if err != nil {
			return ours, other, nil, err
		}
		bundle := filepath.Join(dir, fmt.Sprintf("bundle-%d.json", lines))
		ours = command{argv: []string{bin, "export", "--output", bundle}, dir: project}
		other = command{argv: []string{"sha256sum", filepath.Join(project, ".agentxchain", "notification-audit.jsonl")}}
		return ours, other, func() {}, nil
	}
}

// verifyRow compares a verification with the hash of the same bundle.
func verifyRow(lines int) func(context.Context, settings, string) (command, command, func(), error) {
	return func(ctx context.Context, s settings, dir string) (ours, other command, stop func(), err error) {
		project, bin, err := auditProject(s, dir, lines)
		if err != nil {
			return ours, other, nil, err
		}
		bundle := filepath.Join(dir, fmt.Sprintf("stdout-%d.json", lines))
		out, err := os.Create(bundle)
		if err != nil {
			return ours, other, nil, err
		}
		defer out.Close()
		x := exec.CommandContext(ctx, bin, "export")
		x.Dir, x.Stdout, x.Stderr = project, out, os.Stderr
		if err := x.Run(); err != nil {
			return ours, other, nil, err
		}
		ours = command{argv: []string{bin, "verify", "export", bundle}}
		other = command{argv: []string{"sha256sum", bundle}}
		return ours, other, func() { os.Remove(bundle) }, nil
	}
}

// auditProject makes a project whose audit has so many lines of the usual
// size, and returns it with the binary's absolute path.
func auditProject(s settings, dir string, lines int) (project, bin string, err error) {
	if bin, err = filepath.Abs(s.bin); err != nil {
		return "", "", err
	}
	project = filepath.Join(dir, fmt.Sprintf("lines-%d", lines))
	if _, err := os.Stat(project); err == nil {
		return project, bin, nil
	}
	if err := writeProject(project, 1, "http://127.0.0.1:9/"); err != nil {
		return "", "", err
	}
	return project, bin, writeAudit(project, lines)
}

func writeAudit(project string, lines int) error {
	f, err := os.Create(filepath.Join(project, ".agentxchain", "notification-audit.jsonl"))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, mib)
	for i := range lines {
		fmt.Fprintf(w, `{"event_id":"notif_01K%023d","event_type":"run_blocked","notification_name":"ops","transport":"webhook","delivered":%t,"status_code":%d,"timed_out":false,"duration_ms":%d,"message":"Delivered to the \u201cops\u201d desk","emitted_at":"2026-01-01T00:00:00.000Z","attempted_at":"2026-01-01T00:00:00.001Z","run_id":"run_0123456789abcdef","attempt":1,"reason":"delivered","phase":"read"}`+"\n",
			i, i%7 != 0, 200+i%7, i%900)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

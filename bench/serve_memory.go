//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
)

// memoryRow starts the binary as it serves a project, with so many deliveries
// waiting in its database, and reads the most memory that it ever had.
func memoryRow(queued int64) func(context.Context, *bed) (outcome, error) {
	return func(ctx context.Context, b *bed) (o outcome, err error) {
		dir, err := b.fresh()
		if err != nil {
			return o, err
		}
		if err := writeProject(dir, 1, b.sinks.urls[0]); err != nil {
			return o, err
		}
		if err := b.queue(ctx, dir, queued); err != nil {
			return o, err
		}
		s, err := startServe(ctx, b.settings.bin, dir)
		if err != nil {
			return o, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		delivered, err := s.watch(ctx, queued)
		if err != nil {
			return o, err
		}
		peak, err := s.peak()
		o.value = float64(peak)
		o.ours = fmt.Sprintf("%.1f MB, %d delivered meanwhile", float64(peak)/mib, delivered)
		o.other = "–"
		return o, err
	}
}

// queue puts deliveries of a governed event into the database of the project
// in dir, all of them due.
func (b *bed) queue(ctx context.Context, dir string, n int64) error {
	if n == 0 {
		return nil
	}
	root, err := project.Find(dir)
	if err != nil {
		return err
	}
	site, err := root.Site()
	if err != nil {
		return err
	}
	l, err := openStore(ctx, "sqlite:///deliveries.db", root.OwnPath(), site)
	if err != nil {
		return err
	}
	err = crowd(accepts, countdown(n), func() error {
		d, err := governed()
		if err != nil {
			return err
		}
		return l.Add(ctx, delivery.Intent{Deliveries: []delivery.Delivery{d}})
	})
	return errors.Join(err, l.close())
}

// governed is a delivery to the webhook that writeProject makes.
func governed() (delivery.Delivery, error) {
	ev, _, err := events.Mint(events.Input{
		Type: events.RunCompleted, Now: time.Now(), Project: events.Project{ID: "bench", Name: "Bench"},
		Facts: events.Facts{Run: events.Run{ID: "run_0123456789abcdef", Status: "completed", Phase: "qa"}},
	})
	target := delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: "hook-0"}
	return delivery.Delivery{
		ID: delivery.NewID(ev, target), Event: ev, Target: target, ContentType: "application/json", Body: ev.Body,
		ExecutionID: "run_0123456789abcdef", Label: target.Name,
		Status: delivery.Pending, ExpiresAt: time.Now().Add(time.Hour),
	}, err
}

// serving is a process of the binary that serves.
type serving struct {
	cmd *exec.Cmd
	url string
	log string
}

// startServe returns once the process answers.
func startServe(ctx context.Context, bin, dir string) (*serving, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, bin, "serve", "--listen", "127.0.0.1:0", "--json")
	cmd.Dir = dir
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &serving{cmd: cmd, log: log.Name()}
	var said struct{ URL string }
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&said); err != nil || said.URL == "" {
		text, _ := os.ReadFile(s.log)
		return nil, errors.Join(fmt.Errorf("serve did not start: %s", text), s.stop())
	}
	s.url = said.URL
	return s, nil
}

func (s *serving) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if waited := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) {
		err = errors.Join(err, waited)
	}
	return err
}

// watch asks for the health and the page, as somebody who looks does, until
// all is delivered; an idle process is watched for three seconds.
func (s *serving) watch(ctx context.Context, queued int64) (delivered int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	least := time.Now().Add(3 * time.Second)
	for {
		text, err := s.get(ctx, "/v1/health")
		if err != nil {
			return 0, err
		}
		var health struct{ Delivered int64 }
		if err := json.Unmarshal(text, &health); err != nil {
			return 0, err
		}
		if _, err := s.get(ctx, "/v1/notifications?limit=200"); err != nil {
			return 0, err
		}
		if health.Delivered >= queued && time.Now().After(least) {
			return health.Delivered, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d were delivered", health.Delivered, queued)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (s *serving) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, res.Status)
	}
	return io.ReadAll(res.Body)
}

// peak reads the largest resident set of the process so far, in bytes.
func (s *serving) peak() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("/proc is %w", errAbsent)
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return n * 1024, err
		}
	}
	return 0, errors.New("no VmHWM in the status of the process")
}

package cmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// serve shows the delivery log: the same project, on a free port.
func (d *demo) serve() error {
	d.say("\nWhat was ever attempted, for people and for scripts. serve takes it in:")
	d.say("\n$ agentxchain serve --listen 127.0.0.1:0")
	ctx, stop := context.WithCancel(d.ctx)
	defer stop()
	w := d.world("serve", "--listen", "127.0.0.1:0", "--json")
	out, in := io.Pipe()
	var stderr bytes.Buffer
	w.Stdout, w.Stderr = in, &stderr
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, w)
		_ = in.Close() // never fails
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process above
	var said struct{ URL, Dashboard string }
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	if err != nil {
		stop()
		return fmt.Errorf("serve ended with exit code %d: %s", <-ended, stderr.String())
	}
	d.say("  dashboard: %s", said.Dashboard)
	err = d.askLog(ctx, said.URL)
	d.look(ctx)
	stop()
	if code := <-ended; err == nil && code != exitDone {
		err = fmt.Errorf("serve ended with exit code %d: %s", code, stderr.String())
	}
	d.say("  (it has stopped)")
	return err
}

// look leaves time to look at the dashboard, when that was asked for.
func (d *demo) look(ctx context.Context) {
	if d.lookFor <= 0 {
		return
	}
	d.say("  open for %s; ^C ends it earlier", d.lookFor)
	timer := time.NewTimer(d.lookFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// askLog asks the API until the log has taken in the evidence, and shows it.
func (d *demo) askLog(ctx context.Context, url string) error {
	const query = "/v1/notifications?target=nobody_home&limit=1"
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+query, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close() // it was read
		if err != nil {
			return err
		}
		if strings.Contains(string(body), `"attempts":`) {
			d.say("\n$ curl '%s%s'\n  %s", url, query, strings.TrimSpace(string(body)))
			return nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return fmt.Errorf("the log shows nothing: %s", body)
		}
	}
}

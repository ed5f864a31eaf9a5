package gateway_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/gateway"
)

// A receiver that asks for an hour does not hold the caller for an hour. A
// wait that would end after the deadline isn't begun, so no time passes here.
func TestDeadline(t *testing.T) {
	r := newReceiver(t)
	for _, deadline := range []time.Duration{0, time.Minute} {
		gw, err := gateway.New(gateway.Options{Dir: t.TempDir(), Deadline: deadline})
		if err != nil {
			t.Fatal(err)
		}
		gateway.SendThrough(gw, &http.Transport{DisableKeepAlives: true})
		gw.UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/later", Secret: "y"})
		start := time.Now()
		result, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError, Agent: "a", ExecutionID: "e"})
		if err != nil {
			t.Fatal(err)
		}
		if o := result.Outcomes[0]; o.Delivered || o.Attempts != 1 || o.Reason != "throttled" {
			t.Errorf("%+v", o)
		}
		if took := time.Since(start); took > gateway.DefaultDeadline/2 {
			t.Errorf("deadline %s: took %s", deadline, took)
		}
		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := gateway.New(gateway.Options{Dir: t.TempDir(), Deadline: -1}); err == nil {
		t.Error("a negative deadline is accepted")
	}
}

// held is a transport that keeps requests until it is let go.
type held struct {
	next    http.RoundTripper
	entered chan struct{}
	release chan struct{}
}

func (h *held) RoundTrip(req *http.Request) (*http.Response, error) {
	h.entered <- struct{}{}
	<-h.release
	return h.next.RoundTrip(req)
}

// Close waits for what runs, which ends as if nobody had closed, and refuses
// what comes later.
func TestCloseWaits(t *testing.T) {
	const n = 8
	r := newReceiver(t)
	dir := t.TempDir()
	h := &held{next: &http.Transport{DisableKeepAlives: true}, entered: make(chan struct{}, n), release: make(chan struct{})}
	warn := func(text string) { t.Errorf("warning: %s", text) }
	gw, err := gateway.New(gateway.Options{Dir: dir, Warn: warn})
	if err != nil {
		t.Fatal(err)
	}
	gateway.SendThrough(gw, h)
	gw.UseWebhookNotifications(gateway.Webhook{URL: r.URL + "/hook", Secret: "y"})
	e := gateway.Event{Type: gateway.OnComplete, Agent: "a", ExecutionID: "e"}
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			result, err := gw.Emit(t.Context(), e)
			if err != nil || len(result.Outcomes) != 1 || !result.Outcomes[0].Delivered {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
	for range n {
		<-h.entered
	}
	closed := make(chan error, 1)
	go func() { closed <- gw.Close() }()
	gateway.AwaitClosing(gw)
	if _, err := gw.Emit(t.Context(), e); !errors.Is(err, gateway.ErrClosed) {
		t.Errorf("an event during Close: %v", err)
	}
	select {
	case err := <-closed:
		t.Errorf("Close did not wait: %v", err)
		closed <- nil
	default:
	}
	close(h.release)
	if err := errors.Join(<-closed, gw.Close()); err != nil {
		t.Error(err)
	}
	running.Wait()
	if got := len(r.got["/hook"]); got != n {
		t.Errorf("%d events received", got)
	}
	nothingLeft(t, dir)
}

// nothingLeft lets a later gateway look for what dead processes left.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	gw, err := gateway.New(gateway.Options{Dir: dir, Warn: func(text string) {
		if strings.Contains(text, "died") {
			t.Error(text)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError, Agent: "a", ExecutionID: "e"}); err != nil {
		t.Error(err)
	}
	if err := gw.Close(); err != nil {
		t.Error(err)
	}
}

// A gateway that sent nothing is closed all the same.
func TestEmitAfterClose(t *testing.T) {
	gw := open(t, t.TempDir())
	if err := gw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := gw.Emit(t.Context(), gateway.Event{Type: gateway.OnError}); !errors.Is(err, gateway.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

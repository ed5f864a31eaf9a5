//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// receivers is how many of them there are. A connection for each delivery
// leaves an address behind for a minute; several receivers have more of those.
const receivers = 10

// receiving is the process with the receivers.
type receiving struct {
	cmd  *exec.Cmd
	in   io.Closer
	urls []string
}

// startReceiving starts this program again as the receivers.
func startReceiving(ctx context.Context) (*receiving, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-receive")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, in.Close(), cmd.Wait())
	}
	return &receiving{cmd: cmd, in: in, urls: strings.Fields(line)}, nil
}

func (r *receiving) stop() error { return errors.Join(r.in.Close(), r.cmd.Wait()) }

// got asks how many signed requests came.
func (r *receiving) got(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.urls[0]+"/count", http.NoBody)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}

// receive is what this program does as the receivers, until its standard
// input ends.
func receive(ctx context.Context) error {
	var count atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil && r.Header.Get("X-AgentGateway-Signature") != "" {
			count.Add(1)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /dead", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, count.Load()) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	done := make(chan error, receivers)
	for range receivers {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Printf("http://%s ", l.Addr())
		go func() { done <- server.Serve(l) }()
	}
	fmt.Println()
	_, err := io.Copy(io.Discard, os.Stdin)
	err = errors.Join(err, server.Close())
	for range receivers {
		if e := <-done; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// World is everything a command may know of the process it runs in. Only
// [Main] fills it from the real one, so that a test can hand in another.
type World struct {
	// Args are the command line's words without the program's name.
	Args []string
	// Dir is the working folder, absolute.
	Dir string
	// Getenv looks up one environment variable; "" when it is not set.
	Getenv func(string) string
	// LookupEnv is Getenv that tells an empty variable from a missing one.
	LookupEnv func(string) (string, bool)
	// Environ lists all variables as NAME=VALUE, for names that are matched
	// whatever their case.
	Environ func() []string
	// Stdin, Stdout and Stderr are the streams. Data goes to Stdout, talk to Stderr.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Now is the clock.
	Now func() time.Time
	// Entropy feeds event ids.
	Entropy io.Reader
	// Hangups returns a channel that receives at each SIGHUP. From the first
	// call on that signal asks for a new look at the configuration and ends
	// nothing. nil means that there are none.
	Hangups func() <-chan struct{}
}

// Main runs the process's command line and returns its exit code.
func Main() int {
	dir, err := os.Getwd()
	if err != nil {
		// A deleted working folder is no reason to refuse a command that
		// names its own with --dir; relative paths then fail by themselves.
		dir = "."
	}
	surviveFileLimit()
	var hangups hangups
	ctx, stop := untilSignal(context.Background(), &hangups)
	defer stop()
	return Run(ctx, World{
		Args:      os.Args[1:],
		Dir:       dir,
		Getenv:    os.Getenv,
		LookupEnv: os.LookupEnv,
		Environ:   os.Environ,
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Now:       time.Now,
		Entropy:   rand.Reader,
		Hangups:   hangups.take,
	})
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal os.Signal }

// Error names the signal.
func (e signalError) Error() string { return "stopped by signal: " + e.signal.String() }

// exitCode is the shell's convention, 128 plus the signal's number.
func (e signalError) exitCode() int {
	switch e.signal {
	case syscall.SIGTERM:
		return 143
	case syscall.SIGHUP:
		return 129
	}
	return 130
}

// hangups hands SIGHUP to the one command that reloads by it.
type hangups struct {
	mu sync.Mutex
	to chan struct{} // nil until somebody takes them
}

// take is [World.Hangups].
func (h *hangups) take() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.to == nil {
		h.to = make(chan struct{}, 1)
	}
	return h.to
}

// pass hands on one signal; false means that nobody takes them. Those that
// come before the last one was looked at are one.
func (h *hangups) pass() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.to == nil {
		return false
	}
	select {
	case h.to <- struct{}{}:
	default:
	}
	return true
}

// untilSignal returns a context that SIGINT or SIGTERM cancels with a
// [signalError], and SIGHUP unless a command takes those. The second signal is
// left to its default action: it ends the process at once.
func untilSignal(parent context.Context, h *hangups) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case s := <-caught:
				if s == syscall.SIGHUP && h.pass() {
					continue
				}
				signal.Stop(caught)
				cancel(signalError{s})
			case <-ctx.Done():
			}
			return
		}
	}()
	return ctx, func() {
		signal.Stop(caught)
		cancel(nil)
		<-done
	}
}

// interruption returns the signal that ended ctx, if one did.
func interruption(ctx context.Context) (signalError, bool) {
	var s signalError
	ok := errors.As(context.Cause(ctx), &s)
	return s, ok
}

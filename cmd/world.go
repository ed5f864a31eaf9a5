package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/signal"
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
	ctx, stop := untilSignal(context.Background())
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

// untilSignal returns a context that SIGINT, SIGTERM or SIGHUP cancels with a
// [signalError]. The second signal is left to its default action: it ends the
// process at once.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-caught:
			signal.Stop(caught)
			cancel(signalError{s})
		case <-ctx.Done():
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

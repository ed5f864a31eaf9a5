package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"agentxchain/internal/ecmajson"
)

// The exit codes of every command; see `agentxchain help exit-codes`.
const (
	exitDone   = 0
	exitBad    = 1
	exitCannot = 2
)

// failure is how a command ends when it is not done: an exit code, a stable
// word for scripts, the cause, and what to do about it.
type failure struct {
	exit  int
	code  string
	err   error
	hints []string
	// silent says that the command has already printed its answer, of which
	// the exit code is part.
	silent bool
	// plain says that the text is the Node CLI's, which people's scripts may
	// match: it is printed without our name in front.
	plain bool
}

// Error returns the cause.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// usagef is a command line that makes no sense: exit 2, nothing was opened.
func usagef(format string, args ...any) *failure {
	return &failure{exit: exitCannot, code: "usage", err: fmt.Errorf(format, args...)}
}

// cannot is exit 2: the command could not start or could not judge.
func cannot(code string, err error, hints ...string) *failure {
	return &failure{exit: exitCannot, code: code, err: err, hints: hints}
}

// verdict ends a command that has answered, and whose answer is an exit code.
func verdict(exit int) error {
	if exit == exitDone {
		return nil
	}
	return &failure{exit: exit, err: errors.New("answered"), silent: true}
}

// hint adds advice to a failure.
func (f *failure) hint(format string, args ...any) *failure {
	f.hints = append(f.hints, fmt.Sprintf(format, args...))
	return f
}

// report prints a command's error, as JSON on stdout when the command was
// asked for JSON, and returns the exit code.
func report(ctx context.Context, w World, err error, asJSON bool) int {
	if s, ok := interruption(ctx); ok {
		fmt.Fprintln(w.Stderr, "agentxchain: "+s.Error())
		return s.exitCode()
	}
	if err == nil {
		return exitDone
	}
	var f *failure
	if !errors.As(err, &f) {
		f = cannot("internal", err)
	}
	if f.silent {
		return f.exit
	}
	if asJSON {
		writeJSONError(w.Stdout, f)
	}
	f.print(w.Stderr)
	return f.exit
}

// print tells people.
func (f *failure) print(out io.Writer) {
	prefix := "agentxchain: "
	if f.plain {
		prefix = ""
	}
	fmt.Fprintln(out, prefix+f.Error())
	for _, h := range f.hints {
		fmt.Fprintln(out, "  hint: "+h)
	}
}

func writeJSONError(out io.Writer, f *failure) {
	fmt.Fprintf(out, "%s\n", ecmajson.Append(nil, ecmajson.NewObject().Set("error", f.document())))
}

// document is the failure as the member "error" of a JSON answer.
func (f *failure) document() *ecmajson.Value {
	return ecmajson.NewObject().
		Set("code", ecmajson.NewString(f.code)).
		Set("message", ecmajson.NewString(f.Error())).
		Set("hints", ecmajson.NewStrings(f.hints))
}

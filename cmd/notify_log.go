package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"agentxchain/internal/audit"
	"agentxchain/internal/events"

	"github.com/spf13/cobra"
)

// followEvery is how often a followed audit is looked at again.
const followEvery = 200 * time.Millisecond

// logOptions are the flags of `notify log`.
type logOptions struct {
	event   string
	target  string
	failed  bool
	since   string
	eventID string
	follow  bool
	json    bool

	// from is what since means.
	from time.Time
}

func newLog(a *app) *cobra.Command {
	var o logOptions
	c := &cobra.Command{
		Use:   "log",
		Short: "Query the audit: every attempt that was ever recorded",
		Long: `Query .agentxchain/notification-audit.jsonl, oldest first, whichever program wrote
the line. Lines that are no attempts are passed over, and so is a torn last line.
` + exitStatus("0  printed, be it nothing\n  2  the audit could not be read"),
		Example: `  agentxchain notify log --failed --since 24h
  agentxchain notify log --event run_blocked --json
  agentxchain notify log --follow`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runLog(c.Context(), a, o) },
	}
	f := c.Flags()
	f.StringVar(&o.event, "event", "", "only this event `TYPE`, in either spelling")
	f.StringVar(&o.target, "target", "", "only this target, by `NAME` or target_id")
	f.BoolVar(&o.failed, "failed", false, "only attempts that were not delivered")
	f.StringVar(&o.since, "since", "", "only attempts since this RFC 3339 `TIME`, or within this duration, such as 24h")
	f.StringVar(&o.eventID, "event-id", "", "only the event with this `ID`")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on printing what is appended, until interrupted")
	f.BoolVar(&o.json, "json", false, "print a JSON document; with --follow one object per line")
	return c
}

func runLog(ctx context.Context, a *app, o logOptions) error {
	if err := o.parse(a.Now()); err != nil {
		return err
	}
	place, err := a.locate()
	if err != nil {
		return err
	}
	p := logPrinter{out: a.Stdout, opts: o}
	p.begin()
	for offset := int64(0); ; {
		if offset, err = p.readFrom(place.Root.AuditFile(), offset); err != nil {
			return cannot("audit", err)
		}
		if !o.follow {
			p.end()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil // the exit code is the signal's
		case <-time.After(followEvery):
		}
	}
}

// parse reads --event, in either spelling, and --since.
func (o *logOptions) parse(now time.Time) error {
	// Other programs may have recorded events that we do not know.
	if t, err := events.ParseType(o.event); err == nil {
		o.event = string(t)
	}
	if o.since == "" {
		return nil
	}
	if d, err := time.ParseDuration(o.since); err == nil {
		o.from = now.Add(-d.Abs())
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, o.since)
	if err != nil {
		return usagef("--since %q is neither a time nor a duration", o.since).hint("write it like 2026-01-31T12:00:00Z or 24h")
	}
	o.from = at
	return nil
}

// logPrinter prints the attempts that the options let through.
type logPrinter struct {
	out     io.Writer
	opts    logOptions
	printed int
}

// readFrom prints what stands behind the offset and returns how far it came. A
// file that is shorter than that was replaced and is read from its start.
func (p *logPrinter) readFrom(path string, offset int64) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return offset, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return offset, err
	}
	if info.Size() < offset {
		offset = 0
	}
	lines := audit.NewReader(io.NewSectionReader(f, offset, info.Size()-offset), offset)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return lines.Offset(), nil
		}
		if err != nil {
			return offset, err
		}
		if entry, ok := line.Entry(); ok && p.opts.admits(entry) {
			p.print(line.Bytes, entry)
		}
	}
}

// admits reports whether an attempt is asked for.
func (o logOptions) admits(e audit.Entry) bool {
	switch {
	case e.EventID == "",
		o.event != "" && e.EventType != o.event,
		o.target != "" && e.Name != o.target && e.TargetID != o.target,
		o.failed && e.Delivered,
		o.eventID != "" && e.EventID != o.eventID:
		return false
	}
	if o.from.IsZero() {
		return true
	}
	at, err := time.Parse(time.RFC3339Nano, attemptTime(e))
	return err == nil && !at.Before(o.from)
}

// attemptTime is when an attempt began, or in the lines of the Node CLI, which
// do not say it, when the event was emitted.
func attemptTime(e audit.Entry) string { return firstNonEmpty(e.AttemptedAt, e.EmittedAt) }

func (p *logPrinter) begin() {
	if p.opts.json && !p.opts.follow {
		fmt.Fprint(p.out, `{"attempts":[`)
	}
}

func (p *logPrinter) end() {
	if p.opts.json {
		fmt.Fprintln(p.out, "]}")
	}
}

func (p *logPrinter) print(line []byte, e audit.Entry) {
	switch {
	case p.opts.json && p.opts.follow:
		fmt.Fprintf(p.out, "%s\n", line)
	case p.opts.json:
		if p.printed > 0 {
			fmt.Fprint(p.out, ",")
		}
		fmt.Fprintf(p.out, "%s", line)
	default:
		state, status := "failed", string(e.Reason)
		if e.Delivered {
			state = "delivered"
		}
		if e.StatusCode > 0 {
			status = strconv.Itoa(e.StatusCode)
		}
		fmt.Fprintf(p.out, "%s  %s  %s  %s  %s  %s  %s\n", attemptTime(e), e.EventID, e.EventType, e.Name, state, status, e.Message)
	}
	p.printed++
}

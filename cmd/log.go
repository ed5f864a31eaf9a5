package cmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// newLogger returns the logger for talk on stderr. Text is written for people
// ("warning: …"), json for collectors.
func newLogger(out io.Writer, level, format string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("unknown log level %q", level).hint("use debug, info, warn or error")
	}
	switch format {
	case "text":
		return slog.New(&plainHandler{out: out, least: least, mu: new(sync.Mutex)}), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: least})), nil
	}
	return nil, usagef("unknown log format %q", format).hint("use text or json")
}

// plainHandler prints a record the way a command-line tool speaks.
type plainHandler struct {
	out   io.Writer
	least slog.Level
	attrs []slog.Attr
	mu    *sync.Mutex
}

// Enabled implements [slog.Handler].
func (h *plainHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.least }

// Handle implements [slog.Handler].
func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString("error: ")
	case r.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	case r.Level < slog.LevelInfo:
		b.WriteString("debug: ")
	}
	b.WriteString(r.Message)
	attr := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%s", a.Key, oneLine(a.Value.String()))
		return true
	}
	for _, a := range h.attrs {
		attr(a)
	}
	r.Attrs(attr)
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, b.String())
	return err
}

// oneLine keeps a value on the line of its record: errors of databases and
// configurations have several. What else a terminal would obey is escaped.
func oneLine(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	text = strings.Join(lines, "; ")
	if strings.ContainsFunc(text, unicode.IsControl) {
		return strconv.Quote(text)
	}
	return text
}

// WithAttrs implements [slog.Handler].
func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr{}, h.attrs...), attrs...)
	return &c
}

// WithGroup implements [slog.Handler]; groups have no place in a plain line.
func (h *plainHandler) WithGroup(string) slog.Handler { return h }

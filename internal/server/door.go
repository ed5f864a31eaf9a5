package server

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

const requestIDHeader = "X-Request-Id"

// door is what every request passes first and leaves last.
type door struct {
	next    http.Handler
	hosts   []host
	metrics *Metrics
	logger  *slog.Logger
	// readTime bounds how long a client may take to send a body.
	readTime time.Duration
}

// ServeHTTP implements [http.Handler].
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	answer := &recorder{ResponseWriter: w}
	id := requestID(r.Header.Values(requestIDHeader))
	w.Header().Set(requestIDHeader, id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	defer d.leave(answer, r, id, start)
	if r.ContentLength != 0 {
		// Not every writer has deadlines: one in a test has none.
		_ = http.NewResponseController(w).SetReadDeadline(start.Add(d.readTime))
	}
	if !hostAllowed(r.Host, d.hosts) {
		newProblem(foreignHost, fmt.Sprintf("The host %.100q is not served here. "+
			"Names besides localhost are allowed by server.allowed_hosts in gateway.yaml.", r.Host)).write(answer)
		return
	}
	d.next.ServeHTTP(answer, r)
}

// leave counts and logs the request, and answers for a handler that panicked.
func (d *door) leave(answer *recorder, r *http.Request, id string, start time.Time) {
	crash := recover()
	if crash != nil && answer.status == 0 {
		newProblem(internal, "The log of the server has the request under its id, "+id+".").write(answer)
	}
	d.metrics.requested(routeLabel(r.Pattern), r.Method, answer.code())
	attrs := []slog.Attr{
		slog.String("request_id", id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", answer.code()), slog.Duration("duration", time.Since(start)),
	}
	switch {
	case crash == http.ErrAbortHandler: //nolint:errorlint // what was given to panic is no wrapped error
		panic(crash) // the handler's way to cut the connection
	case crash != nil:
		d.logger.LogAttrs(r.Context(), slog.LevelError, "a handler panicked",
			append(attrs, slog.String("panic", fmt.Sprint(crash)), slog.String("stack", string(debug.Stack())))...)
	default:
		d.logger.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
	}
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status; those below 200 announce another.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= http.StatusOK {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	return rec.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach what this wraps.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// code is the status that the client got: a handler that wrote nothing said 200.
func (rec *recorder) code() int {
	if rec.status == 0 {
		return http.StatusOK
	}
	return rec.status
}

// requestID returns the id that a proxy gave the request, when it is a plain
// word, or a new one.
func requestID(given []string) string {
	const longest = 64
	if len(given) != 1 || given[0] == "" || len(given[0]) > longest {
		return rand.Text()
	}
	if strings.ContainsFunc(given[0], func(r rune) bool { return !isWord(r) }) {
		return rand.Text()
	}
	return given[0]
}

// isWord reports whether c may stand in an id: letters, digits, "-", "_", ".".
func isWord(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// routeLabel is the path of a pattern of [http.ServeMux]; what no pattern of
// its own takes is "other".
func routeLabel(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = path
	}
	if pattern == "" || pattern == "/" {
		return "other"
	}
	return pattern
}

// host is a name and a port; as a rule, an empty port stands for every one.
type host struct{ name, port string }

// readHosts reads configured names. What can't be read can't be asked for
// either, so it is left out.
func readHosts(names []string) []host {
	var hosts []host
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil && addr.Zone() == "" {
			hosts = append(hosts, host{name: addr.Unmap().String()})
		} else if h, ok := splitHost(name); ok {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// hostAllowed reports whether the Host of a request is a name of loopback, at
// any port, or one of those allowed.
func hostAllowed(asked string, allowed []host) bool {
	h, ok := splitHost(asked)
	if !ok {
		return false
	}
	if addr, err := netip.ParseAddr(h.name); h.name == "localhost" || err == nil && addr.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(allowed, func(rule host) bool {
		return rule.name == h.name && (rule.port == "" || rule.port == h.port)
	})
}

// splitHost reads a Host: a name or address in its usual form, lower-case and
// without the final dot, and a port, which may be missing. What can't be read
// is none of ours.
func splitHost(s string) (h host, ok bool) {
	if rest, bracketed := strings.CutPrefix(s, "["); bracketed {
		literal, after, closed := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(literal)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return host{}, false
		}
		h.name, s = addr.Unmap().String(), after
	} else {
		end := strings.IndexByte(s, ':')
		if end < 0 {
			end = len(s)
		}
		h.name, s = strings.TrimSuffix(strings.ToLower(s[:end]), "."), s[end:]
		if strings.ContainsFunc(h.name, func(r rune) bool { return !isWord(r) }) {
			return host{}, false
		}
	}
	if h.port, ok = strings.CutPrefix(s, ":"); ok {
		if _, err := strconv.ParseUint(h.port, 10, 16); err != nil {
			return host{}, false
		}
	}
	return h, h.name != "" && (ok || s == "")
}

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// maxStreams bounds the live streams of all viewers.
	maxStreams = 256
	// beat is how often a silent stream says that it lives.
	beat = 15 * time.Second
	// streamLife is when a stream ends; a browser opens a new one by itself.
	streamLife = 30 * time.Minute
	// writeLimit is how long one write may take.
	writeLimit = 10 * time.Second
)

// hub looks for changes once for all streams. Its goroutine lives while there
// is a stream: the first starts it, the last stops it and waits for its end.
type hub struct {
	source Overview
	every  time.Duration
	log    *slog.Logger

	mu      sync.Mutex
	streams map[chan news]bool
	last    news
	stop    context.CancelFunc
	stopped chan struct{}
}

// news is what a stream tells.
type news struct {
	// version is the log's; down says that it can't be read just now.
	version string
	down    bool
}

func newHub(source Overview, every time.Duration, log *slog.Logger) *hub {
	return &hub{source: source, every: every, log: log, streams: map[chan news]bool{}}
}

// join adds a stream. The channel holds the newest news only: who is slow
// needs no history. It is nil when there are too many.
func (b *hub) join(ctx context.Context) chan news {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.streams) >= maxStreams {
		return nil
	}
	c := make(chan news, 1)
	if len(b.streams) == 0 {
		b.last = news{}
		// The goroutine outlives the request that starts it, while others watch.
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		b.stop, b.stopped = stop, make(chan struct{})
		go b.watch(run, b.stopped)
	} else if b.last != (news{}) {
		c <- b.last
	}
	b.streams[c] = true
	return c
}

// leave removes a stream.
func (b *hub) leave(c chan news) {
	b.mu.Lock()
	delete(b.streams, c)
	var stopped chan struct{}
	if len(b.streams) == 0 {
		b.stop()
		stopped = b.stopped
	}
	b.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// watch asks for the version until ctx ends.
func (b *hub) watch(ctx context.Context, stopped chan<- struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(b.every)
	defer ticker.Stop()
	for {
		b.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look asks once and tells the streams if something is new.
func (b *hub) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	version, err := b.source.Version(limited)
	if ctx.Err() != nil {
		return
	}
	found := news{version: version, down: err != nil}
	b.mu.Lock()
	defer b.mu.Unlock()
	// The last look of an earlier round may come late: its context is over.
	if ctx.Err() != nil || found == b.last {
		return
	}
	if err != nil {
		b.log.Warn("dashboard: live updates can't look for changes", "error", err)
	}
	b.last = found
	for c := range b.streams {
		select {
		case <-c:
		default:
		}
		c <- found
	}
}

// stream tells one viewer of changes, as server-sent events: "version" with a
// text that is different after each change, "down" while the log can't be read.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, v viewer) {
	if h.options.Unkept != "" {
		h.answer(w, http.StatusNotFound, false, h.options.Unkept)
		return
	}
	feed := h.live.join(r.Context())
	if feed == nil {
		w.Header().Set("Retry-After", "30")
		h.answer(w, http.StatusServiceUnavailable, false, "Too many pages follow changes already.")
		return
	}
	defer h.live.leave(feed)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	say := speaker(w)
	if say("retry: 3000\n\n") != nil {
		return
	}
	end := time.NewTimer(streamLife)
	defer end.Stop()
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for {
		text := ": alive\n\n"
		select {
		case <-r.Context().Done():
			return
		case <-h.options.Stop:
			return
		case <-end.C:
			return
		case <-alive.C:
		case n := <-feed:
			text = n.event()
		}
		// A session that ended meanwhile hears nothing more.
		if v.session != nil && !h.sessions.valid(*v.session) || say(text) != nil {
			return
		}
	}
}

// event is the news as a server-sent event. A version is quoted, so that it
// stays one line whatever a store makes it of.
func (n news) event() string {
	if n.down {
		return "event: down\ndata: -\n\n"
	}
	return fmt.Sprintf("event: version\ndata: %q\n\n", n.version)
}

// speaker returns a function that writes and flushes within a limit of its
// own, because a stream outlives the limits of the server. Whoever wraps the
// writer has to unwrap it for [http.ResponseController], for flushing at least.
func speaker(w http.ResponseWriter) func(string) error {
	control := http.NewResponseController(w)
	// Else the end of the server's ReadTimeout would look like the viewer's leaving.
	_ = control.SetReadDeadline(time.Time{})
	return func(text string) error {
		if err := control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return fmt.Errorf("bound a write: %w", err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return fmt.Errorf("write to a stream: %w", err)
		}
		return wrap("flush a stream", control.Flush())
	}
}

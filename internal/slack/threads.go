package slack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
)

// MaxThreads is how many threads are remembered; the oldest is forgotten.
const MaxThreads = 1000

// maxThreadsBytes bounds what is read of the file. A thousand entries of the
// usual length are a tenth of it.
const maxThreadsBytes = 1 << 20

// Threads remembers which message began the thread of a run in a channel, in
// one small file:
//
//	{"version":1,"threads":[{"run":"run_1","channel":"#alerts","ts":"1760000000.000100"}]}
//
// with the oldest first. It is safe for concurrent use. The file is replaced
// whole and not synced: two processes that write at once, or a machine that
// loses power, can lose entries, which costs a second thread and nothing else.
type Threads struct {
	opts ThreadsOptions
	mu   sync.Mutex
}

// ThreadsOptions are what [Threads] are made of; all of them are required.
type ThreadsOptions struct {
	// Path is the file. It need not exist.
	Path string
	// Create makes the folder of Path, private and ignored by git. It is
	// called before the first write.
	Create func() error
}

// thread is one entry.
type thread struct{ run, channel, ts string }

// NewThreads returns the threads that a file remembers. Nothing is read yet.
func NewThreads(o ThreadsOptions) *Threads { return &Threads{opts: o} }

// For returns the value for [Post.Thread] of the next message about a run in a
// channel, or "" when there was none before or the run is "". It is asked once,
// when the body is made, so that retries keep their bytes. The error says that
// the file cannot be read or understood; the message then begins a thread
// anew, and what is remembered next replaces the file.
func (t *Threads) For(runID, channel string) (string, error) {
	if runID == "" {
		return "", nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	list, err := t.read()
	if i := find(list, runID, channel); i >= 0 {
		return list[i].ts, nil
	}
	return "", err
}

// remember keeps the first message of a run in a channel.
func (t *Threads) remember(runID, channel, ts string) error {
	return t.update(func(list []thread) []thread {
		if find(list, runID, channel) >= 0 {
			return list // another message was faster
		}
		list = append(list, thread{runID, channel, ts})
		return list[max(0, len(list)-MaxThreads):]
	})
}

// forget lets go of a thread that Slack no longer has, unless another took its
// place.
func (t *Threads) forget(runID, channel, ts string) error {
	return t.update(func(list []thread) []thread {
		if i := find(list, runID, channel); i >= 0 && list[i].ts == ts {
			return slices.Delete(list, i, i+1)
		}
		return list
	})
}

func find(list []thread, runID, channel string) int {
	return slices.IndexFunc(list, func(e thread) bool { return e.run == runID && e.channel == channel })
}

// update replaces the file where change changes the number of its entries.
func (t *Threads) update(change func([]thread) []thread) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	list, err := t.read()
	var damaged *damagedError
	if err != nil && !errors.As(err, &damaged) {
		return err
	}
	before := slices.Clone(list)
	if after := change(list); !slices.Equal(before, after) {
		return t.write(after)
	}
	return nil
}

// damagedError says that the file is not what we wrote.
type damagedError struct{ path string }

func (e *damagedError) Error() string {
	return fmt.Sprintf("%s cannot be understood; threads begin anew", filepath.Base(e.path))
}

// read returns the entries of the file: none when there is no file.
func (t *Threads) read() ([]thread, error) {
	f, err := os.Open(t.opts.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxThreadsBytes+1))
	if err != nil {
		return nil, err
	}
	list, ok := parseThreads(raw)
	if !ok {
		return nil, &damagedError{t.opts.Path}
	}
	return list, nil
}

func parseThreads(raw []byte) ([]thread, bool) {
	if len(raw) > maxThreadsBytes {
		return nil, false
	}
	root, err := ecmajson.Parse(raw, ecmajson.Options{MaxDepth: 8})
	if err != nil || root.Get("version").Num() != 1 || !root.Get("threads").Is(ecmajson.Array) {
		return nil, false
	}
	var list []thread
	for _, v := range root.Get("threads").Items() {
		e := thread{v.Get("run").Str(), v.Get("channel").Str(), v.Get("ts").Str()}
		if e.run == "" || !validTS(e.ts) {
			return nil, false
		}
		list = append(list, e)
	}
	return list, true
}

// write puts the entries in the place of the file, in one step.
func (t *Threads) write(list []thread) (err error) {
	if err := t.opts.Create(); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(t.opts.Path), ".threads-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(formatThreads(list))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), t.opts.Path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func formatThreads(list []thread) []byte {
	entries := make([]*ecmajson.Value, len(list))
	for i, e := range list {
		entries[i] = ecmajson.NewObject().
			Set("run", ecmajson.NewString(e.run)).
			Set("channel", ecmajson.NewString(e.channel)).
			Set("ts", ecmajson.NewString(e.ts))
	}
	root := ecmajson.NewObject().Set("version", ecmajson.NewInt(1)).Set("threads", ecmajson.NewArray(entries...))
	return append(ecmajson.Append(nil, root), '\n')
}

// learn remembers the message that was posted as the beginning of its run's
// thread, and forgets a thread that Slack no longer has.
func (s *Sender) learn(d delivery.Delivery, said answer, res delivery.Result) error {
	t := s.opts.Threads
	begins := res.Delivered && said.ts != ""
	ends := !res.Delivered && threadGone(said.word)
	if t == nil || d.Event.RunID == "" || !begins && !ends {
		return nil
	}
	channel, thread := address(d.Body)
	switch {
	case channel == "":
		return nil
	case begins && thread == "":
		return t.remember(d.Event.RunID, channel, said.ts)
	case ends && thread != "":
		return t.forget(d.Event.RunID, channel, thread)
	}
	return nil
}

// withoutPath returns the cause of an error of the file system, which may
// stand in evidence that leaves the machine.
func withoutPath(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// address returns where a body that this package wrote goes.
func address(body []byte) (channel, thread string) {
	root, err := ecmajson.Parse(body, ecmajson.Options{})
	if err != nil {
		return "", "" // of another program's body nothing is remembered
	}
	return root.Get("channel").Str(), root.Get("thread_ts").Str()
}

package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/store/storetest"
)

// box is an outbox in a folder of its own with a clock that the test moves.
type box struct {
	*Outbox
	path string
	now  time.Time
}

func newBox(t *testing.T, o Options) *box {
	t.Helper()
	b := &box{path: filepath.Join(t.TempDir(), "notify"), now: noon}
	o.Path = b.path
	o.Create = func() error { return os.MkdirAll(b.path, 0o700) }
	o.Now = func() time.Time { return b.now }
	b.Outbox = New(o)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// leave leaves an undelivered event behind that was emitted at t.
func (b *box) leave(t *testing.T, id string, at time.Time) {
	t.Helper()
	in := example(id, nil)
	in.Deliveries[0].Event.EmittedAt = at
	must(t, b.Add(t.Context(), in))
	in.Deliveries[0].Status = delivery.Failed
	must(t, b.Finish(t.Context(), in.Deliveries...))
}

// files lists all files below the notify folder.
func (b *box) files(t *testing.T) []string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(b.path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(b.path, p)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}))
	return all
}

func TestPlaces(t *testing.T) {
	b := newBox(t, Options{})
	in := example("notif_1", nil, nil)
	must(t, b.Add(t.Context(), in))
	if got := fmt.Sprint(b.files(t)); got != "[outbox/live/notif_1.intent]" {
		t.Errorf("while it is sent: %s", got)
	}
	b.leave(t, "notif_2", noon.Add(-13*time.Hour))
	if got := fmt.Sprint(b.files(t)); got != "[outbox/kept/2026112023/notif_2.intent outbox/live/notif_1.intent]" {
		t.Errorf("with an older one: %s", got)
	}
	for i := range in.Deliveries {
		in.Deliveries[i].Status = delivery.Delivered
	}
	must(t, b.Finish(t.Context(), in.Deliveries...))
	if got := fmt.Sprint(b.files(t)); got != "[outbox/kept/2026112023/notif_2.intent]" {
		t.Errorf("after delivery: %s", got)
	}
}

// Asking about an outbox that does not exist does not make one.
func TestReadingCreatesNothing(t *testing.T) {
	b := newBox(t, Options{})
	ctx := t.Context()
	if ds, err := b.List(ctx); err != nil || len(ds) > 0 {
		t.Errorf("list: %v %v", ds, err)
	}
	if in, err := b.Orphans(ctx); err != nil || len(in) > 0 {
		t.Errorf("orphans: %v %v", in, err)
	}
	if in, err := b.Stale(ctx); err != nil || len(in) > 0 {
		t.Errorf("stale: %v %v", in, err)
	}
	if _, err := b.Claim(ctx, "notif_1"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("claim: %v", err)
	}
	if _, err := os.Lstat(b.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestCreateFails(t *testing.T) {
	refused := errors.New("read-only file system")
	o := New(Options{Path: filepath.Join(t.TempDir(), "notify"), Create: func() error { return refused }})
	if err := o.Add(t.Context(), example("notif_1", nil)); !errors.Is(err, refused) {
		t.Errorf("error is %v", err)
	}
	must(t, o.Close())
}

func TestRefusedIntents(t *testing.T) {
	b := newBox(t, Options{})
	two := example("notif_1", nil, nil)
	two.Deliveries[1].Event.ID = "notif_2"
	for _, c := range []struct {
		in   delivery.Intent
		want string
	}{
		{delivery.Intent{}, "no deliveries"},
		{two, "two events"},
		{example("", nil), "event id"},
		{example(strings.Repeat("x", maxID+1), nil), "event id"},
	} {
		if err := b.Add(t.Context(), c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want …%s…", err, c.want)
		}
	}
}

// What can't be used is reported wherever it lies, never touched, and never
// keeps the rest from being used.
func TestUnusableEntries(t *testing.T) {
	b := newBox(t, Options{MaxAge: time.Hour})
	ctx := t.Context()
	b.leave(t, "notif_0", noon.Add(-5*time.Hour))
	must(t, b.Add(ctx, example("notif_1", nil)))
	must(t, b.Close()) // an orphan

	good, err := os.ReadFile(filepath.Join(b.path, "outbox", "live", "notif_1.intent"))
	must(t, err)
	var bad []string
	for _, dir := range []string{"live", "kept/2026112107"} {
		for name, content := range map[string]string{
			"newer.intent":  `{"format":2,"future":true}` + "\n",
			"empty.intent":  "",
			"torn.intent":   string(good[:20]),
			"copied.intent": string(good),
			"stranger":      "hello\n",
		} {
			p := filepath.Join(b.path, "outbox", filepath.FromSlash(dir), name)
			must(t, os.WriteFile(p, []byte(content), 0o600))
			bad = append(bad, p)
		}
		p := filepath.Join(b.path, "outbox", filepath.FromSlash(dir), "link.intent")
		must(t, os.Symlink("/etc/passwd", p))
		bad = append(bad, p)
	}
	wantReported := func(what string, err error, paths []string) {
		t.Helper()
		for _, p := range paths {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", p)) {
				t.Errorf("%s: %s is not reported in %v", what, p, err)
			}
		}
		if e := new(EntryError); !errors.As(err, &e) {
			t.Errorf("%s: no EntryError in %v", what, err)
		}
	}

	ds, err := b.List(ctx)
	var listable []string // a copy under another name is found only when it is claimed
	for _, p := range bad {
		if !strings.Contains(p, "copied") {
			listable = append(listable, p)
		}
	}
	wantReported("list", err, listable)
	if len(ds) < 2 || ds[0].Event.ID != "notif_0" {
		t.Errorf("listed %d deliveries", len(ds))
	}
	found, err := b.Orphans(ctx)
	wantReported("orphans", err, bad[:len(bad)/2])
	if len(found) != 1 || found[0].Deliveries[0].Event.ID != "notif_1" {
		t.Errorf("orphans = %+v", found)
	}
	stale, err := b.Stale(ctx)
	wantReported("stale", err, bad[len(bad)/2:])
	if len(stale) != 1 || stale[0].Deliveries[0].Event.ID != "notif_0" {
		t.Errorf("stale = %+v", stale)
	}
	_, err = b.Claim(ctx, "newer")
	wantReported("claim", err, bad[:0])
	for _, p := range bad {
		if _, err := os.Lstat(p); err != nil {
			t.Errorf("%s was touched: %v", p, err)
		}
	}
}

// A hidden file is what a process left that died before its entry was whole.
func TestForgottenFiles(t *testing.T) {
	b := newBox(t, Options{})
	b.leave(t, "notif_1", noon)
	fresh, old := filepath.Join(b.path, "outbox", "live", ".fresh"), filepath.Join(b.path, "outbox", "live", ".old")
	for p, at := range map[string]time.Time{fresh: noon, old: noon.Add(-forgotten)} {
		must(t, os.WriteFile(p, []byte("{"), 0o600))
		must(t, os.Chtimes(p, at, at))
	}
	if found, err := b.Orphans(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("orphans: %v %v", found, err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a file that may be in use is gone: %v", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a forgotten file is still there: %v", err)
	}
}

func TestStaleByAge(t *testing.T) {
	b := newBox(t, Options{})
	day := 24 * time.Hour
	b.leave(t, "notif_old", noon.Add(-8*day))
	b.leave(t, "notif_edge", noon.Add(-7*day-time.Hour))
	b.leave(t, "notif_young", noon.Add(-7*day+time.Hour))
	b.leave(t, "notif_future", noon.Add(day))
	wantStale(t, b, "notif_old notif_edge")
	must(t, b.Close()) // died before it could discard them
	if found, err := b.Orphans(t.Context()); err != nil || len(found) != 2 {
		t.Errorf("orphans: %v %v", found, err)
	}
}

func wantStale(t *testing.T, b *box, want string) []delivery.Intent {
	t.Helper()
	stale, err := b.Stale(t.Context())
	must(t, err)
	var ids []string
	for _, in := range stale {
		ids = append(ids, in.Deliveries[0].Event.ID)
	}
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("stale: %s, want %s", got, want)
	}
	return stale
}

func TestStaleByNumber(t *testing.T) {
	b := newBox(t, Options{MaxEntries: 3})
	for i := range 6 {
		b.leave(t, fmt.Sprintf("notif_%d", i), noon.Add(time.Duration(i)*40*time.Minute))
	}
	for _, in := range wantStale(t, b, "notif_0 notif_1 notif_2") {
		in.Deliveries[0].Status = delivery.Discarded
		must(t, b.Finish(t.Context(), in.Deliveries...))
	}
	wantStale(t, b, "") // nothing is looked for so soon
	b.leave(t, "notif_6", noon.Add(9*time.Hour))
	wantStale(t, b, "")
	b.now = b.now.Add(b.opts.SweepEvery)
	wantStale(t, b, "notif_3")
}

// A sweep has a bound, and the next command goes on where it ended.
func TestStaleBatches(t *testing.T) {
	b := newBox(t, Options{})
	for i := range batch + 5 {
		b.leave(t, fmt.Sprintf("notif_%03d", i), noon.AddDate(0, -1, 0))
	}
	for _, want := range []int{batch, 5, 0} {
		stale, err := b.Stale(t.Context())
		must(t, err)
		if len(stale) != want {
			t.Fatalf("stale: %d, want %d", len(stale), want)
		}
		for _, in := range stale {
			in.Deliveries[0].Status = delivery.Discarded
			must(t, b.Finish(t.Context(), in.Deliveries...))
		}
	}
	b.now = b.now.Add(b.opts.SweepEvery)
	wantStale(t, b, "")
	if dirs, err := b.list(keptFolder); err != nil || len(dirs) > 0 {
		t.Errorf("empty hours are left: %v %v", dirs, err)
	}
	b.leave(t, "notif_x", noon)
}

// A clock that was set back does not keep the outbox from being swept.
func TestSweepAfterClockWentBack(t *testing.T) {
	b := newBox(t, Options{MaxEntries: 1, MaxAge: 10 * 365 * 24 * time.Hour})
	b.now = noon.AddDate(1, 0, 0)
	b.leave(t, "notif_1", noon)
	wantStale(t, b, "")
	b.now = noon
	b.leave(t, "notif_2", noon)
	wantStale(t, b, "notif_1")
}

// An entry that somebody deletes by hand is not brought back.
func TestDeletedByHand(t *testing.T) {
	b := newBox(t, Options{})
	in := example("notif_1", nil)
	must(t, b.Add(t.Context(), in))
	must(t, os.Remove(filepath.Join(b.path, "outbox", "live", "notif_1.intent")))
	in.Deliveries[0].Status = delivery.Failed
	if err := b.Finish(t.Context(), in.Deliveries...); !errors.Is(err, delivery.ErrLost) {
		t.Errorf("error is %v", err)
	}
	if files := b.files(t); len(files) > 0 {
		t.Errorf("files: %v", files)
	}
}

// Without locks the owner counts as alive until its lease ends, and whoever
// had it before has lost it then.
func TestLeaseWithoutLocks(t *testing.T) {
	a := newBox(t, Options{Lease: time.Minute})
	b := newBox(t, Options{Lease: time.Minute})
	b.opts.Path = a.path
	for _, o := range []*box{a, b} {
		o.sys.lock = func(*os.File) error { return errors.ErrUnsupported }
	}
	ctx := t.Context()
	in := example("notif_1", nil)
	must(t, a.Add(ctx, in))
	b.now = noon.Add(time.Minute - time.Millisecond)
	if found, err := b.Orphans(ctx); err != nil || len(found) > 0 {
		t.Errorf("before the lease ended: %v %v", found, err)
	}
	if _, err := b.Claim(ctx, "notif_1"); !errors.Is(err, delivery.ErrBusy) {
		t.Errorf("claim before the lease ended: %v", err)
	}
	b.now = noon.Add(time.Minute)
	found, err := b.Orphans(ctx)
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("after the lease ended: %v", found)
	}
	in.Deliveries[0].Status = delivery.Delivered
	if err := a.Finish(ctx, in.Deliveries...); !errors.Is(err, delivery.ErrLost) {
		t.Errorf("the former owner finished: %v", err)
	}
	a.now = b.now
	if found, err := a.Orphans(ctx); err != nil || len(found) > 0 {
		t.Errorf("the former owner took it back: %v %v", found, err)
	}
	must(t, b.Finish(ctx, in.Deliveries...))
}

// An entry of a file system with locks, seen through one without, is its
// owner's until the time that it holds.
func TestLeaseInEntry(t *testing.T) {
	a := newBox(t, Options{Lease: time.Minute})
	must(t, a.Add(t.Context(), example("notif_1", nil)))
	b := newBox(t, Options{})
	b.opts.Path = a.path
	b.sys.lock = func(*os.File) error { return errors.ErrUnsupported }
	if found, err := b.Orphans(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("before the lease ended: %v %v", found, err)
	}
	b.now = noon.Add(time.Minute)
	if found, err := b.Orphans(t.Context()); err != nil || len(found) != 1 {
		t.Errorf("after the lease ended: %v %v", found, err)
	}
}

// Between opening an entry and locking it, its owner can replace and move it.
// The lock on what was opened is then worth nothing.
func TestReplacedWhileOpening(t *testing.T) {
	a := newBox(t, Options{})
	b := newBox(t, Options{})
	b.opts.Path = a.path
	in := example("notif_1", nil, nil)
	must(t, a.Add(t.Context(), in))
	finished := false
	b.sys.lock = func(f *os.File) error {
		if !finished {
			finished = true
			in.Deliveries[0].Status, in.Deliveries[1].Status = delivery.Delivered, delivery.Failed
			must(t, a.Finish(t.Context(), in.Deliveries...))
		}
		return lock(f)
	}
	got, err := b.Claim(t.Context(), "notif_1")
	must(t, err)
	if len(got.Deliveries) != 1 || got.Deliveries[0].ID != "notif_1.2" {
		t.Errorf("claimed %+v", got.Deliveries)
	}
}

// A rename or removal that is reported as failed but happened has happened:
// the entry stays claimed, and is not added or finished a second time.
func TestFailedButDone(t *testing.T) {
	a := openTest(filepath.Join(t.TempDir(), "notify"))
	b := openTest(a.opts.Path)
	t.Cleanup(func() { must(t, errors.Join(a.Close(), b.Close())) })
	a.nth, a.fault = 1, storetest.FailedAfter
	in := example("notif_1", nil)
	must(t, a.Add(t.Context(), in))
	if _, err := b.Claim(t.Context(), "notif_1"); !errors.Is(err, delivery.ErrBusy) {
		t.Errorf("claimed from under its owner: %v", err)
	}
	a.nth = 1
	in.Deliveries[0].Status = delivery.Delivered
	must(t, a.Finish(t.Context(), in.Deliveries...))
	if _, err := b.Claim(t.Context(), "notif_1"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("claimed what is done: %v", err)
	}
}

// A second entry of an event, which only somebody's copying can make, does not
// replace the one that is being sent.
func TestCopiedEntry(t *testing.T) {
	a := newBox(t, Options{})
	a.leave(t, "notif_1", noon.AddDate(0, -1, 0))
	kept := filepath.Join(a.path, a.files(t)[0])
	content, err := os.ReadFile(kept)
	must(t, err)
	in, err := a.Claim(t.Context(), "notif_1")
	must(t, err)
	must(t, os.WriteFile(kept, content, 0o600))
	b := newBox(t, Options{})
	b.opts.Path = a.path
	wantStale(t, b, "")
	in.Deliveries[0].Status = delivery.Delivered
	must(t, a.Finish(t.Context(), in.Deliveries...))
}

// A repository can hold links. None leads us out of the notify folder.
func TestLinksOut(t *testing.T) {
	for _, link := range []string{"outbox", "outbox/live", "outbox/kept", "outbox/swept"} {
		t.Run(link, func(t *testing.T) {
			b := newBox(t, Options{})
			outside := t.TempDir()
			place := filepath.Join(b.path, filepath.FromSlash(link))
			must(t, os.MkdirAll(filepath.Dir(place), 0o700))
			must(t, os.Symlink(outside, place))
			in := example("notif_1", nil)
			failed := b.Add(t.Context(), in)
			if failed == nil {
				in.Deliveries[0].Status = delivery.Failed
				failed = b.Finish(t.Context(), in.Deliveries...)
			}
			if failed == nil {
				b.now = noon.AddDate(1, 0, 0)
				_, failed = b.Stale(t.Context())
			}
			if failed == nil {
				t.Error("the link was followed or overlooked")
			}
			if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
				t.Errorf("written outside: %v %v", names, err)
			}
		})
	}
}

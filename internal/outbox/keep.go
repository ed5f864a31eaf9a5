package outbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"agentxchain/internal/delivery"
)

// Add puts an event on disk. The deliveries that are Sending are claimed by
// the caller; when none is, the entry is free at once. The error is
// [delivery.ErrExists] when the event is already kept. After any error
// nothing is claimed.
func (o *Outbox) Add(_ context.Context, in delivery.Intent) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	id, name, err := identify(in.Deliveries)
	if err != nil {
		return err
	}
	if err := o.prepare(); err != nil {
		return err
	}
	h := &held{place: path.Join(liveFolder, name), open: make(map[string]bool)}
	for _, d := range in.Deliveries {
		if d.Status == delivery.Sending {
			h.open[d.ID] = true
		}
	}
	next := intent{Intent: in}
	next.Deliveries = slices.Clone(in.Deliveries)
	if o.held[id] != nil || o.exists(h.place) || o.exists(path.Join(bucket(next), name)) {
		return fmt.Errorf("event %q: %w", id, delivery.ErrExists)
	}
	if err := o.write(h, next); err != nil {
		return err
	}
	o.held[id] = h
	if len(h.open) == 0 {
		return o.release(id)
	}
	return nil
}

// identify returns the event that all of ds belong to, and its file name.
func identify(ds []delivery.Delivery) (id, name string, err error) {
	if len(ds) == 0 {
		return "", "", errors.New("no deliveries to keep")
	}
	id = ds[0].Event.ID
	name, ok := fileName(id)
	if !ok {
		return "", "", fmt.Errorf("event id %q can't be kept: 1 to %d bytes are allowed", id, maxID)
	}
	for _, d := range ds {
		if d.Event.ID != id {
			return "", "", fmt.Errorf("deliveries of two events, %q and %q, in one entry", id, d.Event.ID)
		}
	}
	return id, name, nil
}

func (o *Outbox) exists(place string) bool {
	_, err := o.root.Lstat(place)
	return err == nil
}

// Begin puts on disk that the given deliveries, which are claimed and of one
// event, are in the attempt that their fields say. After an error the entry
// is as it was and stays claimed.
func (o *Outbox) Begin(_ context.Context, in delivery.Intent) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	id, _, err := identify(in.Deliveries)
	if err != nil {
		return err
	}
	h, err := o.claimed(id, in.Deliveries)
	if err != nil {
		return err
	}
	next := merge(h.intent, in.Deliveries)
	next.AuditOffset = in.AuditOffset
	return o.write(h, next)
}

// Held reports whether this outbox has a claim on a delivery, which then lasts
// until it is finished.
func (o *Outbox) Held(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if h.open[id] {
			return true
		}
	}
	return false
}

// Finish gives claimed deliveries back as they now stand. Those that are
// Delivered or Discarded leave the outbox; one that is still Sending is an
// orphan from now on. The error is [delivery.ErrLost] for what is not
// claimed. When the disk refuses, the entry is given up as it was: what the
// evidence knows of its attempts settles it at the next recovery.
func (o *Outbox) Finish(_ context.Context, ds ...delivery.Delivery) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for len(ds) > 0 {
		id := ds[0].Event.ID
		other := func(d delivery.Delivery) bool { return d.Event.ID != id }
		mine := slices.DeleteFunc(slices.Clone(ds), other)
		ds = slices.DeleteFunc(slices.Clone(ds), func(d delivery.Delivery) bool { return !other(d) })
		errs = append(errs, o.finish(id, mine))
	}
	return errors.Join(errs...)
}

func (o *Outbox) finish(id string, ds []delivery.Delivery) error {
	h, err := o.claimed(id, ds)
	if err != nil {
		return err
	}
	next := merge(h.intent, ds)
	next.Deliveries = slices.DeleteFunc(next.Deliveries, func(d delivery.Delivery) bool {
		return d.Status == delivery.Delivered || d.Status == delivery.Discarded
	})
	switch {
	case len(next.Deliveries) == 0:
		err = o.remove(h.place)
	case !slices.EqualFunc(h.Deliveries, next.Deliveries, unchanged):
		err = o.write(h, next)
	}
	if err != nil {
		o.drop(id)
		return err
	}
	for _, d := range ds {
		delete(h.open, d.ID)
	}
	if len(h.open) > 0 {
		return nil
	}
	if len(next.Deliveries) == 0 {
		o.drop(id)
		return nil
	}
	return o.release(id)
}

// claimed returns the entry of an event if every one of ds is claimed and the
// entry is still where it was. The second can fail where there are no locks,
// and when somebody deletes files by hand.
func (o *Outbox) claimed(id string, ds []delivery.Delivery) (*held, error) {
	h := o.held[id]
	if h == nil {
		return nil, fmt.Errorf("event %q: %w", id, delivery.ErrLost)
	}
	for _, d := range ds {
		if !h.open[d.ID] {
			return nil, fmt.Errorf("delivery %q: %w", d.ID, delivery.ErrLost)
		}
	}
	if !o.same(h.file, h.place) {
		o.drop(id)
		return nil, fmt.Errorf("event %q: its entry is gone: %w", id, delivery.ErrLost)
	}
	return h, nil
}

// merge gives in with the changeable fields of ds. What is sent never changes.
func merge(in intent, ds []delivery.Delivery) intent {
	in.Deliveries = slices.Clone(in.Deliveries)
	for i := range in.Deliveries {
		to := &in.Deliveries[i]
		for _, d := range ds {
			if d.ID == to.ID {
				to.Status, to.Attempts, to.NextAt, to.ExpiresAt = d.Status, d.Attempts, d.NextAt, d.ExpiresAt
				to.LastReason, to.LastMessage = d.LastReason, d.LastMessage
				if to.Unmade && !d.Unmade {
					to.Unmade, to.ContentType, to.Body, to.FallbackBody = false, d.ContentType, d.Body, d.FallbackBody
				}
			}
		}
	}
	return in
}

// unchanged compares what merge can change.
func unchanged(a, b delivery.Delivery) bool {
	return a.ID == b.ID && a.Status == b.Status && a.Attempts == b.Attempts &&
		a.NextAt.Equal(b.NextAt) && a.ExpiresAt.Equal(b.ExpiresAt) &&
		a.LastReason == b.LastReason && a.LastMessage == b.LastMessage && a.Unmade == b.Unmade
}

// release makes an entry free: it moves to its hour and loses the lock, in
// this order. One with a delivery that is Sending stays in live as an orphan.
func (o *Outbox) release(id string) error {
	h := o.held[id]
	defer o.drop(id)
	if slices.ContainsFunc(h.Deliveries, func(d delivery.Delivery) bool { return d.Status == delivery.Sending }) {
		return o.abandon(h)
	}
	name, _ := splitName(path.Base(h.place))
	to := path.Join(bucket(h.intent), name)
	err := o.rename(h.file, h.place, to)
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < 3; try++ { // a sweep may remove the hour between the two
		if err = o.makeBucket(path.Dir(to)); err == nil {
			err = o.rename(h.file, h.place, to)
		}
	}
	return err
}

// abandon ends the lease that a name in live carries, so that others need not
// wait for its end.
func (o *Outbox) abandon(h *held) error {
	name, lease := splitName(path.Base(h.place))
	if lease.IsZero() {
		return nil
	}
	return o.rename(h.file, h.place, path.Join(liveFolder, leased(name, o.opts.Now().Add(-1))))
}

func (o *Outbox) makeBucket(dir string) error {
	return errors.Join(mkdir(o.root, keptFolder), mkdir(o.root, dir))
}

// write puts next on disk in h's place: a hidden file, locked, written, then
// renamed. Until the rename nobody can see it, and from then on it is locked.
func (o *Outbox) write(h *held, next intent) error {
	next.expiresAt = o.opts.Now().Add(o.opts.Lease)
	b, err := encode(next)
	if err != nil {
		return err
	}
	f, hidden, err := o.hidden()
	if err != nil {
		return err
	}
	place := h.place
	err = o.sys.lock(f)
	if errors.Is(err, errors.ErrUnsupported) {
		if err = nil; h.file == nil {
			place = leased(place, next.expiresAt)
		}
	}
	if err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = o.rename(f, hidden, place)
	}
	if err != nil {
		return errors.Join(err, f.Close(), o.remove(hidden))
	}
	if h.file != nil {
		_ = h.file.Close() // the replaced entry: its lock is of no more use
	}
	h.intent, h.file, h.place = next, f, place
	return nil
}

// hiddenPrefix begins the names of files that are not entries yet.
const hiddenPrefix = "."

func (o *Outbox) hidden() (*os.File, string, error) {
	for {
		place := path.Join(liveFolder, hiddenPrefix+random())
		f, err := o.root.OpenFile(place, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if err := f.Chmod(0o600); err != nil { // whatever the umask took away
			return nil, "", errors.Join(err, f.Close(), o.remove(place))
		}
		return f, place, nil
	}
}

// rename moves the open file f. An error after which the file is where it was
// meant to go is none.
func (o *Outbox) rename(f *os.File, from, to string) error {
	err := o.sys.rename(o.root, from, to)
	if err != nil && o.same(f, to) {
		return nil
	}
	return err
}

// remove deletes a file. An error after which the file is gone is none.
func (o *Outbox) remove(place string) error {
	err := o.sys.remove(o.root, place)
	if err != nil && !o.exists(place) {
		return nil
	}
	return err
}

package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"agentxchain/internal/delivery"
)

// batch bounds how many entries one call of Orphans or Stale claims: each
// keeps a file open.
const batch = 100

// forgotten is the age at which a hidden file is what a crash left. It is far
// longer than the moment between creating and renaming it.
const forgotten = time.Hour

// Claim takes the undelivered deliveries of an event. The error is
// [delivery.ErrUnknown] when there are none and [delivery.ErrBusy] when
// another process, or an earlier claim of this outbox, has them.
func (o *Outbox) Claim(_ context.Context, eventID string) (delivery.Intent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	in, err := o.claimEvent(eventID)
	if errors.Is(err, errLocked) {
		err = delivery.ErrBusy
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = delivery.ErrUnknown
	}
	if err != nil {
		return delivery.Intent{}, fmt.Errorf("event %q: %w", eventID, err)
	}
	return in, nil
}

func (o *Outbox) claimEvent(eventID string) (delivery.Intent, error) {
	name, ok := fileName(eventID)
	if !ok {
		return delivery.Intent{}, fs.ErrNotExist
	}
	if o.held[eventID] != nil {
		return delivery.Intent{}, errLocked
	}
	if err := o.existing(); err != nil {
		return delivery.Intent{}, err
	}
	// The entry can move from one place to the other while it is looked for,
	// but not twice without being claimed each time.
	for range 3 {
		place, err := o.find(name)
		if err == nil {
			var in delivery.Intent
			if in, err = o.claim(place); err == nil {
				return in, nil
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return delivery.Intent{}, err
		}
	}
	return delivery.Intent{}, fs.ErrNotExist
}

// find returns the place of an entry.
func (o *Outbox) find(name string) (string, error) {
	live, err := o.list(liveFolder)
	if err != nil {
		return "", err
	}
	for _, n := range live {
		if base, _ := splitName(n); base == name {
			return path.Join(liveFolder, n), nil
		}
	}
	hours, err := o.list(keptFolder)
	if err != nil {
		return "", err
	}
	for _, h := range hours {
		if place := path.Join(keptFolder, h, name); o.exists(place) {
			return place, nil
		}
	}
	return "", fs.ErrNotExist
}

// list gives the sorted names in a folder; one that does not exist is empty.
func (o *Outbox) list(dir string) ([]string, error) {
	names, err := o.sys.list(o.root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	slices.Sort(names)
	return names, err
}

// claim takes the entry at place and moves it to live. The error is errLocked
// when its owner is alive, [fs.ErrNotExist] when it is no longer there, and an
// [EntryError] when it is not usable.
func (o *Outbox) claim(place string) (delivery.Intent, error) {
	f, err := o.openEntry(place)
	if err != nil {
		return delivery.Intent{}, err
	}
	h, err := o.take(f, place)
	if err != nil {
		_ = f.Close() // opened for reading
		return delivery.Intent{}, err
	}
	o.held[h.Deliveries[0].Event.ID] = h
	in := h.Intent
	in.Deliveries = slices.Clone(in.Deliveries)
	return in, nil
}

// openEntry opens a regular file. Opening anything else could block.
func (o *Outbox) openEntry(place string) (*os.File, error) {
	info, err := o.root.Lstat(place)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, o.entryError(place, errors.New("not a regular file"))
	}
	f, err := o.root.Open(place)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = o.entryError(place, err)
	}
	return f, err
}

func (o *Outbox) take(f *os.File, place string) (*held, error) {
	locked := o.sys.lock(f)
	if locked != nil && !errors.Is(locked, errors.ErrUnsupported) {
		return nil, locked
	}
	if !o.same(f, place) {
		return nil, fs.ErrNotExist
	}
	in, err := decode(f)
	if err != nil {
		return nil, o.entryError(place, err)
	}
	id := in.Deliveries[0].Event.ID
	name, lease := splitName(path.Base(place))
	if want, _ := fileName(id); name != want {
		return nil, o.entryError(place, fmt.Errorf("it holds event %q", id))
	}
	if lease.IsZero() && locked != nil && path.Dir(place) == liveFolder {
		lease = in.expiresAt
	}
	if o.held[id] != nil || o.opts.Now().Before(lease) {
		return nil, errLocked
	}
	h := &held{intent: in, file: f, place: path.Join(liveFolder, name), open: make(map[string]bool)}
	for _, d := range in.Deliveries {
		h.open[d.ID] = true
	}
	if locked != nil {
		h.place = leased(h.place, o.opts.Now().Add(o.opts.Lease))
	}
	return h, o.toLive(f, place, h.place)
}

// toLive moves a claimed entry. It never replaces one: a second entry of an
// event, which only somebody's copying can make, waits until the first is done.
func (o *Outbox) toLive(f *os.File, from, to string) error {
	switch {
	case from == to:
		return nil
	case o.exists(to):
		return errLocked
	}
	return o.rename(f, from, to)
}

// Orphans claims entries whose owner died, at most a hundred at a time. What
// it returns is good even with an error, which joins an [EntryError] for each
// entry that is not usable.
func (o *Outbox) Orphans(ctx context.Context) ([]delivery.Intent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.existing(); err != nil {
		return nil, ignore(err, fs.ErrNotExist)
	}
	names, err := o.list(liveFolder)
	if err != nil {
		return nil, err
	}
	var places []string
	for _, n := range names {
		place := path.Join(liveFolder, n)
		if strings.HasPrefix(n, hiddenPrefix) {
			err = errors.Join(err, o.removeForgotten(place))
		} else if !o.holds(place) {
			places = append(places, place)
		}
	}
	found, failed := o.claimAll(ctx, places)
	return found, errors.Join(err, failed)
}

// holds reports whether the entry at place is claimed by this outbox.
func (o *Outbox) holds(place string) bool {
	for _, h := range o.held {
		if h.place == place {
			return true
		}
	}
	return false
}

// claimAll claims what can be claimed of places, up to batch.
func (o *Outbox) claimAll(ctx context.Context, places []string) ([]delivery.Intent, error) {
	var found []delivery.Intent
	var errs []error
	for _, place := range places {
		if len(found) == batch || ctx.Err() != nil {
			break
		}
		in, err := o.claim(place)
		if err == nil {
			found = append(found, in)
		}
		errs = append(errs, ignore(ignore(err, errLocked), fs.ErrNotExist))
	}
	return found, errors.Join(errs...)
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// removeForgotten removes a hidden file that a crash left.
func (o *Outbox) removeForgotten(place string) error {
	info, err := o.root.Lstat(place)
	if err != nil || o.opts.Now().Sub(info.ModTime()) < forgotten {
		return ignore(err, fs.ErrNotExist)
	}
	return o.remove(place)
}

// List returns every undelivered delivery, the oldest event first, without
// the bytes that are sent. What it returns is good even with an error, which
// joins an [EntryError] for each entry that is not usable. It claims nothing
// and changes nothing.
func (o *Outbox) List(ctx context.Context) ([]delivery.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.existing(); err != nil {
		return nil, ignore(err, fs.ErrNotExist)
	}
	// An entry that moves meanwhile is seen at least once in this order.
	dirs, err := o.folders()
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	var all []intent
	var errs []error
	for _, dir := range dirs {
		names, err := o.list(dir)
		errs = append(errs, err)
		for _, n := range names {
			base, _ := splitName(n)
			if seen[base] || strings.HasPrefix(n, hiddenPrefix) || ctx.Err() != nil {
				continue
			}
			in, err := o.peek(path.Join(dir, n))
			if err == nil {
				seen[base] = true
				all = append(all, in)
			}
			errs = append(errs, ignore(err, fs.ErrNotExist))
		}
	}
	return inOrder(all), errors.Join(append(errs, ctx.Err())...)
}

// folders lists live, every hour, and live again.
func (o *Outbox) folders() ([]string, error) {
	hours, err := o.list(keptFolder)
	dirs := []string{liveFolder}
	for _, h := range hours {
		dirs = append(dirs, path.Join(keptFolder, h))
	}
	return append(dirs, liveFolder), err
}

// peek reads the first line of an entry.
func (o *Outbox) peek(place string) (intent, error) {
	f, err := o.openEntry(place)
	if err != nil {
		return intent{}, err
	}
	defer f.Close()
	h, err := readHeader(f)
	if err != nil {
		return intent{}, o.entryError(place, err)
	}
	return h.intent(), nil
}

func inOrder(all []intent) []delivery.Delivery {
	slices.SortStableFunc(all, func(a, b intent) int {
		x, y := a.Deliveries[0].Event, b.Deliveries[0].Event
		return cmp.Or(x.EmittedAt.Compare(y.EmittedAt), strings.Compare(x.ID, y.ID))
	})
	var ds []delivery.Delivery
	for _, in := range all {
		ds = append(ds, in.Deliveries...)
	}
	return ds
}

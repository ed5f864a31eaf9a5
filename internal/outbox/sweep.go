package outbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"agentxchain/internal/delivery"
)

// Stale claims entries that are older than MaxAge, or the oldest above
// MaxEntries, at most a hundred at a time. It looks only when nobody did for
// SweepEvery, so most calls cost a look at one file. What it returns is good
// even with an error.
func (o *Outbox) Stale(ctx context.Context) ([]delivery.Intent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.existing(); err != nil {
		return nil, ignore(err, fs.ErrNotExist)
	}
	now := o.opts.Now()
	due, err := o.sweepDue(now)
	if err != nil || !due {
		return nil, err
	}
	// Marked first, so that commands running side by side don't all look.
	if err := o.markSwept(now); err != nil {
		return nil, err
	}
	places, err := o.surplus(hour(now.Add(-o.opts.MaxAge)))
	found, failed := o.claimAll(ctx, places)
	if len(found) == batch { // the next command goes on
		failed = errors.Join(failed, o.markSwept(time.Unix(0, 0)))
	}
	return found, errors.Join(err, failed)
}

// sweepDue reports whether the last sweep is long enough ago. A mark in the
// future, which a clock that was set back leaves, does not count.
func (o *Outbox) sweepDue(now time.Time) (bool, error) {
	info, err := o.root.Lstat(sweptFile)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	age := now.Sub(info.ModTime())
	return age < 0 || age >= o.opts.SweepEvery, nil
}

func (o *Outbox) markSwept(t time.Time) error {
	f, err := o.root.OpenFile(sweptFile, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close(), o.root.Chtimes(sweptFile, t, t))
}

// surplus lists the entries of hours before the given one, or the oldest of
// those above MaxEntries when they are more. It removes hours that have
// become empty.
func (o *Outbox) surplus(before string) ([]string, error) {
	hours, err := o.list(keptFolder)
	if err != nil {
		return nil, err
	}
	var all []string
	old := 0
	for _, h := range hours {
		dir := path.Join(keptFolder, h)
		names, err := o.list(dir)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			_ = o.root.Remove(dir) // fails when an entry came meanwhile, and is tried again at the next sweep
		}
		for _, n := range names {
			all = append(all, path.Join(dir, n))
		}
		if h < before {
			old = len(all)
		}
	}
	return all[:max(old, len(all)-o.opts.MaxEntries)], nil
}

package queue_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/queue"
)

// base is a database in memory, which several owners share.
type base struct {
	mu   sync.Mutex
	rows map[string]*row
	keys map[[32]byte]string
	// writes counts the calls that would be a transaction, by name.
	writes map[string]int
	owners []*owner
}

type row struct {
	d      delivery.Delivery
	offset int64
	owner  *owner
	until  time.Time
	tries  []delivery.Try
}

// owner is one process's view of a base, a [queue.RunLedger].
type owner struct {
	*base
	lease time.Duration
	woken chan struct{}
	// refuse makes writes fail, by name.
	refuse map[string]error
	// hand is what this process has and did not finish, however old its claims:
	// it is never an orphan to it.
	hand map[string]bool
	// unheld are claims that Held denies though the base grants them.
	unheld map[string]bool
}

func newBase() *base {
	return &base{rows: map[string]*row{}, keys: map[[32]byte]string{}, writes: map[string]int{}}
}

func (b *base) owner(lease time.Duration) *owner {
	o := &owner{base: b, lease: lease, woken: make(chan struct{}, 1), refuse: map[string]error{}, unheld: map[string]bool{}, hand: map[string]bool{}}
	b.owners = append(b.owners, o)
	return o
}

// write begins a transaction; the caller unlocks.
func (o *owner) write(name string) error {
	o.mu.Lock()
	o.writes[name]++
	return o.refuse[name]
}

func (o *owner) set(name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse[name] = err
}

// deny makes Held say no of a delivery.
func (o *owner) deny(id string, no bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unheld[id] = no
}

func (o *owner) claim(r *row) {
	r.owner, r.until = o, time.Now().Add(o.lease)
	o.hand[r.d.ID] = true
}

func (o *owner) has(r *row) bool { return r != nil && r.owner == o && time.Now().Before(r.until) }

func (o *owner) Add(_ context.Context, in delivery.Intent) error {
	defer o.mu.Unlock()
	if err := o.write("add"); err != nil {
		return err
	}
	return o.add(in)
}

func (o *owner) add(in delivery.Intent) error {
	for _, d := range in.Deliveries {
		if o.rows[d.ID] != nil {
			return delivery.ErrExists
		}
	}
	pending := false
	for _, d := range in.Deliveries {
		r := &row{d: d, offset: in.AuditOffset}
		if pending = d.Status == delivery.Pending || pending; d.Status == delivery.Sending {
			o.claim(r)
		}
		o.rows[d.ID] = r
	}
	for _, other := range o.owners {
		if pending && other != o {
			select {
			case other.woken <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

func (o *owner) AddOnce(_ context.Context, key struct{ Key, Request [32]byte }, in delivery.Intent) (string, error) {
	defer o.mu.Unlock()
	if err := o.write("add"); err != nil {
		return "", err
	}
	if id, ok := o.keys[key.Key]; ok {
		return id, nil
	}
	o.keys[key.Key] = in.Deliveries[0].Event.ID
	return "", o.add(in)
}

func (o *owner) Begin(_ context.Context, in delivery.Intent) error {
	defer o.mu.Unlock()
	if err := o.write("begin"); err != nil {
		return err
	}
	for _, d := range in.Deliveries {
		r := o.rows[d.ID]
		if !o.has(r) {
			return delivery.ErrLost
		}
		r.offset, r.d = in.AuditOffset, d
		o.claim(r)
	}
	return nil
}

func (o *owner) Finish(_ context.Context, ds ...delivery.Delivery) error {
	defer o.mu.Unlock()
	err := o.write("finish")
	for _, d := range ds {
		delete(o.hand, d.ID)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range ds {
		r := o.rows[d.ID]
		if r == nil || r.owner != o {
			errs = append(errs, fmt.Errorf("%s: %w", d.ID, delivery.ErrLost))
			continue
		}
		r.tries, d.Tries = append(r.tries, d.Tries...), nil
		r.d, r.owner, r.until = d, nil, time.Time{}
	}
	return errors.Join(errs...)
}

func (o *owner) Held(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.unheld[id] && o.hand[id] && o.has(o.rows[id])
}

func (o *owner) Claim(context.Context, string) (delivery.Intent, error) {
	return delivery.Intent{}, delivery.ErrUnknown
}

func (o *owner) Orphans(context.Context) ([]delivery.Intent, error) {
	defer o.mu.Unlock()
	if err := o.write("orphans"); err != nil {
		return nil, err
	}
	var all []delivery.Intent
	for _, r := range o.rows {
		if r.d.Status == delivery.Sending && !time.Now().Before(r.until) && !o.hand[r.d.ID] && len(all) < 10 {
			o.claim(r)
			all = append(all, delivery.Intent{AuditOffset: r.offset, Deliveries: []delivery.Delivery{r.d}})
		}
	}
	return all, nil
}

func (o *owner) Stale(context.Context) ([]delivery.Intent, error) { return nil, nil }

func (o *owner) List(context.Context) ([]delivery.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ds []delivery.Delivery
	for _, r := range o.rows {
		if !r.d.Status.Final() {
			ds = append(ds, r.d)
		}
	}
	return ds, nil
}

func (o *owner) Take(_ context.Context, q queue.Quota) ([]delivery.Delivery, error) {
	defer o.mu.Unlock()
	if err := o.write("take"); err != nil {
		return nil, err
	}
	var due []*row
	for _, r := range o.rows {
		if r.d.Status == delivery.Pending && !r.d.NextAt.After(time.Now()) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *row) int {
		return cmp.Or(a.d.NextAt.Compare(b.d.NextAt), cmp.Compare(a.d.ID, b.d.ID))
	})
	var ds []delivery.Delivery
	given := map[string]int{}
	for _, r := range due {
		target := r.d.Target.ID()
		room, ok := q.Room[target]
		if !ok && q.PerTarget == 0 {
			room = q.Max
		} else if !ok {
			room = q.PerTarget
		}
		if len(ds) == q.Max || given[target] >= room {
			continue
		}
		given[target]++
		r.d.Status, r.d.NextAt = delivery.Sending, time.Now().UTC()
		r.d.Attempts++
		r.offset = q.AuditOffset
		o.claim(r)
		ds = append(ds, r.d)
	}
	return ds, nil
}

func (o *owner) NextDue(context.Context) (time.Time, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes["next due"]++
	var next time.Time
	for _, r := range o.rows {
		at := r.d.NextAt
		if r.d.Status == delivery.Sending && r.owner != o {
			at = r.until
		} else if r.d.Status != delivery.Pending {
			continue
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next, nil
}

func (o *owner) Woken() <-chan struct{} { return o.woken }

func (o *owner) Retry(_ context.Context, id string) (delivery.Delivery, error) {
	defer o.mu.Unlock()
	if err := o.write("retry"); err != nil {
		return delivery.Delivery{}, err
	}
	r := o.rows[id]
	switch {
	case r == nil:
		return delivery.Delivery{}, delivery.ErrUnknown
	case r.d.Status == delivery.Sending:
		return delivery.Delivery{}, delivery.ErrBusy
	case r.d.Status.Final():
		return delivery.Delivery{}, delivery.ErrDone
	}
	r.d.Status, r.d.NextAt = delivery.Sending, time.Now().UTC()
	r.d.Attempts++
	o.claim(r)
	return r.d, nil
}

// row returns how a delivery stands.
func (b *base) row(t *testing.T, id string) row {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rows[id] == nil {
		t.Fatalf("no row %s", id)
	}
	return *b.rows[id]
}

// count counts the rows in a state.
func (b *base) count(s delivery.Status) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.rows {
		if r.d.Status == s {
			n++
		}
	}
	return n
}

// wrote returns how many transactions of a name there were.
func (b *base) wrote(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes[name]
}

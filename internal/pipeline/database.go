package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/dispatch"
	"agentxchain/internal/outbox"
	"agentxchain/internal/queue"
	"agentxchain/internal/store"
)

const (
	// openTime bounds how long a command waits for its database to be opened,
	// and as long for it to take an event: a governed run must not be held up by
	// one that is away.
	openTime = 3 * time.Second
	// leaseMargin is what a claim lasts beyond the request that it is for: it
	// waits in memory for up to five seconds, and for its record for up to ten.
	leaseMargin = 15 * time.Second
	// commandLease is the least that a claim of a command lasts: it waits with
	// its claims for receivers that ask for patience, up to its deadline, 35 s
	// where nothing else is said.
	commandLease = time.Minute
)

// rows are the database and the way of the deliveries that it keeps.
type rows struct {
	store *store.Store
	queue *queue.Queue
	// lease is how long claims last.
	lease time.Duration
}

// database opens the database at the first call. Later calls get the same
// answer: a command does not wait twice.
func (p *Pipeline) database(ctx context.Context) (*rows, error) {
	return p.databaseWith(ctx, commandLease)
}

// databaseWith is database with the least that a claim lasts.
func (p *Pipeline) databaseWith(ctx context.Context, lease time.Duration) (*rows, error) {
	p.opening.Lock()
	defer p.opening.Unlock()
	if p.opened {
		return p.rows, p.failed
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	p.rows, p.failed = p.open(ctx, lease)
	p.opened = true
	return p.rows, p.failed
}

func (p *Pipeline) open(ctx context.Context, lease time.Duration) (*rows, error) {
	if why := p.options.Database.Problem; why != "" {
		return nil, errors.New(why)
	}
	o := p.options.Database.Store
	site, err := p.options.Root.Site()
	if err != nil {
		return nil, err
	}
	o.Site, o.Now = site, p.options.Now
	if o.Lease == 0 {
		o.Lease = max(lease, p.Lease())
	}
	s, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	q := p.queueOptions(s)
	// A process that serves tries again until a delivery is too old, and so
	// nobody else may say that it was tried often enough.
	q.Shared, q.Policy.MaxAttempts = true, 0
	return &rows{s, queue.New(q), o.Lease}, nil
}

// had returns the database if it is open, and does not open it.
func (p *Pipeline) had() *rows {
	p.opening.Lock()
	defer p.opening.Unlock()
	return p.rows
}

// Lease is how long a claim on a delivery lasts: the longest request, its
// one-time work included, which may take as long again, and a margin.
func (p *Pipeline) Lease() time.Duration { return leaseFor(p.dispatcher.Load()) }

func leaseFor(d *dispatch.Dispatcher) time.Duration { return 2*d.LongestRequest() + leaseMargin }

// queues are the ways of everything that is kept: over the files of the
// outbox, and over the database where there is one. That it can't be had is a
// problem and keeps nobody from the rest.
func (p *Pipeline) queues(ctx context.Context, problems *[]error) []*queue.Queue {
	all := []*queue.Queue{p.files}
	if p.options.Database == nil {
		return all
	}
	rows, err := p.database(ctx)
	if err != nil {
		*problems = append(*problems, unlogged(err))
		return all
	}
	return append(all, rows.queue)
}

// unlogged says why the database can't tell.
func unlogged(err error) error { return fmt.Errorf("the delivery log can't be had: %w", err) }

// Stores are where the deliveries of a process that serves are kept.
type Stores struct {
	// Outbox is where commands leave what they could not deliver.
	Outbox *outbox.Outbox
	// Rows is the delivery log, and Queue how what it keeps is sent.
	Rows  *store.Store
	Queue queue.Options
}

// Open opens the database. What it returns is closed with the pipeline.
func (p *Pipeline) Open(ctx context.Context) (Stores, error) {
	if p.options.Database == nil {
		return Stores{}, errors.New("no database is configured")
	}
	rows, err := p.databaseWith(ctx, 0)
	if err != nil {
		return Stores{}, err
	}
	o := p.queueOptions(rows.store)
	o.Policy = delivery.DefaultSchedule()
	return Stores{p.outbox, rows.store, o}, nil
}

// Close gives up the claims and closes the files and the database.
func (p *Pipeline) Close() error {
	p.opening.Lock()
	defer p.opening.Unlock()
	var err error
	if p.rows != nil {
		err = p.rows.store.Close()
	}
	p.rows, p.failed, p.opened = nil, errors.New("the pipeline is closed"), true
	return errors.Join(err, p.outbox.Close(), p.audit.Close())
}

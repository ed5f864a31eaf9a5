package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"agentxchain/internal/delivery"
)

// late is how long after its time an attempt may begin before it is overdue.
const late = time.Minute

// Health compares what was accepted with what was attempted. It looks at each
// record that is not delivered, in an index of those alone; the others are
// counted again only after a change.
func (r *reader) Health(ctx context.Context) (delivery.Health, error) {
	h := delivery.Health{ByStatus: make(map[delivery.Status]int64)}
	delivered, err := r.Total(ctx, delivery.Filter{Statuses: []delivery.Status{delivery.Delivered}})
	if err == nil {
		err = r.undone(ctx, &h)
	}
	if err != nil {
		return delivery.Health{}, fmt.Errorf("look at the log's health: %w", err)
	}
	h.ByStatus[delivery.Delivered] = delivered
	h.Accepted += delivered
	h.Attempted += delivered // or else it could not be delivered
	return h, nil
}

// undone counts what is not delivered.
func (r *reader) undone(ctx context.Context, h *delivery.Health) error {
	states := []delivery.Status{delivery.Pending, delivery.Sending, delivery.Failed, delivery.Discarded}
	counts := make([]int64, len(states))
	c := clause{text: `SELECT `}
	var fields []any
	for i, s := range states {
		c.add(`count(CASE WHEN status = '` + string(s) + `' THEN 1 END), `)
		fields = append(fields, &counts[i])
	}
	limit := r.moment(r.now().Add(-late))
	c.add(`count(CASE WHEN attempts > 0 THEN 1 END), min(CASE WHEN status IN ('pending', 'sending') THEN created_at END), `)
	c.add(`count(CASE WHEN status = 'pending' AND coalesce(next_attempt_at, created_at) < ? THEN 1 END) FROM `, limit)
	c.add(r.table("notification_log") + r.by("nlog_undone") + ` WHERE ` + whenUndone)
	var oldest stamp
	fields = append(fields, &h.Attempted, &oldest, &h.Overdue)
	err := r.query(ctx, c, func(rows *sql.Rows) error { return rows.Scan(fields...) })
	if err != nil {
		return err
	}
	h.OldestPending = oldest.Time
	for i, s := range states {
		h.ByStatus[s] = counts[i]
		h.Accepted += counts[i]
	}
	return nil
}

// maxBuckets is how many spans a chart may have: two for each hour of a week.
const maxBuckets = 400

// span is the time from start until before end.
type span struct{ start, end time.Time }

// spans cuts the time from since on, rounded down to a multiple of width, up to
// now. The last one is as long as the rest.
func spans(since, now time.Time, width time.Duration) ([]span, error) {
	if width <= 0 {
		return nil, fmt.Errorf("a span of %v is none", width)
	}
	start := since.UTC().Truncate(width)
	if n := now.Sub(start) / width; n >= maxBuckets {
		return nil, fmt.Errorf("%v since %s are over %d spans", width, since.UTC().Format(time.RFC3339), maxBuckets)
	}
	all := []span{{start, start.Add(width)}}
	for last := all[0]; !last.end.After(now); all = append(all, last) {
		last = span{last.end, last.end.Add(width)}
	}
	return all, nil
}

// Chart returns what became of the deliveries created since, for each target
// and span of time in which there were any, by target, channel and time. The
// first span begins at since, rounded down to a multiple of width; there may be
// [maxBuckets] of them. Those created after the last span belong to none. It is
// made again only after a change.
func (r *reader) Chart(ctx context.Context, since time.Time, width time.Duration) ([]delivery.Bucket, error) {
	all, err := spans(since, r.now(), width)
	if err != nil {
		return nil, fmt.Errorf("make a chart: %w", err)
	}
	version, err := r.token.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("make a chart: %w", r.clean(err))
	}
	key := fmt.Sprint(all[0], len(all))
	buckets, err := r.charts.get(ctx, version, key, func(ctx context.Context) ([]delivery.Bucket, error) { return r.chart(ctx, all) })
	if err != nil {
		return nil, fmt.Errorf("make a chart: %w", err)
	}
	return slices.Clone(buckets), nil
}

func (r *reader) chart(ctx context.Context, all []span) ([]delivery.Bucket, error) {
	buckets := make(map[delivery.Bucket]*delivery.Bucket) // by target, channel and start
	for _, c := range []clause{r.doneChart(all), r.undoneChart(all)} {
		err := r.query(ctx, c, func(rows *sql.Rows) error {
			var target, channel words
			var n int
			var part delivery.Bucket
			if err := rows.Scan(&target, &channel, &n, &part.Delivered, &part.Failed, &part.Waiting); err != nil {
				return err
			}
			if part == (delivery.Bucket{}) {
				return nil // nothing there
			}
			key := delivery.Bucket{Target: string(target), Channel: delivery.Channel(channel), Start: all[n].start}
			b := buckets[key]
			if b == nil {
				b = &delivery.Bucket{Target: key.Target, Channel: key.Channel, Start: key.Start}
				buckets[key] = b
			}
			b.Delivered += part.Delivered
			b.Failed += part.Failed
			b.Waiting += part.Waiting
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sorted(buckets), nil
}

func sorted(buckets map[delivery.Bucket]*delivery.Bucket) []delivery.Bucket {
	all := make([]delivery.Bucket, 0, len(buckets))
	for _, b := range buckets {
		all = append(all, *b)
	}
	slices.SortFunc(all, func(a, b delivery.Bucket) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Channel, b.Channel), a.Start.Compare(b.Start))
	})
	return all
}

// spansTable is a WITH element: the spans, numbered.
func (r *reader) spansTable(all []span) clause {
	c := clause{text: `span (n, low, high) AS (VALUES `}
	for i, s := range all {
		if i > 0 {
			c.add(`, `)
		}
		if r.postgres {
			c.add(`(?::int, ?::timestamptz, ?::timestamptz)`, i, r.moment(s.start), r.moment(s.end))
		} else {
			c.add(`(?, ?, ?)`, i, r.moment(s.start), r.moment(s.end))
		}
	}
	c.add(`)`)
	return c
}

// doneChart counts the delivered ones: a range of an index for each target and
// span, because counting a range is many times faster than sorting it. There are two
// channels.
func (r *reader) doneChart(all []span) clause {
	log := r.table("notification_log")
	c := clause{text: `WITH RECURSIVE ` + r.distinct("target", "nlog_done_target") + `, `}
	c.add(`channels (v) AS (VALUES (CAST(? AS text)), (CAST(? AS text))), `, string(delivery.Webhook), string(delivery.Slack))
	s := r.spansTable(all)
	c.add(s.text, s.args...)
	c.add(` SELECT targets.v, channels.v, span.n, (SELECT count(*) FROM ` + log + ` AS log` + r.by("nlog_done_target") + ` WHERE ` + whenDone +
		` AND log.target = targets.v AND log.created_at >= span.low AND log.created_at < span.high AND log.channel = channels.v), 0, 0` +
		` FROM targets, channels, span WHERE targets.v IS NOT NULL`)
	return c
}

// undoneChart counts the others, which are few.
func (r *reader) undoneChart(all []span) clause {
	s := r.spansTable(all)
	c := clause{`WITH ` + s.text, s.args}
	c.add(` SELECT log.target, log.channel, span.n, 0, count(CASE WHEN log.status IN ('failed', 'discarded') THEN 1 END), ` +
		`count(CASE WHEN log.status IN ('pending', 'sending') THEN 1 END) FROM span `)
	if !r.postgres {
		c.add(`CROSS `) // span first
	}
	c.add(`JOIN ` + r.table("notification_log") + ` AS log` + r.by("nlog_undone") + ` ON log.created_at >= span.low AND log.created_at < span.high` +
		` WHERE log.` + whenUndone + ` GROUP BY log.target, log.channel, span.n`)
	return c
}

// distinct is an element of a recursive WITH, named after the column: its
// distinct values among the delivered, at most maxOffers, and perhaps NULL. It
// jumps from value to value in an index instead of reading it.
func (r *reader) distinct(column, index string) string {
	from := ` FROM ` + r.table("notification_log") + r.by(index) + ` WHERE ` + whenDone
	return column + `s (v) AS (SELECT (SELECT min(` + column + `)` + from + `) UNION ALL SELECT (SELECT min(` + column + `)` +
		from + ` AND ` + column + ` > v) FROM ` + column + `s WHERE v IS NOT NULL)`
}

// What a page offers to choose from: so many values at most, of all that was
// delivered and the newest of what was not.
const (
	maxOffers    = 1000
	newestUndone = 20_000
)

// Targets returns the labels of targets that a filter can name, in order: at
// most a thousand of those that have deliveries.
func (r *reader) Targets(ctx context.Context) ([]string, error) {
	return r.offers(ctx, "target", "nlog_done_target")
}

// Agents returns the agents that a filter can name, as Targets does.
func (r *reader) Agents(ctx context.Context) ([]string, error) {
	return r.offers(ctx, "agent_id", "nlog_done_agent")
}

func (r *reader) offers(ctx context.Context, column, index string) ([]string, error) {
	c := clause{text: `WITH RECURSIVE ` + r.distinct(column, index)}
	c.add(` SELECT v FROM (SELECT v FROM (SELECT v FROM `+column+`s LIMIT ?) AS done UNION SELECT v FROM (SELECT `+column+` AS v FROM `+
		r.table("notification_log")+r.by("nlog_undone")+` WHERE `+whenUndone+` ORDER BY created_at DESC, id DESC LIMIT ?) AS undone) AS both_ `+
		`WHERE v <> '' ORDER BY v LIMIT ?`, maxOffers, newestUndone, maxOffers)
	var all []string
	err := r.query(ctx, c, func(rows *sql.Rows) error {
		var w words
		if err := rows.Scan(&w); err != nil {
			return err
		}
		all = append(all, string(w))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list what can be filtered by: %w", err)
	}
	slices.Sort(all) // stored strings can be escaped ones
	return all, nil
}

//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"agentxchain/internal/pgtest"
)

// serveRow is one line of the table of the service: something that a process
// which stays does, beside the same without it in the same round.
type serveRow struct {
	name string
	// run returns the round-by-round ratios, and both sides in words.
	run func(ctx context.Context, b *bed) (outcome, error)
	// met judges the median ratio, or what else the row has found out.
	goal string
	met  func(outcome) bool
}

// outcome is what a row found out.
type outcome struct {
	ours, other string
	// ratios are ours by the other's, round by round, sorted; none where
	// nothing stands beside it.
	ratios []float64
	// value is judged where there are no ratios: milliseconds or bytes.
	value float64
}

func (o outcome) median() float64 {
	if len(o.ratios) == 0 {
		return o.value
	}
	return o.ratios[len(o.ratios)/2]
}

func (o outcome) ratioText() string {
	if len(o.ratios) == 0 {
		return "–"
	}
	n := len(o.ratios)
	return fmt.Sprintf("%.2f [%.2f–%.2f] of %d", o.ratios[n/2], o.ratios[n/4], o.ratios[n*3/4], n)
}

func atLeast(least float64) (string, func(outcome) bool) {
	return fmt.Sprintf("≥ %.2f", least), func(o outcome) bool { return o.median() >= least }
}

func atMost(most float64, unit string, per float64) (string, func(outcome) bool) {
	return fmt.Sprintf("≤ %g%s", most, unit), func(o outcome) bool { return o.median() <= most*per }
}

// serveRows is the table: each engine beside the same sender without one.
func serveRows() []serveRow {
	var list []serveRow
	add := func(name string, run func(context.Context, *bed) (outcome, error), goal string, met func(outcome) bool) {
		list = append(list, serveRow{name, run, goal, met})
	}
	goal, met := atLeast(0)
	add("deliveries/s, steady, queue and evidence, "+memory+" / no queue", steadyRow(memory), goal, met)
	for _, e := range []string{sqlite, postgres} {
		goal, met := atLeast(0.40)
		add("deliveries/s, steady, "+e+" / no database", steadyRow(e), goal, met)
	}
	for _, e := range []string{sqlite, postgres} {
		goal, met := atLeast(0.30)
		add("deliveries/s, backlog, "+e+" / no database", backlogRow(e), goal, met)
	}
	for _, e := range []string{sqlite, postgres} {
		goal, met := atMost(5, " ms", 1)
		add("idle, accept to receiver, p50, "+e, idleRow(e), goal, met)
	}
	goal, met = atLeast(0.90)
	add("nine receivers beside a dead one / nine alone, sqlite", nineRow, goal, met)
	goal, met = atMost(64, " MB", mib)
	add("memory, idle", memoryRow(0), goal, met)
	goal, met = atMost(128, " MB", mib)
	add("memory, 100,000 queued", memoryRow(100_000), goal, met)
	return list
}

// runServe prints the table of the service, or nothing when no row is wanted.
func runServe(ctx context.Context, s settings, dir string) (err error) {
	var wanted []serveRow
	for _, r := range serveRows() {
		if strings.Contains(r.name, s.row) {
			wanted = append(wanted, r)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	b, err := newBed(ctx, s, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	fmt.Printf("\n%d receivers in a process of their own, 1 KB signed bodies, a connection each; %d workers, %d accepts at once, audit synced.\n\n", receivers, workers, accepts)
	fmt.Println("| row | ours, median | beside it, median | ratio, median [quartiles] of rounds | goal |")
	fmt.Println("|---|---|---|---|---|")
	for _, r := range wanted {
		o, err := r.run(ctx, b)
		if errors.Is(err, errAbsent) {
			fmt.Printf("| %s | not measured: %v | – | – | %s |\n", r.name, err, r.goal)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		verdict := "**missed**"
		if r.met(o) {
			verdict = "met"
		}
		fmt.Printf("| %s | %s | %s | %s | %s: %s |\n", r.name, o.ours, o.other, o.ratioText(), r.goal, verdict)
	}
	return nil
}

// errAbsent says that something a row needs is not on this machine.
var errAbsent = errors.New("not here")

// bed is what the rows share: the receivers, and a PostgreSQL.
type bed struct {
	settings settings
	dir      string
	sinks    *receiving
	cluster  *pgtest.Cluster
	opened   int
}

func newBed(ctx context.Context, s settings, dir string) (*bed, error) {
	sinks, err := startReceiving(ctx)
	if err != nil {
		return nil, err
	}
	b := &bed{settings: s, dir: dir, sinks: sinks}
	b.cluster, err = pgtest.Open()
	if err != nil && !errors.Is(err, pgtest.ErrAbsent) {
		return nil, errors.Join(err, sinks.stop())
	}
	return b, nil
}

func (b *bed) close() error {
	err := b.sinks.stop()
	if b.cluster != nil {
		err = errors.Join(err, b.cluster.Close())
	}
	return err
}

// fresh returns a new, empty folder.
func (b *bed) fresh() (string, error) {
	b.opened++
	dir := filepath.Join(b.dir, fmt.Sprintf("serve-%d", b.opened))
	return dir, os.Mkdir(dir, 0o700)
}

// inTurn measures all sides once a round, beginning with another one each
// time, after a round that doesn't count, and returns each side's figures.
func inTurn(rounds int, sides ...func() (float64, error)) ([][]float64, error) {
	figures := make([][]float64, len(sides))
	for i := range rounds + 1 {
		for j := range sides {
			k := (i + j) % len(sides)
			f, err := sides[k]()
			if err != nil {
				return nil, err
			}
			if i > 0 {
				figures[k] = append(figures[k], f)
			}
		}
	}
	return figures, nil
}

// compared makes the outcome of two sides, the other one last.
func compared(figures [][]float64, unit string) outcome {
	var o outcome
	for i, f := range figures[0] {
		o.ratios = append(o.ratios, f/figures[1][i])
	}
	slices.Sort(o.ratios)
	word := func(list []float64) string { return fmt.Sprintf("%.0f%s", middle(list), unit) }
	o.ours, o.other = word(figures[0]), word(figures[1])
	return o
}

func middle(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// rounds of the service's rows.
func (b *bed) rounds() int { return max(9, min(b.settings.rounds, 15)) }

// perSecond is a rate.
func perSecond(n int64, took time.Duration) float64 { return float64(n) / took.Seconds() }

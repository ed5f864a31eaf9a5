//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// command is one side of a row.
type command struct {
	argv []string
	dir  string
	env  []string
	// before runs ahead of each measured run, outside the clock.
	before func() error
	// exit is the exit code of a run that did what it was to do.
	exit int
}

// sample is one run of a command.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // bytes
}

// row is one line of the table: ours against another, with the goals.
type row struct {
	name     string
	rounds   int
	wallGoal float64 // 0: none
	cpuGoal  float64 // 0: none
	rssGoal  int64   // bytes
	// longest is what a run may take on the clock of this machine; 0: any time.
	longest time.Duration
	prepare func(ctx context.Context, s settings, dir string) (ours, other command, stop func(), err error)
}

func (r row) run(ctx context.Context, s settings, dir string) error {
	ours, other, stop, err := r.prepare(ctx, s, dir)
	if err != nil {
		return err
	}
	defer stop()
	a, b, err := interleave(ctx, r.rounds, ours, other)
	if err != nil {
		return err
	}
	r.print(a, b)
	return nil
}

// interleave runs both commands once per round, the order alternating, after
// one warm-up each.
func interleave(ctx context.Context, rounds int, ours, other command) (a, b []sample, err error) {
	for i := range rounds + 1 {
		order := []*command{&ours, &other}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			m, err := c.measure(ctx)
			if err != nil {
				return nil, nil, err
			}
			switch {
			case i == 0: // warm-up
			case c == &ours:
				a = append(a, m)
			default:
				b = append(b, m)
			}
		}
	}
	return a, b, nil
}

func (c *command) measure(ctx context.Context) (sample, error) {
	if c.before != nil {
		if err := c.before(); err != nil {
			return sample{}, err
		}
	}
	x := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	x.Dir, x.Env = c.dir, append(os.Environ(), c.env...)
	start := time.Now()
	if out, err := x.CombinedOutput(); x.ProcessState == nil || x.ProcessState.ExitCode() != c.exit {
		return sample{}, fmt.Errorf("%v: %w\n%s", c.argv, err, out)
	}
	wall := time.Since(start)
	rss, err := peakMemory(x.ProcessState)
	return sample{wall, x.ProcessState.UserTime() + x.ProcessState.SystemTime(), rss}, err
}

func (r row) print(a, b []sample) {
	wall := ratios(a, b, func(s sample) float64 { return float64(s.wall) })
	cpu := ratios(a, b, func(s sample) float64 { return float64(s.cpu) })
	rss := slices.MaxFunc(a, func(x, y sample) int { return int(x.rss - y.rss) }).rss
	goal, met := fmt.Sprintf("≤ %d MB", r.rssGoal>>20), rss <= r.rssGoal
	if r.wallGoal > 0 {
		goal = fmt.Sprintf("wall ≤ %.2f, ", r.wallGoal) + goal
		met = met && wall[len(wall)/2] <= r.wallGoal
	}
	if r.cpuGoal > 0 {
		goal = fmt.Sprintf("CPU ≤ %.2f, ", r.cpuGoal) + goal
		met = met && cpu[len(cpu)/2] <= r.cpuGoal
	}
	if r.longest > 0 {
		goal = fmt.Sprintf("≤ %s, ", r.longest) + goal
		met = met && median(a).wall <= r.longest
	}
	if met {
		goal += ": met"
	} else {
		goal += ": **missed**"
	}
	fmt.Printf("| %s | %s | %s | %.2f [%.2f–%.2f] | %.2f | %.1f MB | %s |\n", r.name,
		median(a).wall.Round(10*time.Microsecond), median(b).wall.Round(10*time.Microsecond),
		wall[len(wall)/2], wall[len(wall)/4], wall[len(wall)*3/4], cpu[len(cpu)/2], float64(rss)/(1<<20), goal)
}

// ratios returns ours divided by the other's figure of the same round, sorted.
func ratios(a, b []sample, of func(sample) float64) []float64 {
	list := make([]float64, len(a))
	for i := range a {
		list[i] = of(a[i]) / max(of(b[i]), 1)
	}
	slices.Sort(list)
	return list
}

func median(list []sample) sample {
	sorted := slices.SortedFunc(slices.Values(list), func(x, y sample) int { return int(x.wall - y.wall) })
	return sorted[len(sorted)/2]
}

package store

import (
	"database/sql"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/delivery"
)

// BenchmarkLog reads a log of a million rows. shell-ms is the same statement
// in sqlite3 or psql, x-shell how many times as long ours takes (medians of
// nine rounds, in turn); a program that is absent is not compared with.
func BenchmarkLog(b *testing.B) {
	for _, engine := range []struct {
		name string
		open func(testing.TB) testedLog
	}{{"sqlite", newLiteLog}, {"postgres", newPGLog}} {
		b.Run(engine.name, func(b *testing.B) {
			l := engine.open(b)
			l.generate(b, 1_000_000)
			for _, x := range listings(l.clock()) {
				for _, offset := range []int{0, deep} {
					p := delivery.Page{Limit: pageLimit, Offset: offset}
					b.Run(fmt.Sprintf("page %d of %s", offset/pageLimit+1, x.name), func(b *testing.B) { benchPage(b, l, x.filter, p) })
				}
			}
			benchCounts(b, l)
		})
	}
}

func benchPage(b *testing.B, l testedLog, f delivery.Filter, p delivery.Page) {
	arms, err := l.arms(b.Context(), f)
	if err != nil {
		b.Fatal(err)
	}
	shell := l.shell(b, l.page(arms, p))
	var all, ours []float64
	for b.Loop() {
		begin := time.Now()
		if _, err := l.Page(b.Context(), f, p); err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(begin).Seconds()*1000)
	}
	for range 9 {
		begin := time.Now()
		if _, err := l.Page(b.Context(), f, p); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(begin).Seconds()*1000)
	}
	b.ReportMetric(median(all), "ms")
	b.ReportMetric(0, "ns/op")
	if shell > 0 {
		b.ReportMetric(shell, "shell-ms")
		b.ReportMetric(median(ours)/shell, "x-shell")
	}
}

func benchCounts(b *testing.B, l testedLog) {
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	ctx := b.Context()
	for _, x := range listings(l.clock()) {
		run("count of "+x.name, func() error { _, err := l.count(ctx, x.filter); return err })
	}
	run("total, unchanged", func() error { _, err := l.Total(ctx, delivery.Filter{}); return err })
	run("version", func() error { _, err := l.Version(ctx); return err })
	run("health", func() error { _, err := l.Health(ctx); return err })
	run("record", func() error { _, err := l.Record(ctx, fmt.Sprintf("01K%023d", 4711)); return err })
	run("targets", func() error { _, err := l.Targets(ctx); return err })
	run("agents", func() error { _, err := l.Agents(ctx); return err })
	run("chart of a day", func() error { _, err := l.Chart(ctx, l.clock().Add(-24*time.Hour), 30*time.Minute); return err })
	all, err := spans(l.clock().Add(-36*time.Hour), l.clock(), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	nothing := func(*sql.Rows) error { return nil }
	run("chart of all, delivered", func() error { return l.query(ctx, l.doneChart(all), nothing) })
	run("chart of all, others", func() error { return l.query(ctx, l.undoneChart(all), nothing) })
	run("chart of all", func() error { _, err := l.Chart(ctx, l.clock().Add(-36*time.Hour), time.Hour); return err })
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// shell is how many milliseconds the statement takes in the database's own
// shell, by the shell's own clock; 0 when there is none.
func (l testedLog) shell(b *testing.B, c clause) float64 {
	for _, a := range c.args {
		literal := fmt.Sprint(a)
		switch v := a.(type) {
		case string:
			literal = `'` + v + `'`
		case time.Time:
			literal = `'` + v.Format(time.RFC3339Nano) + `'`
		}
		c.text = strings.Replace(c.text, "?", literal, 1)
	}
	name, args, script, pattern, unit := "sqlite3", []string{l.path}, ".timer on\n.output /dev/null\n", `Run Time: real ([0-9.]+)`, 1000.0
	if l.postgres {
		name, args, script, pattern, unit = "psql", []string{"-X", "-q", l.path}, "\\timing on\n\\o /dev/null\n", `Time: ([0-9.]+) ms`, 1.0
	}
	path, err := exec.LookPath(name)
	if err != nil {
		b.Logf("%s is not installed: nothing to compare with", name)
		return 0
	}
	cmd := exec.CommandContext(b.Context(), path, args...)
	cmd.Stdin = strings.NewReader(script + strings.Repeat(c.text+";\n", 9))
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	var times []float64
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(out, -1) {
		ms, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		times = append(times, ms*unit)
	}
	if len(times) != 9 {
		b.Fatalf("%s measured %d times: %s", name, len(times), out)
	}
	return median(times)
}

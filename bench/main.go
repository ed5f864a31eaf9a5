//go:build unix

// Command bench measures the built binary against programs that people have:
// curl for `notify emit`, sha256sum for `export` and `verify export`; and what
// `serve` is made of beside the same sender without a database. All the
// commands of a row run in turn within one round, so that a ratio compares
// neighbours in time and survives a machine whose speed drifts. It prints a
// Markdown table; a row that misses its goal is marked, never hidden.
//
//	go run ./bench -bin bin/agentxchain [-rounds 41] [-lines 1000000] [-row emit]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// settings are the command line of the bench.
type settings struct {
	bin    string
	rounds int
	lines  int
	row    string
	// receive makes this process the receivers of another one.
	receive bool
}

func main() {
	var s settings
	flag.StringVar(&s.bin, "bin", "bin/agentxchain", "the binary to measure")
	flag.IntVar(&s.rounds, "rounds", 41, "rounds of the short rows")
	flag.IntVar(&s.lines, "lines", 1_000_000, "audit lines of the long rows")
	flag.StringVar(&s.row, "row", "", "only rows whose name contains this")
	flag.BoolVar(&s.receive, "receive", false, "be the receivers of the service's rows; the bench starts itself so")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.receive {
		return receive(ctx)
	}
	for _, tool := range []string{"curl", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is needed beside the binary: %w", tool, err)
		}
	}
	dir, err := os.MkdirTemp("", "agentxchain-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%s, %s, %d CPUs, %s\n\n", time.Now().UTC().Format(time.DateOnly), machine(), runtime.NumCPU(), runtime.Version())
	fmt.Println("| row | ours, median | beside it, median | wall ratio, median [quartiles] | CPU ratio | peak memory | goal |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, row := range rows(s) {
		if !strings.Contains(row.name, s.row) {
			continue
		}
		if err := row.run(ctx, s, dir); err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
	}
	if err := runServe(ctx, s, dir); err != nil || s.row != "" {
		return err
	}
	return printInit(ctx, s.bin)
}

// machine names the processor, where the system tells.
func machine() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOOS + "/" + runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// printInit lists what the packages linked into the binary do before main.
func printInit(ctx context.Context, bin string) error {
	c := exec.CommandContext(ctx, bin, "version")
	c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Run(); err != nil {
		return err
	}
	fmt.Println("\nWork of package initialisation, above 200 allocations:")
	for line := range strings.Lines(stderr.String()) {
		f := strings.Fields(line)
		// init PACKAGE @T ms, D ms clock, B bytes, N allocs
		if len(f) != 11 || f[0] != "init" {
			continue
		}
		if allocs, err := strconv.Atoi(f[9]); err == nil && allocs > 200 {
			fmt.Printf("- %s: %s ms, %d allocations\n", f[1], f[4], allocs)
		}
	}
	return nil
}

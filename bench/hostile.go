//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// hostile are templates that would run, grow or nest without end. Each is
// refused by one of the engine's counts.
func hostile() [][2]string {
	return [][2]string{
		{"nested loops", strings.Repeat("{% for a in range(100000) %}", 6) + strings.Repeat("{% endfor %}", 6)},
		{"range(10**9)", "{% for a in range(10**9) %}x{% endfor %}"},
		{"string doubling", "{% set ns = namespace(x='x') %}{% for a in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"},
		{"string times a lot", "{{ 'x' * 10**10 }}"},
		{"power tower", "{{ 10 ** (10 ** 10) }}"},
		{"recursive macro", "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}"},
		{"100,000 parentheses", "{{ " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " }}"},
		{"wide format", "{{ '%999999999d' % 1 }}"},
		{"output without end", "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}"},
		{"sorting a lot, often", "{% for a in range(1000) %}{{ range(99999) | sort | length }}{% endfor %}"},
	}
}

// hostileRows compare the refusal of each template with a process that does
// nothing.
func hostileRows() []row {
	var list []row
	for _, h := range hostile() {
		name, template := h[0], h[1]
		list = append(list, row{
			name: "hostile template, " + name + " / version", rounds: 5, rssGoal: 64 * mib, longest: 250 * time.Millisecond,
			prepare: func(_ context.Context, s settings, dir string) (ours, other command, stop func(), err error) {
				bin, err := filepath.Abs(s.bin)
				if err != nil {
					return ours, other, nil, err
				}
				file := filepath.Join(dir, "hostile.j2")
				if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
					return ours, other, nil, err
				}
				ours = command{argv: []string{bin, "template", "render", file}, dir: dir, exit: 1}
				return ours, command{argv: []string{bin, "version"}, dir: dir}, func() {}, nil
			},
		})
	}
	return list
}

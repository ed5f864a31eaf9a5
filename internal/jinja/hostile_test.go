package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/pyvalue"
)

// memory is a loader of templates in memory.
type memory map[string]string

func (m memory) Load(name string) (string, error) {
	if s, ok := m[name]; ok {
		return s, nil
	}
	return "", ErrNotFound
}

// Each of these would keep a process busy or fill its memory. All are ended by
// something that is counted, never by the clock: it stands still here.
func TestHostileTemplates(t *testing.T) {
	deep := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for name, source := range map[string]string{
		"endless list":            "{% set l = [1] %}{% for x in l %}{{ l.append(1) or '' }}{% endfor %}",
		"nested loops":            "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
		"nested empty loops":      deep("{% for x in range(100000) %}", "", "{% endfor %}", 9),
		"nested empty ranges":     "{% for a in range(99999) %}{% for b in [] %}{% endfor %}{% for b in '' %}{% endfor %}{% for b in {} %}{% endfor %}{% endfor %}" + strings.Repeat("{% for a in range(99999) if a < 0 %}{% endfor %}", 9),
		"endless macro":           "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"growing macro":           "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('x') }}",
		"two macros":              "{% macro a() %}{{ b() }}{{ b() }}{% endmacro %}{% macro b() %}{{ c() }}{{ c() }}{% endmacro %}{% macro c() %}{{ a() }}{% endmacro %}{{ a() }}",
		"endless caller":          "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}",
		"endless include":         "{% include 'again' %}",
		"include includes itself": "{% include ['nope', 'again'] ignore missing %}",
		"endless parent":          "{% extends 'parent' %}",
		"endless import":          "{% import 'importing' as m %}",
		"endless recursion":       "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
		"endless block":           "{% block b %}{{ self.b() }}{% endblock %}",
		"doubling text":           "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"doubling list":           "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"doubling captures":       "{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
		"doubling output":         "{% set x %}" + deep("{% for i in range(10) %}", "0123456789", "{% endfor %}", 6) + "{% endset %}{% for i in range(99) %}{{ x }}{% endfor %}",
		"multiplied text":         "{{ 'x' * 10**9 }}",
		"multiplied list":         "{{ ([0] * 10**9)|length }}",
		"multiplied tuple":        "{{ ((1,2) * 10**9)|length }}",
		"multiplied markup":       "{{ ('x'|safe) * 10**9 }}",
		"power":                   "{{ 10**(10**10) }}",
		"squares":                 "{% set ns = namespace(x=10**4000) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
		"wide format":             "{{ '%999999999d'|format(1) }}",
		"wide star":               "{{ '%*d' % (999999999, 1) }}",
		"precise format":          "{{ '%.999999999f' % 1.5 }}",
		"wide str.format":         "{{ '{:999999999}'.format(1) }}",
		"wide nested format":      "{{ '{:{}}'.format(1, 999999999) }}",
		"center":                  "{{ 'x'|center(999999999) }}",
		"ljust":                   "{{ 'x'.ljust(999999999) }}",
		"zfill":                   "{{ 'x'.zfill(999999999) }}",
		"expandtabs":              "{{ '\t'.expandtabs(999999999) }}",
		"indent":                  "{{ ('a\n' * 1000)|indent(999999) }}",
		"indent width":            "{{ 'a'|indent(999999999) }}",
		"batch":                   "{{ [1]|batch(999999999, 0)|list }}",
		"slice":                   "{{ [1]|slice(999999999, 0)|list }}",
		"many slices":             "{{ [1]|slice(99999999, 0)|length if 0 else [1]|slice(99999999)|map('length')|sum }}",
		"wordwrap":                "{{ ('a ' * 500000)|wordwrap(1, wrapstring='x' * 1000) }}",
		"replace":                 "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}",
		"replace nothing":         "{{ ('a' * 100000)|replace('', 'b' * 100000) }}",
		"join":                    "{{ range(100000)|join('x' * 100000) }}",
		"joins":                   "{% for i in range(99999) %}{% set x = range(100000)|join %}{% endfor %}",
		"str.join":                "{{ ('x' * 1000000).join('y' * 1000) }}",
		"urlencode":               "{% for i in range(99) %}{% set x = ('\"' * 1000000)|urlencode %}{% endfor %}",
		"escape":                  "{% for i in range(99) %}{% set x = ('\"' * 700000)|e %}{% endfor %}",
		"tojson":                  "{% for i in range(99) %}{% set x = ('\x01' * 1000000)|tojson %}{% endfor %}",
		"repr of itself":          "{% set l = [] %}{% for i in range(20) %}{{ l.extend([l, l, l]) or '' }}{% endfor %}{% set ns = namespace(x=l) %}{% for i in range(99999) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"equal to itself":         "{% set a = [] %}{% set b = [] %}{{ a.append(b) }}{{ b.append(a) }}{{ a == b }}",
		"deep list":               "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"deep tojson":             "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}",
		"deep pprint":             "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|pprint }}",
		"broad pprint":            "{% set ns = namespace(x=[0]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|pprint }}",
		"broad comparison":        "{% set ns = namespace(x=[0], y=[0]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"broad hash":              "{% set ns = namespace(x=(0,)) %}{% for i in range(40) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
		"broad message":           "{% set ns = namespace(x=(0,)) %}{% for i in range(40) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{% for i in range(99999) %}{% for i in range(99999) %}{{ 5[ns.x] }}{% endfor %}{% endfor %}{{ 5[ns.x].y }}",
		"broad name":              "{% set ns = namespace(x=(0,)) %}{% for i in range(40) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ ns.x is filter }}",
		"copies":                  "{% set d = {} %}{% for i in range(5000) %}{{ d.update({i: i}) or '' }}{% endfor %}{% for i in range(99999) %}{% set x = d.copy() %}{% endfor %}",
		"broad JSON":              "{% set ns = namespace(x=[0]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
		"long sort":               "{% for i in range(99) %}{% set x = range(100000)|list|sort(reverse=true) %}{% endfor %}",
		"long unique":             "{% for i in range(99) %}{% set x = range(100000)|unique|list %}{% endfor %}",
		"long groupby":            "{% set d = range(100000)|map('string')|list %}{% for i in range(99) %}{% set x = d|groupby(0)|list %}{% endfor %}",
		"long max":                "{% for i in range(99) %}{% set x = range(100000)|max %}{% endfor %}",
		"long sum":                "{% for i in range(99) %}{% set x = range(100000)|sum %}{% endfor %}",
		"long random":             "{% for i in range(99) %}{% set x = range(100000)|map('string')|list|random %}{% endfor %}",
		"sum of lists":            "{{ ([[1, 2, 3]] * 100000)|sum(start=[]) }}",
		"long membership":         "{% set l = range(100000)|list %}{% for i in range(99999) %}{{ -1 in l }}{% endfor %}",
		"lorem":                   "{{ lipsum(999999) }}",
		"long lorem":              "{{ lipsum(1, true, 99999, 100001) }}{{ lipsum(99, true, 99999, 100001) }}",
		"long cycle":              "{% set x = ('x' * 1000000) %}{% for i in range(99) %}{{ x|upper }}{% endfor %}",
		"striptags":               "{% for i in range(99) %}{% set x = ('<!--' * 500000)|striptags %}{% endfor %}",
		"urlize":                  "{% for i in range(99) %}{% set x = ('(' * 500000)|urlize %}{% endfor %}",
		"splits":                  "{% for i in range(99) %}{% set x = ('a ' * 500000).split() %}{% endfor %}",
		"lists of text":           "{% for i in range(99) %}{% set x = ('a' * 800000)|list %}{% endfor %}",
		"kwargs":                  "{% set d = dict.fromkeys(('a' * 4000)|list|map('string')|list) %}{% for i in range(99999) %}{% set x = dict(**{'a': range(100000)|list}) %}{% endfor %}",
		"autoescape":              "{% autoescape true %}{% for i in range(99) %}{% set x = '\"' * 700000 ~ '' %}{{ x }}{% endfor %}{% endautoescape %}",
		"with namespaces":         "{% set ns = namespace() %}{% set ns.n = ns %}{% set ns.m = [ns, ns] %}{{ ns }}{% for i in range(99) %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns }}",
		"parentheses":             "{{ " + deep("(", "1", ")", 100_000) + " }}",
		"lists":                   "{{ " + deep("[", "", "]", 100_000) + " }}",
		"dicts":                   "{{ " + deep("{1:", "1", "}", 50_000) + " }}",
		"calls":                   "{{ " + deep("f(", "", ")", 50_000) + " }}",
		"items":                   "{{ " + deep("f[", "1", "]", 50_000) + " }}",
		"ifs":                     deep("{% if 1 %}", "", "{% endif %}", 10_000),
		"fors":                    deep("{% for x in y %}", "", "{% endfor %}", 9_000),
		"sets":                    deep("{% set x %}", "", "{% endset %}", 10_000),
		"blocks":                  strings.Repeat("{% filter upper %}", 14_000),
		"filters":                 "{{ x" + strings.Repeat("|e", 100_000) + " }}",
		"attributes":              "{{ x" + strings.Repeat(".a", 100_000) + " }}",
		"tests":                   "{{ x" + strings.Repeat("()", 100_000) + " }}",
		"nots":                    "{{ " + strings.Repeat("not ", 60_000) + "x }}",
		"signs":                   "{{ " + strings.Repeat("- ", 100_000) + "x }}",
		"sums":                    "{{ 1" + strings.Repeat("+1", 100_000) + " }}",
		"conditions":              "{{ 1" + strings.Repeat(" if 1 else 1", 20_000) + " }}",
		"ors":                     "{{ 1" + strings.Repeat(" or 1", 40_000) + " }}",
		"targets":                 "{% set " + deep("(", "a", ",)", 50_000) + " = 1 %}",
		"huge source":             strings.Repeat("x", 10<<20),
		"many names":              "{% for i in range(99999) %}" + strings.Repeat("{{ a }}", 20_000) + "{% endfor %}",
		"many constants":          "{% for i in range(99999) %}{% set x = [" + strings.Repeat("1,", 50_000) + "] %}{% endfor %}",
		"many comparisons":        "{% for i in range(99999) %}{% set x = 1" + strings.Repeat("==1", 50_000) + " %}{% endfor %}",
		"many concatenations":     "{% for i in range(99999) %}{% set x = 1" + strings.Repeat("~1", 50_000) + " %}{% endfor %}",
	} {
		t.Run(name, func(t *testing.T) { refuses(t, source) })
	}
}

// Each of these looks at all of a long value and makes little or nothing of it.
// What it looks at is counted: it ends after few rounds.
func TestHostileLongValues(t *testing.T) {
	const values = "{% set s = 'x' * 1000000 %}{% set l = [1] * 100000 %}{% set z = '%' ~ '0' * 1000000 ~ 'd' %}{% set f = '{' ~ '0' * 1000000 ~ '}' %}" +
		"{% set d = dict.fromkeys(range(20000)) %}{% set t = ('y', 'z') * 50000 %}{% set b = s.encode() %}"
	for name, expression := range map[string]string{
		"length":           "s|length",
		"sequence":         "s is sequence",
		"last character":   "s[-1]",
		"character":        "s[700000]",
		"slice":            "s[-1:]",
		"equal lists":      "l == l",
		"unequal lists":    "l != l",
		"order of lists":   "l < l",
		"equal text":       "s == s",
		"texts in lists":   "[s] == [s]",
		"same text":        "s is sameas s",
		"printf precision": "'%.1s'|format(s)",
		"format precision": "'{:.1}'.format(s)",
		"center":           "s.center(1)",
		"center filter":    "s|center(1)",
		"ljust":            "s.ljust(1)",
		"rjust":            "s.rjust(1)",
		"zfill":            "s.zfill(1)",
		"find nowhere":     "s.find('y', 5, 2)",
		"find":             "s.find('y')",
		"count":            "s.count('y')",
		"startswith":       "s.startswith(t)",
		"endswith":         "s.endswith(s)",
		"printf flags":     "z % 1",
		"format field":     "f.format(1)",
		"hash":             "{1: 1}.get(s)",
		"equal dicts":      "d == d",
		"equal views":      "d.keys() == d.keys()",
		"order of views":   "d.keys() <= d.keys()",
		"equal bytes":      "b == b",
		"order of bytes":   "b <= b",
		"bytes in bytes":   "b in b",
		"number in bytes":  "1 in b",
		"maketrans":        "s.maketrans(s, s)",
		"membership":       "'y' in s",
		"truncate":         "s|truncate(3)",
		"maximum":          "l|max",
		"isalpha":          "s.isalpha()",
		"wordcount":        "s|wordcount",
	} {
		t.Run(name, func(t *testing.T) {
			err := refuses(t, values+"{% for i in range(100000) %}{% if "+expression+" %}{% endif %}{% endfor %}")
			if !strings.Contains(err.Message, "steps") {
				t.Errorf("ended by %v, want the steps", err)
			}
		})
	}
}

// Compiling takes time that grows with the source and no faster.
func TestHostileSources(t *testing.T) {
	var names strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&names, "{%% set a%d = 1 %%}", i)
	}
	for name, source := range map[string]string{
		"includes": names.String() + strings.Repeat("{% include 'x' %}", 5000),
		"loops":    strings.Repeat("{% for x in y %}", 90) + names.String() + strings.Repeat("{% endfor %}", 90),
		"branches": strings.Repeat("{% if y %}", 90) + names.String() + strings.Repeat("{% endif %}", 90),
		"macros":   strings.Repeat("{% macro m(x) %}", 90) + names.String() + strings.Repeat("{% endmacro %}", 90),
	} {
		if n := testing.AllocsPerRun(1, func() { _, _ = Compile("", source, Options{}) }); n > 1_000_000 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// refuses renders a hostile template and makes sure that a counted budget ends it.
func refuses(t *testing.T, source string) *Error {
	t.Helper()
	still := time.Unix(0, 0)
	o := Options{
		Now: func() time.Time { return still },
		Loader: memory{
			"again":     "{% include 'again' %}",
			"parent":    "{% extends 'parent' %}",
			"importing": "{% import 'importing' as m %}",
		},
	}
	tpl, err := Compile("", source, o)
	if err == nil {
		_, err = tpl.Render(context.Background(), pyvalue.NewDict(0))
	}
	var failed *Error
	if !errors.As(err, &failed) || !failed.Budget {
		t.Fatalf("got %v, want a budget error", err)
	}
	if strings.Contains(failed.Message, "long") && !strings.Contains(failed.Message, "bytes") {
		t.Errorf("ended by the clock: %v", failed)
	}
	return failed
}

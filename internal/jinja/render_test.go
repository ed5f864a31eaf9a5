package jinja

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/pyvalue"
)

// quoting is an escaper that marks what it sees.
type quoting struct{ inside bool }

func (q *quoting) Literal(text string) {
	q.inside = q.inside != (strings.Count(text, `"`)%2 == 1)
}

func (q *quoting) Value(text string, raw bool) string {
	if raw || !q.inside {
		return text
	}
	return strings.ReplaceAll(text, `"`, `\"`)
}

// The escaper of an output sees what is written there and nothing else.
func TestEscaper(t *testing.T) {
	for source, want := range map[string]string{
		`{{ v }} "{{ v }}" {{ v }}`:                                                       `a"b "a\"b" a"b`,
		`"{{ v|tojson }}{{ v|safe }}"`:                                                    `""a\"b"a"b"`,
		`"{% macro m(x) %}{{ x }}{% endmacro %}{{ m(v) }}"`:                               `"a\"b"`,
		`{% macro m(x) %}"{{ x }}"{% endmacro %}[{{ m(v) }}]`:                             `["a\"b"]`,
		`{% set s %}"{{ v }}"{% endset %}{{ s }}`:                                         `"a\"b"`,
		`"{% filter upper %}{{ v }}{% endfilter %}"`:                                      `"A\"B"`,
		`{% macro m() %}"{{ caller() }}"{% endmacro %}{% call m() %}{{ v }}{% endcall %}`: `"a\"b"`,
		`"{% include 'part' %}"`:                                                          `"a\"b"`,
		`"{% include 'part' without context %}{{ v }}"`:                                   `"a\"b"`,
		`"{% for x in [v] recursive %}{{ x }}{% endfor %}"`:                               `"a\"b"`,
		`"{% block b %}{{ v }}{% endblock %}"{{ self.b() }}`:                              `"a\"b"a"b`,
		`"{{ v|tojson|string }}"`:                                                         `""a\"b""`,
		`"{{ v|tojson ~ '' }}"`:                                                           `"\"a\\"b\""`,
	} {
		o := Options{Escaper: func() Escaper { return &quoting{} }, Loader: memory{"part": "{{ v }}"}}
		tpl, err := Compile("", source, o)
		if err != nil {
			t.Fatal(err)
		}
		vars := pyvalue.NewDict(1)
		vars.SetStr("v", pyvalue.NewStr(`a"b`))
		got, err := tpl.Render(t.Context(), vars)
		if got != want || err != nil {
			t.Errorf("%s\ngot  %s, %v\nwant %s", source, got, err, want)
		}
	}
}

// Errors say where, in the template in which they happen.
func TestErrorPlaces(t *testing.T) {
	loader := memory{"bad": "x\n  {% if %}", "raises": "é {{ 1 // zero }}", "macros": "{% macro m(x) %}\n{{ x.y.z }}{% endmacro %}"}
	for _, c := range []struct{ source, want string }{
		{"a\n  {{ x ? }}", "main:2:8: unexpected char '?' at 9"},
		{"é {{ é.a.b }}", "main:1:7: 'é' is undefined"},
		{"{{ 'é' }}{{ 1 + 'a' }}", "main:1:15: unsupported operand type(s) for +: 'int' and 'str'"},
		{"{% for x in 5 %}{% endfor %}", "main:1:4: 'int' object is not iterable"},
		{"\n{% include 'bad' %}", "bad:2:9: Expected an expression, got 'end of statement block'"},
		{"{% include 'raises' %}", "raises:1:8: integer division or modulo by zero"},
		{"{% from 'macros' import m %}{{ m(1) }}", "macros:2:7: 'int object' has no attribute 'y'"},
		{"{% include 'nope' %}", "main:1:4: nope"},
		{"{{ s|nofilter }}", "main:1:6: No filter named 'nofilter'."},
		{"{% if 0 %}{{ s|nofilter }}{% endif %}{{ s|truncate(1) }}", "main:1:43: expected length >= 3, got 1"},
		{"{% if 1 %}{{ s|nofilter }}{% endif %}", "main:1:16: No filter named 'nofilter' found."},
		{"{% set a, b = 1, 2, 3 %}", "main:1:8: too many values to unpack (expected 2)"},
	} {
		source, want := c.source, c.want
		vars := pyvalue.NewDict(1)
		vars.SetStr("zero", pyvalue.Int(0))
		vars.SetStr("s", pyvalue.NewStr("some text that is long"))
		tpl, err := Compile("main", source, Options{Loader: loader})
		if err == nil {
			_, err = tpl.Render(t.Context(), vars)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", source, err, want)
		}
	}
}

func TestErrorWithoutPlace(t *testing.T) {
	err := &Error{Message: "m"}
	if got := err.Error(); got != "template: m" {
		t.Error(got)
	}
}

// Every limit ends a template, and says which it was.
func TestBudgets(t *testing.T) {
	for _, c := range []struct {
		name, source, want string
		budget             Budget
	}{
		{"steps", "{% for i in range(9999) %}{% endfor %}", "template takes more than 500 steps", Budget{Steps: 500}},
		{"output", "{% for i in range(99) %}{{ i }},{% endfor %}", "template writes more than 50 bytes", Budget{OutputBytes: 50}},
		{"literal", "12345678901", "template writes more than 10 bytes", Budget{OutputBytes: 10}},
		{"string", "{{ 'x' * 51 }}", "template makes a string or list of more than 50 bytes", Budget{StringBytes: 50}},
		{"capture", "{% set x %}{{ 'x' * 30 }}{{ 'x' * 30 }}{% endset %}", "template makes a string or list of more than 50 bytes", Budget{StringBytes: 50}},
		{"bytes", "{% for i in range(99) %}{% set x = 'x' * 30 %}{% endfor %}", "template makes more than 500 bytes of strings and lists", Budget{TotalBytes: 500}},
		{"depth", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "template nests more than 9 levels deep", Budget{Depth: 9}},
		{"brackets", "{{ ((((((((((1)))))))))) }}", "template nests more than 9 levels deep", Budget{Depth: 9}},
		{"height", "{{ 1" + strings.Repeat("+1", maxHeight) + " }}", "expression has more than 250 operators in a row", Budget{}},
		{"source", "12345678901", "template is longer than 10 bytes", Budget{SourceBytes: 10}},
	} {
		_, err := renderWith(t.Context(), c.source, Options{Budget: c.budget})
		var failed *Error
		if !errors.As(err, &failed) || !failed.Budget || failed.Class != "BudgetError" || failed.Message != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func renderWith(ctx context.Context, source string, o Options) (string, error) {
	tpl, err := Compile("", source, o)
	if err != nil {
		return "", err
	}
	return tpl.Render(ctx, pyvalue.NewDict(0))
}

const busy = "{% for i in range(9999) %}{% for j in range(9) %}{{ i }}{% endfor %}{% endfor %}"

// The clock and the context end what the counters still allow.
func TestTimeBudget(t *testing.T) {
	now := time.Unix(0, 0)
	clock := func() time.Time {
		now = now.Add(time.Second)
		return now
	}
	_, err := renderWith(t.Context(), busy, Options{Now: clock, Budget: Budget{Time: 3 * time.Second}})
	var failed *Error
	if !errors.As(err, &failed) || !failed.Budget || failed.Message != "template takes too long" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = renderWith(ctx, busy, Options{})
	if !errors.As(err, &failed) || !failed.Budget || failed.Message != "context canceled" {
		t.Errorf("got %v", err)
	}
}

// A template is shared; what one render changes, no other sees.
func TestConcurrentRenders(t *testing.T) {
	o := Options{Loader: memory{
		"base": "<{% block b %}{% endblock %}>",
		"mod":  "{% set c = cycler(1, 2) %}{% macro m() %}{{ c.next() }}{% endmacro %}",
	}}
	source := "{% extends 'base' %}{% import 'mod' as mod %}{% set ns = namespace(n=0) %}" +
		"{% block b %}{% for x in l recursive %}{{ x }}{{ l.append(x) if l|length < 5 }}{% endfor %}{{ mod.m() }}{{ n|tojson }}{% endblock %}"
	tpl, err := Compile("", source, o)
	if err != nil {
		t.Fatal(err)
	}
	results := make([]string, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			vars := pyvalue.NewDict(2)
			vars.SetStr("l", pyvalue.NewList(pyvalue.Int(1), pyvalue.Int(2)))
			vars.SetStr("n", pyvalue.None{})
			text, err := tpl.Render(context.Background(), vars)
			if err != nil {
				text = err.Error()
			}
			results[i] = text
		})
	}
	wg.Wait()
	for _, got := range results {
		if diff := cmp.Diff("<1None2None1None211null>", got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNotUTF8(t *testing.T) {
	_, err := Compile("", "a\xffb", Options{})
	var failed *Error
	if !errors.As(err, &failed) || failed.Class != "UnicodeDecodeError" {
		t.Errorf("got %v", err)
	}
}

// What is random has the shape that it should have.
func TestRandom(t *testing.T) {
	for source, want := range map[string]string{
		"{{ range(5)|random in range(5) }}":                                 "True",
		"{{ 'a'|random }}{{ {0: 'x'}|random }}":                             "ax",
		"{{ []|random is defined }}":                                        "False",
		"{{ lipsum(3)|length > 100 }}{{ lipsum(2).count('<p>') }}":          "True2",
		"{{ lipsum(3, html=false).split('\n\n')|length }}":                  "3",
		"{{ lipsum(1, html=false, min=3, max=4).split(' ')|length }}":       "3",
		"{{ lipsum(1, html=false)[0] is upper }}{{ lipsum(1, false)[-1] }}": "True.",
	} {
		if got := renderOnce(t, source, pyvalue.NewDict(0)); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}

// The message of an error does not show all of a key that is huge.
func TestHugeKeyInMessage(t *testing.T) {
	source := "{% set ns = namespace(x=(0,)) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ 5[ns.x].y }}"
	_, err := renderWith(t.Context(), source, Options{})
	if want := "template:1:108: int object has no element ?"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

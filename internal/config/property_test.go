package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/secret"
	"agentxchain/internal/webhook"
	"agentxchain/schemas"
)

// beyondSchema are the rules that compare one value with others, which JSON
// Schema cannot say, and the length that it counts differently.
func beyondSchema(message string) bool {
	return slices.ContainsFunc([]string{
		": duplicate webhook name ",
		": values must be strictly ascending",
		": unresolved header env vars ",
		" is not in runtimes",
		"project.goal must be at most 500 characters",
	}, func(part string) bool { return strings.Contains(message, part) })
}

// agree fails unless schema and rules give the same verdict on a document.
func agree(t rapid.TB, schema *schemas.Schema, doc *ecmajson.Value, problems Problems) {
	t.Helper()
	issues, err := schema.Validate(doc)
	if err != nil {
		t.Fatal(err)
	}
	rules := contract(problems).errors
	rules = slices.DeleteFunc(rules, beyondSchema)
	if len(issues) > 0 != (len(rules) > 0) {
		t.Errorf("schema says %v\nrules say %q\nof %s", issues, rules, ecmajson.Append(nil, doc))
	}
}

func compile(tb testing.TB, name string) *schemas.Schema {
	tb.Helper()
	s, err := schemas.Compile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// checkBytes checks the content of a file without a file.
func checkBytes(src []byte, opts Options) *checker {
	c := &checker{lookup: none, opts: opts}
	c.check(src)
	return c
}

func TestSchemaAndRulesAgreeOnEveryCase(t *testing.T) {
	section, file := compile(t, "notifications"), compile(t, "agentxchain")
	list, lookup := cases(t)
	for _, r := range list {
		doc := parse(t, r.src)
		agree(t, section, doc, judge(doc, lookup, Options{RequireEnv: true}))
		c := checkBytes(slices.Concat([]byte(minimal+`,"notifications":`), r.src, []byte("}")), Options{RequireEnv: true})
		agree(t, file, c.doc, c.problems)
	}
	fixtures.Ran(t, "config-cases against the schema", len(list))
}

// odd are values that are rarely what is wanted.
func odd() []string {
	return []string{
		"null", "true", "false", "0", "-0", "-1", "1", "4", "99", "100", "299", "300", "300.0", "300.5", "3e2", "600", "30000", "30001", "1e400", "-1e400",
		`""`, `" "`, `"\ufeff"`, `"x"`, `"\ud800"`, `"a\n"`, `"900"`, `"0x384"`, `"run_blocked"`, `"https://x/"`, `"http://\n"`, `"http://\u2028"`, `"${M}"`,
		"[]", "[null]", "[[]]", `["run_blocked"]`, "[300,600]", `["x",7]`,
		"{}", `{"a":"b"}`, `{"a":1}`, `{"toString":1}`, `{"0":"x"}`, `{"manual":{}}`,
	}
}

func junk() *rapid.Generator[string] { return rapid.SampledFrom(odd()) }

// usually draws good, but one time in six junk.
func usually(t *rapid.T, label string, good *rapid.Generator[string]) string {
	if rapid.IntRange(0, 5).Draw(t, label+" bad") == 0 {
		return junk().Draw(t, label)
	}
	return good.Draw(t, label)
}

// object draws an object of some of the given members, in any order, and
// sometimes a strange one.
func object(members map[string]*rapid.Generator[string]) *rapid.Generator[string] {
	keys := make([]string, 0, len(members))
	for k := range members {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return rapid.Custom(func(t *rapid.T) string {
		var parts []string
		for _, k := range rapid.Permutation(keys).Draw(t, "order") {
			if rapid.IntRange(0, 9).Draw(t, k+" absent") > 0 {
				parts = append(parts, fmt.Sprintf("%q:%s", k, usually(t, k, members[k])))
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "strange") == 0 {
			parts = append(parts, rapid.SampledFrom([]string{`"x":1`, `"toString":1`, `"__proto__":{}`, `"7":"y"`}).Draw(t, "member"))
		}
		return "{" + strings.Join(parts, ",") + "}"
	})
}

func array(items *rapid.Generator[string], most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := make([]string, rapid.IntRange(0, most).Draw(t, "length"))
		for i := range parts {
			parts[i] = usually(t, "item", items)
		}
		return "[" + strings.Join(parts, ",") + "]"
	})
}

func oneText(list ...string) *rapid.Generator[string] {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = string(ecmajson.AppendString(nil, s))
	}
	return rapid.SampledFrom(quoted)
}

func notificationsText() *rapid.Generator[string] {
	strs := object(map[string]*rapid.Generator[string]{"A": oneText("", "x", "${M}", "${E}"), "E": oneText("v"), "10": oneText("y")})
	hook := object(map[string]*rapid.Generator[string]{
		"name":       oneText("a", "b", "c-1", "d_2", "ops"),
		"url":        oneText("https://x/", "http://127.0.0.1:1/y"),
		"events":     array(oneText(governedEvents()...), 3),
		"timeout_ms": rapid.SampledFrom([]string{"100", "5000", "5e3", "5000.0", "30000"}),
		"headers":    strs,
		"env":        strs,
	})
	sla := object(map[string]*rapid.Generator[string]{
		"enabled":                rapid.SampledFrom([]string{"true", "false"}),
		"reminder_after_seconds": array(rapid.SampledFrom([]string{"300", "301", "900", "3600"}), 12),
	})
	return object(map[string]*rapid.Generator[string]{"webhooks": array(hook, 9), "approval_sla": sla, "local": junk()})
}

func fileText() *rapid.Generator[string] {
	role := object(map[string]*rapid.Generator[string]{
		"title": oneText("T"), "mandate": oneText("M"), "runtime": oneText("a", "b"),
		"write_authority": oneText("authoritative", "proposed", "review_only"),
	})
	runtime := object(map[string]*rapid.Generator[string]{"type": oneText("manual", "local_cli", "api_proxy", "mcp", "remote_agent")})
	return object(map[string]*rapid.Generator[string]{
		"schema_version": rapid.SampledFrom([]string{`"1.0"`, "4", "4.0"}),
		"project":        object(map[string]*rapid.Generator[string]{"id": oneText("p"), "name": oneText("P"), "goal": oneText("g", "\u3000g ")}),
		"roles":          object(map[string]*rapid.Generator[string]{"pm": role, "dev": role}),
		"runtimes":       object(map[string]*rapid.Generator[string]{"a": runtime, "b": runtime}),
		"routing":        object(map[string]*rapid.Generator[string]{"plan": junk(), "qa-1": junk()}),
		"notifications":  notificationsText(),
	})
}

// mutations replaces each value of a document by each odd one, and renames each key.
func mutations(src []byte, v *ecmajson.Value, yield func([]byte)) {
	for _, text := range odd() {
		yield(slices.Concat(src[:v.Offset()], []byte(text), src[v.End():]))
	}
	for _, item := range v.Items() {
		mutations(src, item, yield)
	}
	for _, m := range v.Members() {
		for _, name := range []string{`"Renamed`, `"-`} {
			yield(slices.Concat(src[:m.KeyOffset], []byte(name), src[m.KeyOffset+1:]))
		}
		mutations(src, m.Value, yield)
	}
}

func TestSchemaAndRulesAgreeOnSingleMutations(t *testing.T) {
	src := []byte(`{"schema_version":"1.0","template":"x","project":{"id":"p","name":"P","goal":"g"},
"roles":{"pm":{"title":"T","mandate":"M","write_authority":"proposed","runtime":"m"}},"runtimes":{"m":{"type":"manual"}},"routing":{"plan":{}},
"notifications":{"webhooks":[{"name":"a","url":"https://x/","events":["run_blocked"],"timeout_ms":5000,"headers":{"A":"${E}"},"env":{"E":"x"}}],
"approval_sla":{"enabled":true,"reminder_after_seconds":[300,600]},"local":{}}}`)
	file, n, good := compile(t, "agentxchain"), 0, 0
	mutations(src, parse(t, src), func(mutant []byte) {
		c := checkBytes(mutant, Options{RequireEnv: true})
		agree(t, file, c.doc, c.problems)
		n++
		if !c.problems.Bad() {
			good++
		}
	})
	if n < 1000 || good < n/20 || good > n/2 {
		t.Errorf("of %d mutants %d are valid: the test does not tell much", n, good)
	}
}

func TestSchemaAndRulesAgreeOnMutations(t *testing.T) {
	section := compile(t, "notifications")
	t.Run("notifications", rapid.MakeCheck(func(t *rapid.T) {
		src := notificationsText().Draw(t, "notifications")
		doc, err := ecmajson.Parse([]byte(src), ecmajson.Options{})
		if err != nil {
			t.Fatal(err)
		}
		agree(t, section, doc, judge(doc, none, Options{RequireEnv: true}))
	}))
	file := compile(t, "agentxchain")
	t.Run("file", rapid.MakeCheck(func(t *rapid.T) {
		c := checkBytes([]byte(fileText().Draw(t, "file")), Options{RequireEnv: true})
		agree(t, file, c.doc, c.problems)
	}))
}

// What is checked must be what is sent: the sender finds the same variables missing.
func TestSenderAgreesOnMissingVariables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"$", "{", "}", "A", "${A}", "${}", "${B", " "})
		value := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		_, missing := webhook.Config{Headers: []webhook.Header{{Name: "H", Value: secret.New(value)}}}.ExpandHeaders(nil)
		for i, name := range missing {
			missing[i] = strings.TrimPrefix(name, "H:")
		}
		if diff := cmp.Diff(missing, placeholders(value), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: (-sender +check)\n%s", value, diff)
		}
	})
}

func TestToNumberIsECMAScript(t *testing.T) {
	for src, want := range map[string]float64{
		"null": 0, "true": 1, "false": 0, "-1.5": -1.5, `""`: 0, `" \ufeff "`: 0, `"900"`: 900, `" 900\n"`: 900, `"+9"`: 9, `"-.5e1"`: -5, `"5."`: 5,
		`"0x1F"`: 31, `"0B11"`: 3, `"0o17"`: 15, `"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1), `"1e400"`: math.Inf(1),
		"[]": 0, "[7]": 7, `[["8"]]`: 8, "[null]": 0,
	} {
		if got := toNumber(parse(t, []byte(src))); got != want {
			t.Errorf("toNumber(%s) = %v, want %v", src, got, want)
		}
	}
	for _, src := range []string{`"x"`, `"inf"`, `"nan"`, `"1_0"`, `"0x"`, `"0xg"`, `"-0x1"`, `"0x1p2"`, `"1 2"`, `"."`, `"e1"`, `"infinity"`, "{}", "[1,2]", `[{}]`} {
		if got := toNumber(parse(t, []byte(src))); !math.IsNaN(got) {
			t.Errorf("toNumber(%s) = %v, want NaN", src, got)
		}
	}
}

func TestToStringIsECMAScript(t *testing.T) {
	for src, want := range map[string]string{
		"null": "null", "true": "true", "1e21": "1e+21", "-0": "0", "1.50": "1.5", "1e400": "Infinity", "-1e400": "-Infinity", "1e-7": "1e-7",
		`"a"`: "a", "{}": "[object Object]", "[]": "", "[null,[1,[2]],{}]": ",1,2,[object Object]",
	} {
		if got := toString(parse(t, []byte(src))); got != want {
			t.Errorf("toString(%s) = %q, want %q", src, got, want)
		}
	}
}

func FuzzPlaceholders(f *testing.F) {
	pattern := regexp.MustCompile(`\$\{([^}]+)\}`)
	for _, s := range []string{"Bearer ${A}", "${}", "${A${B}}", "${A", "$${A}}", "${\n}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want []string
		for _, m := range pattern.FindAllStringSubmatch(s, -1) {
			want = append(want, m[1])
		}
		if diff := cmp.Diff(want, placeholders(s), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: %s", s, diff)
		}
		var back strings.Builder
		for _, p := range split(s) {
			if p.name != "" {
				back.WriteString("${" + p.name + "}")
			}
			back.WriteString(p.text)
		}
		if back.String() != s {
			t.Errorf("%q comes back as %q", s, back.String())
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(hook(`"headers":{"Authorization":"Bearer ${A}","B":"$<C>"},"env":{"A":"x"}`)))
	f.Add([]byte(minimal + `,"notifications":{"webhooks":[null,{"events":[{"toString":1},[1]]}],"approval_sla":{"reminder_after_seconds":["9",[1],300]}}}`))
	f.Add([]byte("\xff{\"version\":3}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c := checkBytes(src, Options{})
		bad := c.problems.Bad()
		if strict := checkBytes(src, Options{RequireEnv: true}); bad && !strict.problems.Bad() {
			t.Error("stricter options accept more")
		}
		c.advise()
		if c.problems.Bad() != bad {
			t.Errorf("advice changes the verdict: %v", c.problems)
		}
		c.problems.place(src)
		for _, p := range c.problems {
			if line, column := ecmajson.Position(src, p.Offset); line != p.Line || column != p.Column || p.Message == "" {
				t.Errorf("%+v, want place %d:%d", p, line, column)
			}
		}
		if !bad {
			cfg := compose(c.doc)
			cfg.src = src
			if len(cfg.Settings()) < 3 || cfg.Project.ID == "" {
				t.Errorf("settings %v", cfg.Settings())
			}
		}
	})
}

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/project"
)

// verdict is what a validator says about one value.
type verdict struct {
	ok               bool
	errors, warnings []string
}

// recorded is one case of the manifest: the Node CLI's verdict on the value
// alone and on a minimal configuration that carries it.
type recorded struct {
	file              string
	src               []byte
	function, whole   verdict
	threw, wholeThrew string
}

func parse(tb testing.TB, src []byte) *ecmajson.Value {
	tb.Helper()
	v, err := ecmajson.Parse(src, ecmajson.Options{})
	if err != nil {
		tb.Fatalf("%v in %.200s", err, src)
	}
	return v
}

func texts(v *ecmajson.Value) []string {
	list := []string{}
	for _, item := range v.Items() {
		list = append(list, item.Str())
	}
	return list
}

func readVerdict(v *ecmajson.Value) verdict {
	return verdict{v.Get("ok").True(), texts(v.Get("errors")), texts(v.Get("warnings"))}
}

// cases returns the recorded cases and the environment they ran in. A case
// whose file is not there is passed over: a folder may hold some of them.
func cases(t *testing.T) ([]recorded, project.LookupFunc) {
	t.Helper()
	dir := fixtures.Path(t, "agentxchain/config-cases")
	manifest := parse(t, read(t, filepath.Join(dir, "manifest.json")))
	var list []recorded
	for _, c := range manifest.Get("cases").Items() {
		r := recorded{
			file:       c.Get("file").Str(),
			function:   readVerdict(c),
			whole:      readVerdict(c.Get("whole_config")),
			threw:      c.Get("threw").Str(),
			wholeThrew: c.Get("whole_config").Get("threw").Str(),
		}
		src, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(r.file)))
		if errors.Is(err, fs.ErrNotExist) {
			t.Logf("case %s is absent", r.file)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r.src = src
		list = append(list, r)
	}
	return list, lookupIn(manifest.Get("env"))
}

func lookupIn(env *ecmajson.Value) project.LookupFunc {
	return func(name string) (string, bool) { return env.Get(name).Str(), env.Has(name) }
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// judge applies the rules of the section alone, in their order.
func judge(doc *ecmajson.Value, lookup project.LookupFunc, opts Options) Problems {
	c := &checker{lookup: lookup, opts: opts, doc: doc}
	c.notifications(doc)
	return c.problems
}

// contract reduces problems to what the Node CLI would print.
func contract(ps Problems) verdict {
	v := verdict{!ps.Bad(), []string{}, []string{}}
	for _, p := range ps {
		switch {
		case p.Severity == Error:
			v.errors = append(v.errors, p.Message)
		case !p.Extra:
			v.warnings = append(v.warnings, p.Message)
		}
	}
	return v
}

// projectWith writes a project whose configuration carries the value.
func projectWith(tb testing.TB, notifications []byte) project.Root {
	tb.Helper()
	return projectOf(tb, slices.Concat([]byte(`{"schema_version":"1.0","project":{"id":"p","name":"P"},"roles":{},"runtimes":{},"notifications":`), notifications, []byte("}")))
}

func projectOf(tb testing.TB, src []byte) project.Root {
	tb.Helper()
	root := project.Root{Dir: tb.TempDir(), Kind: project.Run}
	if err := os.WriteFile(root.ConfigFile(), src, 0o600); err != nil {
		tb.Fatal(err)
	}
	return root
}

func envOf(tb testing.TB, root project.Root, lookup project.LookupFunc) project.Env {
	tb.Helper()
	env, err := project.LoadEnv(lookup, root, root.Dir)
	if err != nil {
		tb.Fatal(err)
	}
	return env
}

// difference is a field in which our verdict and the recorded one differ.
type difference struct{ Case, Field, Ours, Peer string }

// compare lists the differences between two verdicts. A crash of the Node CLI
// has no verdict: there what we report stands against the crash.
func compare(file, prefix string, ours, peer verdict, threw string) []difference {
	if threw != "" {
		return []difference{{file, prefix + "threw", jsonOf(ours.errors), jsonOf(threw)}}
	}
	var list []difference
	add := func(field, a, b string) {
		if a != b {
			list = append(list, difference{file, prefix + field, a, b})
		}
	}
	add("ok", fmt.Sprint(ours.ok), fmt.Sprint(peer.ok))
	add("errors", jsonOf(ours.errors), jsonOf(peer.errors))
	add("warnings", jsonOf(ours.warnings), jsonOf(peer.warnings))
	return list
}

func jsonOf(v any) string {
	switch v := v.(type) {
	case string:
		return string(ecmajson.Append(nil, ecmajson.NewString(v)))
	case []string:
		return string(ecmajson.Append(nil, ecmajson.NewStrings(v)))
	}
	return fmt.Sprint(v)
}

// listed reads this area's part of testdata/differences.json.
func listed(t *testing.T) []difference {
	t.Helper()
	src := read(t, filepath.Join(fixtures.Root(t), "testdata", "differences.json"))
	var list []difference
	for i, d := range parse(t, src).Items() {
		if d.Get("decision").Str() == "" {
			t.Errorf("entry %d names no decision", i)
		}
		if d.Get("area").Str() != "config" {
			continue
		}
		list = append(list, difference{
			d.Get("case").Str(), d.Get("field").Str(),
			string(ecmajson.Append(nil, d.Get("ours"))), string(ecmajson.Append(nil, d.Get("peer"))),
		})
	}
	return list
}

// withPrototypes adds what ECMAScript finds in any object (contract, section
// 9, B20), which we do not take for variables.
func withPrototypes(lookup project.LookupFunc) project.LookupFunc {
	names := []string{
		"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
		"toLocaleString", "toString", "valueOf", "__proto__", "__defineGetter__",
		"__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	}
	return func(name string) (string, bool) {
		if slices.Contains(names, name) {
			return "", true
		}
		return lookup(name)
	}
}

// differences lists how our verdicts on one case differ from the recorded ones.
func differences(t *testing.T, r recorded, lookup project.LookupFunc) []difference {
	t.Helper()
	opts := Options{RequireEnv: true}
	function := contract(judge(parse(t, r.src), lookup, opts))
	root := projectWith(t, r.src)
	_, problems := Check(root, envOf(t, root, lookup), opts)
	whole := contract(problems)
	// The whole file is sorted by place, the Node CLI's list by rule.
	slices.Sort(whole.errors)
	slices.Sort(r.whole.errors)
	return append(compare(r.file, "", function, r.function, r.threw),
		compare(r.file, "whole_config.", whole, r.whole, r.wholeThrew)...)
}

// foreseen explains the differences of a case that was not recorded here by
// the two decisions that make any: where the Node CLI crashes we report, and
// what every ECMAScript object has is no variable.
func foreseen(t *testing.T, r recorded, lookup project.LookupFunc) bool {
	t.Helper()
	for _, d := range differences(t, r, withPrototypes(lookup)) {
		if !strings.HasSuffix(d.Field, "threw") || d.Ours == "[]" {
			return false
		}
	}
	return true
}

func TestConfigCases(t *testing.T) {
	list, lookup := cases(t)
	expected, foreign := listed(t), os.Getenv(fixtures.Env) != ""
	var found []difference
	present := map[string]bool{}
	for _, r := range list {
		present[r.file] = true
		ds := differences(t, r, lookup)
		unlisted := slices.ContainsFunc(ds, func(d difference) bool { return !slices.Contains(expected, d) })
		if foreign && unlisted && foreseen(t, r, lookup) {
			t.Logf("foreseen: %+v", ds)
			continue
		}
		found = append(found, ds...)
	}
	expected = slices.DeleteFunc(expected, func(d difference) bool { return !present[d.Case] })
	less := func(a, b difference) int {
		return strings.Compare(a.Case+"\x00"+a.Field, b.Case+"\x00"+b.Field)
	}
	slices.SortFunc(found, less)
	slices.SortFunc(expected, less)
	if diff := cmp.Diff(expected, found, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("differences from the Node CLI (-listed +found):\n%s", diff)
	}
	fixtures.Ran(t, "config-cases", len(list))
}
